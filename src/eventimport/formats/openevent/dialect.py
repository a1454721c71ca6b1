"""Every spelling that real archives use, and the canonical one.

Sources: the public samples of the Open Event format, and the exports of its server. Keys are
kebab-case, snake_case or of an older vocabulary; case and spaces do not count. Other spellings
(camelCase) and the names that other programs use are read, too, and reported once.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from eventimport.conference.kinds import IMPORT_ORDER, LEVELS, SHAPES, Kind

DOCUMENTS: Final[dict[Kind, str]] = {
    Kind.EVENT: "event",
    Kind.EVENT_COPYRIGHT: "event",
    Kind.SPEAKERS_CALL: "event",
    Kind.SOCIAL_LINK: "social_links",
    Kind.CUSTOM_FORM: "forms",
    Kind.MICROLOCATION: "microlocations",
    Kind.SPONSOR: "sponsors",
    Kind.SPEAKER: "speakers",
    Kind.TRACK: "tracks",
    Kind.SESSION_TYPE: "session_types",
    Kind.SESSION: "sessions",
}
"""The documents that hold the records."""

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
        "is_event_online": "online",
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

SYNONYMS: Final[dict[Kind, dict[str, str]]] = {
    Kind.EVENT: {
        "start": "starts_at",
        "end": "ends_at",
        "start_date": "starts_at",
        "end_date": "ends_at",
        "time_zone_name": "timezone",
        "tz": "timezone",
        "venue": "location_name",
        "location": "location_name",
        "organizer": "owner_name",
        "organiser": "owner_name",
        "url": "external_event_url",
        "website": "external_event_url",
        "banner": "original_image_url",
    },
    Kind.EVENT_COPYRIGHT: {"name": "holder", "url": "holder_url"},
    Kind.SPEAKERS_CALL: {"start": "starts_at", "end": "ends_at"},
    Kind.SOCIAL_LINK: {"href": "link"},
    Kind.CUSTOM_FORM: {},
    Kind.MICROLOCATION: {"lat": "latitude", "lng": "longitude", "lon": "longitude"},
    Kind.SPONSOR: {"website": "url", "link": "url", "image": "logo_url"},
    Kind.SPEAKER: {
        "public_name": "name",
        "full_public_name": "name",
        "full_name": "name",
        "avatar": "photo_url",
        "avatar_url": "photo_url",
        "picture": "photo_url",
        "profile_picture": "photo_url",
        "image": "photo_url",
        "bio": "short_biography",
        "biography": "long_biography",
        "company": "organisation",
        "affiliation": "organisation",
        "job_title": "position",
        "homepage": "website",
        "url": "website",
    },
    Kind.TRACK: {"colour": "color", "font_colour": "font_color"},
    Kind.SESSION_TYPE: {"duration": "length"},
    Kind.SESSION: {
        "start": "starts_at",
        "end": "ends_at",
        "start_date": "starts_at",
        "end_date": "ends_at",
        "abstract": "short_abstract",
        "description": "long_abstract",
        "room": "microlocation",
        "room_id": "microlocation",
        "location": "microlocation",
        "type": "session_type",
        "persons": "speakers",
        "presenters": "speakers",
        "speaker": "speakers",
        "speaker_ids": "speakers",
        "lang": "language",
    },
}
"""What frab, pretalx, calendars and spreadsheets call the fields. The format's own keys come
first."""

ADMINISTRATION: Final = frozenset(
    {
        *("version", "identifier", "event_id", "event_identifier", "user_id", "creator_id"),
        *("created_at", "modified_at", "last_modified_at", "updated_at", "order", "is_featured"),
    }
)
"""Fields in which the format's own server keeps its ids and counters: no part of a programme. Where
no column holds them, they are kept in `extra`, and reported together."""

_DELETED: Final = dict.fromkeys(("in_trash", "is_deleted", "deleted", "trashed"), "deleted_at")
for _spellings in OLDER_SPELLINGS.values():
    _spellings.update(_DELETED)

BESIDES_FIELDS: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.EVENT: ("event_copyright", "speakers_call", "social_links"),
    Kind.CUSTOM_FORM: ("session_form", "speaker_form"),
}
"""What a record may hold beside its fields and references: records of other kinds."""


def canonical_key(key: str) -> str:
    """A key as the canonical vocabulary writes it: lower case, words joined by `_`."""
    return key.strip().lower().replace("-", "_").replace(" ", "_")


_LETTERS: Final = re.compile(r"[\W_]+")


def letters(key: str) -> str:
    """A key without case and whatever joins its words: `startsAt` and `Starts-At` are one."""
    return _LETTERS.sub("", key).casefold()


@dataclass(frozen=True, slots=True)
class _Layout:
    """What the keys of a record mean: which of them name a field, synonyms last, and which nothing
    known; `repeats` says that two of them name the same."""

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
        self._synonyms = {letters(key): name for key, name in SYNONYMS[kind].items()}
        self._by_letters = {letters(key): name for key, name in self._canonical.items()}
        self.respelled: dict[str, str] = {}
        """Keys in another spelling than the format's, and what they were read as."""
        self._known: dict[str, str] = {}
        self._layouts: dict[tuple[str, ...], _Layout] = {}

    def translate(self, raw: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Split a raw record into canonical values, and what the canonical vocabulary does not
        name, under the archive's own keys. Null and the empty string mean that there is no value.
        If two spellings of one field disagree, the first counts, the format's own before others,
        and the other is left over.
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

    def names(self, key: str) -> str:
        """The field that a key names; "" if it names none."""
        return self._known.get(key) or self._name_of(key)

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
        named = tuple(
            sorted(
                ((key, name) for key, name in zip(keys, names, strict=True) if name),
                key=lambda pair: pair[0] in self.respelled,
            )
        )
        unnamed = tuple(key for key, name in zip(keys, names, strict=True) if not name)
        layout = _Layout(named, unnamed, len(set(filter(None, names))) < len(named))
        if len(self._layouts) < MAX_KNOWN_KEYS:
            self._layouts[keys] = layout
        return layout

    def _learn(self, key: str) -> str:
        name = self._name_of(key)
        if len(self._known) < MAX_KNOWN_KEYS:
            self._known[key] = name
            if name and canonical_key(key) not in self._canonical:
                self.respelled[key] = name
        return name

    def _name_of(self, key: str) -> str:
        known = self._canonical.get(canonical_key(key))
        if known is not None:
            return known
        spelled = letters(key)
        return self._by_letters.get(spelled) or self._synonyms.get(spelled, "")


def dialects() -> dict[Kind, Dialect]:
    """A dialect per kind, for one import."""
    return {level.kind: Dialect(level.kind) for level in IMPORT_ORDER}
