"""The document of a source that is one schedule: the only file, or a file of a zip."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from eventimport.conference.report import Place, Report, Severity, shown
from eventimport.formats.bounded_json.document import JsonCounts, JsonDocument
from eventimport.formats.bounded_zip.archive import Entry
from eventimport.formats.limits import ArchiveError
from eventimport.formats.source import Source

IsSchedule = Callable[[bytes], bool]
"""Whether a document that begins so is in a format."""

_LISTED: Final = 10
"""Entries or keys that an error names."""


def has_document(source: Source, is_schedule: IsSchedule) -> bool:
    """Whether a source is such a document, or a zip with one. Never raises ArchiveError."""
    if not source.is_zip:
        return is_schedule(source.beginning())
    return bool(_documents(source, is_schedule))


def choose_document(
    source: Source, is_schedule: IsSchedule, report: Report, *, format_title: str
) -> str | None:
    """The name of the zip's entry that holds the schedule, or None if the source is one file. The
    other entries are media files. The outermost document counts.

    Raises ArchiveError, its finding in the report too, if the document is missing or not unique.
    """
    if not source.is_zip:
        return None
    found = _documents(source, is_schedule)
    if not found:
        holds = ", ".join(shown(entry.name) for entry in source.entries[:_LISTED])
        message = f"The zip contains no {format_title}. It contains {holds or 'no files'}."
        raise ArchiveError("no-schedule", message).reported(report)
    depth = min(entry.path.count("/") for entry in found)
    outermost = [entry for entry in found if entry.path.count("/") == depth]
    if len(outermost) > 1:
        names = ", ".join(shown(entry.name) for entry in outermost[:_LISTED])
        message = f"The zip contains several schedules: {names}. Import one of them at a time."
        raise ArchiveError("several-schedules", message).reported(report)
    [document] = outermost
    report.is_document = {document.name, document.path}.__contains__
    folder, slash, _ = document.path.rpartition("/")
    source.choose_documents([document], report, root=folder + slash)
    return document.name


def open_json(
    source: Source, is_schedule: IsSchedule, report: Report, *, format_title: str
) -> tuple[JsonDocument, str]:
    """The JSON document that holds the schedule, and what findings call it.

    Raises ArchiveError, its finding in the report too, if the document is missing or not unique.
    """
    name = choose_document(source, is_schedule, report, format_title=format_title)
    entry = name or format_title
    return json_document(source, name, entry, report, JsonCounts()), entry


def json_document(
    source: Source, name: str | None, entry: str, report: Report, counts: JsonCounts
) -> JsonDocument:
    """A JSON document of a source: the entry of this name, or the only file. `entry` is what
    findings call it."""
    return JsonDocument(
        source.read_document(name),
        entry,
        entry=entry,
        limits=source.limits,
        report=report,
        counts=counts,
        check=source.check,
    )


@contextmanager
def whole(document: JsonDocument) -> Iterator[str]:
    """Read a document from its beginning to its end. Gives the character that it begins with, or ""
    if it is empty. What is wrong with single values is reported.

    Raises ArchiveError, its finding in the report too, if the document is not JSON or beyond a
    limit.
    """
    report = document.report
    errors = report.totals[Severity.ERROR]
    with document.guard():
        yield document.begin()
        document.end()
    if report.totals[Severity.ERROR] > errors:
        last = report.errors[-1]
        raise ArchiveError(last.code, last.message, last.place)


def other_document(
    document: JsonDocument, code: str, message: str, keys: Iterable[str]
) -> ArchiveError:
    """The error that a document is of another format, in the report too: it has these keys."""
    names = ", ".join([shown(key) for key in keys][:_LISTED])
    has = f" It has: {names}." if names else ""
    return ArchiveError(code, f"{message}.{has}", Place(document.entry)).reported(document.report)


def _documents(source: Source, is_schedule: IsSchedule) -> list[Entry]:
    return [
        entry
        for entry in source.entries
        if entry.refusal is None and is_schedule(source.beginning(entry.name))
    ]
