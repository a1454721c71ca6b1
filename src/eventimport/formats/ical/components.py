"""Lines → components with their properties: a calendar, its events, its time zones.

A component is read as a whole, and forgotten by the reader then. Broken lines are reported, and
kept with the component that they stand in. Only the header of a line, its name and parameters, is
parsed here; what a value means depends on the property.
"""

import quopri
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from icalendar.parser import Contentline

from eventimport.conference.report import Check, Place, Report
from eventimport.errors import size_in_words
from eventimport.formats.ical.lines import Line
from eventimport.formats.limits import ArchiveError, ArchiveLimits

MAX_HEADER: Final = 10_000
"""Characters of a property's name and parameters; a longer header is not parsed."""

_LONG_HEADER: Final = 1_000
"""Characters of a header whose parse takes a millisecond."""

CALENDAR: Final = "VCALENDAR"

_BARE: Final = re.compile(r"([A-Za-z0-9_-]+)[ \t]*:(.*)", re.DOTALL)
_HEADER: Final = re.compile(r"[A-Za-z0-9_-]+[ \t]*;[^\":]*(?:\"[^\"]*\"[^\":]*)*:")
_LIKE_A_PROPERTY: Final = re.compile("[A-Z][A-Z0-9-]*[;:]")
_DATE_AT_END: Final = re.compile(r"(.{1,200}):(\d{8}(?:T\d{6}Z?)?)", re.ASCII)
_ESCAPED: Final = re.compile(r"\\([\\;,:\"nN])")
_SEPARATED: Final = re.compile(r"(?:[^\\,]|\\.)*+", re.DOTALL)
_NAMES: Final = frozenset(
    [
        *("ACTION", "ATTACH", "ATTENDEE", "BEGIN", "CALSCALE", "CATEGORIES", "CLASS", "COLOR"),
        *("COMMENT", "COMPLETED", "CONFERENCE", "CONTACT", "CREATED", "DESCRIPTION", "DTEND"),
        *("DTSTAMP", "DTSTART", "DUE", "DURATION", "END", "EXDATE", "EXRULE", "FREEBUSY", "GEO"),
        *("IMAGE", "LAST-MODIFIED", "LOCATION", "METHOD", "NAME", "ORGANIZER", "PRIORITY"),
        *("PRODID", "RDATE", "RECURRENCE-ID", "REFRESH-INTERVAL", "RELATED-TO", "REPEAT"),
        *("RESOURCES", "RRULE", "SEQUENCE", "SOURCE", "STATUS", "SUMMARY", "TRANSP", "TRIGGER"),
        *("TZID", "TZNAME", "TZOFFSETFROM", "TZOFFSETTO", "TZURL", "UID", "URL", "VERSION"),
    ]
)
"""Names that a line may have in lower case. Other lines that begin so are rather text."""


NO_PARAMS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(slots=True)
class Property:
    """A line: its name in upper case, its parameters by their names in upper case, and its value.
    `is_escaped` says that the value is written as iCalendar writes texts."""

    name: str
    value: str
    line: int | None = None
    params: Mapping[str, str] = field(default_factory=lambda: NO_PARAMS)
    is_escaped: bool = True

    @property
    def text(self) -> str:
        """The value as text."""
        if self.params.get("ENCODING", "").upper() == "QUOTED-PRINTABLE":
            return quopri.decodestring(self.value.encode()).decode("utf-8", "replace").strip()
        return (_unescaped(self.value) if self.is_escaped else self.value).strip()

    @property
    def texts(self) -> list[str]:
        """The value as a list of texts, which commas separate."""
        if not self.is_escaped:
            return [self.value.strip()]
        parts = (_unescaped(part).strip() for part in _SEPARATED.findall(self.value))
        return [part for part in parts if part]


@dataclass(slots=True)
class Component:
    """What stands between a BEGIN and its END. `broken` are the lines that cannot be parsed."""

    name: str
    line: int | None = None
    properties: list[Property] = field(default_factory=list)
    children: list["Component"] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def first(self, name: str) -> Property | None:
        """The first property of this name that has a value."""
        return next(self.all(name), None)

    def all(self, name: str) -> Iterator[Property]:
        """The properties of this name that have a value, in their order."""
        return (each for each in self.properties if each.name == name and each.value.strip())

    def text(self, name: str) -> str:
        """The text of the first property of this name; empty if there is none."""
        found = self.first(name)
        return found.text if found is not None else ""


def read_components(
    lines: Iterable[Line],
    limits: ArchiveLimits,
    report: Report,
    *,
    entry: str,
    check: Check,
) -> Iterator[Component]:
    """The components of all calendars: those within a calendar, and then itself, without them.

    Raises ArchiveError if the file is not a calendar, ends within a component, or is over a limit.
    """
    return _ComponentReader(limits, report, entry, check).read(lines)


class _ComponentReader:
    def __init__(self, limits: ArchiveLimits, report: Report, entry: str, check: Check) -> None:
        self._limits = limits
        self._report = report
        self._entry = entry
        self._check = check
        self._open: list[Component] = []
        self._size = 0
        """Characters of the component within the calendar that is being read."""
        self._values = 0
        self._continued: list[str] = []
        """Lines that belong to the text of the last property."""

    def read(self, lines: Iterable[Line]) -> Iterator[Component]:
        is_calendar = False
        for line in lines:
            if line.number % 1024 == 0:
                self._check()
            found = self._parsed(line)
            if found is None:
                continue
            self._join()
            if found.name == "BEGIN":
                yield from self._begin(found)
                is_calendar = True
            elif found.name == "END":
                yield from self._end(found)
            elif self._open:
                self._count(found)
                self._open[-1].properties.append(found)
            else:
                message = "A line is outside the calendar. It was left out."
                place = Place(self._entry, line=line.number)
                self._report.warning("outside-calendar", message, place, line.text)
        if not is_calendar:
            message = "The file is not a calendar: it does not begin with BEGIN:VCALENDAR."
            raise ArchiveError("not-a-calendar", message, Place(self._entry))
        yield from self._finish()

    def _begin(self, found: Property) -> Iterator[Component]:
        name = found.value.strip().upper()
        if name == CALENDAR:
            if self._open:
                self._warn("no-end", f"“{CALENDAR}” has no END before the next begins.", found)
            yield from self._close(0)
        elif len(self._open) > 1 and name == self._open[1].name == self._open[-1].name:
            self._warn("no-end", f"A “{name}” has no END before the next begins.", found)
            yield from self._close(1)
        if len(self._open) >= self._limits.max_depth:
            message = (
                f"Components are nested more than {self._limits.max_depth} levels deep. "
                "The limit is set by MAX_JSON_DEPTH."
            )
            raise ArchiveError("too-deep", message, Place(self._entry, line=found.line))
        component = Component(name, found.line)
        if not self._open and name != CALENDAR:
            message = "A component is outside a calendar."
            self._warn("outside-calendar", message, found)
            self._open.append(Component(CALENDAR, found.line))
        if len(self._open) > 1:
            self._count(found)
            self._open[-1].children.append(component)
        else:
            self._size = self._values = 0
        self._open.append(component)

    def _end(self, found: Property) -> Iterator[Component]:
        name = found.value.strip().upper()
        names = [each.name for each in self._open]
        if name not in names:
            self._warn("no-begin", f"An END of “{name}” has no BEGIN. It was left out.", found)
            return
        level = len(names) - 1 - names[::-1].index(name)
        if level < len(names) - 1:
            message = f"“{names[-1]}” has no END before that of “{name}”."
            self._warn("no-end", message, found)
        yield from self._close(level)

    def _close(self, level: int) -> Iterator[Component]:
        """Close the components from this level of nesting on."""
        yield from self._open[level:2][::-1]
        del self._open[level:]

    def _finish(self) -> Iterator[Component]:
        self._join()
        if len(self._open) > 1:
            name = self._open[1].name
            message = (
                f"The file ends within a component of the type “{name}”. It is incomplete: "
                "export or download it again."
            )
            raise ArchiveError("truncated", message, Place(self._entry, line=self._open[1].line))
        if self._open:
            message = f"The file ends without END:{CALENDAR}. It may be incomplete."
            self._report.warning("no-end", message, Place(self._entry))
        yield from self._close(0)

    def _count(self, found: Property) -> None:
        self._values += 1 + len(found.params)
        self._size += len(found.value)
        place = Place(self._entry, line=found.line)
        if self._values > self._limits.max_record_values:
            message = (
                f"A component has more than {self._limits.max_record_values:,} properties. "
                "The limit is set by MAX_RECORD_VALUES."
            )
            raise ArchiveError("too-many-values", message, place)
        if self._size > self._limits.max_record_bytes:
            message = (
                f"A component is larger than {size_in_words(self._limits.max_record_bytes)}. "
                "The limit is set by MAX_RECORD_BYTES."
            )
            raise ArchiveError("record-too-large", message, place)

    def _parsed(self, line: Line) -> Property | None:
        """The property; None if the line is none, and was kept."""
        if found := _BARE.match(line.text):
            if found[1].isupper() or found[1].upper() in _NAMES or found[1][:2] in {"x-", "X-"}:
                return Property(found[1].upper(), found[2], line.number)
        elif found := _HEADER.match(line.text[: MAX_HEADER + 1]):
            if len(found[0]) > _LONG_HEADER:
                self._check()
            try:
                name, params, _ = Contentline(found[0]).raw_parts()  # type: ignore[no-untyped-call]
            except ValueError:
                pass
            else:
                known = {
                    key.upper(): value if isinstance(value, str) else ", ".join(value)
                    for key, value in params.items()
                }
                value = line.text[found.end() :]
                if "TZID" in known and (split := _DATE_AT_END.fullmatch(value)):
                    # A colon in the name of a zone that should stand in quotation marks.
                    known["TZID"], value = f"{known['TZID']}:{split[1]}", split[2]
                return Property(name.upper(), value, line.number, known)
        self._keep(line)
        return None

    def _keep(self, line: Line) -> None:
        """A line that is not a property is rather text that was folded without a blank."""
        place = Place(self._entry, line=line.number)
        if not self._open:
            message = "A line is outside the calendar. It was left out."
            self._report.warning("outside-calendar", message, place, line.text)
            return
        kept = Property("", line.text, line.number)
        self._count(kept)
        last = self._open[-1].properties[-1:]
        is_text = not _LIKE_A_PROPERTY.match(line.text)
        if (
            is_text
            and last
            and last[0].name in {"DESCRIPTION", "SUMMARY", "COMMENT", "X-WR-CALDESC"}
        ):
            message = f"A line is not a property; it was added to the text of “{last[0].name}”."
            self._report.warning("broken-line", message, place, line.text)
            self._continued.append(line.text)
            return
        message = "A line is not a property; it is kept in `extra`."
        self._report.warning("broken-line", message, place, line.text)
        self._open[-1].broken.append(line.text)

    def _join(self) -> None:
        if self._continued:
            last = self._open[-1].properties[-1]
            last.value = "\\n".join([last.value, *self._continued])
            self._continued.clear()

    def _warn(self, code: str, message: str, found: Property) -> None:
        self._report.warning(code, message, Place(self._entry, line=found.line))


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], text)
