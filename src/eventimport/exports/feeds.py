"""Public feeds: schedules and calendars of published events, rendered once for each revision."""

import asyncio
from collections.abc import Collection, Iterable
from contextlib import closing
from hashlib import sha256
from typing import Any, BinaryIO, Final

from eventimport import __version__
from eventimport.conference.conference import Record
from eventimport.conference.kinds import Kind
from eventimport.conference.report import Report
from eventimport.database.feeds import Chosen, PublishedEvent, feed_selection
from eventimport.database.visibility import PRIVATE_COLUMNS
from eventimport.exports.spool import Spool, spool_event
from eventimport.feed_cache import Feed, feed_of
from eventimport.formats import Format
from eventimport.formats.format import WriteOptions
from eventimport.formats.ical.writer import KEEPS as ICAL
from eventimport.formats.schedule_json.writer import KEEPS as SCHEDULE_JSON
from eventimport.formats.schedule_xml.writer import KEEPS as SCHEDULE_XML
from eventimport.formats.schedules.schedule import TEXTS
from eventimport.formats.xcal.writer import KEEPS as XCAL
from eventimport.resources import Resources

PUBLIC_KEYS: Final = {
    kind: frozenset[str]().union(
        *(keeps.extra.get(kind, frozenset()) for keeps in (SCHEDULE_XML, SCHEDULE_JSON, ICAL, XCAL))
    )
    for kind in Kind
}
"""What schedules and calendars say of sessions and speakers in `extra`, such as slugs and links. An
archive may keep anything there, so the rest is private."""


def public_extra(
    kind: Kind, extra: dict[str, Any], private_fields: Collection[str]
) -> dict[str, Any]:
    """The public part of a record's `extra`, without the sources of private texts."""
    public = {key: value for key, value in extra.items() if key in PUBLIC_KEYS[kind]}
    texts = public.pop(TEXTS, None)
    if isinstance(texts, dict):
        public[TEXTS] = {name: said for name, said in texts.items() if name not in private_fields}
    return public


class PublicSpool(Spool):
    """A spool that private parts of `extra` never reach."""

    def add(self, kind: Kind, records: Iterable[Record]) -> None:
        """Add the public part of records."""
        private = PRIVATE_COLUMNS.get(kind, frozenset())
        records = list(records)
        for record in records:
            record.extra = public_extra(kind, record.extra, private)
        super().add(kind, records)


async def public_feed(
    resources: Resources, event: PublishedEvent, written: Format, chosen: Chosen
) -> Feed | None:
    """The feed of an event's revision; rendered unless this process has it. None if the event was
    deleted meanwhile."""

    async def render() -> Feed | None:
        with closing(PublicSpool()) as spool:
            found = await spool_event(
                resources.engine,
                resources.storages,
                event.id,
                spool,
                selection=feed_selection(chosen),
            )
            if found is None:
                return None
            return await asyncio.to_thread(_render, spool, written, _options(resources, event))

    # An event that was deleted and restored from a backup has the same revisions again.
    key = (event.id, event.revision, event.updated_at, written.name, chosen)
    return await resources.feeds.get(key, render)


def etag_of(resources: Resources, event: PublishedEvent, written: Format, chosen: Chosen) -> str:
    """What identifies a feed of a revision, without quotation marks. A new version of the service
    may write it in another way."""
    options = _options(resources, event)
    names = (event.id, event.revision, event.updated_at.isoformat(), written.name, chosen)
    text = repr((names, options.event_url, options.base_url, __version__))
    return sha256(text.encode()).hexdigest()[:32]


def _options(resources: Resources, event: PublishedEvent) -> WriteOptions:
    settings = resources.settings
    return WriteOptions(
        event_url=f"{settings.event_base_url}/events/{event.identifier}",
        base_url=settings.public_url,
        version=__version__,
        now=event.updated_at,
    )


def _no_media(_url: str) -> None:
    """Feeds hold no files."""


def _render(spool: Spool, written: Format, options: WriteOptions) -> Feed:
    def write(sink: BinaryIO) -> int:
        written.writer(spool, _no_media, sink, options, Report())
        return spool.count(Kind.SESSION)

    return feed_of(write)
