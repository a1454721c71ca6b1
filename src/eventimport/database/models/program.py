"""The programme: sessions, and the tracks, types, rooms and speakers they refer to."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from eventimport.database.models.base import Base, EmptyByDefault, EventPart


class Microlocation(EventPart, Base):
    """A room, or another place within the event's place."""

    __tablename__ = "microlocations"

    name: Mapped[EmptyByDefault]
    floor: Mapped[int | None]
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    room: Mapped[str | None]
    position: Mapped[int | None]
    hidden_in_scheduler: Mapped[bool | None]
    is_chat_enabled: Mapped[bool | None]
    is_global_event_room: Mapped[bool | None]


class Track(EventPart, Base):
    """A track; colours are as CSS spells them."""

    __tablename__ = "tracks"

    name: Mapped[EmptyByDefault]
    description: Mapped[str | None]
    color: Mapped[str | None]
    font_color: Mapped[str | None]
    location: Mapped[str | None]
    track_image_url: Mapped[str | None]
    position: Mapped[int | None]


class SessionType(EventPart, Base):
    """A type of session; `length` is `HH:MM`."""

    __tablename__ = "session_types"

    name: Mapped[EmptyByDefault]
    length: Mapped[str | None]
    position: Mapped[int | None]


class EventSession(EventPart, Base):
    """A session of the event (called so because SQLAlchemy has a Session too)."""

    __tablename__ = "sessions"

    title: Mapped[EmptyByDefault]
    subtitle: Mapped[str | None]
    short_abstract: Mapped[str | None]
    long_abstract: Mapped[str | None]
    comments: Mapped[str | None]
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    language: Mapped[str | None]
    level: Mapped[str | None]
    state: Mapped[str | None]
    slides_url: Mapped[str | None]
    audio_url: Mapped[str | None]
    video_url: Mapped[str | None]
    signup_url: Mapped[str | None]
    submitted_at: Mapped[datetime | None]
    website: Mapped[str | None]
    twitter: Mapped[str | None]
    facebook: Mapped[str | None]
    github: Mapped[str | None]
    gitlab: Mapped[str | None]
    linkedin: Mapped[str | None]
    instagram: Mapped[str | None]
    mastodon: Mapped[str | None]
    is_mail_sent: Mapped[bool | None]
    is_locked: Mapped[bool | None]
    average_rating: Mapped[float | None]
    rating_count: Mapped[int | None]
    favourite_count: Mapped[int | None]
    created_at: Mapped[datetime | None]
    last_modified_at: Mapped[datetime | None]
    track_id: Mapped[int | None] = mapped_column(
        ForeignKey("tracks.id", ondelete="SET NULL"), index=True
    )
    microlocation_id: Mapped[int | None] = mapped_column(
        ForeignKey("microlocations.id", ondelete="SET NULL"), index=True
    )
    session_type_id: Mapped[int | None] = mapped_column(
        ForeignKey("session_types.id", ondelete="SET NULL"), index=True
    )


class SessionSpeaker(Base):
    """That a speaker speaks in a session."""

    __tablename__ = "session_speakers"

    session_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True
    )
    speaker_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("speakers.id", ondelete="CASCADE"), primary_key=True, index=True
    )
