"""Which media an event brings along, and where each of them comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from unicodedata import normalize
from urllib.parse import unquote

from eventimport.openevent import values
from eventimport.openevent.order import LEVELS, SHAPES, Kind
from eventimport.openevent.record_reader import SourceRecord, place_of
from eventimport.openevent.records import MediaType
from eventimport.openevent.report import Place, Report


@dataclass(frozen=True, slots=True)
class PlannedMedia:
    """A file to be moved to storage: `source` is what the record says; `entry` is the entry's name
    in the archive, or None where the file is remote or missing. Its URL goes to `field` of the row
    `row_id` of `table`."""

    table: str
    row_id: int
    field: str
    source: str
    origin: Literal["archive", "remote"]
    media_type: MediaType
    entry: str | None

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
            "source": self.source,
            "origin": self.origin,
            "outcome": "MISSING" if self.missing else "PLANNED",
        }


class MediaPlanner:
    """Plans the media of one event. `entries` leads from a path in the archive to the entry."""

    def __init__(self, entries: Mapping[str, str], report: Report) -> None:
        self.planned: list[PlannedMedia] = []
        self._entries = entries
        self._folded = {path.casefold(): path for path in entries}
        self._report = report
        self._used: set[str] = set()

    def plan(self, kind: Kind, record: SourceRecord, entry: str) -> None:
        """Plan the media that a record names. Its fields hold, from now on, what the row is to hold
        until a file has its URL: nothing, or the link."""
        for field, media_type in SHAPES[kind].media.items():
            source = record.values.get(field)
            if source is None:
                continue
            remote = values.is_remote(source)
            found = None if remote else self._find(source, place_of(record, entry, field))
            if not remote:
                del record.values[field]
            self.planned.append(
                PlannedMedia(
                    LEVELS[kind].table,
                    record.new_id,
                    field,
                    source,
                    "remote" if remote else "archive",
                    media_type,
                    found,
                )
            )

    def tell_unused(self) -> None:
        """Tell of the entries that no record names: they are not taken over."""
        for path, name in self._entries.items():
            if path not in self._used:
                message = "no record names this entry; it is not taken over"
                self._report.warning("unused-entry", message, Place(name))

    def _find(self, source: str, place: Place) -> str | None:
        path = normalize("NFC", source.replace("\\", "/").lstrip("/").removeprefix("./"))
        unquoted = normalize("NFC", unquote(path))
        for candidate in (path, unquoted):
            if candidate in self._entries:
                self._used.add(candidate)
                return self._entries[candidate]
        folded = self._folded.get(unquoted.casefold())
        if folded is not None:
            self._used.add(folded)
            message = f"the archive spells this path {folded}"
            self._report.repair("media-spelling", message, place, source)
            return self._entries[folded]
        message = "the archive does not hold this file"
        self._report.warning("media-missing", message, place, source)
        return None
