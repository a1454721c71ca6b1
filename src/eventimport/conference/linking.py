"""References → links: which record each of them means, by its kind and its id or name, and what it
says beyond that.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from eventimport.conference import values
from eventimport.conference.conference import Conference, Record, Reference, id_or_name, place_of
from eventimport.conference.fields import same
from eventimport.conference.kinds import LEVELS, SHAPES, Kind, ReferenceField
from eventimport.conference.report import SHORT, Check, Place, Report, go_on, shortened, shown
from eventimport.conference.values import label_key, source_key

MAX_NAMES: Final = 1_000
"""Characters of a text with several names; longer texts are not split."""

_BETWEEN_NAMES: Final = re.compile(r"\s*[,;&|/]\s*|\s+(?:and|und|et|y)\s+")


@dataclass(frozen=True, slots=True)
class Match:
    """What was found for a reference: `record`, or None; and what there is to say about it, as a
    finding's code and message, or None."""

    record: Record | None
    code: str | None = None
    message: str | None = None


class _Namesakes:
    """The records that share an id, or that have none, by name: the first of each name, and how
    many have it."""

    def __init__(self) -> None:
        self.count = 0
        self.first: Record | None = None
        self.by_label: dict[str, tuple[Record, int]] = {}

    def add(self, record: Record, label: str) -> None:
        self.count += 1
        self.first = self.first or record
        known = self.by_label.get(label)
        self.by_label[label] = (record, 1) if known is None else (known[0], known[1] + 1)


class IdMap:
    """The records of one kind by source id and by name. They have their new ids already. A look-up
    takes as long as the reference is, however many records share its id or its name."""

    def __init__(self, kind: Kind, records: list[Record]) -> None:
        self._kind = str(kind).replace("_", " ")
        self._label = LEVELS[kind].label
        self._records = records
        self._by_key: dict[str, Record | _Namesakes] = {}
        self._by_label: _Namesakes | None = None
        self._labels: dict[int, str] = {}
        for record in records:
            key = record.known_as
            if key is None:
                continue
            other = self._by_key.setdefault(key, record)
            if other is record:
                continue
            if isinstance(other, Record):
                shared = _Namesakes()
                shared.add(other, self.label_of(other))
                self._by_key[key] = other = shared
            other.add(record, self.label_of(record))

    def find(self, key: str | None, label: Any) -> Match:
        """The record of this id; of several, the one of this name, else the first. Without the id,
        or where no record has it, the only one of this name."""
        found = self._by_key.get(key) if key is not None else None
        if isinstance(found, Record):
            return Match(found)
        if found is not None:
            named = found.by_label.get(label_key(label)) if label is not None else None
            if named is not None:
                return Match(named[0])
            message = (
                f"{found.count} records have the id {_quoted(key)}. The first of them is used."
            )
            return Match(found.first, "ambiguous-reference", message)
        return self._find_by_label(key, label)

    def label_of(self, record: Record) -> str:
        """The record's name as names are compared. It is made once: it may be long, and thousands
        of references may lead to it."""
        known = self._labels.get(id(record))
        if known is None:
            known = self._labels[id(record)] = label_key(record.values.get(self._label, ""))
        return known

    def find_text(self, text: str) -> Record | None:
        """The record of this id, else the only one of this name."""
        key = source_key(text)
        found = self._by_key.get(key) if key is not None else None
        if found is not None:
            return found if isinstance(found, Record) else found.first
        named = self._named(text)
        return named[0] if named is not None and named[1] == 1 else None

    def count_of(self, label: str) -> int:
        """How many records have this name."""
        named = self._named(label)
        return named[1] if named is not None else 0

    def _named(self, label: Any) -> tuple[Record, int] | None:
        """The first record of this name, and how many have it."""
        if self._by_label is None:
            self._by_label = _Namesakes()
            for record in self._records:
                self._by_label.add(record, self.label_of(record))
        return self._by_label.by_label.get(label_key(label))

    def _find_by_label(self, key: str | None, label: Any) -> Match:
        named = self._named(label) if label is not None else None
        if named is not None and named[1] == 1:
            missing = "has no id" if key is None else f"names the unknown id {_quoted(key)}"
            message = f"The reference {missing}. The {self._kind} with that name is used."
            return Match(named[0], "reference-by-name", message)
        if key is None:
            return Match(
                None,
                "reference-without-id",
                f"The record names a {self._kind} without an id. It is not linked with"
                f" that {self._kind}.",
            )
        message = (
            f"The record names the {self._kind} with the id {_quoted(key)}, which is"
            " not in the archive. It is not linked."
        )
        return Match(None, "dangling-reference", message)


def _quoted(key: str | None) -> str:
    return f"“{shortened(key or '', SHORT)}”"


class Linker:
    """Resolves the references of all records. Keeps nested values that no record has."""

    def __init__(self, conference: Conference, report: Report, check: Check = go_on) -> None:
        self._check = check
        self._conference = conference
        self._report = report
        self._maps: dict[Kind, IdMap] = {}
        self._targets: dict[tuple[Kind, str | None, str | None, bool], Record] = {}
        """What references mean that say no more than an id and a name."""

    def link(self) -> set[tuple[int, int]]:
        """Set the foreign keys of all sessions; return the links (session id, speaker id)."""
        by_session = self._links_of(Kind.SESSION, "speakers")
        by_speaker = {
            (session, speaker) for speaker, session in self._links_of(Kind.SPEAKER, "sessions")
        }
        self._compare(by_session, by_speaker)
        self._set_foreign_keys()
        self._link_tracks()
        return by_session | by_speaker

    def _set_foreign_keys(self) -> None:
        entry = self._conference.entries[Kind.SESSION]
        single = [(ref, ref.column) for ref in LEVELS[Kind.SESSION].references if not ref.many]
        # Readers use one reference for all sessions that refer to a record in the same words.
        known: dict[int, int] = {}
        for session in self._conference.records[Kind.SESSION]:
            self._check()
            for field, column in single:
                given = session.references.get(field.field)
                if not given:
                    continue
                new_id = known.get(id(given))
                if new_id is not None:
                    session.foreign_keys[column] = new_id
                    continue
                if len(given) > 1:
                    message = (
                        "The record names several where only one is possible. The first is used."
                    )
                    place = place_of(session, entry, field.field)
                    sources = [reference.source for reference in given]
                    self._report.warning("several-references", message, place, sources)
                    session.keep(field.field, sources)
                target, rest = self._resolve(field, given[0], session, entry)
                if target is not None:
                    session.foreign_keys[column] = target.new_id
                    if rest is None and len(given) == 1:
                        known[id(given)] = target.new_id
                if len(given) == 1 and _says_something(rest):
                    session.keep(field.field, rest)

    def _links_of(self, kind: Kind, name: str) -> set[tuple[int, int]]:
        return {(record.new_id, target.new_id) for record, target in self._many(kind, name)}

    def _many(self, kind: Kind, name: str) -> list[tuple[Record, Record]]:
        field = next(ref for ref in LEVELS[kind].references if ref.field == name)
        entry = self._conference.entries[kind]
        pairs = []
        for record in self._conference.records[kind]:
            given = record.references.get(name)
            if not given:
                continue
            kept = []
            for reference in self._split(field, given, record, entry):
                self._check()
                target, rest = self._resolve(field, reference, record, entry)
                if target is not None:
                    pairs.append((record, target))
                if _says_something(rest):
                    kept.append(rest)
            if kept:
                record.keep(name, kept)
        return pairs

    def _split(
        self, field: ReferenceField, given: Sequence[Reference], record: Record, entry: str
    ) -> Sequence[Reference]:
        """The references of a field. One text may hold several names."""
        if not any(reference.either for reference in given):
            return given
        result: list[Reference] = []
        known = self._map(field.kind)
        for reference in given:
            text = reference.label if reference.either else None
            parts = []
            if text and len(text) <= MAX_NAMES and known.find_text(text) is None:
                parts = [part for part in _BETWEEN_NAMES.split(text) if part.strip()]
            if len(parts) > 1 and all(known.find_text(part) for part in parts):
                message = "The text has several names. It was read as a list of names."
                place = place_of(record, entry, field.field)
                self._report.repair("several-names", message, place, text)
                result += [id_or_name(field.kind, part) for part in parts]
            else:
                result.append(reference)
        return result

    def _resolve(
        self, field: ReferenceField, reference: Reference, record: Record, entry: str
    ) -> tuple[Record | None, Any]:
        """The record that is meant, and what the reference says but that record does not."""
        # The hash of a tuple is much faster than that of a dataclass.
        identity = reference.kind, reference.key, reference.label, reference.either
        known = self._targets.get(identity) if not reference.rest else None
        if known is not None:
            return known, None
        match = self._look_up(reference)
        if match.code is not None and match.message is not None:
            report = self._report.warning if match.record is None else self._report.repair
            place = place_of(record, entry, field.field)
            report(match.code, match.message, place, reference.source)
        if match.record is None:
            return None, reference.source
        rest = self._rest(reference, match.record)
        if rest:
            self._report_rest(reference, rest, place_of(record, entry, field.field))
        named_only = reference.either and match.code == "reference-by-name"
        if rest or not (named_only or reference.key in (None, match.record.known_as)):
            rest = {"id": None if named_only else reference.key, **rest}
        if not rest and match.code is None and not reference.rest:
            self._targets[identity] = match.record
        return match.record, rest

    def _look_up(self, reference: Reference) -> Match:
        known = self._map(reference.kind)
        if not reference.either or reference.label is None:
            return known.find(reference.key, reference.label)
        match = known.find(reference.key, None)
        if match.record is not None:
            return match
        what = reference.kind.replace("_", " ")
        if (count := known.count_of(reference.label)) > 1:
            message = f"{count} records of the kind {what} have this name. None of them was linked."
            return Match(None, "ambiguous-reference", message)
        if (named := known.find_text(reference.label)) is not None:
            message = (
                f"The reference is a name instead of an id. The {what} with that name is used."
            )
            return Match(named, "reference-by-name", message)
        return match

    def _rest(self, reference: Reference, target: Record) -> dict[str, Any]:
        """What the reference says but the record does not."""
        kind, said, kept = reference.kind, target.values, target.extra
        fields = SHAPES[kind].fields
        given = dict(reference.rest)
        name = LEVELS[kind].label
        if reference.label is not None and not reference.either:
            given = {name: reference.label, **given}
        rest = {}
        for key, value in given.items():
            if value in ([], {}) or value == (said if key in fields else kept).get(key):
                continue
            if key in fields and self._same(kind, key, value, said.get(key, kept.get(key))):
                continue
            rest[key] = value
        if name in rest and values.label_key(rest[name]) == self._map(kind).label_of(target):
            # The same name but for blanks, case or kind of dash.
            del rest[name]
        return rest

    def _same(self, kind: Kind, name: str, raw: Any, value: Any) -> bool:
        return same(kind, name, raw, value, self._conference.zone, self._conference.limits)

    def _report_rest(self, reference: Reference, rest: dict[str, Any], place: Place) -> None:
        what = reference.kind.replace("_", " ")
        label = LEVELS[reference.kind].label
        if label in rest:
            message = f"The {what} with this id has another {label}. The id was used."
            self._report.warning("other-name", message, place, rest[label])
        more = ", ".join(f"“{shown(name)}”" for name in rest if name != label)
        if more:
            message = (
                f"The reference to a {what} has values that the {what} itself does"
                f" not have: {more}. They are kept in `extra`."
            )
            self._report.warning("reference-detail", message, place, rest, group=what)

    def _compare(self, by_session: set[tuple[int, int]], by_speaker: set[tuple[int, int]]) -> None:
        """The union of both holds. Differences are reported if both sides have links."""
        if not by_session or not by_speaker:
            return
        sides = (
            (
                Kind.SPEAKER,
                1,
                by_speaker - by_session,
                "The speaker names a session that does not name the speaker",
            ),
            (
                Kind.SESSION,
                0,
                by_session - by_speaker,
                "The session names a speaker who does not name the session",
            ),
        )
        for kind, side, links, message in sides:
            if not links:
                continue
            other = Kind.SESSION if kind is Kind.SPEAKER else Kind.SPEAKER
            here = {record.new_id: record for record in self._conference.records[kind]}
            there = {record.new_id: record for record in self._conference.records[other]}
            for link in sorted(links):
                self._check()
                record = here[link[side]]
                place = place_of(record, self._conference.entries[kind], f"{other}s")
                partner = there[link[1 - side]]
                value = partner.values.get(LEVELS[other].label)
                self._report.repair("link-told-once", f"{message}. They were linked.", place, value)

    def _link_tracks(self) -> None:
        entry = self._conference.entries[Kind.TRACK]
        for track, session in self._many(Kind.TRACK, "sessions"):
            self._check()
            linked = session.foreign_keys.get("track_id")
            place = place_of(track, entry, "sessions")
            title = session.values.get("title")
            if linked is None:
                session.foreign_keys["track_id"] = track.new_id
                name = shortened(str(title or session.key), SHORT)
                message = (
                    f"Session “{name}” has no track. It was linked with this track, which names it."
                )
                self._report.repair("link-told-once", message, place, title)
            elif linked != track.new_id:
                name = shortened(str(title or session.key), SHORT)
                message = f"Session “{name}” names another track. The track of the session is used."
                self._report.warning("track-differs", message, place, title)

    def _map(self, kind: Kind) -> IdMap:
        if kind not in self._maps:
            self._maps[kind] = IdMap(kind, self._conference.records[kind])
        return self._maps[kind]


def _says_something(rest: Any) -> bool:
    return rest is not None and rest not in ({}, [], "")
