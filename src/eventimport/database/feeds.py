"""What public feeds show: published events, and of these what anyone may see.

A client that asks whether a feed has changed costs one statement, `find_feed`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.kinds import Kind
from eventimport.database.conference_reader import Selection, record_columns
from eventimport.database.event_graph import LINKS, NODES
from eventimport.database.models import Event
from eventimport.database.visibility import PRIVATE_COLUMNS, published, shown


@dataclass(frozen=True, slots=True)
class PublishedEvent:
    """An event that anyone may see, as its feeds need it."""

    id: int
    identifier: str
    revision: int
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which sessions a feed has: those of these ids, of this track, and of this speaker. By default
    all of them."""

    sessions: tuple[int, ...] | None = None
    track: int | None = None
    speaker: int | None = None


async def find_feed(connection: AsyncConnection, identifier: str) -> PublishedEvent | None:
    """The event of this identifier if it is published."""
    statement = select(Event.id, Event.identifier, Event.revision, Event.updated_at)
    row = (
        await connection.execute(statement.where(Event.identifier == identifier, published()))
    ).one_or_none()
    return None if row is None else PublishedEvent(*row)


def feed_selection(chosen: Chosen) -> Selection:
    """The public rows and columns, of the sessions only the chosen ones. `extra` is read whole: the
    caller takes out what is public."""

    def columns(kind: Kind) -> Sequence[ColumnElement[object]]:
        private = PRIVATE_COLUMNS.get(kind, frozenset())
        return [column for column in record_columns(kind) if column.name not in private]

    def rows(kind: Kind) -> ColumnElement[bool]:
        if kind is Kind.EVENT:
            return true()
        return and_(shown(kind), _chosen(chosen)) if kind is Kind.SESSION else shown(kind)

    return Selection(rows=rows, columns=columns)


def _chosen(chosen: Chosen) -> ColumnElement[bool]:
    columns = NODES[Kind.SESSION].table.c
    conditions: list[ColumnElement[bool]] = []
    if chosen.sessions is not None:
        conditions.append(columns.id.in_(chosen.sessions))
    if chosen.track is not None:
        conditions.append(columns.track_id == chosen.track)
    if chosen.speaker is not None:
        links = LINKS.alias("links_of_session")
        conditions.append(
            exists().where(links.c.session_id == columns.id, links.c.speaker_id == chosen.speaker)
        )
    return and_(true(), *conditions)
