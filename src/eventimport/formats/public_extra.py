"""What of `extra` is in public feeds: what schedules and calendars say of sessions and speakers.

An archive may keep anything in `extra`, so it is private as a whole. The tables of what the formats
keep name the exceptions, such as slugs and links.
"""

from collections.abc import Collection
from typing import Any, Final

from eventimport.conference.kinds import Kind
from eventimport.formats.ical.writer import KEEPS as ICAL
from eventimport.formats.schedule_json.writer import KEEPS as SCHEDULE_JSON
from eventimport.formats.schedule_xml.writer import KEEPS as SCHEDULE_XML
from eventimport.formats.schedules.schedule import TEXTS
from eventimport.formats.xcal.writer import KEEPS as XCAL

_KEYS: Final = {
    kind: frozenset[str]().union(
        *(keeps.extra.get(kind, frozenset()) for keeps in (SCHEDULE_XML, SCHEDULE_JSON, ICAL, XCAL))
    )
    for kind in Kind
}


def public_extra(
    kind: Kind, extra: dict[str, Any], private_fields: Collection[str]
) -> dict[str, Any]:
    """The public part of a record's `extra`, without the sources of private texts."""
    public = {key: value for key, value in extra.items() if key in _KEYS[kind]}
    texts = public.pop(TEXTS, None)
    if isinstance(texts, dict):
        public[TEXTS] = {name: said for name, said in texts.items() if name not in private_fields}
    return public
