"""Findings: what an import repaired, warns of, or fails for, each with its places in the archive.

Findings of one cause are one finding with a count. Two findings have one cause if they agree in
severity, code, document, field and the message's pattern: the message without numbers and without
what stands in quotation marks (“…”, "…", '…'). So write what differs from record to record in
quotation marks, or pass `group`, a text that replaces the pattern. Findings about media files and
other entries that are not documents are counted together across entries.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any, Final, TypeVar

EXCERPT = 200
"""Characters of a value, a title or a name that a finding quotes."""

SHORT: Final = 60
"""Characters of an id that a finding quotes."""

MAX_MESSAGE: Final = 600
"""Characters of a message."""

MAX_PLACES: Final = 5
"""Places that a finding lists; its count includes the others."""

FIRST_FINDINGS: Final = 20
FIRST_BYTES: Final = 64 * 1024
"""Findings that a task shows, and their JSON in bytes. The others have a route of their own."""

UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
"""What no database stores: NUL, and halves of surrogate pairs."""

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_VARIABLE: Final = re.compile("“[^“”]*”|\"[^\"]*\"|'[^']*'|[0-9]+")
_INDEX: Final = re.compile(r"(?<=\.)[0-9]+(?=\.|$)")
_MOST_DIGITS: Final = 2**63

_Found = TypeVar("_Found")
Check = Callable[[], None]
"""Called often by whatever may run for long. It raises an exception if the work must stop."""


def go_on() -> None:
    """A check that never stops the work."""


class Severity(StrEnum):
    """Errors fail every import. With `strict=true`, any finding fails it."""

    REPAIR = "repair"
    WARNING = "warning"
    ERROR = "error"


_GRAVEST_FIRST: Final = (Severity.ERROR, Severity.WARNING, Severity.REPAIR)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the archive: `entry` is its name there; `record` counts from 0; `source_id` is the
    record's id as the archive spells it, and `title` its title or name; `line` and `column` count
    from 1. As text, for people, records count from 1, too."""

    entry: str | None = None
    record: int | None = None
    source_id: str | None = None
    field: str | None = None
    line: int | None = None
    column: int | None = None
    title: str | None = None

    def __str__(self) -> str:
        parts = []
        if self.entry is not None:
            parts.append(self.entry)
        if self.line is not None:
            parts.append(f"line {self.line}")
        if self.column is not None:
            parts.append(f"column {self.column}")
        if self.record is not None:
            named = f" “{self.title}”" if self.title is not None else ""
            identified = f" (id {self.source_id})" if self.source_id is not None else ""
            parts.append(f"record {self.record + 1}{named}{identified}")
        if self.field is not None:
            parts.append(self.field)
        return ", ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """What is known of the place."""
        known = ((name, getattr(self, name)) for name in Place.__slots__)
        return {name: value for name, value in known if value is not None}

    def bounded(self) -> "Place":
        """The place with texts that are short and can be stored."""
        return Place(
            None if self.entry is None else shortened(self.entry),
            self.record,
            None if self.source_id is None else shortened(self.source_id, SHORT),
            None if self.field is None else shortened(self.field),
            self.line,
            self.column,
            None if self.title is None else shortened(self.title),
        )


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One of the times that something was found. `value` quotes what was found."""

    message: str
    place: Place = Place()
    value: Any = None

    def as_dict(self, message: str) -> dict[str, Any]:
        """The occurrence as JSON; its message only if it differs from the finding's."""
        result = self.place.as_dict()
        if self.value is not None:
            result["value"] = self.value
        if self.message != message:
            result["message"] = self.message
        return result


@dataclass(slots=True)
class Finding:
    """One line of the report. `code` is a stable kebab-case word; `message`, `place` and `value`
    are those of the first occurrence; `others` are the occurrences that are listed after it."""

    severity: Severity
    code: str
    message: str
    place: Place = Place()
    value: Any = None
    count: int = 1
    others: list[Occurrence] = field(default_factory=list)
    size: int = field(default=0, compare=False, repr=False)
    """Bytes of its JSON, at most."""

    def __post_init__(self) -> None:
        self.size = self.size or _size(self.as_dict())

    @property
    def occurrences(self) -> Iterator[Occurrence]:
        """Those that are listed, the first one included."""
        yield Occurrence(self.message, self.place, self.value)
        yield from self.others

    def as_dict(self) -> dict[str, Any]:
        """The finding as the report's JSON has it; what is not known is left out."""
        result: dict[str, Any] = {
            "severity": self.severity.value,
            "code": self.code,
            "message": self.message,
            **self.place.as_dict(),
        }
        if self.value is not None:
            result["value"] = self.value
        result["count"] = self.count
        result["places"] = [occurrence.as_dict(self.message) for occurrence in self.occurrences]
        return result


def _is_any_entry(_: str) -> bool:
    return True


@dataclass(slots=True)
class Report:
    """The findings of one import, by cause. It keeps at most `limit` of them, and at most
    `max_bytes` of JSON; it counts all."""

    limit: int = 10_000
    max_bytes: int = 1024 * 1024
    max_places: int = MAX_PLACES
    is_document: Callable[[str], bool] = field(default=_is_any_entry)
    """Whether an entry of this name is a document of the source's format."""
    totals: Counter[Severity] = field(default_factory=Counter)
    _found: dict[tuple[str, ...], Finding] = field(default_factory=dict)
    _yielding: list[tuple[str, ...]] = field(default_factory=list)
    """Findings that give way to errors, the last ones first."""
    _size: int = 0
    _full: bool = False

    def add(
        self,
        severity: Severity,
        code: str,
        message: str,
        place: Place | None = None,
        value: Any = None,
        *,
        group: str | None = None,
        count: int = 1,
    ) -> None:
        """Record a finding. If there is no space left, errors replace warnings and repairs."""
        self.totals[severity] += count
        where = place or Place()
        message = sentence(shortened(message, MAX_MESSAGE))
        key = self._cause(severity, code, group if group is not None else message, where)
        known = self._found.get(key)
        if known is not None:
            known.count += count
            if len(known.others) < self.max_places - 1:
                self._list(known, Occurrence(message, where.bounded(), excerpt(value)))
        elif severity is Severity.ERROR or not self._full:
            quoted = excerpt(value)
            self._keep(key, Finding(severity, code, message, where.bounded(), quoted, count))

    def _cause(self, severity: Severity, code: str, message: str, place: Place) -> tuple[str, ...]:
        entry = (place.entry or "")[:EXCERPT]
        field_name = (place.field or "")[:EXCERPT]
        whole_entry = place.record is None and place.field is None and place.line is None
        if whole_entry and not self.is_document(entry):
            entry = ""
        return (
            severity,
            code,
            entry,
            _INDEX.sub("…", field_name) if "." in field_name else field_name,
            _VARIABLE.sub("…", message),
        )

    def _list(self, finding: Finding, occurrence: Occurrence) -> None:
        size = _size(occurrence.as_dict(finding.message))
        if self._size + size <= self.max_bytes:
            finding.others.append(occurrence)
            finding.size += size
            self._size += size

    def _keep(self, key: tuple[str, ...], finding: Finding) -> None:
        is_error = finding.severity is Severity.ERROR
        while self._found and (
            len(self._found) >= self.limit or self._size + finding.size > self.max_bytes
        ):
            self._full = True
            if not is_error or not self._yielding:
                return
            self._size -= self._found.pop(self._yielding.pop()).size
        self._found[key] = finding
        self._size += finding.size
        if not is_error:
            self._yielding.append(key)

    def repair(
        self, code: str, message: str, place: Place, value: Any = None, *, group: str | None = None
    ) -> None:
        """Something was read in the only way that makes sense, and nothing is lost by it."""
        self.add(Severity.REPAIR, code, message, place, value, group=group)

    def warning(
        self, code: str, message: str, place: Place, value: Any = None, *, group: str | None = None
    ) -> None:
        """Something could not be taken over as it was meant."""
        self.add(Severity.WARNING, code, message, place, value, group=group)

    def warnings(
        self,
        code: str,
        found: Iterable[_Found],
        describe: Callable[[_Found], tuple[str, Place, Any]],
        *,
        group: str,
    ) -> None:
        """As `warning` for each of what was `found`, all of it for one cause: as many as a finding
        lists are described, as a message, a place and a value. The others are only counted."""
        rest = iter(found)
        for each in islice(rest, self.max_places):
            self.warning(code, *describe(each), group=group)
        for each in rest:
            count = 1 + sum(1 for _ in rest)
            self.add(Severity.WARNING, code, *describe(each), group=group, count=count)

    def error(
        self, code: str, message: str, place: Place, value: Any = None, *, group: str | None = None
    ) -> None:
        """The import fails."""
        self.add(Severity.ERROR, code, message, place, value, group=group)

    def merge(self, other: "Report", severity: Severity | None = None) -> None:
        """Add the findings of another report, all of them with this severity if one is given."""
        for finding in other.findings:
            kind = severity or finding.severity
            count = finding.count - len(finding.others)
            for found in finding.occurrences:
                self.add(kind, finding.code, found.message, found.place, found.value, count=count)
                count = 1

    @property
    def findings(self) -> list[Finding]:
        """All findings, in the order in which their first occurrences were found."""
        return list(self._found.values())

    @property
    def errors(self) -> list[Finding]:
        """The findings that fail a lenient import."""
        return [finding for finding in self.findings if finding.severity is Severity.ERROR]

    @property
    def gravest_first(self) -> list[Finding]:
        """All findings: errors, then warnings, then repairs."""
        return sorted(self.findings, key=lambda finding: _GRAVEST_FIRST.index(finding.severity))

    def failed(self, *, strict: bool) -> bool:
        """Whether the import may not go on: an error, or, in strict mode, any finding."""
        return bool(self.totals.total()) if strict else bool(self.totals[Severity.ERROR])

    def as_rows(self) -> list[dict[str, Any]]:
        """All findings as JSON, the gravest first: what the paged route lists."""
        return [finding.as_dict() for finding in self.gravest_first]

    def summary(self) -> dict[str, Any]:
        """What a task shows: `totals` counts occurrences per severity, `total` the findings, and
        `omitted` the occurrences of those that did not fit; `findings` are the first ones."""
        return self._described(first_of(self.gravest_first))

    def as_dict(self) -> dict[str, Any]:
        """As `summary`, with all findings."""
        return self._described(self.gravest_first)

    def _described(self, findings: list[Finding]) -> dict[str, Any]:
        kept = sum(finding.count for finding in self._found.values())
        return {
            "totals": {severity.value: self.totals[severity] for severity in Severity},
            "total": len(self._found),
            "omitted": self.totals.total() - kept,
            "findings": [finding.as_dict() for finding in findings],
        }


def first_of(findings: list[Finding]) -> list[Finding]:
    """The first findings, as many as a task shows: at least one, if there are any."""
    first: list[Finding] = []
    size = 0
    for finding in findings[:FIRST_FINDINGS]:
        size += finding.size
        if first and size > FIRST_BYTES:
            break
        first.append(finding)
    return first


def _size(described: dict[str, Any]) -> int:
    return len(json.dumps(described, ensure_ascii=False).encode()) + 4


def times_in_words(finding: Mapping[str, Any]) -> str:
    """How often something was found, and in which records: " (188 times: “Opening”, “Keynote”, …)".
    "" if it was found once. `finding` is as `Finding.as_dict` returns it."""
    count = finding.get("count", 1)
    if count <= 1:
        return ""
    places = finding.get("places") or ()
    titles = list(dict.fromkeys(place["title"] for place in places if place.get("title")))
    names = ", ".join(f"“{title}”" for title in titles)
    if names and len(places) < count:
        names += ", …"
    return f" ({count:,} times: {names})" if names else f" ({count:,} times)"


def sentence(text: str) -> str:
    """The text with a capital at its beginning and a full stop at its end. A name such as “xCal” or
    “schedule.xml” keeps its small letter."""
    end = "" if text.endswith((".", "!", "?", "…", ":")) else "."
    first = text[1:].partition(" ")[0]
    is_name = "." in first[:-1] or first != first.lower()
    return f"{text[:1] if is_name else text[:1].upper()}{text[1:]}{end}"


def title_of(record: Mapping[str, Any]) -> str | None:
    """What people know a record by: its title or name."""
    title = record.get("title") or record.get("name")
    return title if isinstance(title, str) else None


def shown(name: str) -> str:
    """The name as it may stand in a report: control characters escaped, and not too long."""
    escaped = _CONTROL.sub(lambda found: ascii(found[0])[1:-1], name)
    return escaped if len(escaped) <= 200 else escaped[:200] + "…"


def shortened(text: str, limit: int = EXCERPT) -> str:
    """The beginning of a text, without what no database stores."""
    result = text[: limit + 1]
    # Nothing that is printable is unstorable.
    if not result.isprintable():
        result = UNSTORABLE.sub(lambda found: ascii(found[0])[1:-1], result)
    return result if len(result) <= limit else result[:limit] + "…"


def excerpt(value: Any) -> Any:
    """The value itself if it is a short scalar, else the beginning of its text; lists and objects
    are JSON."""
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int) and -_MOST_DIGITS <= value < _MOST_DIGITS:
        return value
    if isinstance(value, (dict, list)):
        return shortened(json.dumps(value, ensure_ascii=False, default=str))
    return shortened(value if isinstance(value, str) else repr(value))
