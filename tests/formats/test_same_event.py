"""One event that four formats were exported of is the same event after each import."""

import io
from pathlib import Path
from typing import Final

from eventimport.conference.kinds import Kind
from eventimport.conference.report import Report
from eventimport.formats import detect
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import ArchiveLimits
from eventimport.formats.source import Source

EXPORTS: Final = {
    "schedule-xml": "schedule-xml/klimacamp2015_frab.xml",
    "schedule-json": "schedule-json/klimacamp2015_frab.json",
    "ical": "ics/klimacamp2015_frab.ics",
    "xcal": "xcal/klimacamp2015_frab.xcal",
}


def programme(file: Path, name: str) -> set[tuple[str, ...]]:
    """Title, times and room of each session."""
    report = Report()
    with Source.open(io.BytesIO(file.read_bytes()), ArchiveLimits(), report) as source:
        found = detect(source)
        assert found is not None
        assert found.name == name
        # The xCal export has local times without a zone.
        conference = found.reader(source, ReadOptions(timezone="Europe/Berlin"), report)
    assert not report.errors
    return {
        (
            each.values["title"],
            each.values["starts_at"].isoformat(),
            each.values["ends_at"].isoformat(),
            *(str(room.label) for room in each.references["microlocation"]),
        )
        for each in conference.records[Kind.SESSION]
    }


def test_all_exports_of_an_event_are_read_alike(real_formats: Path) -> None:
    exports = [programme(real_formats / path, name) for name, path in EXPORTS.items()]
    assert len(exports[0]) == 106
    assert all(export == exports[0] for export in exports)
