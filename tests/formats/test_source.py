"""Sources: one file or a zip, told apart by content, and bounded."""

import io

import pytest
from tests.formats.zip_surgery import EVENT, patched, zip_bytes

from eventimport.conference.report import Report, Severity
from eventimport.formats.limits import ArchiveError, ArchiveLimits
from eventimport.formats.source import HEAD, Source

TEXT = b"BEGIN:VCALENDAR\r\n" * 100


def opened(
    data: bytes, limits: ArchiveLimits | None = None, report: Report | None = None
) -> Source:
    return Source.open(io.BytesIO(data), limits or ArchiveLimits(), report or Report())


@pytest.mark.parametrize("data", [b"", b"x", TEXT, b"\x1f\x8b\x08", b"Rar!\x1a\x07\x01\0"])
def test_what_is_not_a_zip_is_one_file(data: bytes) -> None:
    report = Report()
    with opened(data, report=report) as source:
        assert not source.is_zip
        assert not source.entries
        assert source.head() == data[:HEAD]
        assert b"".join(source.read()) == b"".join(source.read_document()) == data
        with pytest.raises(ArchiveError) as caught:
            source.require_zip()
    assert caught.value.code == "not-a-zip"
    assert not report.findings


@pytest.mark.parametrize("before", [b"", b"#!/bin/sh\nexit 1\n", TEXT])
def test_a_zip_is_one_whatever_comes_before_it(before: bytes) -> None:
    with opened(before + zip_bytes([("event", EVENT), ("a.txt", TEXT)])) as source:
        source.require_zip()
        assert source.is_zip
        assert [entry.name for entry in source.entries] == ["event", "a.txt"]
        assert source.head("a.txt") == TEXT[:HEAD]
        assert b"".join(source.read("a.txt")) == TEXT


def test_a_zip_that_is_cut_off_is_an_error_and_not_one_file() -> None:
    report = Report()
    with pytest.raises(ArchiveError):
        opened(zip_bytes([("event", EVENT)])[:-30], report=report)
    assert [finding.code for finding in report.errors] == ["truncated-archive"]


def test_one_file_has_no_entries_to_read() -> None:
    with opened(TEXT) as source:
        for read in (source.read, source.read_document, source.head):
            with pytest.raises(KeyError):
                read("event")


@pytest.mark.parametrize("name", [None, "a.txt"])
def test_a_document_over_the_limit_is_not_read_to_its_end(name: str | None) -> None:
    data = TEXT if name is None else zip_bytes([("a.txt", TEXT)])
    exact = ArchiveLimits(max_document_bytes=len(TEXT))
    with opened(data, exact) as source:
        assert b"".join(source.read_document(name)) == TEXT
    with opened(data, ArchiveLimits(max_document_bytes=len(TEXT) - 1)) as source:
        assert b"".join(source.read(name)) == TEXT
        with pytest.raises(ArchiveError, match="MAX_DOCUMENT_BYTES") as caught:
            list(source.read_document(name))
    assert (caught.value.code, caught.value.place.entry) == ("document-too-large", name)


@pytest.mark.parametrize("name", [None, "a.txt"])
def test_a_file_over_the_limit_is_not_read_to_its_end(name: str | None) -> None:
    data = TEXT if name is None else zip_bytes([("a.txt", TEXT)])
    if name is not None:
        # The directory says that the file is small.
        data = patched(data, name, file_size=10)
    with (
        opened(data, ArchiveLimits(max_entry_bytes=1_000)) as source,
        pytest.raises(ArchiveError, match="MAX_ENTRY_BYTES") as caught,
    ):
        list(source.read(name))
    assert caught.value.code == "entry-too-large"


@pytest.mark.parametrize("data", [TEXT, zip_bytes([("a.txt", TEXT)])])
def test_reading_stops_if_the_check_says_so(data: bytes) -> None:
    class StopError(Exception):
        pass

    def stop() -> None:
        raise StopError

    with (
        Source.open(io.BytesIO(data), ArchiveLimits(), Report(), stop) as source,
        pytest.raises(StopError),
    ):
        list(source.read("a.txt" if source.is_zip else None))


@pytest.mark.parametrize("data", [TEXT, zip_bytes([("a.txt", TEXT)])])
def test_a_closed_source_is_not_read(data: bytes) -> None:
    with opened(data) as source:
        name = "a.txt" if source.is_zip else None
    with pytest.raises(ValueError, match="closed"):
        list(source.read(name))
    with pytest.raises(ValueError, match="closed"):
        source.head(name)


def test_what_is_no_document_is_a_media_file() -> None:
    report = Report()
    data = zip_bytes([(name, name.encode()) for name in ("d/plan.xml", "d/old.xml", "d/a.png")])
    with opened(data) as source:
        assert not source.media
        plan, old, _ = source.entries
        source.choose_documents([plan], report, root="d/", unused=[old])
        assert list(source.media) == ["d/a.png"]
        found = source.index.find("a.png")
        assert found is not None
        assert found.entry == "d/a.png"
    assert not report.findings


@pytest.mark.parametrize(
    ("broken", "severity"),
    [(["a.png"], Severity.WARNING), (["a.png", "plan.xml"], Severity.ERROR)],
)
def test_a_packing_that_is_not_supported_is_an_error_if_a_document_has_it(
    broken: list[str], severity: Severity
) -> None:
    report = Report()
    data = zip_bytes([("plan.xml", b"<x/>"), ("a.png", b"1")])
    for name in broken:
        data = patched(data, name, compress_type=93)
    with opened(data) as source:
        source.choose_documents([source.entries[0]], report)
        assert not source.media
        assert set(source.index.left_out) == {"a.png"}
    assert [(each.place.entry, each.severity) for each in report.findings] == [("a.png", severity)]


@pytest.mark.parametrize(
    "mark", [b"\x89PNG\r\n\x1a\n\0\0\0\r", b"\xff\xd8\xff\xe0\0\x10JFIF\0", b"%PDF-1.7\n"]
)
def test_only_the_head_of_an_image_shows_the_format(mark: bytes) -> None:
    image = mark + b"<?[{" * 10_000
    with opened(zip_bytes([("images/logo", image)])) as source:
        assert source.beginning("images/logo") == image[:HEAD]


@pytest.mark.parametrize(
    "text",
    ["{", "  [", "<?xml version='1.0'?>", "<\0a>", "\0\n<a>", "\N{BYTE ORDER MARK}<schedule>"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le"])
def test_more_than_the_head_of_a_document_shows_the_format(text: str, encoding: str) -> None:
    document = (text + " \0" * 10_000).encode(encoding)
    with opened(zip_bytes([("event.json", document)])) as source:
        assert len(source.beginning("event.json")) > HEAD
