"""A small example of each format, for the suite that holds all of them."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.formats.calendar_samples import PLAIN_CALENDAR, PLAIN_XCAL
from tests.formats.planning import EVENT, zip_of
from tests.formats.pretalx_samples import PLAIN as PLAIN_PRETALX
from tests.formats.schedule_json_samples import PLAIN as PLAIN_JSON
from tests.formats.schedule_samples import PLAIN
from tests.formats.sessionize_samples import PLAIN as PLAIN_SESSIONIZE
from tests.formats.table_samples import PLAIN_CSV

from eventimport.formats.ical import ICAL
from eventimport.formats.openevent import OPENEVENT
from eventimport.formats.pretalx import PRETALX
from eventimport.formats.schedule_json import SCHEDULE_JSON
from eventimport.formats.schedule_xml import SCHEDULE_XML
from eventimport.formats.sessionize import SESSIONIZE
from eventimport.formats.table import TABLE
from eventimport.formats.xcal import XCAL


def _open_event() -> bytes:
    sessions = [{"id": 1, "title": "Opening", "starts_at": "2027-05-01T09:00:00+00:00"}]
    return zip_of({"event": EVENT, "sessions": sessions}, {"images/logo.png": b"\x89PNG"})


EXAMPLES: Mapping[str, Callable[[], bytes]] = {
    OPENEVENT.name: _open_event,
    SCHEDULE_XML.name: PLAIN.encode,
    SCHEDULE_JSON.name: json.dumps(PLAIN_JSON).encode,
    ICAL.name: PLAIN_CALENDAR.encode,
    XCAL.name: PLAIN_XCAL.encode,
    TABLE.name: PLAIN_CSV.encode,
    SESSIONIZE.name: json.dumps(PLAIN_SESSIONIZE).encode,
    PRETALX.name: json.dumps(PLAIN_PRETALX).encode,
}
"""Names of formats → makers of an example with an event and at least one session."""

NAMELESS: Final = frozenset({PRETALX.name, SESSIONIZE.name, TABLE.name})
"""Formats that say nothing about the event."""

OPTIONS: Mapping[str, dict[str, Any]] = {
    name: {"name": "Lamp Days", "timezone": "UTC"} if name in NAMELESS else {} for name in EXAMPLES
}
"""Names of formats → what the user has to say about the event of the example."""
