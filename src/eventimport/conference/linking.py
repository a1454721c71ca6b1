"""References → links: which record each of them means, and what it says beyond that."""

import re
from typing import Any, Final

from eventimport.conference import values
from eventimport.conference.conference import Conference, Record, Reference, id_or_name, place_of
from eventimport.conference.fields import same
from eventimport.conference.id_map import IdMap, Match
from eventimport.conference.kinds import LEVELS, SHAPES, Kind, ReferenceField
from eventimport.conference.paths import shown
from eventimport.conference.report import SHORT, Check, Place, Report, go_on, shortened

MAX_NAMES: Final = 1_000
"""Characters of a text with several names; longer texts are not split."""

_BETWEEN_NAMES: Final = re.compile(r"\s*[,;&|/]\s*|\s+(?:and|und|et|y)\s+")


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
        for session in self._conference.records[Kind.SESSION]:
            self._check()
            for field, column in single:
                given = session.references.get(field.field)
                if not given:
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
                if len(given) == 1 and _says_something(rest):
                    session.keep(field.field, rest)

    def _links_of(self, kind: Kind, name: str) -> set[tuple[int, int]]:
        return {(record.new_id, target.new_id) for record, target in self._many(kind, name)}

    def _many(self, kind: Kind, name: str) -> list[tuple[Record, Record]]:
        field = next(ref for ref in LEVELS[kind].references if ref.field == name)
        entry = self._conference.entries[kind]
        pairs = []
        for record in self._conference.records[kind]:
            kept = []
            for reference in self._split(field, record, entry):
                self._check()
                target, rest = self._resolve(field, reference, record, entry)
                if target is not None:
                    pairs.append((record, target))
                if _says_something(rest):
                    kept.append(rest)
            if kept:
                record.keep(name, kept)
        return pairs

    def _split(self, field: ReferenceField, record: Record, entry: str) -> list[Reference]:
        """The references of a field. One text may hold several names."""
        result: list[Reference] = []
        known = self._map(field.kind)
        for reference in record.references.get(field.field, ()):
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
        place = place_of(record, entry, field.field)
        if match.code is not None and match.message is not None:
            report = self._report.warning if match.record is None else self._report.repair
            report(match.code, match.message, place, reference.source)
        if match.record is None:
            return None, reference.source
        rest = self._rest(reference, match.record)
        if rest:
            self._report_rest(reference, rest, place)
        named_only = reference.either and match.code == "reference-by-name"
        if rest or not (named_only or reference.key in (None, match.record.key)):
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
