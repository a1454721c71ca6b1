"""Identifiers that are valid in schedules, unique in each of them, and the same in each export.

A value that came in is kept if it is valid and the first of its kind. Otherwise validity wins: it
is replaced, and the replacement is counted, because it is a loss.
"""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

NAMESPACE: Final = uuid5(NAMESPACE_URL, "https://schema.eventimport.invalid/guid")
"""The namespace of all guids that are made here. It must never change."""

MAX_ID: Final = 2**31 - 1
"""The largest number that apps for telephones accept."""

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,9}")
_ACRONYM: Final = re.compile(r"[a-z0-9_]{4,}")
_NOT_IN_SLUG: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a format accepts as acronyms of events, and as slugs and codes of sessions. What is made
    here is accepted by all formats."""

    acronym: re.Pattern[str]
    slug: re.Pattern[str]
    code: re.Pattern[str]


def guid_of(*names: str) -> str:
    """The guid that is always made of these names."""
    return str(uuid5(NAMESPACE, "\n".join(names)))


def valid_guid(value: Any) -> str | None:
    """The value if it is a UUID."""
    text = value.strip() if isinstance(value, str) else ""
    return text if _UUID.fullmatch(text) else None


def valid_person_guid(value: Any) -> str | None:
    """The value if it is a UUID that cannot be that of an e-mail address. Programs make persons'
    guids of addresses, by version 3 or 5, and such a guid shows whether a guess is right."""
    text = valid_guid(value)
    return text if text is not None and UUID(text).version not in {3, 5} else None


def valid_number(value: Any) -> int | None:
    """The value if it is a positive number that apps accept as an id."""
    text = str(value).strip() if isinstance(value, (str, int)) else ""
    return int(text) if _NUMBER.fullmatch(text) and int(text) <= MAX_ID else None


def words_of(text: str) -> str:
    """A text as a part of a slug: small letters and digits, with underscores between words."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).casefold()
    ascii_only = "".join(each for each in plain if not unicodedata.combining(each))
    return _NOT_IN_SLUG.sub("_", ascii_only).strip("_")


def acronym_of(given: Any, name: str, year: int | None, rules: Rules) -> str:
    """An acronym that a format accepts. `given` is the source's; else it is made of the name."""
    text = given if isinstance(given, str) and given.strip() else name
    if rules.acronym.fullmatch(text.strip()):
        return text.strip()
    acronym = text.strip() if _ACRONYM.fullmatch(text.strip()) else words_of(text)[:40].strip("_")
    if len(acronym) < 4 and year is not None:
        acronym = f"{acronym}_{year}".strip("_")
    return acronym if len(acronym) >= 4 else f"event_{acronym}".strip("_")


@dataclass(slots=True)
class Identity:
    """How a schedule identifies a session."""

    guid: str
    id: int
    code: str | None
    slug: str


@dataclass(slots=True)
class Identities:
    """Gives each session of one schedule an identity. Call `note` for all sessions first, then
    `next` for all of them in the same order. `names` identify the event."""

    names: tuple[str, ...]
    acronym: str
    rules: Rules
    replaced: Counter[str] = field(default_factory=Counter)
    """How many values were not valid, or not the first, by what they are."""
    _ids: set[int] = field(default_factory=set)
    _given: set[int] = field(default_factory=set)
    _seen: set[int] = field(default_factory=set)

    def note(self, key: str | None, extra: dict[str, Any]) -> None:
        """Reserve the id that a session came with."""
        found = valid_number(given_id(key, extra))
        if found is not None:
            self._given.add(found)

    def next(self, key: str | None, extra: dict[str, Any], new_id: int, title: str) -> Identity:
        """The identity of the next session. `new_id` is unique in the event."""
        guid = self._guid(key, extra, new_id)
        number = self._number(given_id(key, extra), new_id)
        code = self._valid("code", extra.get("code"), self.rules.code)
        return Identity(guid, number, code, self._slug(extra, number, title))

    def _guid(self, key: str | None, extra: dict[str, Any], new_id: int) -> str:
        given = given_guid(key, extra)
        guid = valid_guid(given)
        if guid is not None and self._is_first("guid", guid.lower()):
            return guid
        self.replaced["guid"] += given is not None
        source = given or key
        made = guid_of(*self.names, source) if source else ""
        if not made or not self._is_first("guid", made):
            made = guid_of(*self.names, source or "", str(new_id))
        return made

    def _number(self, given: Any, new_id: int) -> int:
        number = valid_number(given)
        if number is not None and number not in self._ids:
            self._ids.add(number)
            return number
        self.replaced["id"] += given is not None
        number = (new_id - 1) % MAX_ID + 1
        while number in self._ids or number in self._given:
            number = number % MAX_ID + 1
        self._ids.add(number)
        return number

    def _slug(self, extra: dict[str, Any], number: int, title: str) -> str:
        given = extra.get("slug", extra.get("pentabarf:event-slug"))
        slug = self._valid("slug", given, self.rules.slug)
        if slug is not None:
            return slug
        made = f"{words_of(self.acronym)}-{number}-{words_of(title)[:60].strip('_') or 'session'}"
        if not self._is_first("slug", made):
            made = f"{words_of(self.acronym)}-{number}-session"
            while not self._is_first("slug", made):
                made += "_0"
        return made

    def _valid(self, name: str, given: Any, pattern: re.Pattern[str]) -> str | None:
        if given in (None, ""):
            return None
        text = given.strip() if isinstance(given, str) else ""
        if pattern.fullmatch(text) and self._is_first(name, text):
            return text
        self.replaced[name] += 1
        return None

    def _is_first(self, name: str, value: str) -> bool:
        # Numbers instead of texts: there may be a hundred thousand sessions. Two texts with one
        # number are harmless: the second of them is replaced.
        seen = hash((name, value))
        is_first = seen not in self._seen
        self._seen.add(seen)
        return is_first


def given_guid(key: str | None, extra: dict[str, Any]) -> str | None:
    """The guid that a session came with. A session that has one has its id in `extra`."""
    guid = extra.get("guid")
    if isinstance(guid, str) and guid.strip():
        return guid
    return key if key is not None and ("id" in extra or valid_guid(key)) else None


def given_id(key: str | None, extra: dict[str, Any]) -> Any:
    """The id that a session came with; None if it came with none."""
    for name in ("id", "pentabarf:event-id"):
        if extra.get(name) not in (None, ""):
            return extra[name]
    return None if key is None or valid_number(key) is None else key
