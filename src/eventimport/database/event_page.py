"""What the page of an event shows: a constant number of statements, whatever the event's size.

Only what is for everybody is read: no e-mail address and no phone number of a speaker.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from eventimport.database.models import (
    Event,
    EventCopyright,
    EventRole,
    EventSession,
    Microlocation,
    SessionSpeaker,
    SessionType,
    SocialLink,
    Speaker,
    SpeakersCall,
    Sponsor,
    Track,
    User,
)

AnyRow = Row[*tuple[Any, ...]]

PUBLIC = "public"
DRAFT = "draft"
SHOWN_STATES = ("accepted", "confirmed")
"""A proposal that was not taken, or not yet, is nobody's business but the organiser's. A session
without a state, in an archive that knows none, is shown."""

EVENT = (
    Event.id,
    Event.identifier,
    Event.name,
    Event.description,
    Event.starts_at,
    Event.ends_at,
    Event.timezone,
    Event.location_name,
    Event.searchable_location_name,
    Event.latitude,
    Event.longitude,
    Event.privacy,
    Event.state,
    Event.type,
    Event.topic,
    Event.code_of_conduct,
    Event.owner_name,
    Event.owner_description,
    Event.external_event_url,
    Event.ticket_url,
    Event.logo_url,
    Event.original_image_url,
    Event.large_image_url,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventContents:
    """All rows that the page of an event shows, in the order in which the archive had them.

    `sessions` are those that are shown; `hidden_sessions` counts the others. `speakers_of` leads
    from the id of a session to the ids of its speakers, and `hidden_speakers` are the ids of those
    who speak in hidden sessions alone.
    """

    event: AnyRow
    social_links: Sequence[AnyRow]
    rooms: Sequence[AnyRow]
    tracks: Sequence[AnyRow]
    session_types: Sequence[AnyRow]
    sessions: Sequence[AnyRow]
    hidden_sessions: int
    speakers: Sequence[AnyRow]
    hidden_speakers: frozenset[int]
    speakers_of: dict[int, list[int]]
    sponsors: Sequence[AnyRow]
    rights: AnyRow | None
    call: AnyRow | None


def is_public(event: AnyRow) -> bool:
    """Whether everybody may see the event."""
    return bool(event.privacy == PUBLIC and event.state != DRAFT)


async def find_event(connection: AsyncConnection, identifier: str) -> AnyRow | None:
    """The event of this identifier, public or not: who may see it is the caller's to check."""
    statement = select(*EVENT).where(Event.identifier == identifier)
    return (await connection.execute(statement)).one_or_none()


async def find_own_event_id(
    connection: AsyncConnection, identifier: str, user_id: int
) -> int | None:
    """The id of this event where the user is its owner or an admin, else None."""
    owns = and_(EventRole.event_id == Event.id, EventRole.user_id == user_id)
    statement = (
        select(Event.id)
        .join(User, User.id == user_id)
        .outerjoin(EventRole, owns)
        .where(Event.identifier == identifier, or_(User.is_admin, EventRole.role == "owner"))
    )
    event_id: int | None = await connection.scalar(statement)
    return event_id


async def read_contents(connection: AsyncConnection, event: AnyRow) -> EventContents:
    """Everything that the page of this event shows."""

    async def rows(*columns: InstrumentedAttribute[Any]) -> Sequence[AnyRow]:
        model = columns[0].class_
        statement: Select[*tuple[Any, ...]] = (
            select(model.id, *columns).where(model.event_id == event.id).order_by(model.id)
        )
        return (await connection.execute(statement)).all()

    sessions = await rows(
        EventSession.title,
        EventSession.subtitle,
        EventSession.short_abstract,
        EventSession.long_abstract,
        EventSession.starts_at,
        EventSession.ends_at,
        EventSession.language,
        EventSession.level,
        EventSession.state,
        EventSession.slides_url,
        EventSession.audio_url,
        EventSession.video_url,
        EventSession.signup_url,
        EventSession.track_id,
        EventSession.microlocation_id,
        EventSession.session_type_id,
    )
    shown = [row for row in sessions if (row.state or SHOWN_STATES[0]).lower() in SHOWN_STATES]
    speakers_of = await _speakers_of(connection, event.id)
    speaking = {speaker for row in shown for speaker in speakers_of.get(row.id, ())}
    all_linked = {speaker for ids in speakers_of.values() for speaker in ids}
    rights = await rows(
        EventCopyright.holder,
        EventCopyright.holder_url,
        EventCopyright.licence,
        EventCopyright.licence_url,
        EventCopyright.year,
    )
    call = await rows(
        SpeakersCall.announcement,
        SpeakersCall.starts_at,
        SpeakersCall.ends_at,
        SpeakersCall.privacy,
    )
    return EventContents(
        event=event,
        social_links=await rows(SocialLink.name, SocialLink.link),
        rooms=await rows(
            Microlocation.name, Microlocation.floor, Microlocation.room, Microlocation.position
        ),
        tracks=await rows(
            Track.name, Track.description, Track.color, Track.font_color, Track.position
        ),
        session_types=await rows(SessionType.name, SessionType.length),
        sessions=shown,
        hidden_sessions=len(sessions) - len(shown),
        speakers=await rows(
            Speaker.name,
            Speaker.photo_url,
            Speaker.thumbnail_image_url,
            Speaker.small_image_url,
            Speaker.organisation,
            Speaker.position,
            Speaker.country,
            Speaker.city,
            Speaker.short_biography,
            Speaker.long_biography,
            Speaker.website,
            Speaker.twitter,
            Speaker.facebook,
            Speaker.github,
            Speaker.linkedin,
            Speaker.instagram,
            Speaker.mastodon,
            Speaker.is_featured,
        ),
        hidden_speakers=frozenset(all_linked - speaking),
        speakers_of=speakers_of,
        sponsors=await rows(
            Sponsor.name,
            Sponsor.level,
            Sponsor.type,
            Sponsor.url,
            Sponsor.description,
            Sponsor.logo_url,
        ),
        rights=rights[0] if rights else None,
        call=call[0] if call and call[0].privacy in {None, PUBLIC} else None,
    )


async def _speakers_of(connection: AsyncConnection, event_id: int) -> dict[int, list[int]]:
    statement = (
        select(SessionSpeaker.session_id, SessionSpeaker.speaker_id)
        .join(EventSession, EventSession.id == SessionSpeaker.session_id)
        .where(EventSession.event_id == event_id)
        .order_by(SessionSpeaker.session_id, SessionSpeaker.speaker_id)
    )
    found: dict[int, list[int]] = defaultdict(list)
    for session_id, speaker_id in await connection.execute(statement):
        found[session_id].append(speaker_id)
    return dict(found)
