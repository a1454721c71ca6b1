"""References → links: which record each of them means, and what it says beyond that."""

import re
from typing import Any, Final

from eventimport.conference import values
from eventimport.conference.conference import Conference, Record, place_of
from eventimport.conference.id_map import IdMap, Match
from eventimport.conference.kinds import LEVELS, Kind, Reference
from eventimport.conference.paths import shown
from eventimport.conference.report import SHORT, Check, Report, go_on, shortened
from eventimport.formats.openevent.dialect import Dialect, dialects
from eventimport.formats.openevent.record_reader import same

MAX_NAMES: Final = 1_000
"""Characters of a text with several names; longer texts are not split."""

_BETWEEN_NAMES: Final = re.compile(r"\s*[,;&|/]\s*|\s+(?:and|und|et|y)\s+")


class Linker:
    """Resolves the references of all records; what they nest and nobody else says is kept."""

    def __init__(self, conference: Conference, report: Report, check: Check = go_on) -> None:
        self._check = check
        self._conference = conference
        self._report = report
        self._dialects: dict[Kind, Dialect] = dialects()
        self._maps: dict[Kind, IdMap] = {}
        self._plain: dict[Kind, dict[int, Record]] = {kind: {} for kind in Kind}

    def link(self) -> set[tuple[int, int]]:
        """Set the foreign keys of all sessions; return the links (session id, speaker id)."""
        by_session = self._links_of(Kind.SESSION, "speakers")
        by_speaker = {(one, other) for other, one in self._links_of(Kind.SPEAKER, "sessions")}
        self._compare(by_session, by_speaker)
        self._set_foreign_keys()
        self._link_tracks()
        return by_session | by_speaker

    def _set_foreign_keys(self) -> None:
        entry = self._conference.entries[Kind.SESSION]
        single = [(ref, ref.column) for ref in LEVELS[Kind.SESSION].references if not ref.many]
        for session in self._conference.records[Kind.SESSION]:
            self._check()
            given = session.references
            for reference, column in single:
                raw = given.get(reference.field)
                if raw is None:
                    continue
                further: list[Any] = []
                if isinstance(raw, list):
                    raw, further = self._only_one(reference, raw, session, entry)
                    if raw is None:
                        continue
                target, rest = self._resolve(reference, raw, session, entry)
                if target is not None:
                    session.foreign_keys[column] = target.new_id
                if further:
                    session.keep(reference.field, [raw, *further])
                elif _says_something(rest):
                    session.keep(reference.field, rest)

    def _only_one(
        self, reference: Reference, raw: list[Any], session: Record, entry: str
    ) -> tuple[Any, list[Any]]:
        """The reference in a list of them, and those that cannot be followed."""
        given = [item for item in raw if item not in (None, "", {}, [])]
        if not given:
            return None, []
        place = place_of(session, entry, reference.field)
        if len(given) == 1:
            message = "a list of one reference; the reference is used"
            self._report.repair("list-of-one", message, place, raw)
        else:
            message = "expected one reference, got a list; the first is used"
            self._report.warning("several-references", message, place, raw)
        return given[0], given[1:]

    def _links_of(self, kind: Kind, name: str) -> set[tuple[int, int]]:
        links: set[tuple[int, int]] = set()
        for record, target in self._many(kind, name):
            links.add((record.new_id, target.new_id))
        return links

    def _many(self, kind: Kind, name: str) -> list[tuple[Record, Record]]:
        reference = next(ref for ref in LEVELS[kind].references if ref.field == name)
        entry = self._conference.entries[kind]
        pairs = []
        for record in self._conference.records[kind]:
            raw = record.references.get(name)
            if raw is None:
                continue
            if raw in ({}, ""):
                continue
            if not isinstance(raw, list):
                message = "expected a list of references, got one; it is used"
                self._report.repair("no-list", message, place_of(record, entry, name), raw)
                raw = [raw]
            kept = []
            for item in self._split(reference, raw, record, entry):
                self._check()
                if item is None or item == "":
                    continue
                target, rest = self._resolve(reference, item, record, entry)
                if target is not None:
                    pairs.append((record, target))
                if _says_something(rest):
                    kept.append(rest)
            if kept:
                record.keep(name, kept)
        return pairs

    def _split(self, reference: Reference, raw: list[Any], record: Record, entry: str) -> list[Any]:
        """The references of a list, of which one text may hold several names."""
        result: list[Any] = []
        known = self._map(reference.kind)
        for item in raw:
            parts = []
            if isinstance(item, str) and len(item) <= MAX_NAMES and known.find_text(item) is None:
                parts = [part for part in _BETWEEN_NAMES.split(item) if part.strip()]
            if len(parts) > 1 and all(known.find_text(part) for part in parts):
                message = "several names in one text; the reference was read as a list of names"
                place = place_of(record, entry, reference.field)
                self._report.repair("several-names", message, place, item)
                result += parts
            else:
                result.append(item)
        return result

    def _resolve(
        self, reference: Reference, raw: Any, record: Record, entry: str
    ) -> tuple[Record | None, Any]:
        """The record that is meant, and what the reference says but that record does not."""
        # References that say the same are one object, which lives as long as its records do.
        plain = self._plain[reference.kind]
        known = plain.get(id(raw))
        if known is not None:
            return known, None
        target, rest, told = self._look_up(reference, raw, record, entry)
        if target is not None and not rest and not told and isinstance(raw, dict):
            plain[id(raw)] = target
        return target, rest

    def _look_up(
        self, reference: Reference, raw: Any, record: Record, entry: str
    ) -> tuple[Record | None, Any, bool]:
        """As `_resolve`, and whether there was a finding."""
        kind = reference.kind
        nested: dict[str, Any] = {}
        left_over: dict[str, Any] = {}
        if isinstance(raw, dict):
            nested, left_over = self._dialects[kind].translate(raw)
            source_id = nested.pop("id", None)
            if source_id is None and not nested and not left_over:
                return None, None, False
            key = values.source_key(source_id)
        else:
            key = values.source_key(raw)
        what = kind.replace("_", " ")
        label_name = LEVELS[kind].label
        label = nested.get(label_name)
        known = self._map(kind)
        match = known.find(key, label)
        if match.record is None and isinstance(raw, str) and (count := known.count_of(raw)) > 1:
            message = f"{count} records of this sort ({what}) have the name; it was not linked"
            match = Match(None, "ambiguous-reference", message)
        elif match.record is None and isinstance(raw, str) and (named := known.find_text(raw)):
            message = f"the reference is a name, not an id; the {what} with that name is used"
            match = Match(named, "reference-by-name", message)
            key = None
        target = match.record
        if match.code is not None and match.message is not None:
            place = place_of(record, entry, reference.field)
            tell = self._report.warning if target is None else self._report.repair
            tell(match.code, match.message, place, raw)
        rest = raw if target is None else self._rest(kind, nested, left_over, target)
        if target is not None and rest:
            place = place_of(record, entry, reference.field)
            if label_name in rest:
                if values.label_key(label) == self._map(kind).label_of(target):
                    # The same name but for blanks, case or kind of dash.
                    del rest[label_name]
                else:
                    message = f"the {what} with this id has another {label_name}; the id counts"
                    self._report.warning("other-name", message, place, label)
            more = ", ".join(f"“{shown(name)}”" for name in rest if name != label_name)
            if more:
                message = (
                    f"The reference to a {what} says more than the record of the {what}: {more}. "
                    "It is kept in `extra`."
                )
                self._report.warning("reference-detail", message, place, rest, group=what)
        if target is not None and (rest or (key is not None and key != target.key)):
            rest = {"id": key, **rest}
        return target, rest, match.code is not None

    def _rest(
        self,
        kind: Kind,
        nested: dict[str, Any],
        left_over: dict[str, Any],
        target: Record,
    ) -> dict[str, Any]:
        said, zone = target.values, self._conference.zone
        rest = {
            name: value
            for name, value in nested.items()
            if value != said.get(name)
            and not same(kind, name, value, said.get(name, target.extra.get(name)), zone)
            and value not in ([], {})
        }
        rest.update(
            (name, value)
            for name, value in left_over.items()
            if target.extra.get(name) != value and value not in ([], {})
        )
        return rest

    def _compare(self, by_session: set[tuple[int, int]], by_speaker: set[tuple[int, int]]) -> None:
        """The union of both holds. That they differ is told where both sides tell links."""
        if not by_session or not by_speaker:
            return
        sides = (
            (Kind.SPEAKER, 1, by_speaker - by_session, "the session does not name this speaker"),
            (Kind.SESSION, 0, by_session - by_speaker, "the speaker does not name this session"),
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
                self._report.repair("link-told-once", f"{message}; linked", place, value)

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
                message = f"session “{name}” names no track; it is linked to this one"
                self._report.repair("link-told-once", message, place, title)
            elif linked != track.new_id:
                name = shortened(str(title or session.key), SHORT)
                message = f"session “{name}” names another track, which is used"
                self._report.warning("track-differs", message, place, title)

    def _map(self, kind: Kind) -> IdMap:
        if kind not in self._maps:
            self._maps[kind] = IdMap(kind, self._conference.records[kind])
        return self._maps[kind]


def _says_something(rest: Any) -> bool:
    return rest is not None and rest not in ({}, [], "")
