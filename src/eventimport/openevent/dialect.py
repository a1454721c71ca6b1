"""Every spelling that real archives use, and the canonical one.

Sources: the public samples of the Open Event format, and the exports of its server. Keys are
kebab-case, snake_case or of an older vocabulary; case and spaces do not count.
"""

from dataclasses import dataclass
from typing import Any, Final

from eventimport.openevent.order import IMPORT_ORDER, LEVELS, SHAPES, Kind

MAX_KNOWN_KEYS: Final = 10_000
"""A hostile archive may use a new key in each record: no more than this are remembered a kind."""

_PICTURES: Final = {
    "thumbnail": "thumbnail_image_url",
    "small": "small_image_url",
    "icon": "icon_image_url",
}

OLDER_SPELLINGS: Final[dict[Kind, dict[str, str]]] = {
    Kind.EVENT: {
        "title": "name",
        "start_time": "starts_at",
        "end_time": "ends_at",
        "organizer_name": "owner_name",
        "organizer_description": "owner_description",
        "event_url": "external_event_url",
        "logo": "logo_url",
        "background_image": "original_image_url",
        "background_url": "original_image_url",
        "large": "large_image_url",
        "thumbnail": "thumbnail_image_url",
        "icon": "icon_image_url",
        "has_session_speakers": "is_sessions_speakers_enabled",
        "is_session_speakers_enabled": "is_sessions_speakers_enabled",
        "copyright": "event_copyright",
        "call_for_papers": "speakers_call",
    },
    Kind.EVENT_COPYRIGHT: {"logo": "logo_url", "license": "licence", "license_url": "licence_url"},
    Kind.SPEAKERS_CALL: {"start_date": "starts_at", "end_date": "ends_at"},
    Kind.SOCIAL_LINK: {"url": "link"},
    Kind.CUSTOM_FORM: {"require": "is_required", "include": "is_included"},
    Kind.MICROLOCATION: {"title": "name"},
    Kind.SPONSOR: {"title": "name", "sponsor_type": "type", "logo": "logo_url"},
    Kind.SPEAKER: {
        "photo": "photo_url",
        "featured": "is_featured",
        "organization": "organisation",
        **_PICTURES,
    },
    Kind.TRACK: {"title": "name", "key_color": "color", "image": "track_image_url"},
    Kind.SESSION_TYPE: {"title": "name"},
    Kind.SESSION: {
        "name": "title",
        "start_time": "starts_at",
        "end_time": "ends_at",
        "slides": "slides_url",
        "audio": "audio_url",
        "video": "video_url",
        "track_id": "track",
        "microlocation_id": "microlocation",
        "session_type_id": "session_type",
    },
}

BESIDES_FIELDS: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.EVENT: ("event_copyright", "speakers_call", "social_links"),
    Kind.CUSTOM_FORM: ("session_form", "speaker_form"),
}
"""What a record may hold beside its fields and references: records of other kinds."""


def canonical_key(key: str) -> str:
    """A key as the canonical vocabulary writes it: lower case, words joined by `_`."""
    return key.strip().lower().replace("-", "_").replace(" ", "_")


@dataclass(frozen=True, slots=True)
class _Layout:
    """What the keys of a record mean: which of them name a field, and which nothing known;
    `repeats` says that two of them name the same."""

    named: tuple[tuple[str, str], ...]
    unnamed: tuple[str, ...]
    repeats: bool


class Dialect:
    """Reads the records of one kind, however they spell their keys."""

    def __init__(self, kind: Kind) -> None:
        self._canonical = {name: name for name in SHAPES[kind].fields}
        self._canonical["id"] = "id"
        for name in BESIDES_FIELDS.get(kind, ()):
            self._canonical[name] = name
        for reference in LEVELS[kind].references:
            self._canonical[reference.field] = reference.field
        self._canonical.update(OLDER_SPELLINGS[kind])
        self._known: dict[str, str] = {}
        self._layouts: dict[tuple[str, ...], _Layout] = {}

    def translate(self, raw: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Split a raw record into canonical values, and what the canonical vocabulary does not
        name, under the archive's own keys. Null and the empty string mean that there is no value.
        Where two spellings of one field disagree, the first is taken and the other left over.
        """
        # The records of one document mostly have the same keys, in the same order.
        keys = tuple(raw)
        layout = self._layouts.get(keys) or self._lay_out(keys)
        left_over = {
            key: value
            for key in layout.unnamed
            if (value := raw[key]) or (value is not None and value != "")
        }
        if layout.repeats:
            return self._first_of_each(raw, layout, left_over), left_over
        values = {
            name: value
            for key, name in layout.named
            if (value := raw[key]) or (value is not None and value != "")
        }
        return values, left_over

    def _first_of_each(
        self, raw: dict[str, Any], layout: "_Layout", left_over: dict[str, Any]
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, name in layout.named:
            value = raw[key]
            if value is None or value == "":
                continue
            if name not in values:
                values[name] = value
            elif values[name] != value or type(values[name]) is not type(value):
                left_over[key] = value
        return values

    def _lay_out(self, keys: tuple[str, ...]) -> "_Layout":
        names = [self._known.get(key) or self._learn(key) for key in keys]
        named = tuple((key, name) for key, name in zip(keys, names, strict=True) if name)
        unnamed = tuple(key for key, name in zip(keys, names, strict=True) if not name)
        layout = _Layout(named, unnamed, len(set(filter(None, names))) < len(named))
        if len(self._layouts) < MAX_KNOWN_KEYS:
            self._layouts[keys] = layout
        return layout

    def _learn(self, key: str) -> str:
        name = self._canonical.get(canonical_key(key), "")
        if len(self._known) < MAX_KNOWN_KEYS:
            self._known[key] = name
        return name


def dialects() -> dict[Kind, Dialect]:
    """A dialect per kind, for one import."""
    return {level.kind: Dialect(level.kind) for level in IMPORT_ORDER}
