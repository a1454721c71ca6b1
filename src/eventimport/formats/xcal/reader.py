"""xCal → a conference."""

from typing import Final

from eventimport.conference.conference import Conference
from eventimport.conference.report import Report
from eventimport.formats.bounded_xml.reader import read_xml, root_name
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import report_errors
from eventimport.formats.schedules.document import choose_document, has_document
from eventimport.formats.source import Source

TITLE: Final = "xCal"


def is_xcal(source: Source) -> bool:
    """Whether the source is an xCal document, or a zip with one."""
    return has_document(source, _is_xcal)


def read(source: Source, options: ReadOptions, report: Report) -> Conference:
    """Read an xCal document. Raises ArchiveError, its finding in the report too, if it is not
    well-formed, beyond a limit or in another format."""
    # The libraries for calendars are needed only here; the API does not load them.
    from eventimport.formats.ical.programme import Programme  # noqa: PLC0415
    from eventimport.formats.xcal.components import CONTAINERS, components_of  # noqa: PLC0415

    name = choose_document(source, _is_xcal, report, format_title=TITLE)
    entry = name or TITLE
    programme = Programme(source, options, report, entry)
    with report_errors(report):
        steps = read_xml(
            source.read_document(name),
            CONTAINERS,
            source.limits,
            report,
            entry=entry,
            check=source.check,
        )
        for component in components_of(steps, entry=entry):
            programme.add(component)
        return programme.finish()


def _is_xcal(beginning: bytes) -> bool:
    return (root_name(beginning) or "").casefold() == "icalendar"
