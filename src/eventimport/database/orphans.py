"""Which stored objects nothing refers to.

A wrong answer costs a user's data, so each of these must be certain, and whatever is not is kept:

- A medium of an event that does not exist. Events are committed before their first medium is
  stored, and the number of one that is gone never comes back.
- A medium of an event whose import has ended, where neither `media_items` nor any value in the
  event's rows has the random part of its key. The import writes that down before it stores the
  object, and its URL is first told by being written to a row: without either, nobody ever knew of
  it. What an import has moved is kept as long as its event, also where a row names another URL by
  now; so are all media of an event whose import is unknown, its user having been deleted.
- An archive whose import does not exist, or has ended and has given it up. An import's row is
  committed just after its archive is stored: the caller leaves young objects alone.
- What a probe of the storage has left.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import Text, cast, exists, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from eventimport.database.event_graph import NODES
from eventimport.database.models import OPEN_STATUSES, Event, ImportJob, MediaItem
from eventimport.openevent.order import Kind
from eventimport.storage.owners import ArchiveOf, MediumOf, Owner, ProbeOf

_TOKEN: Final = "/([0-9a-f]{24})"  # noqa: S105 - a pattern


class Orphan(StrEnum):
    """Why nothing refers to an object."""

    EVENT_GONE = "event_gone"
    NEVER_USED = "never_used"
    ARCHIVE = "orphaned_archive"
    PROBE = "probe"


async def orphans_among(
    connection: AsyncConnection, objects: Mapping[str, Owner]
) -> dict[str, Orphan]:
    """Those of the objects, given by key with their owner, that nothing refers to. For a connection
    without a transaction: each statement is to see what was committed before the next."""
    media = [owner for owner in objects.values() if isinstance(owner, MediumOf)]
    jobs = {owner.job_id for owner in objects.values() if isinstance(owner, ArchiveOf)}
    needed = await _in_need_of_archive(connection, jobs) if jobs else set()
    events = {medium.event_id for medium in media}
    known = await _known_events(connection, events) if events else set()
    unused = await _unused(connection, [m for m in media if m.event_id in known])
    found: dict[str, Orphan] = {}
    for key, owner in objects.items():
        match owner:
            case MediumOf(event_id=event_id) if event_id not in known:
                found[key] = Orphan.EVENT_GONE
            case MediumOf() if owner in unused:
                found[key] = Orphan.NEVER_USED
            case ArchiveOf(job_id=job_id) if job_id not in needed:
                found[key] = Orphan.ARCHIVE
            case ProbeOf():
                found[key] = Orphan.PROBE
            case _:
                pass
    return found


async def _in_need_of_archive(connection: AsyncConnection, ids: Collection[UUID]) -> set[UUID]:
    needed = or_(ImportJob.status.in_(OPEN_STATUSES), ImportJob.archive_key.is_not(None))
    return set(await connection.scalars(select(ImportJob.id).where(ImportJob.id.in_(ids), needed)))


async def _known_events(connection: AsyncConnection, ids: Collection[int]) -> set[int]:
    return set(await connection.scalars(select(Event.id).where(Event.id.in_(ids))))


async def _unused(connection: AsyncConnection, media: Collection[MediumOf]) -> set[MediumOf]:
    """In this order: once its import has ended, an event's media are settled."""
    ended = await _ended_imports(connection, {medium.event_id for medium in media})
    left = {medium for medium in media if medium.event_id in ended}
    for tokens_in in (_recorded, _mentioned):
        if left:
            used = await tokens_in(
                connection, {m.event_id for m in left}, {medium.token for medium in left}
            )
            left = {medium for medium in left if medium.token not in used}
    return left


async def _ended_imports(connection: AsyncConnection, events: Collection[int]) -> set[int]:
    """Those of the events whose import is known, and has ended."""
    other = aliased(ImportJob)
    running = exists().where(other.event_id == ImportJob.event_id, other.status.in_(OPEN_STATUSES))
    statement = select(ImportJob.event_id).where(ImportJob.event_id.in_(events), ~running)
    return {event for event in await connection.scalars(statement) if event is not None}


async def _recorded(
    connection: AsyncConnection, events: Collection[int], tokens: Collection[str]
) -> set[str]:
    token = func.substring(MediaItem.object_key, _TOKEN)
    statement = select(token).where(MediaItem.event_id.in_(events), token.in_(tokens))
    return set(await connection.scalars(statement))


async def _mentioned(
    connection: AsyncConnection, events: Collection[int], tokens: Collection[str]
) -> set[str]:
    """The tokens that stand anywhere in the events' rows, be it in a description or in `extra`."""
    mentioned: set[str] = set()
    for kind, node in NODES.items():
        table = node.table
        event = table.c.id if kind is Kind.EVENT else table.c.event_id
        row = cast(func.row_to_json(table.table_valued()), Text)
        found = func.regexp_matches(row, _TOKEN, "g", type_=ARRAY(Text))
        all_found = select(found.label("found")).where(event.in_(events)).subquery()
        token = all_found.c.found[1]
        mentioned.update(
            await connection.scalars(select(token).where(token.in_(tokens)).distinct())
        )
    return mentioned
