"""Which media an event brings along, and where each of them comes from."""

from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import unquote

from eventimport.conference.kinds import LEVELS, SHAPES, Kind
from eventimport.conference.media_index import FoundFile, MediaIndex
from eventimport.conference.media_paths import MediaSource, read_source, spellings
from eventimport.conference.records import MediaType
from eventimport.conference.report import Place, Report, shortened
from eventimport.formats.bounded_zip.names import shown
from eventimport.formats.openevent.record_reader import SourceRecord, place_of

Origin = Literal["archive", "remote", "inline"]
_ORIGINS: Final[dict[str, Origin]] = {"link": "remote", "data": "inline"}


@dataclass(frozen=True, slots=True)
class PlannedMedia:
    """A file to be moved to storage: `source` is what the record says; `entry` is the entry's name
    in the archive, or None if the file is remote, missing, or in `source` itself as a `data:` URL
    (`inline`). Its URL goes to `field` of the row
    `row_id` of `table`."""

    table: str
    row_id: int
    field: str
    source: str
    origin: Origin
    media_type: MediaType
    entry: str | None
    place: Place

    @property
    def missing(self) -> bool:
        """Whether the archive names the file but does not hold it."""
        return self.origin == "archive" and self.entry is None

    def as_dict(self) -> dict[str, Any]:
        """The medium as the report lists it."""
        return {
            "table": self.table,
            "row_id": str(self.row_id),
            "field": self.field,
            "source": shortened(self.source),
            "origin": self.origin,
            "outcome": "MISSING" if self.missing else "PLANNED",
        }


class MediaPlanner:
    """Plans the media of one event; `index` finds the archive's files."""

    def __init__(self, index: MediaIndex, report: Report) -> None:
        self.planned: list[PlannedMedia] = []
        self._index = index
        self._report = report
        self._used: set[str] = set()

    def plan(self, kind: Kind, record: SourceRecord, entry: str) -> None:
        """Plan the media that a record names. Its fields hold, from now on, what the row is to hold
        until a file has its URL: nothing, or the link."""
        for field, media_type in SHAPES[kind].media.items():
            source = record.values.get(field)
            if source is None:
                continue
            place = place_of(record, entry, field)
            read = read_source(source)
            origin = _ORIGINS.get(read.sort, "archive")
            found = self._find(read, source, place) if origin == "archive" else None
            if read.sort == "link":
                record.values[field] = read.text
                if read.text != source:
                    message = "a link without `https://`, which was added"
                    self._report.repair("media-link", message, place, source)
            else:
                del record.values[field]
            self.planned.append(
                PlannedMedia(
                    LEVELS[kind].table,
                    record.new_id,
                    field,
                    source if origin == "archive" else read.text,
                    origin,
                    media_type,
                    found,
                    place,
                )
            )

    def tell_unused(self) -> None:
        """Tell of the entries that no record names: they are not taken over."""
        for path, name in self._index.files.items():
            if path not in self._used:
                message = "No record names this file; it was not imported."
                self._report.warning("unused-entry", message, Place(name))

    def _find(self, read: MediaSource, source: str, place: Place) -> str | None:
        if read.sort == "computer":
            what = "`file:` link" if source.strip()[:5].lower() == "file:" else "Windows path"
            message = f"a {what}, which leads to a file on a computer; the archive does not hold it"
            self._report.warning("media-missing", message, place, source)
            return None
        path = read.text.replace("\\", "/")
        by_base: tuple[FoundFile, str] | None = None
        for candidate in spellings(read.text):
            found = self._index.find(candidate)
            if found is not None and found.how == "base-name":
                by_base = by_base or (found, candidate)
            elif found is not None:
                return self._use(found, candidate, source, place)
        if by_base is not None:
            return self._use(*by_base, source, place)
        refusal = self._index.refusal(path)
        if refusal is None:
            message = "the archive does not hold this file"
            self._report.warning("media-missing", message, place, source)
        elif refusal.code == "unsafe-name":
            self._report.error(refusal.code, refusal.message, place, source)
        else:
            message = f"The file is in the archive, but it cannot be read. {refusal.message}"
            self._report.warning("media-unreadable", message, place, source)
        return None

    def _use(self, found: FoundFile, candidate: str, source: str, place: Place) -> str:
        self._used.add(found.path)
        self._report_spelling(found, place, source)
        if found.how == "exact" and candidate not in (source, unquote(source)):
            message = f"the path was read as “{shown(found.path)}”"
            self._report.repair("media-spelling", message, place, source)
        return found.entry

    def _report_spelling(self, found: FoundFile, place: Place, source: str) -> None:
        spelled = f"“{shown(found.path)}”"
        if found.how == "spelling":
            message = f"the archive spells this path {spelled}"
            self._report.repair("media-spelling", message, place, source)
        elif found.how == "several":
            message = (
                "Several files have this name, apart from case or the Unicode form; "
                f"{spelled} was used."
            )
            self._report.warning("media-spelling", message, place, source)
        elif found.how == "base-name":
            message = (
                f"The archive has no file of this path; {spelled}, the only one of this name, "
                "was used."
            )
            self._report.warning("media-spelling", message, place, source)
