"""Why an import failed, as its task tells it."""

from typing import Final

from eventimport.conference.report import Finding, Report, Severity, first_of
from eventimport.errors import EventImportError, Problem

ARCHIVE_GONE: Final = Problem(
    422, "archive-gone", "Archive deleted", "The archive is no longer in storage. Upload it again."
)
STORAGE_AWAY: Final = Problem(
    503,
    "storage-unavailable",
    "Storage unavailable",
    "The storage was unavailable for longer than STORAGE_PATIENCE. Nothing was imported."
    " Try again later.",
)
DATABASE_LOST: Final = Problem(
    503,
    "database-unavailable",
    "Database unavailable",
    "The database was unavailable for longer than DATABASE_PATIENCE. Nothing was imported."
    " Try again later.",
)
TOO_LONG: Final = Problem(
    500,
    "import-too-long",
    "Import too long",
    "Every attempt exceeded the time limit (IMPORT_TIMEOUT). Nothing was imported.",
)
OUR_FAULT: Final = Problem(
    500,
    "internal-error",
    "Internal error",
    "The service failed while it imported the archive. Nothing was imported.",
)


class ImportFailedError(EventImportError):
    """The import ends as FAILURE, for these reasons."""

    def __init__(
        self, problems: list[Problem], report: Report | None = None, count: int | None = None
    ) -> None:
        super().__init__("; ".join(problem.detail for problem in problems[:3]))
        self.problems = problems
        self.report = report
        self.count = count or len(problems)
        """How many problems there are, also those that are not listed."""


def failure_of(report: Report, *, strict: bool = False) -> ImportFailedError:
    """The failure for a report's errors (in strict mode, for all its findings). It lists the first
    of them as JSON:API error objects."""
    findings = report.gravest_first if strict else report.errors
    problems = [_problem(finding, strict=strict) for finding in first_of(findings)]
    return ImportFailedError(problems, report, len(findings))


def _problem(finding: Finding, *, strict: bool) -> Problem:
    place = str(finding.place)
    told = finding.as_dict()
    del told["message"], told["code"]
    title = "The archive can't be imported"
    if strict and finding.severity is not Severity.ERROR:
        title = "A strict import allows no findings"
    detail = f"{place}: {finding.message}" if place else finding.message
    return Problem(422, finding.code, title, detail, meta=told)
