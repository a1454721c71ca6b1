"""The kinds of records, as data: the values of a row and their types, a class for each kind; the
order of import; and which field refers to which kind.

A record holds only what the archive gave: absent, null and empty values are left out. A field's
annotation says what its text means beyond its type (rich text, link, media). So each fact about a
field is written once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict, get_type_hints

MediaType = Literal["image", "audio", "video", "document"]


@dataclass(frozen=True, slots=True)
class Rich:
    """The text may hold HTML, and is cleaned on the way in."""


@dataclass(frozen=True, slots=True)
class Linked:
    """The text is a link that a browser may follow."""


@dataclass(frozen=True, slots=True)
class Media:
    """The text is the path of an archive's entry, or a link to a file to be fetched."""

    type: MediaType


def _no_flag(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("true or false instead of a number")  # noqa: TRY004 - pydantic's
    return value


RichText = Annotated[str, Rich()]
Link = Annotated[str, Linked()]
Image = Annotated[str, Media("image")]
Document = Annotated[str, Media("document")]
Audio = Annotated[str, Media("audio")]
Video = Annotated[str, Media("video")]
Integer = Annotated[int, BeforeValidator(_no_flag), Field(ge=-(2**31), le=2**31 - 1)]
Number = Annotated[float, BeforeValidator(_no_flag), Field(allow_inf_nan=False)]
Latitude = Annotated[float, BeforeValidator(_no_flag), Field(ge=-90, le=90)]
Longitude = Annotated[float, BeforeValidator(_no_flag), Field(ge=-180, le=180)]

DELETED: Final = "deleted_at"
CODES: Final = frozenset({"color", "email", "font_color", "length", "mobile", "state", "timezone"})
"""Plain texts in which a reference such as `&amp;` would not be one of HTML."""

_CONFIG = ConfigDict(coerce_numbers_to_str=True, extra="forbid")


class Common(TypedDict, total=False):
    """What all records may have: when they were deleted."""

    deleted_at: datetime


class Event(Common, total=False):
    """The event itself; its copyright, speakers call and social links are records of their own."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]

    name: str
    description: RichText
    starts_at: datetime
    ends_at: datetime
    timezone: str
    location_name: str
    searchable_location_name: str
    latitude: Latitude
    longitude: Longitude
    privacy: str
    state: str
    type: str
    topic: str
    sub_topic: str
    code_of_conduct: RichText
    email: str
    owner_name: str
    owner_description: RichText
    external_event_url: Link
    ticket_url: Link
    logo_url: Image
    original_image_url: Image
    large_image_url: Image
    thumbnail_image_url: Image
    icon_image_url: Image
    is_sessions_speakers_enabled: bool
    schedule_published_on: datetime
    online: bool
    is_map_shown: bool
    has_owner_info: bool
    is_sponsors_enabled: bool
    is_cfs_enabled: bool
    is_ticketing_enabled: bool
    is_ticket_form_enabled: bool
    is_oneclick_signup_enabled: bool
    show_remaining_tickets: bool
    is_featured: bool
    is_promoted: bool
    is_demoted: bool
    is_announced: bool
    is_chat_enabled: bool
    is_videoroom_enabled: bool
    is_document_enabled: bool
    is_donation_enabled: bool
    is_tax_enabled: bool
    is_billing_info_mandatory: bool
    is_badges_enabled: bool
    is_stripe_linked: bool
    public_stream_link: Link
    stream_autoplay: bool
    stream_loop: bool
    can_pay_by_alipay: bool
    can_pay_by_bank: bool
    can_pay_by_cheque: bool
    can_pay_by_invoice: bool
    can_pay_by_omise: bool
    can_pay_by_paypal: bool
    can_pay_by_paytm: bool
    can_pay_by_stripe: bool
    can_pay_onsite: bool
    payment_country: str
    payment_currency: str
    refund_policy: RichText
    placeholder_url: Link


class EventCopyright(Common, total=False):
    """Who holds the rights to the event's content, and under which licence it is."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]

    holder: str
    holder_url: Link
    licence: str
    licence_url: Link
    year: Integer
    logo_url: Image


class SpeakersCall(Common, total=False):
    """The call for proposals."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]

    announcement: RichText
    starts_at: datetime
    ends_at: datetime
    timezone: str
    privacy: str
    soft_ends_at: datetime


class SocialLink(Common, total=False):
    """A page of the event's elsewhere."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]

    name: str
    link: Link
    identifier: str


class CustomForm(Common, total=False):
    """One field of the form that proposers, speakers or attendees fill in."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]

    form: str
    field_identifier: str
    name: str
    type: str
    description: RichText
    is_required: bool
    is_included: bool
    is_fixed: bool
    position: Integer
    min: Integer
    max: Integer
    is_public: bool
    is_complex: bool
    is_allow_edit: bool


class Microlocation(Common, total=False):
    """A room, a stage, a hall."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]

    name: str
    floor: Integer
    latitude: Latitude
    longitude: Longitude
    room: str
    position: Integer
    hidden_in_scheduler: bool
    is_chat_enabled: bool
    is_global_event_room: bool


class Sponsor(Common, total=False):
    """A sponsor; `level` orders them, 1 first."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]

    name: str
    level: Integer
    type: str
    url: Link
    description: RichText
    logo_url: Image


class Speaker(Common, total=False):
    """A person who speaks at one or more sessions."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]

    name: str
    email: str
    mobile: str
    photo_url: Image
    thumbnail_image_url: Image
    small_image_url: Image
    icon_image_url: Image
    organisation: str
    position: str
    country: str
    city: str
    gender: str
    short_biography: RichText
    long_biography: RichText
    website: Link
    twitter: Link
    facebook: Link
    github: Link
    linkedin: Link
    instagram: Link
    mastodon: Link
    heard_from: str
    speaking_experience: RichText
    sponsorship_required: str
    is_featured: bool
    is_email_overridden: bool
    order: Integer


class Track(Common, total=False):
    """A thread of the programme; colours are as CSS writes them."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]

    name: str
    description: RichText
    color: str
    font_color: str
    location: str
    track_image_url: Image
    position: Integer


class SessionType(Common, total=False):
    """Talk, workshop, …; `length` is hours and minutes, as in 01:30."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]

    name: str
    length: str
    position: Integer


class Session(Common, total=False):
    """One entry of the programme."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]

    title: str
    subtitle: str
    short_abstract: RichText
    long_abstract: RichText
    comments: RichText
    starts_at: datetime
    ends_at: datetime
    language: str
    level: str
    state: str
    slides_url: Document
    audio_url: Audio
    video_url: Video
    signup_url: Link
    submitted_at: datetime
    website: Link
    twitter: Link
    facebook: Link
    github: Link
    gitlab: Link
    linkedin: Link
    instagram: Link
    mastodon: Link
    is_mail_sent: bool
    is_locked: bool
    average_rating: Number
    rating_count: Integer
    favourite_count: Integer
    created_at: datetime
    last_modified_at: datetime


class Shape:
    """What the annotations of a record class say, ready for use: the names of its fields by what
    their text means, and its validator. `texts` are all fields that hold text, `plain` those whose
    text people read as it is."""

    def __init__(self, record: Any) -> None:
        hints = get_type_hints(record, include_extras=True)
        self.fields: tuple[str, ...] = tuple(hints)
        self.times = tuple(
            name for name, hint in hints.items() if hint is datetime and name != DELETED
        )
        self.flags = frozenset(name for name, hint in hints.items() if hint is bool)
        self.texts = frozenset(
            name for name, hint in hints.items() if (get_args(hint) or (hint,))[0] is str
        )
        self.plain = frozenset(name for name, hint in hints.items() if hint is str) - CODES
        marks = {name: getattr(hint, "__metadata__", ()) for name, hint in hints.items()}
        self.rich = tuple(name for name in hints if Rich() in marks[name])
        self.links = tuple(name for name in hints if Linked() in marks[name])
        self.media: dict[str, MediaType] = {
            name: mark.type for name in hints for mark in marks[name] if isinstance(mark, Media)
        }
        self.validate: Any = TypeAdapter(record).validator.validate_python


class Kind(StrEnum):
    """What a record describes."""

    EVENT = "event"
    EVENT_COPYRIGHT = "event_copyright"
    SPEAKERS_CALL = "speakers_call"
    SOCIAL_LINK = "social_link"
    CUSTOM_FORM = "custom_form"
    MICROLOCATION = "microlocation"
    SPONSOR = "sponsor"
    SPEAKER = "speaker"
    TRACK = "track"
    SESSION_TYPE = "session_type"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class ReferenceField:
    """`field` of a record names one record of `kind`, or, where `many`, a list of them. A reference
    to one is written to the column `<field>_id`."""

    field: str
    kind: Kind
    many: bool = False

    @property
    def column(self) -> str:
        """The foreign key's column."""
        return f"{self.field}_id"


@dataclass(frozen=True, slots=True)
class Level:
    """One step of the import: the records of `kind` go to `table`.
    `label` is the field that people know a record by; `defaults` are the values of columns that
    may not be null."""

    kind: Kind
    table: str
    record: Any
    label: str = "name"
    references: tuple[ReferenceField, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)


_NAMELESS: Final = MappingProxyType({"name": ""})

IMPORT_ORDER: Final = (
    Level(
        Kind.EVENT,
        "events",
        Event,
        defaults={
            "timezone": "UTC",
            "privacy": "public",
            "is_sessions_speakers_enabled": True,
        },
    ),
    Level(
        Kind.EVENT_COPYRIGHT,
        "event_copyrights",
        EventCopyright,
        label="holder",
    ),
    Level(
        Kind.SPEAKERS_CALL,
        "speakers_calls",
        SpeakersCall,
        label="announcement",
    ),
    Level(Kind.SOCIAL_LINK, "social_links", SocialLink, defaults=_NAMELESS),
    Level(
        Kind.CUSTOM_FORM,
        "custom_forms",
        CustomForm,
        label="field_identifier",
        defaults={
            "form": "",
            "field_identifier": "",
            "is_required": False,
            "is_included": False,
            "is_fixed": False,
        },
    ),
    Level(
        Kind.MICROLOCATION,
        "microlocations",
        Microlocation,
        defaults=_NAMELESS,
    ),
    Level(Kind.SPONSOR, "sponsors", Sponsor, defaults=_NAMELESS),
    Level(
        Kind.SPEAKER,
        "speakers",
        Speaker,
        defaults={"name": "", "is_featured": False},
        references=(ReferenceField("sessions", Kind.SESSION, many=True),),
    ),
    Level(
        Kind.TRACK,
        "tracks",
        Track,
        defaults=_NAMELESS,
        references=(ReferenceField("sessions", Kind.SESSION, many=True),),
    ),
    Level(
        Kind.SESSION_TYPE,
        "session_types",
        SessionType,
        defaults=_NAMELESS,
    ),
    Level(
        Kind.SESSION,
        "sessions",
        Session,
        label="title",
        defaults={"title": ""},
        references=(
            ReferenceField("track", Kind.TRACK),
            ReferenceField("microlocation", Kind.MICROLOCATION),
            ReferenceField("session_type", Kind.SESSION_TYPE),
            ReferenceField("speakers", Kind.SPEAKER, many=True),
        ),
    ),
)
"""Foreign keys point upwards only: whatever a row refers to stands in an earlier step."""

LEVELS: Final = {level.kind: level for level in IMPORT_ORDER}
SHAPES: Final = {level.kind: Shape(level.record) for level in IMPORT_ORDER}
LINK_TABLE: Final = "session_speakers"
