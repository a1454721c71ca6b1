"""Archives made in memory, and plans made of them, for the tests of the core."""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from eventimport.conference.conference import Conference
from eventimport.conference.plan import Plan, make_plan, provisional_ids
from eventimport.conference.report import Finding, Report
from eventimport.formats.bounded_zip.archive import Archive, ArchiveLimits
from eventimport.formats.openevent.reader import read_conference

EVENT: dict[str, Any] = {"id": 1, "name": "Conference", "timezone": "UTC"}


@dataclass(frozen=True)
class Planned:
    """A plan, and what it was made of."""

    conference: Conference
    plan: Plan
    report: Report

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of a table as dictionaries, `extra` decoded."""
        found = next(rows for rows in self.plan.tables if rows.table == table)
        result = []
        for row in found.rows:
            named = dict(zip(found.columns, row, strict=True))
            if "extra" in named:
                named["extra"] = json.loads(named["extra"])
            result.append(named)
        return result

    def findings(self, code: str) -> list[Finding]:
        """The findings of one code: one for each time that it was found."""
        return [
            Finding(finding.severity, code, found.message, found.place, found.value)
            for finding in self.report.findings
            if finding.code == code
            for found in finding.occurrences
        ]

    @property
    def codes(self) -> set[str]:
        """The codes of all findings."""
        return {finding.code for finding in self.report.findings}


def zip_of(documents: Mapping[str, Any], files: Mapping[str, bytes] | None = None) -> bytes:
    """A zip of documents (bytes as they are, all else as JSON) and files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in documents.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            archive.writestr(name, data)
        for name, data in (files or {}).items():
            archive.writestr(name, data)
    return buffer.getvalue()


def plan_of(data: bytes, limits: ArchiveLimits | None = None) -> Planned:
    """Read and plan an archive. Raises ArchiveError, and IndexError where there is no event."""
    report = Report(max_bytes=2**40, max_places=2**40)
    with Archive.open(io.BytesIO(data), limits or ArchiveLimits(), report) as archive:
        conference = read_conference(archive, report, lambda *_: None)
    ids = provisional_ids(conference.counts())
    # Planning uses the records up; the tests compare them with their rows.
    kept = replace(conference, records={k: [*v] for k, v in conference.records.items()})
    return Planned(kept, make_plan(conference, ids, "abcd1234", report), report)


def plan_documents(
    files: Mapping[str, bytes] | None = None, *, event: Any = None, **documents: Any
) -> Planned:
    """Plan a made-up archive: an event, and the documents given."""
    return plan_of(zip_of({"event": event or EVENT, **documents}, files))
