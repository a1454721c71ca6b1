"""How tasks end: the reasons for a failure, and the words that their owners get."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from eventimport.conference.report import Finding, Report, Severity, first_of
from eventimport.database.endings import (
    EndedExport,
    EndedImport,
    NewReport,
    NotificationWords,
    WordsOf,
)
from eventimport.database.models import ImportStatus, TaskKind
from eventimport.errors import EventImportError, Problem
from eventimport.formats import format_named
from eventimport.formats.format import Format
from eventimport.notifications.mail import message_id_of
from eventimport.notifications.messages import Ending, headline, one_line, summary
from eventimport.settings import Settings


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why tasks of one kind fail for a reason that is not their content's."""

    source_gone: Problem
    storage_unavailable: Problem
    database_unavailable: Problem
    too_long: Problem
    internal_error: Problem


def _unavailable(server: str, consequence: str) -> Problem:
    return Problem(
        503,
        f"{server}-unavailable",
        f"{server.capitalize()} unavailable",
        f"The {server} was unavailable for longer than {server.upper()}_PATIENCE. {consequence}",
    )


def _internal_error(what: str, consequence: str) -> Problem:
    detail = f"The service failed while it {what}. {consequence}"
    return Problem(500, "internal-error", "Internal error", detail)


def _too_long(code: str, title: str, consequence: str) -> Problem:
    detail = f"Every attempt exceeded the time limit (IMPORT_TIMEOUT). {consequence}"
    return Problem(500, code, title, detail)


_NOTHING: Final = "Nothing was imported."
_FETCHED: Final = "The media files that are stored by now stay. Fetch the others again."
NO_SIZES: Final = "The image stays as it is, without smaller sizes."

IMPORT_REASONS: Final = Reasons(
    Problem(
        422,
        "archive-gone",
        "Archive deleted",
        "The archive is no longer in storage. Upload it again.",
    ),
    _unavailable("storage", f"{_NOTHING} Try again later."),
    _unavailable("database", f"{_NOTHING} Try again later."),
    _too_long("import-too-long", "Import too long", _NOTHING),
    _internal_error("imported the archive", _NOTHING),
)
SIZES_REASONS: Final = Reasons(
    _internal_error("made the sizes", NO_SIZES),
    _unavailable("storage", NO_SIZES),
    _unavailable("database", NO_SIZES),
    _too_long("sizes-too-long", "Sizes timed out", NO_SIZES),
    _internal_error("made the sizes", NO_SIZES),
)

FETCH_REASONS: Final = Reasons(
    Problem(
        422,
        "archive-gone",
        "Archive deleted",
        f"The archive is no longer in storage. {_FETCHED}",
    ),
    _unavailable("storage", _FETCHED),
    _unavailable("database", _FETCHED),
    _too_long("fetch-too-long", "Fetch timed out", _FETCHED),
    _internal_error("fetched the media files", _FETCHED),
)


NO_FILE: Final = "No file was made. Export the event again."
EXPORT_REASONS: Final = Reasons(
    Problem(
        422,
        "media-gone",
        "Media file deleted",
        f"A media file of the event was deleted during the export. {NO_FILE}",
    ),
    _unavailable("storage", NO_FILE),
    _unavailable("database", NO_FILE),
    _too_long("export-too-long", "Export timed out", NO_FILE),
    _internal_error("exported the event", NO_FILE),
)
MAX_NAME: Final = 100
"""Characters of an event's name in a title."""


_CONSEQUENCES: Final[Mapping[str, str]] = {
    TaskKind.IMPORT: _NOTHING,
    TaskKind.IMAGE_SIZES: NO_SIZES,
    TaskKind.FETCH_MEDIA: _FETCHED,
    TaskKind.EXPORT: NO_FILE,
}


def worker_lost(attempts: int, kind: str) -> Problem:
    """The failure of a task of this kind whose workers stopped unexpectedly in all its attempts."""
    detail = (
        f"The worker stopped unexpectedly in all {attempts} attempts (MAX_ATTEMPTS)."
        f" {_CONSEQUENCES[kind]}"
    )
    return Problem(500, "worker-lost", "Worker lost", detail)


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
    meta = finding.as_dict()
    del meta["message"], meta["code"]
    title = "Archive rejected"
    if strict and finding.severity is not Severity.ERROR:
        title = "Finding in a strict import"
    detail = f"{place}: {finding.message}" if place else finding.message
    return Problem(422, finding.code, title, detail, meta=meta)


def new_report_of(settings: Settings) -> NewReport:
    """What makes an empty report, with the limits of the settings."""
    return partial(Report, settings.max_findings, settings.max_report_bytes)


def words_of(settings: Settings) -> WordsOf:
    """What finds the words of a notification, and whether there is mail. It raises nothing: an
    import whose end has no words would never end."""

    def words(ended: EndedImport | EndedExport) -> NotificationWords:
        if isinstance(ended, EndedExport):
            return _words_of_export(ended, settings)
        ending = ending_of(ended, settings)
        mailed = settings.mail is not None
        return NotificationWords(
            title=headline(ending),
            message=summary(ending),
            message_id=message_id_of(ended.job_id, settings.public_url) if mailed else None,
        )

    return words


def _words_of_export(ended: EndedExport, settings: Settings) -> NotificationWords:
    exported = format_named(ended.format)
    what = f"“{one_line(ended.event_name, MAX_NAME)}” as {exported.title}"
    if ended.status != ImportStatus.SUCCESS:
        why = str(ended.errors[0].get("detail", "")) if ended.errors else ""
        return NotificationWords(f"Export failed: {what}", why, None)
    link = download_url(settings, ended.token, ended.event_identifier, exported)
    hours = f"{settings.export_hours:g} hours"
    return NotificationWords(
        f"Export ready: {what}", f"Download it within {hours}, without signing in: {link}", None
    )


def download_url(settings: Settings, token: str, identifier: str, exported: Format) -> str:
    """The URL of an exported file."""
    return f"{settings.public_url}/exports/{token}/{file_name_of(identifier, exported)}"


def file_name_of(identifier: str, exported: Format) -> str:
    """The name of an exported file."""
    return f"{identifier}-{exported.name}{exported.extensions[0]}"


def ending_of(ended: EndedImport, settings: Settings) -> Ending:
    """The end of an import as the messages describe it."""
    identifier = ended.event_identifier
    return Ending(
        job_id=ended.job_id,
        succeeded=ended.status == ImportStatus.SUCCESS,
        dry_run=ended.dry_run,
        file_name=ended.file_name,
        event_name=ended.event_name,
        event_url=f"{settings.event_base_url}/events/{identifier}" if identifier else None,
        service_url=f"{settings.public_url}/",
        totals=ended.totals or {},
        media=ended.media or {},
        errors=ended.errors,
        error_count=ended.error_count,
        warnings=ended.warnings,
        is_published=ended.is_published,
    )
