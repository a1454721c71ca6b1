"""Archives: what is found in good ones, and how bad ones are refused."""

import io
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.formats.bad_archives import BAD_ARCHIVES, PICTURE, SESSIONS, BadArchive
from tests.formats.odd_archives import ODD_ARCHIVES, OddArchive
from tests.formats.planning import opened
from tests.formats.zip_surgery import EVENT, archive_bytes, patched, renamed, zip_bytes

from eventimport.conference.media import FoundFile
from eventimport.conference.report import Occurrence, Report
from eventimport.formats.limits import ArchiveError, ArchiveLimits
from eventimport.formats.openevent.documents import EventDocuments, read_list, read_object

OBJECTS = ("event", "meta", "config")


def read_all(file: BinaryIO, limits: ArchiveLimits, *, media: bool) -> Report:
    """The report of an archive read to the end."""
    report = Report()
    refusal = None
    try:
        with opened(file, report, limits) as archive:
            for document in archive.documents:
                if document in OBJECTS:
                    read_object(archive, document, report)
                else:
                    for _ in read_list(archive, document, report):
                        pass
            if media:
                archive.source.check_media(report)
    except ArchiveError as error:
        refusal = error
    if refusal is not None:
        assert (refusal.code, refusal.message) in {(f.code, f.message) for f in report.errors}
    return report


@pytest.mark.parametrize("bad", BAD_ARCHIVES.values(), ids=BAD_ARCHIVES)
def test_a_bad_archive_ends_in_its_error(bad: BadArchive) -> None:
    report = read_all(io.BytesIO(bad.build()), bad.limits, media=True)
    found = [place for f in report.errors if f.code == bad.code for place in f.occurrences]
    assert any(_is_at(occurrence, bad) for occurrence in found), report.as_dict()


def _is_at(occurrence: Occurrence, bad: BadArchive) -> bool:
    place = occurrence.place
    return place.entry == bad.entry and all(
        expected in {None, found}
        for expected, found in (
            (bad.record, place.record),
            (bad.line, place.line),
            (bad.column, place.column),
            (bad.path, place.field),
        )
    )


@pytest.mark.parametrize("bad", BAD_ARCHIVES.values(), ids=BAD_ARCHIVES)
def test_a_bad_file_on_disk_ends_the_same(bad: BadArchive, tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    path.write_bytes(bad.build())
    with path.open("rb") as file:
        report = read_all(file, bad.limits, media=bad.only_media)
    assert bad.code in {finding.code for finding in report.errors}


@pytest.mark.parametrize("odd", ODD_ARCHIVES.values(), ids=ODD_ARCHIVES)
def test_an_odd_archive_is_read(odd: OddArchive) -> None:
    report = Report()
    with opened(io.BytesIO(odd.build()), report) as archive:
        event = read_object(archive, "event", report)
        sessions = list(read_list(archive, "sessions", report))
        archive.source.check_media(report)
        assert tuple(sorted(archive.source.media)) == tuple(sorted(odd.files))
    assert event is not None
    assert event["name"] == odd.event
    assert len(sessions) == odd.sessions
    found = {(finding.severity, finding.code) for finding in report.findings}
    assert found == ({(odd.severity, odd.code)} if odd.code else set())
    if odd.entry is not None:
        assert odd.entry in {finding.place.entry for finding in report.findings}


@pytest.fixture
def report() -> Report:
    return Report()


def open_bytes(data: bytes, report: Report) -> AbstractContextManager[EventDocuments]:
    return opened(io.BytesIO(data), report)


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("sessions", "sessions"),
        ("sessions.json", "sessions"),
        ("Sessions.JSON", "sessions"),
        ("session_types", "session_types"),
        ("session-types.json", "session_types"),
        ("sessionTypes", "session_types"),
        ("social-links", "social_links"),
    ],
)
@pytest.mark.parametrize("root", ["", "conference/", "./", "a/b/"])
def test_documents_are_found_by_any_spelling(
    root: str, name: str, document: str, report: Report
) -> None:
    data = zip_bytes([(root + "event", EVENT), (root + name, b"[]"), (root + "images/a.png", b"")])
    with open_bytes(data, report) as archive:
        assert archive.documents == {"event": root + "event", document: root + name}
        path = root.removeprefix("./") + "images/a.png"
        assert list(archive.source.media) == [path]
        assert archive.source.media[path].name == root + "images/a.png"
        assert archive.source.index.find("/images/a.png") == FoundFile(
            path, root + "images/a.png", "exact"
        )
    assert not report.findings


def test_junk_and_directories_are_no_entries(report: Report) -> None:
    junk = ("__MACOSX/._event", "images/", "images/.DS_Store", "._event", "Thumbs.db", "./")
    with open_bytes(archive_bytes(*((name, b"") for name in junk)), report) as archive:
        assert list(archive.documents) == ["event"]
        assert not archive.source.media
    assert not report.findings


def test_a_file_is_found_beside_and_above_the_documents(report: Report) -> None:
    names = ("a/json/x.png", "a/images/y.png", "z.png", "other/images/w.png")
    members = [("a/json/event", EVENT), *((name, name.encode()) for name in names)]
    with open_bytes(zip_bytes(members), report) as archive:
        index = archive.source.index
    found = {
        path: (match.path, match.how) if (match := index.find(path)) else None
        for path in (
            *("x.png", "/images/y.png", "../images/y.png", "z.png", "json/x.png", "Images/Y.png"),
            *("pictures/images/w.png", "pictures/w.png", "../../../z.png"),
        )
    }
    assert found == {
        "x.png": ("a/json/x.png", "exact"),
        "/images/y.png": ("a/images/y.png", "exact"),
        "../images/y.png": ("a/images/y.png", "exact"),
        "z.png": ("z.png", "exact"),
        "json/x.png": ("a/json/x.png", "exact"),
        "Images/Y.png": ("a/images/y.png", "spelling"),
        "pictures/images/w.png": ("other/images/w.png", "base-name"),
        "pictures/w.png": None,
        "../../../z.png": None,
    }


def test_a_name_is_found_as_the_code_page_of_the_record_has_it(report: Report) -> None:
    data = archive_bytes(("images/XXXX.png", PICTURE))
    data = renamed(data, b"images/XXXX.png", "images/Мир!.png".encode("cp866"))
    with open_bytes(data, report) as archive:
        index = archive.source.index
    for path in ("images/Мир!.png", "images/\u041c\u0438\u0440!.png"):
        match = index.find(path)
        assert match is not None
        assert match.how == "code-page"
    assert index.find("images/Mir!.png") is None


def test_the_exact_spelling_comes_first(report: Report) -> None:
    nfd = "images/e\u0301.png"
    data = archive_bytes(("images/é.png", b"1"), (nfd, b"2"), ("images/É.png", b"3"))
    with open_bytes(data, report) as archive:
        index = archive.source.index
    for path in ("images/é.png", nfd, "images/É.png"):
        match = index.find(path)
        assert match is not None
        assert (match.path, match.how) == (path, "exact")
    match = index.find("IMAGES/é.png")
    assert match is not None
    assert match.how == "several"


def test_what_cannot_be_read_is_an_error_for_a_document_alone(report: Report) -> None:
    data = archive_bytes(("sessions", SESSIONS), ("a.png", PICTURE), ("b.png", PICTURE))
    data = patched(patched(data, "sessions", compress_type=9), "a.png", compress_type=93)
    with open_bytes(patched(data, "b.png", crc=1), report) as archive:
        archive.source.check_media(report)
        assert list(archive.documents) == ["event"]
        assert set(archive.source.index.left_out) == {"a.png", "b.png"}
    errors = {finding.place.entry: finding.message for finding in report.errors}
    assert set(errors) == {"sessions", "a.png"}
    assert "Deflate64, used by Windows Explorer for large files" in errors["sessions"]
    assert "Zstandard (zstd)" in errors["a.png"]


def test_an_event_that_cannot_be_read_is_the_only_error(report: Report) -> None:
    data = patched(zip_bytes([("event.json", EVENT)]), "event.json", compress_type=9)
    with open_bytes(data, report) as archive:
        assert not archive.documents
    assert [finding.code for finding in report.errors] == ["compression-method"]


def test_an_archive_without_an_event_lists_its_files(report: Report) -> None:
    members = [(f"files/{number}.png", b"") for number in range(40)]
    with (
        pytest.raises(ArchiveError) as caught,
        open_bytes(zip_bytes([("programme.pdf", b"x"), *members]), report),
    ):
        pass
    assert "programme.pdf, files/0.png" in caught.value.message
    assert "and 11 more" in caught.value.message


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"Rar!\x1a\x07\x01\x00", "a RAR archive"),
        (b"\x1f\x8b\x08\x00", "a gzip file"),
        (b"<!doctype html>", "a web page"),
        (b"", "it is empty"),
    ],
)
def test_a_file_that_is_not_a_zip_is_named(data: bytes, what: str, report: Report) -> None:
    with pytest.raises(ArchiveError) as caught, open_bytes(data, report):
        pass
    assert caught.value.code == "not-a-zip"
    assert what in caught.value.message


def test_a_zip_that_is_written_as_a_stream_is_read(report: Report) -> None:
    class Stream(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError

    stream = Stream()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("event", EVENT)
        with archive.open("images/a.png", "w", force_zip64=True) as entry:
            entry.write(PICTURE)
    with open_bytes(stream.getvalue(), report) as opened:
        assert b"".join(opened.source.read("images/a.png")) == PICTURE
    assert not report.findings


def test_a_part_of_a_split_zip_is_named_so(report: Report) -> None:
    data = bytearray(zip_bytes([("programme.pdf", b"x")]))
    end = data.rindex(b"PK\x05\x06")
    data[end + 4 : end + 8] = b"\x02\0\0\0"
    with pytest.raises(ArchiveError) as caught, open_bytes(bytes(data), report):
        pass
    assert caught.value.code == "split-archive"


def test_a_document_in_a_folder_of_media_is_a_medium(report: Report) -> None:
    with open_bytes(archive_bytes(("files/sessions", b"x")), report) as archive:
        assert list(archive.documents) == ["event"]
        assert list(archive.source.media) == ["files/sessions"]


def test_what_is_refused_does_not_keep_the_rest_from_being_read(report: Report) -> None:
    data = archive_bytes(("../evil", b""), ("tracks", b"[]"), ("sessions", SESSIONS))
    with open_bytes(patched(data, "tracks", flag_bits=1), report) as archive:
        assert len(list(read_list(archive, "sessions", report))) == 2
    assert {finding.code for finding in report.findings} == {"unsafe-name", "encrypted-entry"}


def test_an_unknown_entry_cannot_be_read(report: Report) -> None:
    with open_bytes(archive_bytes(), report) as archive, pytest.raises(KeyError):
        archive.source.read("../event")


def test_the_file_stays_open() -> None:
    file = io.BytesIO(archive_bytes())
    with opened(file, Report()):
        pass
    assert not file.closed


def test_an_entry_that_is_read_twice_counts_once(report: Report) -> None:
    data = archive_bytes(("a.bin", bytes(range(256)) * 4))
    limits = ArchiveLimits(max_total_bytes=2000)
    with opened(io.BytesIO(data), report, limits) as archive:
        assert len({b"".join(archive.source.read("a.bin")) for _ in range(5)}) == 1


class FailingDisk(io.BytesIO):
    """A file whose disk fails after some reads."""

    reads_left = 3

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads_left -= 1
        if self.reads_left < 0:
            raise OSError(5, "Input/output error")
        return super().read(size)


def test_a_failing_disk_is_not_the_archives_fault(report: Report) -> None:
    with pytest.raises(OSError, match="Input/output"):
        read_all(FailingDisk(archive_bytes(("sessions", SESSIONS))), ArchiveLimits(), media=True)


SEEDS = [
    archive_bytes(("sessions", SESSIONS), ("images/a.png", PICTURE)),
    *(BAD_ARCHIVES[name].build() for name in ("zip64 sizes", "zip64 directory")),
    *(
        ODD_ARCHIVES[name].build()
        for name in ("two Unicode forms, other bytes", "Unicode path", "LZMA", "bzip2", "appended")
    ),
]


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """A zip with some bytes overwritten, cut out or doubled."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, max(0, len(data) - 1)))
        end = start + draw(st.integers(0, 8))
        data[start:end] = draw(st.one_of(st.binary(max_size=8), st.just(data[start:end] * 2)))
    return bytes(data)


@settings(max_examples=400)
@given(mutations())
def test_mutated_archives_raise_nothing(data: bytes) -> None:
    report = read_all(io.BytesIO(data), ArchiveLimits(), media=True)
    assert all(finding.message for finding in report.findings)


def stored_chunks(size: int) -> Iterator[bytes]:
    yield b'[{"id": 1}, {"title": "'
    for _ in range(size // 2**20):
        yield b"x" * 2**20
    yield b'"}]'


def test_a_string_of_100_mb_takes_no_memory_to_speak_of(tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("event", EVENT)
        with archive.open("sessions", "w") as entry:
            for chunk in stored_chunks(100 * 2**20):
                entry.write(chunk)
    report, peak = _read_measured(path)
    (finding,) = report.errors
    assert (finding.code, finding.place.record) == ("string-too-long", 1)
    assert (finding.place.line, finding.place.column) == (1, 23)
    assert peak < 32 * 2**20


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sessions", "a.bin"])
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_takes_no_memory_to_speak_of(name: str, method: int, tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("event", EVENT)
        with archive.open(name, "w") as entry:
            for _ in range(80):
                entry.write(b" " * 2**20)
    path.write_bytes(patched(path.read_bytes(), name, file_size=1000))
    report, peak = _read_measured(path)
    assert "compression-ratio" in {finding.code for finding in report.errors}
    assert peak < 32 * 2**20


def _read_measured(path: Path) -> tuple[Report, int]:
    tracemalloc.start()
    try:
        with path.open("rb") as file:
            report = read_all(file, ArchiveLimits(), media=True)
        return report, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_sample_archives_open_without_errors(archives: list[Path]) -> None:
    failures = {}
    for path in archives:
        with path.open("rb") as file:
            report = read_all(file, ArchiveLimits(), media=True)
        if report.findings:
            failures[path.stem] = [str(finding.place) for finding in report.findings]
    assert failures == {"FOSSASIASummit2011": ["session_types, line 12, column 5"]}
