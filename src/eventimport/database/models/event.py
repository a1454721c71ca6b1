"""The event itself, who may do what with it, and what it has one or a few of."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, func, text
from sqlalchemy.orm import Mapped, mapped_column

from eventimport.database.models.base import (
    Base,
    BigId,
    CreatedAt,
    EmptyByDefault,
    EventPart,
    Extra,
    FalseByDefault,
    TrueByDefault,
    Version,
)


class Event(Base):
    """An event. `identifier` is its name in URLs; `timezone` an IANA name, or an offset such as
    `+05:30`; a deleted one has `deleted_at`, and is for its owner and admins. `version` counts the
    changes of this row, `revision` those of the event and all its parts, and `schedule_version`
    those that visitors can see.

    `published_at` decides who sees the event. `state` and `privacy` are what its source says. If it
    was `deleted_here`, by a user, only its owner sees it, and can restore it for a while. If it was
    taken down by an operator, only its members and admins see it.
    """

    __tablename__ = "events"

    id: Mapped[BigId]
    identifier: Mapped[str] = mapped_column(unique=True)
    source_id: Mapped[str | None]
    deleted_at: Mapped[datetime | None]
    deleted_here: Mapped[FalseByDefault]
    taken_down_at: Mapped[datetime | None]
    taken_down_reason: Mapped[str | None]
    published_at: Mapped[datetime | None]
    name: Mapped[str]
    description: Mapped[str | None]
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    timezone: Mapped[str] = mapped_column(server_default="UTC")
    location_name: Mapped[str | None]
    searchable_location_name: Mapped[str | None]
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    privacy: Mapped[str] = mapped_column(server_default="public")
    state: Mapped[str | None]
    type: Mapped[str | None]
    topic: Mapped[str | None]
    sub_topic: Mapped[str | None]
    code_of_conduct: Mapped[str | None]
    email: Mapped[str | None]
    owner_name: Mapped[str | None]
    owner_description: Mapped[str | None]
    external_event_url: Mapped[str | None]
    ticket_url: Mapped[str | None]
    logo_url: Mapped[str | None]
    original_image_url: Mapped[str | None]
    large_image_url: Mapped[str | None]
    thumbnail_image_url: Mapped[str | None]
    icon_image_url: Mapped[str | None]
    is_sessions_speakers_enabled: Mapped[TrueByDefault]
    schedule_published_on: Mapped[datetime | None]
    online: Mapped[bool | None]
    is_map_shown: Mapped[bool | None]
    has_owner_info: Mapped[bool | None]
    is_sponsors_enabled: Mapped[bool | None]
    is_cfs_enabled: Mapped[bool | None]
    is_ticketing_enabled: Mapped[bool | None]
    is_ticket_form_enabled: Mapped[bool | None]
    is_oneclick_signup_enabled: Mapped[bool | None]
    show_remaining_tickets: Mapped[bool | None]
    is_featured: Mapped[bool | None]
    is_promoted: Mapped[bool | None]
    is_demoted: Mapped[bool | None]
    is_announced: Mapped[bool | None]
    is_chat_enabled: Mapped[bool | None]
    is_videoroom_enabled: Mapped[bool | None]
    is_document_enabled: Mapped[bool | None]
    is_donation_enabled: Mapped[bool | None]
    is_tax_enabled: Mapped[bool | None]
    is_billing_info_mandatory: Mapped[bool | None]
    is_badges_enabled: Mapped[bool | None]
    is_stripe_linked: Mapped[bool | None]
    public_stream_link: Mapped[str | None]
    stream_autoplay: Mapped[bool | None]
    stream_loop: Mapped[bool | None]
    can_pay_by_alipay: Mapped[bool | None]
    can_pay_by_bank: Mapped[bool | None]
    can_pay_by_cheque: Mapped[bool | None]
    can_pay_by_invoice: Mapped[bool | None]
    can_pay_by_omise: Mapped[bool | None]
    can_pay_by_paypal: Mapped[bool | None]
    can_pay_by_paytm: Mapped[bool | None]
    can_pay_by_stripe: Mapped[bool | None]
    can_pay_onsite: Mapped[bool | None]
    payment_country: Mapped[str | None]
    payment_currency: Mapped[str | None]
    refund_policy: Mapped[str | None]
    placeholder_url: Mapped[str | None]
    extra: Mapped[Extra]
    version: Mapped[Version]
    revision: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))
    schedule_version: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class EventRole(Base):
    """What a user is to an event: `owner`, `editor` or `viewer`."""

    __tablename__ = "event_roles"

    event_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("events.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(server_default=text("'owner'"))


class EventInvitation(Base):
    """An invitation to work on an event, which was mailed to the address. Accepting it deletes the
    row; the mail's link has the id, signed."""

    __tablename__ = "event_invitations"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"), index=True)
    address: Mapped[str]
    role: Mapped[str]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class SocialLink(EventPart, Base):
    """A link to the event's page elsewhere."""

    __tablename__ = "social_links"

    name: Mapped[EmptyByDefault]
    link: Mapped[str | None]
    identifier: Mapped[str | None]


class CustomForm(EventPart, Base):
    """A field of one of the event's forms: `form` is `session`, `speaker`, `attendee`, …"""

    __tablename__ = "custom_forms"

    form: Mapped[str]
    field_identifier: Mapped[str]
    name: Mapped[str | None]
    type: Mapped[str | None]
    description: Mapped[str | None]
    is_required: Mapped[FalseByDefault]
    is_included: Mapped[FalseByDefault]
    is_fixed: Mapped[FalseByDefault]
    position: Mapped[int | None]
    min: Mapped[int | None]
    max: Mapped[int | None]
    is_public: Mapped[bool | None]
    is_complex: Mapped[bool | None]
    is_allow_edit: Mapped[bool | None]


class EventCopyright(EventPart, Base):
    """Who holds the rights to the event's content, and its licence; one an event."""

    __tablename__ = "event_copyrights"

    event_id: Mapped[int] = mapped_column(
        ForeignKey("events.id", ondelete="CASCADE"), unique=True, sort_order=-2
    )
    holder: Mapped[str | None]
    holder_url: Mapped[str | None]
    licence: Mapped[str | None]
    licence_url: Mapped[str | None]
    year: Mapped[int | None]
    logo_url: Mapped[str | None]


class SpeakersCall(EventPart, Base):
    """The call for speakers; one an event."""

    __tablename__ = "speakers_calls"

    event_id: Mapped[int] = mapped_column(
        ForeignKey("events.id", ondelete="CASCADE"), unique=True, sort_order=-2
    )
    announcement: Mapped[str | None]
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    timezone: Mapped[str | None]
    privacy: Mapped[str | None]
    soft_ends_at: Mapped[datetime | None]
