"""Findings: what an import repaired, warns of, or fails for, each with its place in the archive."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

EXCERPT = 200
"""A finding quotes at most so many characters of a value."""


class Severity(StrEnum):
    """How much a finding matters: only errors fail a lenient import; any finding, a strict one."""

    REPAIR = "repair"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the archive: `entry` is its name there; `record` counts from 0; `source_id` is the
    record's id as the archive spells it; `line` and `column` count from 1."""

    entry: str | None = None
    record: int | None = None
    source_id: str | None = None
    field: str | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        parts = []
        if self.entry is not None:
            parts.append(self.entry)
        if self.line is not None:
            parts.append(f"line {self.line}")
        if self.column is not None:
            parts.append(f"column {self.column}")
        if self.record is not None:
            named = f" (id {self.source_id})" if self.source_id is not None else ""
            parts.append(f"record {self.record}{named}")
        if self.field is not None:
            parts.append(self.field)
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `code` is a stable kebab-case word; `value` quotes what was found."""

    severity: Severity
    code: str
    message: str
    place: Place = Place()
    value: Any = None

    def as_dict(self) -> dict[str, Any]:
        """The finding as the report's JSON has it; what is not known is left out."""
        result: dict[str, Any] = {
            "severity": self.severity.value,
            "code": self.code,
            "message": self.message,
        }
        for name in Place.__slots__:
            value = getattr(self.place, name)
            if value is not None:
                result[name] = value
        if self.value is not None:
            result["value"] = excerpt(self.value)
        return result


@dataclass(slots=True)
class Report:
    """The findings of one import. At most `limit` are kept; all are counted."""

    limit: int = 10_000
    findings: list[Finding] = field(default_factory=list)
    totals: Counter[Severity] = field(default_factory=Counter)

    def add(
        self,
        severity: Severity,
        code: str,
        message: str,
        place: Place | None = None,
        value: Any = None,
    ) -> None:
        """Take a finding down. Errors are kept before all else when the limit is reached."""
        self.totals[severity] += 1
        finding = Finding(severity, code, message, place or Place(), value)
        if len(self.findings) < self.limit:
            self.findings.append(finding)
        elif severity is Severity.ERROR:
            for index in range(len(self.findings) - 1, -1, -1):
                if self.findings[index].severity is not Severity.ERROR:
                    self.findings[index] = finding
                    break

    def repair(self, code: str, message: str, place: Place, value: Any = None) -> None:
        """Something was read in the only way that makes sense, and nothing is lost by it."""
        self.add(Severity.REPAIR, code, message, place, value)

    def warning(self, code: str, message: str, place: Place, value: Any = None) -> None:
        """Something could not be taken over as it was meant."""
        self.add(Severity.WARNING, code, message, place, value)

    def error(self, code: str, message: str, place: Place, value: Any = None) -> None:
        """The import fails."""
        self.add(Severity.ERROR, code, message, place, value)

    @property
    def errors(self) -> list[Finding]:
        """The findings that fail a lenient import."""
        return [finding for finding in self.findings if finding.severity is Severity.ERROR]

    def failed(self, *, strict: bool) -> bool:
        """Whether the import may not go on: an error, or, in strict mode, any finding."""
        return bool(self.totals.total()) if strict else bool(self.totals[Severity.ERROR])

    def as_dict(self) -> dict[str, Any]:
        """Totals per severity, and the findings; `omitted` counts those beyond the limit."""
        return {
            "totals": {severity.value: self.totals[severity] for severity in Severity},
            "omitted": self.totals.total() - len(self.findings),
            "findings": [finding.as_dict() for finding in self.findings],
        }


def excerpt(value: Any) -> Any:
    """The value itself where it is a short scalar, else the beginning of its text."""
    if isinstance(value, (bool, int, float)):
        return value
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= EXCERPT else text[:EXCERPT] + "…"
