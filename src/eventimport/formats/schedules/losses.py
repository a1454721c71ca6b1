"""What a format cannot say: one table for each format, and one finding for each sort of loss.

The table lists what the format keeps. All else that an event holds is counted while it is written,
and reported. The README's table of losses comes from here, too.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from eventimport.conference.conference import Record
from eventimport.conference.kinds import DELETED, LEVELS, Kind
from eventimport.conference.report import Place, Report, shown
from eventimport.conference.stored import StoredConference

NOUNS: Final[Mapping[Kind, tuple[str, str]]] = {
    Kind.EVENT: ("event", "events"),
    Kind.EVENT_COPYRIGHT: ("copyright notice", "copyright notices"),
    Kind.SPEAKERS_CALL: ("call for speakers", "calls for speakers"),
    Kind.SOCIAL_LINK: ("social link", "social links"),
    Kind.CUSTOM_FORM: ("form field", "form fields"),
    Kind.MICROLOCATION: ("room", "rooms"),
    Kind.SPONSOR: ("sponsor", "sponsors"),
    Kind.SPEAKER: ("speaker", "speakers"),
    Kind.TRACK: ("track", "tracks"),
    Kind.SESSION_TYPE: ("session type", "session types"),
    Kind.SESSION: ("session", "sessions"),
}
"""What people call one and several records of a kind."""

SORTS: Final[Mapping[str, str]] = {
    "not-public": "sessions that are neither accepted nor confirmed",
    "no-time": "sessions without a start",
    "no-end": "sessions without an end",
    "ends-before-start": "sessions that end before they start",
    "long-session": "sessions of 24 hours or more",
    "seconds": "times of sessions that are not whole minutes",
    "shared-name": "rooms and tracks that share a name with another",
    "no-name": "rooms and tracks without a name",
    "unused": "tracks, session types and speakers without a session",
    "color": "colors of tracks that are not hexadecimal",
    "link": "links and media files that are not web addresses",
    "time-zone": "time zones that the format does not allow",
    "control-characters": "texts with control characters",
    "same-name": "speakers who share a name with another",
    "same-type": "session types that are named as the track of the session",
    "two-texts": "the difference between abstract and description of sessions",
    "language": "languages of sessions that are not language tags",
    "private-guid": "guids of speakers that may be made of an e-mail address",
    "guid": "guids of sessions that are invalid or repeated",
    "id": "ids of sessions that are invalid or repeated",
    "code": "codes of sessions that are invalid or repeated",
    "slug": "slugs of sessions that are invalid or repeated",
}
"""Losses of values that are in a field of the format, but that it does not allow."""

_USUAL: Final[Mapping[Kind, Mapping[str, Any]]] = {Kind.SESSION: {"state": "confirmed"}}
"""What a format says without saying it."""

_MOST: Final = 20
"""Keys that one finding lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeps:
    """What a format has a place for: the fields of each kind, and keys in `extra`. A kind that is
    not in `fields` has no place at all. `sorts` are the names of `SORTS` that are losses here."""

    title: str
    fields: Mapping[Kind, frozenset[str]]
    extra: Mapping[Kind, frozenset[str]] = field(default_factory=dict)
    sorts: frozenset[str] = frozenset(SORTS)


class Losses:
    """Counts what one export leaves out."""

    def __init__(self, keeps: Keeps, report: Report) -> None:
        self._keeps = keeps
        self._report = report
        self._fields: dict[Kind, Counter[str]] = defaultdict(Counter)
        self._extra: dict[Kind, Counter[str]] = defaultdict(Counter)
        self._sorts: Counter[str] = Counter()

    def note(self, kind: Kind, record: Record) -> None:
        """Count the values of a record that the format has no place for."""
        if kind not in self._keeps.fields:
            return
        kept, extra = self._keeps.fields[kind], self._keeps.extra.get(kind, frozenset())
        counts = self._fields[kind]
        for name, value in record.values.items():
            if name in kept or name == DELETED:
                continue
            usual = _USUAL.get(kind, LEVELS[kind].defaults).get(name)
            # A switch that is off says no more than one that is missing.
            if value not in (usual, "", None) and not (value is False and usual is None):
                counts[name] += 1
        keys = self._extra[kind]
        for name, value in record.extra.items():
            # An import may keep a second value beside the first: then its key ends in "_".
            if name not in extra and value not in (None, "", [], {}):
                keys[name] += 1

    def add(self, sort: str, count: int = 1) -> None:
        """Count losses of a sort."""
        if count and sort in self._keeps.sorts:
            self._sorts[sort] += count

    def report(self, conference: StoredConference) -> None:
        """Report all losses, one finding for each sort."""
        title = self._keeps.title
        kinds = [
            (kind, count)
            for kind in Kind
            if kind not in self._keeps.fields and (count := conference.count(kind))
        ]
        if kinds:
            counted = [f"{count:,} {NOUNS[kind][count != 1]}" for kind, count in kinds]
            self._warn("no-place", f"{title} has no place for {in_words(counted)}.")
        for kind, counts in self._fields.items():
            if counts:
                named = [f"{words_of(name)} ({n:,})" for name, n in sorted(counts.items())]
                what = f"these values of {NOUNS[kind][kind is not Kind.EVENT]}: {in_words(named)}"
                self._warn("no-place-for-values", f"{title} has no place for {what}.", kind)
        for kind, counts in self._extra.items():
            if counts:
                listed = [f"“{shown(name)}” ({n:,})" for name, n in counts.most_common(_MOST)]
                more = [f"{len(counts) - _MOST:,} others"] if len(counts) > _MOST else []
                what = f"these keys in `extra` of {NOUNS[kind][kind is not Kind.EVENT]}"
                message = f"{title} has no place for {what}: {in_words(listed + more)}."
                self._warn("no-place-for-extra", message, kind)
        for sort, count in self._sorts.items():
            self._warn(sort, f"{title} has no place for {SORTS[sort]} ({count:,}).")

    def _warn(self, code: str, message: str, kind: Kind | None = None) -> None:
        self._report.warning(code, message, Place(), group=f"{code} {kind or ''}")


def words_of(name: str) -> str:
    """A field's name as people read it."""
    return name.removesuffix("_url").replace("_", " ")


def in_words(items: list[str]) -> str:
    """A list as a part of a sentence."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"
