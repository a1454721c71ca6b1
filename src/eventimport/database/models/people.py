"""Speakers and sponsors."""

from sqlalchemy import Index, func
from sqlalchemy.orm import Mapped

from eventimport.database.models.base import Base, EmptyByDefault, EventPart, FalseByDefault


class Sponsor(EventPart, Base):
    """A sponsor; `level` orders them, 1 being the highest, `type` names the level."""

    __tablename__ = "sponsors"

    name: Mapped[EmptyByDefault]
    level: Mapped[int | None]
    type: Mapped[str | None]
    url: Mapped[str | None]
    description: Mapped[str | None]
    logo_url: Mapped[str | None]


class Speaker(EventPart, Base):
    """A speaker. Only the event's owner and admins can see `email` and `mobile`."""

    __tablename__ = "speakers"

    name: Mapped[EmptyByDefault]
    email: Mapped[str | None]
    mobile: Mapped[str | None]
    photo_url: Mapped[str | None]
    thumbnail_image_url: Mapped[str | None]
    small_image_url: Mapped[str | None]
    icon_image_url: Mapped[str | None]
    organisation: Mapped[str | None]
    position: Mapped[str | None]
    country: Mapped[str | None]
    city: Mapped[str | None]
    gender: Mapped[str | None]
    short_biography: Mapped[str | None]
    long_biography: Mapped[str | None]
    website: Mapped[str | None]
    twitter: Mapped[str | None]
    facebook: Mapped[str | None]
    github: Mapped[str | None]
    linkedin: Mapped[str | None]
    instagram: Mapped[str | None]
    mastodon: Mapped[str | None]
    heard_from: Mapped[str | None]
    speaking_experience: Mapped[str | None]
    sponsorship_required: Mapped[str | None]
    is_featured: Mapped[FalseByDefault]
    is_email_overridden: Mapped[bool | None]
    order: Mapped[int | None]


# A hash, because an address in an archive may be longer than an entry of a B-tree.
Index("ix_speakers_email_lower", func.lower(Speaker.email), postgresql_using="hash")
