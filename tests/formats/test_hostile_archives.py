"""Small archives that once cost minutes, or gigabytes: what they cost now is counted, not timed."""

import json
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.formats.planning import EVENT, conference_of, zip_of

from eventimport.conference.conference import Conference
from eventimport.conference.kinds import Kind
from eventimport.conference.linking import IdMap
from eventimport.conference.plan import Plan, make_plan, provisional_ids
from eventimport.conference.report import Check, Report, go_on
from eventimport.formats.limits import ArchiveLimits

MIB = 1024 * 1024


class StoppedError(Exception):
    """Raised by a check that stops the work."""


def imported(
    documents: dict[str, Any], limits: ArchiveLimits | None = None, check: Check = go_on
) -> tuple[Conference, Plan | None, Report]:
    """What an import makes of the documents, with a report as the service has it."""
    report = Report()
    data = zip_of({"event": EVENT, **documents})
    conference = conference_of(data, report, limits, check)
    if report.failed(strict=False):
        return conference, None, report
    ids = provisional_ids(conference.counts())
    return conference, make_plan(conference, ids, "abcd1234", report, check=check), report


def size_of(report: Report) -> int:
    return len(json.dumps(report.as_rows(), ensure_ascii=False).encode())


def test_tracks_that_share_one_id_are_compared_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = 0
    label_of = IdMap.label_of

    def counted(self: IdMap, record: Any) -> str:
        nonlocal looked_at
        looked_at += 1
        return label_of(self, record)

    monkeypatch.setattr(IdMap, "label_of", counted)
    count = 4_000
    tracks = [{"id": 1, "name": f"Track {number}"} for number in range(count)]
    sessions = [
        {"id": number, "title": "T", "track": {"id": 1, "name": f"Track {number}"}}
        for number in range(count)
    ]
    conference, _, report = imported({"tracks": tracks, "sessions": sessions})
    assert looked_at <= 4 * count
    (finding,) = [finding for finding in report.findings if finding.code == "shared-id"]
    assert finding.count == count - 1
    # The name tells which of them is meant.
    names = {track.new_id: track.values["name"] for track in conference.records[Kind.TRACK]}
    for session in conference.records[Kind.SESSION]:
        assert names[session.foreign_keys["track_id"]] == f"Track {session.index}"


def test_the_same_record_many_times_is_kept_once() -> None:
    track = {"id": 1, "name": "A", "extra-key": {"b": [1, 2]}}
    conference, _, report = imported({"tracks": [track] * 5_000})
    assert len(conference.records[Kind.TRACK]) == 1
    assert [f.count for f in report.findings if f.code == "repeated-record"] == [4_999]


def test_speakers_with_huge_ids_do_not_make_a_huge_report() -> None:
    speakers = [{"id": chr(97 + number) * 900_000, "name": "Ada"} for number in range(12)]
    sessions = [
        {"id": number, "title": "T", "speakers": [{"id": "z" * 900_000}, {"name": "Ada"}]}
        for number in range(12)
    ]
    _, plan, report = imported({"speakers": speakers, "sessions": sessions})
    assert plan is not None
    assert {"dangling-reference", "reference-without-id"} <= {f.code for f in report.findings}
    assert size_of(report) < 20_000
    assert len(json.dumps(plan.media_report())) < 1_000


@pytest.mark.parametrize("name", ["id", "title", "unknown", "starts_at", "track"])
def test_no_field_makes_a_huge_report(name: str) -> None:
    sessions = [{"id": number, "title": "T", name: f"{number}" * 200_000} for number in range(40)]
    _, plan, report = imported({"sessions": sessions})
    assert plan is not None
    assert size_of(report) < 50_000


LISTS = b'{"a": [' + b"[]," * 300 + b"[]]},"
OBJECTS = b'{"a": [' + b"{}," * 300 + b"{}]},"
PAIRS = b'{"a": [' + b'{"":0},' * 150 + b"{}]},"


@pytest.mark.parametrize("record", [LISTS, OBJECTS, PAIRS], ids=["lists", "objects", "pairs"])
def test_the_values_of_an_archive_are_bounded_and_with_them_its_memory(record: bytes) -> None:
    limits = ArchiveLimits(max_values=20_000, max_ratio=10**6)
    sessions = b"[" + (record * 3_000)[:-1] + b"]"
    tracemalloc.start()
    try:
        _, plan, report = imported({"sessions": sessions}, limits)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert plan is None
    (error,) = report.errors
    assert error.code == "too-many-values"
    assert "MAX_VALUES" in error.message
    assert peak < 20_000 * 150 + 12 * MIB


@pytest.mark.parametrize("element", [b"[]", b"{}", b"1", b'""', b"[1]", b'{"a": {}}'])
def test_the_values_of_a_record_are_bounded(element: bytes) -> None:
    limits = ArchiveLimits(max_record_values=1_000, max_ratio=10**6)
    for count in (2_000, 400_000):
        value = b'[{"id": 1, "title": "T", "a": [' + b",".join([element] * count) + b"]}]"
        _, plan, report = imported({"sessions": value}, limits)
        assert plan is None
        assert [(f.code, "MAX_RECORD_VALUES" in f.message) for f in report.errors] == [
            ("record-too-long", True)
        ]


def test_text_with_commas_and_brackets_has_few_values() -> None:
    sessions = [{"id": 1, "title": "T", "long_abstract": "a, [b], {c}, " * 50_000}]
    _, plan, report = imported({"sessions": sessions}, ArchiveLimits(max_record_values=10))
    assert plan is not None
    assert not report.errors


@pytest.mark.parametrize("zone", [" " * 60_000, "a" + " " * 60_000 + "b", "/" * 60_000])
def test_a_huge_time_zone_is_not_searched(zone: str) -> None:
    _, plan, report = imported({"event": {**EVENT, "timezone": zone}})
    assert plan is not None
    assert "timezone" in {finding.place.field for finding in report.findings}
    assert size_of(report) < 5_000


def test_keys_that_become_the_same_are_numbered() -> None:
    keys = [f'"\\ud8{number // 256:02x}\\ud8{number % 256:02x}"' for number in range(10_000)]
    sessions = ('[{"id": 1, "title": "T",' + ",".join(f"{key}: 1" for key in keys) + "}]").encode()
    conference, _, report = imported({"sessions": sessions})
    (session,) = conference.records[Kind.SESSION]
    assert len(session.extra) == len(keys)
    assert [f.count for f in report.findings if f.code == "unstorable-character"] == [len(keys)]


@pytest.mark.parametrize("calls", [1, 10, 1_000, 3_000])
def test_reading_and_planning_end_when_they_are_asked_to(calls: int) -> None:
    tracks = [{"id": number, "name": "A"} for number in range(500)]
    sessions = [
        {"id": number, "title": "T", "track": number, "speakers": [number]} for number in range(500)
    ]
    speakers = [{"id": number, "name": "Ada"} for number in range(500)]
    documents = {"tracks": tracks, "sessions": sessions, "speakers": speakers}
    left = calls
    stopped = threading.Event()

    def check() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            stopped.set()
            raise StoppedError

    with ThreadPoolExecutor(1) as executor:
        work = executor.submit(imported, documents, None, check)
        assert isinstance(work.exception(timeout=60), StoppedError)
    assert stopped.is_set()
    assert left == -1
