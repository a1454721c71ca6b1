"""How conferences are written down: one package per format, and bounded reading for all.

A new format is a package that is listed in FORMATS. All else derives from this list: the routes,
the API's documentation, the choices of the command line, and what the worker reads with.
"""

from collections.abc import Sequence
from io import BytesIO
from typing import Final

from eventimport.conference.report import Report, shown
from eventimport.errors import EventImportError
from eventimport.formats.foreign import explain_foreign
from eventimport.formats.format import Format
from eventimport.formats.html import HTML
from eventimport.formats.ical import ICAL
from eventimport.formats.limits import ArchiveError, ArchiveLimits
from eventimport.formats.openevent import OPENEVENT
from eventimport.formats.pretalx import PRETALX
from eventimport.formats.schedule_json import SCHEDULE_JSON
from eventimport.formats.schedule_xml import SCHEDULE_XML
from eventimport.formats.sessionize import SESSIONIZE
from eventimport.formats.source import Source
from eventimport.formats.table import CSV, SESSIONS_CSV, SPEAKERS_CSV, TABLE, XLSX
from eventimport.formats.xcal import XCAL

__all__ = [
    "AUTO",
    "EXPORTABLE",
    "FORMATS",
    "IMPORTABLE",
    "OPENEVENT",
    "Format",
    "UnknownFormatError",
    "choose_format",
    "detect",
    "detect_beginning",
    "format_named",
    "names_of",
    "other_format",
]

FORMATS: Final[tuple[Format, ...]] = (
    *(OPENEVENT, SCHEDULE_XML, SCHEDULE_JSON, ICAL, XCAL, PRETALX, SESSIONIZE, TABLE),
    *(CSV, SESSIONS_CSV, SPEAKERS_CSV, XLSX, HTML),
)

IMPORTABLE: Final = tuple(each for each in FORMATS if each.read is not None)
"""The formats that can be imported."""

EXPORTABLE: Final = tuple(each for each in FORMATS if each.write is not None)
"""The formats that can be exported."""

AUTO: Final = "auto"
"""Named instead of a format, it means the one that the source's content shows."""

_LISTED: Final = 10
_SHOWN: Final = 60


class UnknownFormatError(EventImportError):
    """No format has this name."""

    def __init__(self, name: str, formats: Sequence[Format]) -> None:
        known = ", ".join(_with_aliases(each) for each in formats)
        super().__init__(
            f"“{name}” is not a known format. The formats are: {known}. "
            f"To detect the format of a file, use “{AUTO}”."
        )


def format_named(name: str, formats: Sequence[Format] = FORMATS) -> Format:
    """The format of this name or alias. Raises UnknownFormatError."""
    for each in formats:
        if name in each.names:
            return each
    raise UnknownFormatError(name, formats)


def detect(source: Source, formats: Sequence[Format] = FORMATS) -> Format | None:
    """The format that a source is written in, by its content; None if none of them is."""
    return next((each for each in formats if each.detect(source)), None)


def detect_beginning(head: bytes, formats: Sequence[Format] = IMPORTABLE) -> list[Format]:
    """The formats of a file that begins so and is not a zip. None if the beginning is too short."""
    try:
        with Source.open(BytesIO(head), ArchiveLimits(), Report()) as source:
            return [each for each in formats if each.detect(source)]
    except ArchiveError:
        return []


def choose_format(
    source: Source, name: str, report: Report, formats: Sequence[Format] = IMPORTABLE
) -> Format:
    """The format to read a source in: the one of this name, or, for AUTO, the one that its content
    shows. A source that is unknown is left to the reader of the named one.

    Raises ArchiveError, its finding in the report too, if the source is in another format or of a
    program whose files cannot be imported, or, for AUTO, in none or several.
    """
    named = None if name == AUTO else format_named(name, formats)
    if named is not None and named.detect(source):
        return named
    found = [each for each in formats if each is not named and each.detect(source)]
    if named is None and len(found) == 1:
        return found[0]
    foreign = None if found else explain_foreign(source)
    if named is not None and not found and foreign is None:
        return named
    if foreign is not None:
        error = ArchiveError("unknown-format", f"{foreign} {_looked_for(formats)}")
    elif named is not None:
        error = ArchiveError("other-format", other_format(named, found))
    elif found:
        error = ArchiveError("several-formats", _several_formats(found))
    else:
        source.report_zips_within(report)
        error = ArchiveError("unknown-format", _unknown_format(source, formats))
    raise error.reported(report)


def other_format(named: Format, found: Sequence[Format]) -> str:
    """Explain that a file is not in the format that its route reads, but in these."""
    titles = " and ".join(each.title for each in found)
    return f"The file is not {named.title}, but {titles}. {_routes(found)}"


def _several_formats(found: Sequence[Format]) -> str:
    titles = " and ".join(each.title for each in found)
    return f"The zip contains files in several formats: {titles}. {_routes(found)}"


def _routes(found: Sequence[Format]) -> str:
    routes = " or ".join(f"/v1/events/import/{each.name}" for each in found)
    names = " or ".join(f"“{each.name}”" for each in found)
    return f"Import it in the format {names} ({routes})."


def _unknown_format(source: Source, formats: Sequence[Format]) -> str:
    if source.is_zip:
        names = ", ".join(shown(entry.name) for entry in source.entries[:_LISTED])
        more = len(source.entries) - _LISTED
        holds = names + (f" and {more:,} more" if more > 0 else "") if names else "no files"
        what = f"The zip contains {holds}. The format of these files is unknown"
    else:
        what = f"The format of the file is unknown{_beginning(source.head())}"
    return f"{what}. {_looked_for(formats)}"


def _looked_for(formats: Sequence[Format]) -> str:
    return f"Looked for: {', '.join(each.title for each in formats)}."


def _beginning(head: bytes) -> str:
    if not head:
        return "; it is empty"
    words = " ".join(head[:200].decode("utf-8", "ignore").removeprefix("\ufeff").split())
    text = "".join(filter(str.isprintable, words))[:_SHOWN]
    return f"; it begins with “{text}”" if text and b"\0" not in head else ""


def names_of(formats: Sequence[Format]) -> list[str]:
    """All names that the formats are known by, aliases too."""
    return [name for each in formats for name in each.names]


def _with_aliases(each: Format) -> str:
    return f"{each.name} (or {', '.join(each.aliases)})" if each.aliases else each.name
