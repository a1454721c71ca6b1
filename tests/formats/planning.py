"""Archives made in memory, and plans made of them, for the tests of the core."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from eventimport.conference.conference import Conference
from eventimport.conference.plan import Plan, make_plan, provisional_ids
from eventimport.conference.report import Check, Finding, Report, go_on
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import ArchiveLimits
from eventimport.formats.openevent.documents import EventDocuments
from eventimport.formats.openevent.reader import read
from eventimport.formats.source import Source

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


def conference_of(
    data: bytes, report: Report, limits: ArchiveLimits | None = None, check: Check = go_on
) -> Conference:
    """Read an archive. Raises ArchiveError."""
    with Source.open(io.BytesIO(data), limits or ArchiveLimits(), report, check) as source:
        return read(source, ReadOptions(), report)


@contextmanager
def opened(
    file: BinaryIO, report: Report, limits: ArchiveLimits | None = None
) -> Iterator[EventDocuments]:
    """The documents of an archive, and its source."""
    with Source.open(file, limits or ArchiveLimits(), report) as source:
        yield EventDocuments(source, report)


def plan_of(data: bytes, limits: ArchiveLimits | None = None) -> Planned:
    """Read and plan an archive. Raises ArchiveError, and IndexError where there is no event."""
    report = Report(max_bytes=2**40, max_places=2**40)
    conference = conference_of(data, report, limits)
    ids = provisional_ids(conference.counts())
    # Planning uses the records up; the tests compare them with their rows.
    kept = replace(conference, records={k: [*v] for k, v in conference.records.items()})
    return Planned(kept, make_plan(conference, ids, "abcd1234", report), report)


def plan_documents(
    files: Mapping[str, bytes] | None = None, *, event: Any = None, **documents: Any
) -> Planned:
    """Plan a made-up archive: an event, and the documents given."""
    return plan_of(zip_of({"event": event or EVENT, **documents}, files))
