"""How fast each format is read, beside the bare parse of its text by its library.

    EVENTIMPORT_FORMATS=DIRECTORY python benchmarks/format_speed.py [--rounds 7] [--formats NAME …]

For the largest sample of each format, and for one with ten times its sessions, it runs the reader
and the bare parse in turn, in one process: lxml for XML, `json.loads` for JSON, `icalendar` for
calendars. It prints sessions a second, the ratio of the fastest rounds, and the memory that each of
them needs in a process of its own, and says of each bar whether it is reached. Samples of
`openevent` are made up.
"""

import argparse
import copy
import gc
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import icalendar
from lxml import etree

from conference_archive import write_archive
from eventimport.conference.kinds import Kind
from eventimport.conference.report import Report
from eventimport.formats import IMPORTABLE, format_named
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import ArchiveLimits
from eventimport.formats.source import Source

SCALES = (1, 10)
NAMED_ZONE = "Europe/Berlin"
"""The zone of samples that name none."""


# The bare parses -----------------------------------------------------------------------------


def parse_xml(data: bytes) -> Any:
    """Parse with lxml, strictly, into a tree."""
    # The samples may hold what XML forbids; the readers clean that, too.
    clean = re.sub(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", b"", data)
    return etree.fromstring(clean, etree.XMLParser(huge_tree=False, resolve_entities=False))


def parse_calendar(data: bytes) -> Any:
    """Parse with icalendar."""
    return icalendar.Calendar.from_ical(data)


def parse_archive(data: bytes) -> Any:
    """Inflate and parse each document of an archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name for name in archive.namelist() if not name.startswith("images/")]
        return [json.loads(archive.read(name)) for name in names]


# Ten times as many sessions ------------------------------------------------------------------


def repeat_xml(data: bytes, times: int) -> bytes:
    """Repeat the events of a schedule.xml, each with ids of its own."""
    root = parse_xml(data)
    for number, event in enumerate(list(root.iter("event"))):
        for again in range(1, times):
            other = copy.deepcopy(event)
            other.set("id", str(1_000_000 * again + number))
            if "guid" in other.attrib:
                other.set("guid", f"{other.get('guid')}-{again}")
            event.getparent().append(other)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="utf-8"))


def repeat_vevents(data: bytes, times: int) -> bytes:
    """Repeat the events of an xCal, each with an id of its own."""
    root = parse_xml(data)
    for event in [each for each in root.iter() if str(each.tag).rpartition("}")[2] == "vevent"]:
        for again in range(1, times):
            other = copy.deepcopy(event)
            for child in other:
                if str(child.tag).rpartition("}")[2] == "uid":
                    child.text = f"{again}-{child.text}"
            event.getparent().append(other)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="utf-8"))


def repeat_json(data: bytes, times: int) -> bytes:
    """Repeat the events of a schedule.json, each with ids of its own."""
    document = json.loads(data)
    for day in document["schedule"]["conference"]["days"]:
        for room, events in day["rooms"].items():
            day["rooms"][room] = [
                event
                if not again
                else {
                    **event,
                    "id": f"{event.get('id')}-{again}",
                    "guid": f"{event['guid']}-{again}",
                }
                for again in range(times)
                for event in events
            ]
    return json.dumps(document, ensure_ascii=False).encode()


def repeat_calendar(data: bytes, times: int) -> bytes:
    """Repeat the events of a calendar, each with an id of its own."""

    def repeated(found: re.Match[bytes]) -> bytes:
        event = found[0]
        others = (re.sub(rb"(?m)^UID:", b"UID:%d-" % n, event) for n in range(1, times))
        return b"".join([event, *others])

    pattern = rb"(?ms)^BEGIN:VEVENT\r*\n.*?^END:VEVENT\r*\n"
    return re.sub(pattern, repeated, data)


# The formats ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Subject:
    """What is measured of a format: `folder` and `suffix` are those of its samples, `most` is the
    bar: the reader's time over that of the bare parse."""

    parse: Callable[[bytes], Any]
    repeat: Callable[[bytes, int], bytes] | None = None
    folder: str = ""
    suffix: str = ""
    most: float | None = None


SUBJECTS = {
    "openevent": Subject(parse_archive),
    "schedule-xml": Subject(parse_xml, repeat_xml, "schedule-xml", ".xml", 6),
    "schedule-json": Subject(json.loads, repeat_json, "schedule-json", ".json"),
    "xcal": Subject(parse_xml, repeat_vevents, "xcal", ".xcal", 6),
    "ical": Subject(parse_calendar, repeat_calendar, "ics", ".ics", 1.3),
}


def sample(name: str, scale: int, folder: Path | None) -> bytes | None:
    """The sample of a format at this scale; None if there is none."""
    subject = SUBJECTS[name]
    if subject.repeat is None:
        with tempfile.TemporaryDirectory() as made:
            path = Path(made) / "archive.zip"
            write_archive(path, scale)
            return path.read_bytes()
    if folder is None:
        return None
    files = (folder / subject.folder).glob(f"*{subject.suffix}")
    data = max(files, key=lambda path: path.stat().st_size).read_bytes()
    return data if scale == 1 else subject.repeat(data, scale)


# The measured process ------------------------------------------------------------------------


def read_once(name: str, data: bytes) -> int:
    """Read the source; returns the number of its sessions."""
    report = Report()
    with Source.open(io.BytesIO(data), ArchiveLimits(), report) as source:
        options = ReadOptions(timezone=NAMED_ZONE)
        conference = format_named(name).reader(source, options, report)
    assert not report.errors, report.errors[:3]
    return len(conference.records[Kind.SESSION])


def measure(name: str, path: Path, what: str, rounds: int) -> dict[str, float]:
    """Time the reader and the bare parse in turn, or find the memory that either needs."""
    data = path.read_bytes()
    parse = SUBJECTS[name].parse
    idle = peak_memory()
    if what == "reading":
        return {"sessions": read_once(name, data), "peak": peak_memory() - idle}
    if what == "parsing":
        parsed = parse(data)
        return {"peak": peak_memory() - idle, "parsed": parsed is not None}
    reading, parsing = [], []
    for _ in range(rounds):
        parsing.append(seconds(lambda: parse(data)))
        reading.append(seconds(lambda: read_once(name, data)))
    return {"reading": min(reading), "parsing": min(parsing)}


def seconds(run: Callable[[], object]) -> float:
    """How long it takes, in processor time: the machine may be busy. As in an import, garbage is
    not collected meanwhile."""
    gc.collect()
    gc.disable()
    before = time.process_time()
    run()
    took = time.process_time() - before
    gc.enable()
    return took


def peak_memory() -> float:
    """The most memory that the process ever held, in MiB."""
    # Not getrusage: its figure begins with that of the process which started this one.
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


# The measuring process -----------------------------------------------------------------------


def in_child(name: str, path: Path, what: str, rounds: int) -> dict[str, float]:
    """Measure in a new process."""
    command = [sys.executable, __file__, "--measure", name, str(path), what]
    done = subprocess.run(
        [*command, "--rounds", str(rounds)], check=True, stdout=subprocess.PIPE, text=True
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def results(
    names: list[str], folder: Path | None, rounds: int
) -> Iterator[tuple[str, int, dict[str, float]]]:
    """The figures of each format and scale."""
    with tempfile.TemporaryDirectory() as made:
        for name in names:
            for scale in SCALES:
                data = sample(name, scale, folder)
                if data is None:
                    print(f"{name}: EVENTIMPORT_FORMATS names no folder of samples")
                    break
                path = Path(made) / f"{name}-{scale}"
                path.write_bytes(data)
                figures = in_child(name, path, "times", rounds if scale == 1 else 3)
                parsing = in_child(name, path, "parsing", 1)
                figures |= in_child(name, path, "reading", 1)
                yield name, scale, {**figures, "bare": parsing["peak"], "size": len(data)}


def main() -> int:
    """Measure, print a table, and say whether all bars are reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    known = [each.name for each in IMPORTABLE if each.name in SUBJECTS]
    parser.add_argument("--formats", nargs="+", choices=known, default=known)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        name, path, what = options.measure
        print(json.dumps(measure(name, Path(path), what, options.rounds)))
        return 0
    for each in IMPORTABLE:
        if each.name not in SUBJECTS:
            print(f"{each.name}: not measured, it has no bare parse here")
    folder = os.environ.get("EVENTIMPORT_FORMATS")
    print(
        "format          times  sessions    MB  read ms  parse ms  ratio    a second  MiB  (parse)"
    )
    is_reached = True
    for name, scale, found in results(
        options.formats, Path(folder) if folder else None, options.rounds
    ):
        ratio = found["reading"] / found["parsing"]
        bar = SUBJECTS[name].most
        judged = "" if bar is None else ("reached" if ratio <= bar else f"more than {bar}")
        is_reached = is_reached and (bar is None or ratio <= bar)
        print(
            f"{name:15} {scale:5} {found['sessions']:9,.0f} {found['size'] / 1e6:5.1f}"
            f" {found['reading'] * 1000:8,.0f} {found['parsing'] * 1000:9,.1f} {ratio:6.2f}"
            f" {found['sessions'] / found['reading']:11,.0f} {found['peak']:4.0f}"
            f" {found['bare']:8.0f}  {judged}",
            flush=True,
        )
    return 0 if is_reached else 1


if __name__ == "__main__":
    sys.exit(main())
