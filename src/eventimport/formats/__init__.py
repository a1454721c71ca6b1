"""How conferences are written down: one package per format, and bounded reading for all.

A new format is a package that is listed in FORMATS. All else derives from this list: the routes,
the API's documentation, the choices of the command line, and what the worker reads with.
"""

from collections.abc import Sequence
from typing import Final

from eventimport.errors import EventImportError
from eventimport.formats.format import Format
from eventimport.formats.ical import ICAL
from eventimport.formats.openevent import OPENEVENT
from eventimport.formats.schedule_json import SCHEDULE_JSON
from eventimport.formats.schedule_xml import SCHEDULE_XML
from eventimport.formats.source import Source

__all__ = [
    "FORMATS",
    "IMPORTABLE",
    "Format",
    "UnknownFormatError",
    "detect",
    "format_named",
    "names_of",
]

FORMATS: Final[tuple[Format, ...]] = (OPENEVENT, SCHEDULE_XML, SCHEDULE_JSON, ICAL)

IMPORTABLE: Final = tuple(each for each in FORMATS if each.read is not None)
"""The formats that can be imported."""


class UnknownFormatError(EventImportError):
    """No format has this name."""

    def __init__(self, name: str, formats: Sequence[Format]) -> None:
        known = ", ".join(_with_aliases(each) for each in formats)
        super().__init__(f"“{name}” is not a known format. The formats are: {known}.")


def format_named(name: str, formats: Sequence[Format] = FORMATS) -> Format:
    """The format of this name or alias. Raises UnknownFormatError."""
    for each in formats:
        if name in each.names:
            return each
    raise UnknownFormatError(name, formats)


def detect(source: Source, formats: Sequence[Format] = FORMATS) -> Format | None:
    """The format that a source is written in, by its content; None if none of them is."""
    return next((each for each in formats if each.detect(source)), None)


def names_of(formats: Sequence[Format]) -> list[str]:
    """All names that the formats are known by, aliases too."""
    return [name for each in formats for name in each.names]


def _with_aliases(each: Format) -> str:
    return f"{each.name} (or {', '.join(each.aliases)})" if each.aliases else each.name
