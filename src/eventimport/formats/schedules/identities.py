"""Identifiers that are valid in schedules, unique in each of them, and the same in each export.

A value that came in is kept if it is valid and the first of its kind. Otherwise validity wins: it
is replaced, and the replacement is counted, because it is a loss.
"""

import re
import unicodedata
from array import array
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
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


class _Given:
    """The values of one sort that sessions came with, as 64-bit numbers: there may be a hundred
    thousand. Two texts with one number are harmless: the second of them is replaced."""

    def __init__(self) -> None:
        self._numbers = array("q")
        self._repeated: set[int] = set()
        self._met: set[int] = set()
        self._is_sorted = True

    def note(self, value: str | int) -> None:
        """Add a value."""
        self._numbers.append(hash(value))
        self._is_sorted = False

    def __contains__(self, value: str | int) -> bool:
        """Whether a session came with this value."""
        number = hash(value)
        place = bisect_left(self._sorted(), number)
        return place < len(self._numbers) and self._numbers[place] == number

    def is_first(self, value: str | int) -> bool:
        """Whether a value that was noted is asked about for the first time."""
        number = hash(value)
        self._sorted()
        if number not in self._repeated:
            return True
        if number in self._met:
            return False
        self._met.add(number)
        return True

    def _sorted(self) -> "array[int]":
        if not self._is_sorted:
            self._numbers = array("q", sorted(self._numbers))
            self._repeated = {one for one, other in pairwise(self._numbers) if one == other}
            self._is_sorted = True
        return self._numbers


class Identities:
    """Gives each session of one schedule an identity. Call `note` for all sessions first, then
    `next` for all of them in the same order. `names` identify the event."""

    def __init__(self, names: tuple[str, ...], acronym: str, rules: Rules) -> None:
        self.replaced: Counter[str] = Counter()
        """How many values were not valid, or not the first, by what they are."""
        self._names = names
        self._prefix = words_of(acronym)
        self._rules = rules
        self._guids, self._ids, self._codes, self._slugs = (_Given() for _ in range(4))
        self._keys = _Given()
        self._made_ids: set[int] = set()

    def note(self, key: str | None, extra: dict[str, Any]) -> None:
        """Note what a session came with."""
        number = valid_number(given_id(key, extra))
        guid = valid_guid(given_guid(key, extra))
        code = _matching(extra.get("code"), self._rules.code)
        slug = _matching(_given_slug(extra), self._rules.slug)
        source = given_guid(key, extra) or key
        for given, value in (
            (self._ids, number),
            (self._guids, guid and guid.lower()),
            (self._codes, code),
            (self._slugs, slug),
            (self._keys, None if guid else source),
        ):
            if value is not None:
                given.note(value)

    def next(self, key: str | None, extra: dict[str, Any], new_id: int, title: str) -> Identity:
        """The identity of the next session. `new_id` is unique in the event."""
        number = self._number(given_id(key, extra), new_id)
        code = self._kept("code", extra.get("code"), self._rules.code, self._codes)
        slug = self._kept("slug", _given_slug(extra), self._rules.slug, self._slugs)
        return Identity(
            self._guid(key, extra, new_id), number, code, slug or self._slug(number, title)
        )

    def _guid(self, key: str | None, extra: dict[str, Any], new_id: int) -> str:
        given = given_guid(key, extra)
        guid = valid_guid(given)
        if guid is not None and self._guids.is_first(guid.lower()):
            return guid
        self.replaced["guid"] += given is not None
        source = given or key
        # A source id that several sessions have is not enough.
        if guid is None and source and self._keys.is_first(source):
            return guid_of(*self._names, source)
        return guid_of(*self._names, source or "", str(new_id))

    def _number(self, given: Any, new_id: int) -> int:
        number = valid_number(given)
        if number is not None and self._ids.is_first(number):
            return number
        self.replaced["id"] += given is not None
        wanted = number = (new_id - 1) % MAX_ID + 1
        while number in self._ids or number in self._made_ids:
            number = number % MAX_ID + 1
        if number != wanted or new_id > MAX_ID:
            # A later session may be the one whose own number this is.
            self._made_ids.add(number)
        return number

    def _slug(self, number: int, title: str) -> str:
        made = f"{self._prefix}-{number}-{words_of(title)[:60].strip('_') or 'session'}"
        while made in self._slugs:
            made += "_0"
        return made

    def _kept(self, name: str, given: Any, pattern: re.Pattern[str], known: _Given) -> str | None:
        if given in (None, ""):
            return None
        text = _matching(given, pattern)
        if text is not None and known.is_first(text):
            return text
        self.replaced[name] += 1
        return None


def _matching(given: Any, pattern: re.Pattern[str]) -> str | None:
    text = given.strip() if isinstance(given, str) else ""
    return text if pattern.fullmatch(text) else None


def _given_slug(extra: dict[str, Any]) -> Any:
    return extra.get("slug", extra.get("pentabarf:event-slug"))


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
