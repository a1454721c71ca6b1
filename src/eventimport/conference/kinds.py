"""The order of import, and which field refers to which kind: as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from eventimport.conference import records


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
        records.Event,
        defaults={
            "timezone": "UTC",
            "privacy": "public",
            "state": "draft",
            "is_sessions_speakers_enabled": True,
        },
    ),
    Level(
        Kind.EVENT_COPYRIGHT,
        "event_copyrights",
        records.EventCopyright,
        label="holder",
    ),
    Level(
        Kind.SPEAKERS_CALL,
        "speakers_calls",
        records.SpeakersCall,
        label="announcement",
    ),
    Level(Kind.SOCIAL_LINK, "social_links", records.SocialLink, defaults=_NAMELESS),
    Level(
        Kind.CUSTOM_FORM,
        "custom_forms",
        records.CustomForm,
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
        records.Microlocation,
        defaults=_NAMELESS,
    ),
    Level(Kind.SPONSOR, "sponsors", records.Sponsor, defaults=_NAMELESS),
    Level(
        Kind.SPEAKER,
        "speakers",
        records.Speaker,
        defaults={"name": "", "is_featured": False},
        references=(ReferenceField("sessions", Kind.SESSION, many=True),),
    ),
    Level(
        Kind.TRACK,
        "tracks",
        records.Track,
        defaults=_NAMELESS,
        references=(ReferenceField("sessions", Kind.SESSION, many=True),),
    ),
    Level(
        Kind.SESSION_TYPE,
        "session_types",
        records.SessionType,
        defaults=_NAMELESS,
    ),
    Level(
        Kind.SESSION,
        "sessions",
        records.Session,
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
SHAPES: Final = {level.kind: records.Shape(level.record) for level in IMPORT_ORDER}
LINK_TABLE: Final = "session_speakers"
