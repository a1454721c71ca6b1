"""What holds for every format. A format joins by being in FORMATS and having an example."""

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.bad_archives import BAD_ARCHIVES
from tests.formats.examples import EXAMPLES, OPTIONS
from tests.formats.planning import zip_of

from eventimport.conference.conference import Conference
from eventimport.conference.kinds import Kind
from eventimport.conference.report import Check, Report, go_on
from eventimport.formats import (
    AUTO,
    FORMATS,
    IMPORTABLE,
    UnknownFormatError,
    choose_format,
    detect,
    format_named,
    names_of,
)
from eventimport.formats.format import Format, ReadOptions
from eventimport.formats.limits import ArchiveError, ArchiveLimits
from eventimport.formats.source import Source

FOREIGN = {
    "nothing": b"",
    "a word": b"conference",
    "an image": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "an empty object": b"{}",
    "another service's JSON": b'{"weather": [{"day": 1}]}',
    "a web page": b"<!doctype html><title>Conference</title>",
    "another XML": b'<?xml version="1.0"?><feed><entry/></feed>',
    "a zip of images": zip_of({}, {"images/a.png": b"\x89PNG"}),
}

each_format = pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.name)
each_importable = pytest.mark.parametrize("each", IMPORTABLE, ids=lambda each: each.name)


class StopError(Exception):
    """Raised by a check that stops the work."""


def read(each: Format, data: bytes, check: Check = go_on) -> tuple[Conference | None, Report]:
    """The conference, or None if the source was rejected, and the report."""
    report = Report()
    rejection = None
    try:
        with Source.open(io.BytesIO(data), ArchiveLimits(), report, check) as source:
            return each.reader(source, ReadOptions(**OPTIONS[each.name]), report), report
    except ArchiveError as error:
        rejection = error
    assert rejection.code in {finding.code for finding in report.errors}
    return None, report


def assert_explained(each: Format, data: bytes) -> None:
    """A conference with an event comes out, or errors that say why not, which can be stored."""
    conference, report = read(each, data)
    assert report.errors or (conference is not None and conference.records[Kind.EVENT])
    assert "\0" not in json.dumps(report.as_dict(), ensure_ascii=False, allow_nan=False)


def test_names_are_unique_and_fit_into_a_url() -> None:
    names = names_of(FORMATS)
    assert len(names) == len(set(names))
    assert all(re.fullmatch("[a-z][a-z0-9-]*(/csv)?", name) for name in names)
    assert AUTO not in names


@each_format
def test_a_format_says_what_it_is(each: Format) -> None:
    assert each.read or each.write
    assert each.title
    assert each.extensions
    assert all(re.fullmatch(r"\.[a-z0-9.]+", extension) for extension in each.extensions)
    assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", each.media_type)


@each_format
def test_a_format_is_found_by_each_of_its_names(each: Format) -> None:
    assert {format_named(name) for name in each.names} == {each}


@pytest.mark.parametrize("name", ["", "JSON", "openevent ", "no-such-format", "auto"])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(UnknownFormatError) as caught:
        format_named(name)
    assert all(known in str(caught.value) for known in names_of(FORMATS))


def test_every_format_has_an_example() -> None:
    assert set(EXAMPLES) == {each.name for each in IMPORTABLE}


@each_importable
def test_a_format_is_detected_by_content(each: Format) -> None:
    data = EXAMPLES[each.name]()
    with Source.open(io.BytesIO(data), ArchiveLimits(), Report()) as source:
        assert [other for other in FORMATS if other.detect(source)] == [each]
        assert detect(source) is each


@each_importable
def test_a_document_with_a_line_of_column_names_is_no_table(each: Format) -> None:
    data = EXAMPLES[each.name]() + b"\nTitle,Speakers,Room,Start\n"
    with Source.open(io.BytesIO(data), ArchiveLimits(), Report()) as source:
        assert source.is_zip or detect(source) is each


@pytest.mark.parametrize("data", FOREIGN.values(), ids=FOREIGN)
def test_what_is_foreign_is_not_detected(data: bytes) -> None:
    with Source.open(io.BytesIO(data), ArchiveLimits(), Report()) as source:
        assert detect(source) is None


def chosen(data: bytes, name: str) -> tuple[Format | None, Report]:
    """The format that data is read in, or None if it was rejected, and the report."""
    report = Report()
    rejection = None
    with Source.open(io.BytesIO(data), ArchiveLimits(), report) as source:
        try:
            return choose_format(source, name, report), report
        except ArchiveError as error:
            rejection = error
    assert rejection.code in {finding.code for finding in report.errors}
    return None, report


@each_importable
def test_auto_reads_a_source_in_the_format_of_its_content(each: Format) -> None:
    data = EXAMPLES[each.name]()
    for name in (AUTO, *each.names):
        assert chosen(data, name)[0] is each


@pytest.mark.parametrize("data", FOREIGN.values(), ids=FOREIGN)
def test_auto_lists_what_it_looked_for(data: bytes) -> None:
    found, report = chosen(data, AUTO)
    assert found is None
    (error,) = report.errors
    assert error.code == "unknown-format"
    assert all(each.title in error.message for each in IMPORTABLE)


@each_importable
def test_a_source_in_another_format_is_named_with_its_route(each: Format) -> None:
    for other in IMPORTABLE:
        if other is each:
            continue
        found, report = chosen(EXAMPLES[other.name](), each.name)
        assert found is None
        (error,) = report.errors
        assert error.code == "other-format"
        assert f"/v1/events/import/{other.name}" in error.message
        assert each.title in error.message
        assert other.title in error.message


@each_importable
@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_unknown_is_left_to_the_reader_of_the_named_format(each: Format, name: str) -> None:
    found, report = chosen(FOREIGN[name], each.name)
    if name == "a web page":
        assert [error.code for error in report.errors] == ["unknown-format"]
    else:
        assert found is each


@each_importable
def test_the_example_is_read_without_findings(each: Format) -> None:
    conference, report = read(each, EXAMPLES[each.name]())
    assert conference is not None
    assert conference.event.values["name"]
    assert conference.records[Kind.SESSION]
    assert not report.findings


@each_importable
@pytest.mark.parametrize("data", FOREIGN.values(), ids=FOREIGN)
def test_what_is_foreign_ends_in_errors(each: Format, data: bytes) -> None:
    _, report = read(each, data)
    assert report.errors


@each_importable
@pytest.mark.parametrize("bad", BAD_ARCHIVES.values(), ids=BAD_ARCHIVES)
def test_a_hostile_zip_ends_in_findings(each: Format, bad: object) -> None:
    assert_explained(each, bad.build())  # type: ignore[attr-defined]


@each_importable
@given(data=st.data())
def test_a_damaged_example_ends_in_findings(each: Format, data: st.DataObject) -> None:
    content = bytearray(EXAMPLES[each.name]())
    position = st.integers(0, len(content) - 1)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(position)] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(position) :]
    assert_explained(each, bytes(content))


@each_importable
def test_a_reader_stops_when_it_must(each: Format) -> None:
    def stop() -> None:
        raise StopError

    with pytest.raises(StopError):
        read(each, EXAMPLES[each.name](), stop)


@each_importable
def test_a_file_that_cannot_begin_so_is_rejected(each: Format) -> None:
    conference, report = read(each, b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")
    is_rejected = bool(each.beginnings)
    assert conference is None or not is_rejected
    assert ("not-a-zip" in {finding.code for finding in report.errors}) is is_rejected
