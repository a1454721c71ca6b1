"""The programme of an event by day and room."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from markupsafe import Markup

from eventimport.database.conference_reader import AnyRow
from eventimport.database.event_page import EventContents
from eventimport.formats.html.rich_text import to_html
from eventimport.pages.links import Link, web_url
from eventimport.pages.times import Moment, Zone, long_date

NO_ROOM = "No room"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCard:
    """A session as it is shown; `track` and `speakers` are rows, `starts` None without a time."""

    id: int
    title: str
    subtitle: str | None
    starts: Moment | None
    ends: Moment | None
    track: AnyRow | None
    type: str | None
    room: str | None
    language: str | None
    level: str | None
    speakers: Sequence[AnyRow]
    summary: Markup
    details: Markup
    links: Sequence[Link]


@dataclass(frozen=True, slots=True)
class Room:
    """What happens in one room on one day."""

    name: str
    sessions: Sequence[SessionCard]


@dataclass(frozen=True, slots=True)
class Day:
    """One day, by rooms."""

    day: date
    title: str
    rooms: Sequence[Room]
    count: int


def cards(contents: EventContents, zone: Zone) -> list[SessionCard]:
    """All sessions that are shown."""
    tracks = {row.id: row for row in contents.tracks}
    types = {row.id: row.name for row in contents.session_types}
    rooms = {row.id: _room_name(row) for row in contents.rooms}
    speakers = {row.id: row for row in contents.speakers}
    return [
        SessionCard(
            id=row.id,
            title=row.title or "Untitled session",
            subtitle=row.subtitle,
            starts=zone.moment(row.starts_at) if row.starts_at else None,
            ends=zone.moment(row.ends_at) if row.starts_at and row.ends_at else None,
            track=tracks.get(row.track_id),
            type=types.get(row.session_type_id),
            room=rooms.get(row.microlocation_id),
            language=row.language,
            level=row.level,
            speakers=[
                speakers[key] for key in contents.speakers_of.get(row.id, ()) if key in speakers
            ],
            links=_links(row),
            **_texts(row),
        )
        for row in contents.sessions
    ]


def days(sessions: Sequence[SessionCard], contents: EventContents) -> list[Day]:
    """The sessions that have a time: by day, then by room in the order of the rooms' positions,
    then by time."""
    order = [_room_name(row) for row in sorted(contents.rooms, key=_room_order)]
    rank = {name: number for number, name in enumerate(order)}
    programme: dict[date, dict[str, list[SessionCard]]] = defaultdict(lambda: defaultdict(list))
    for card in sessions:
        if card.starts is not None:
            programme[card.starts.day][card.room or NO_ROOM].append(card)
    return [
        Day(
            day,
            long_date(day),
            [
                Room(name, sorted(rooms[name], key=_starting_time))
                for name in sorted(rooms, key=lambda name: rank.get(name, len(rank)))
            ],
            sum(map(len, rooms.values())),
        )
        for day, rooms in sorted(programme.items())
    ]


def _room_name(row: AnyRow) -> str:
    return row.name or row.room or "Unnamed room"


def _room_order(row: AnyRow) -> tuple[bool, int, int]:
    return row.position is None, row.position or 0, row.id


def _starting_time(card: SessionCard) -> tuple[str, int]:
    return (card.starts.machine if card.starts else "", card.id)


def _texts(row: AnyRow) -> dict[str, Any]:
    """The short text in view and the long one to be unfolded, each once."""
    short, long = row.short_abstract or "", row.long_abstract or ""
    if short.strip() == long.strip():
        long = ""
    if not short.strip():
        short, long = "", short or long
    return {"summary": to_html(short), "details": to_html(long)}


def _links(row: AnyRow) -> list[Link]:
    named = {
        "Slides": row.slides_url,
        "Audio": row.audio_url,
        "Video": row.video_url,
        "Sign up": row.signup_url,
    }
    urls = {text: web_url(value) for text, value in named.items()}
    return [Link(text, url) for text, url in urls.items() if url]
