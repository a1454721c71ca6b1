"""What the page of an event shows: a constant number of statements, whatever the event's size.

Only public columns of public rows are read: no e-mail address and no phone number of a speaker.
Their size is known before they are read.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    func,
    literal,
    not_,
    null,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.kinds import Kind
from eventimport.database.conference_reader import (
    AnyRow,
    Selection,
    part_of,
    read_links,
    read_rows,
)
from eventimport.database.event_graph import NODES, row_size
from eventimport.database.event_queries import TooLargeError
from eventimport.database.models import (
    Event,
    EventSession,
    SessionSpeaker,
    Speaker,
)
from eventimport.database.visibility import Viewer, event_visible, readable, shown, withdrawn

MAX_NAME: Final = 300
"""Characters of a name or a title on a page, which shows many of them more than once."""

LINK_BYTES: Final = 200
"""The size of a link between a session and a speaker, besides their names."""

_SHOWN: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.EVENT: (
        *("identifier", "name", "description", "starts_at", "ends_at", "timezone"),
        *("location_name", "searchable_location_name", "latitude", "longitude"),
        *("type", "topic", "code_of_conduct", "owner_name", "owner_description"),
        *("external_event_url", "ticket_url"),
        *("logo_url", "original_image_url", "large_image_url"),
    ),
    Kind.SOCIAL_LINK: ("name", "link"),
    Kind.MICROLOCATION: ("name", "floor", "room", "position"),
    Kind.TRACK: ("name", "color", "font_color", "position"),
    Kind.SESSION_TYPE: ("name",),
    Kind.SESSION: (
        *("title", "subtitle", "short_abstract", "long_abstract", "starts_at", "ends_at"),
        *("language", "level", "slides_url", "audio_url", "video_url", "signup_url"),
        *("track_id", "microlocation_id", "session_type_id"),
    ),
    Kind.SPEAKER: (
        *("name", "photo_url", "thumbnail_image_url", "small_image_url", "organisation"),
        *("position", "country", "city", "short_biography", "long_biography", "website"),
        *("twitter", "facebook", "github", "linkedin", "instagram", "mastodon", "is_featured"),
    ),
    Kind.SPONSOR: ("name", "level", "type", "url", "description", "logo_url"),
    Kind.EVENT_COPYRIGHT: ("holder", "holder_url", "licence", "licence_url", "year"),
    Kind.SPEAKERS_CALL: ("announcement",),
}
_NAMES: Final = {"name", "title", "room", "type", "holder", "licence"}
_LONG: Final = {
    *("description", "code_of_conduct", "owner_description", "announcement"),
    *("short_abstract", "long_abstract", "short_biography", "long_biography"),
}
"""What a brief page leaves out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventContents:
    """All rows that the page of an event shows, in the order in which the archive had them.

    `sessions` and `speakers` are the public ones; `hidden_sessions` counts the other sessions.
    `speakers_of` leads from the id of a session to the ids of its speakers. `is_brief`: the long
    texts are left out, because there are too many of them for a page.
    """

    event: AnyRow
    social_links: Sequence[AnyRow]
    rooms: Sequence[AnyRow]
    tracks: Sequence[AnyRow]
    session_types: Sequence[AnyRow]
    sessions: Sequence[AnyRow]
    hidden_sessions: int
    speakers: Sequence[AnyRow]
    speakers_of: dict[int, list[int]]
    sponsors: Sequence[AnyRow]
    rights: AnyRow | None
    call: AnyRow | None
    is_brief: bool


def is_public(event: AnyRow) -> bool:
    """Whether the event is public."""
    return bool(event.is_public)


async def find_event(connection: AsyncConnection, identifier: str) -> AnyRow | None:
    """The event of this identifier, public or not: who may see it is the caller's to check."""
    name = func.left(Event.name, MAX_NAME).label("name")
    is_visible = event_visible(Viewer()).label("is_public")
    is_withdrawn = withdrawn().label("is_withdrawn")
    statement = select(Event.id, Event.identifier, name, is_visible, is_withdrawn)
    return (await connection.execute(statement.where(Event.identifier == identifier))).one_or_none()


async def find_readable_event_id(
    connection: AsyncConnection, identifier: str, viewer: Viewer
) -> int | None:
    """The id of this event if the viewer is a member of it or an admin, else None."""
    return await connection.scalar(
        select(Event.id).where(
            Event.identifier == identifier,
            readable(viewer, Event.__table__.c.id),
            not_(withdrawn()),
        )
    )


async def read_contents(
    connection: AsyncConnection, event_id: int, max_bytes: int, *, brief: bool = False
) -> EventContents | None:
    """Everything that the page of this event shows: only public data, for owners as well.

    None if the event was deleted meanwhile.

    Without its long texts if it has more than `max_bytes` with them, or if it is to be `brief`.
    Raises TooLargeError if it has more without them, too.
    """
    sizes = (await connection.execute(_sizes(event_id))).one()
    whole, short = sizes[0], sizes[1]
    brief = brief or whole > max_bytes
    if short > max_bytes:
        raise TooLargeError

    selection = Selection(rows=_shown, columns=_columns(brief=brief))

    async def rows(kind: Kind) -> Sequence[AnyRow]:
        found = read_rows(connection, event_id, kind, selection, limits=None)
        return [row async for row in found]

    events = await rows(Kind.EVENT)
    if not events:
        return None
    rights, call = await rows(Kind.EVENT_COPYRIGHT), await rows(Kind.SPEAKERS_CALL)
    return EventContents(
        event=events[0],
        social_links=await rows(Kind.SOCIAL_LINK),
        rooms=await rows(Kind.MICROLOCATION),
        tracks=await rows(Kind.TRACK),
        session_types=await rows(Kind.SESSION_TYPE),
        sessions=await rows(Kind.SESSION),
        hidden_sessions=await _count_hidden_sessions(connection, event_id),
        speakers=await rows(Kind.SPEAKER),
        speakers_of=await _speakers_of(connection, event_id, selection),
        sponsors=await rows(Kind.SPONSOR),
        rights=rights[0] if rights else None,
        call=call[0] if call else None,
        is_brief=brief,
    )


def _shown(kind: Kind) -> ColumnElement[bool]:
    """The visibility rule for every viewer. Who may see the event itself is checked before."""
    return true() if kind is Kind.EVENT else shown(kind)


def _columns(*, brief: bool) -> Callable[[Kind], Sequence[ColumnElement[Any]]]:
    def columns(kind: Kind) -> Sequence[ColumnElement[Any]]:
        table = NODES[kind].table
        chosen = [_column(table.c[name], brief=brief) for name in _SHOWN[kind]]
        if kind is Kind.EVENT:
            chosen.append(event_visible(Viewer()).label("is_public"))
        return chosen

    return columns


def _column(column: ColumnElement[Any], *, brief: bool) -> ColumnElement[Any]:
    if column.name in _NAMES:
        return func.left(column, MAX_NAME).label(column.name)
    return null().label(column.name) if brief and column.name in _LONG else column


def _sizes(event_id: int) -> Select[*tuple[Any, ...]]:
    """How many bytes the page's rows have with their long texts, and without them."""
    sums: list[Any] = []
    for left_out in (set[str](), _LONG):
        total: ColumnElement[Any] = literal(0)
        for kind, names in _SHOWN.items():
            columns = NODES[kind].table.c
            size = row_size(
                _column(columns[name], brief=False) for name in names if name not in left_out
            )
            found = select(func.coalesce(func.sum(size), 0)).where(
                part_of(kind, event_id), _shown(kind)
            )
            total = total + found.scalar_subquery()
        sums.append(total + _links_size(event_id))
    return select(*sums)


def _links_size(event_id: int) -> ColumnElement[Any]:
    names = (func.left(Speaker.name, MAX_NAME), func.left(EventSession.title, MAX_NAME))
    size = LINK_BYTES + func.octet_length(names[0]) + func.octet_length(names[1])
    statement = (
        select(func.coalesce(func.sum(size), 0))
        .select_from(SessionSpeaker)
        .join(EventSession, EventSession.id == SessionSpeaker.session_id)
        .join(Speaker, Speaker.id == SessionSpeaker.speaker_id)
        .where(EventSession.event_id == event_id, shown(Kind.SESSION))
    )
    return statement.scalar_subquery()


async def _count_hidden_sessions(connection: AsyncConnection, event_id: int) -> int:
    statement = select(func.count()).where(
        EventSession.event_id == event_id, not_(shown(Kind.SESSION))
    )
    return await connection.scalar(statement) or 0


async def _speakers_of(
    connection: AsyncConnection, event_id: int, selection: Selection
) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    async for session_id, speaker_id in read_links(connection, event_id, selection, limits=None):
        found[session_id].append(speaker_id)
    return dict(found)
