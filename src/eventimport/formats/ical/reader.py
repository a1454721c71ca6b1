"""iCalendar → a conference."""

import re
from typing import Final

from eventimport.conference.conference import Conference
from eventimport.conference.report import Report
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import report_errors
from eventimport.formats.schedules.document import choose_document, has_document
from eventimport.formats.source import Source

TITLE: Final = "calendar"

_BEGINNING: Final = re.compile(r"\s*BEGIN[ \t]*:[ \t]*VCALENDAR", re.IGNORECASE)


def is_calendar(source: Source) -> bool:
    """Whether the source is a calendar, or a zip with one."""
    return has_document(source, _is_calendar)


def read(source: Source, options: ReadOptions, report: Report) -> Conference:
    """Read a calendar. Raises ArchiveError, its finding in the report too, if it is incomplete,
    beyond a limit or in another format."""
    # The libraries are needed only here; the API does not load them.
    from eventimport.formats.ical.components import read_components  # noqa: PLC0415
    from eventimport.formats.ical.lines import read_lines  # noqa: PLC0415
    from eventimport.formats.ical.programme import Programme  # noqa: PLC0415

    name = choose_document(source, _is_calendar, report, format_title=TITLE)
    entry = name or TITLE
    programme = Programme(source, options, report, entry)
    with report_errors(report):
        lines = read_lines(source.read_document(name), source.limits, report, entry=entry)
        for component in read_components(
            lines, source.limits, report, entry=entry, check=source.check
        ):
            programme.add(component)
        return programme.finish()


def _is_calendar(beginning: bytes) -> bool:
    from eventimport.formats.bounded_xml.cleaning import BOMS  # noqa: PLC0415

    for mark, encoding in BOMS:
        if beginning.startswith(mark):
            text = beginning[len(mark) :] if encoding == "utf-8" else beginning
            return _BEGINNING.match(text.decode(encoding, "replace")) is not None
    return _BEGINNING.match(beginning.decode("latin-1")) is not None
