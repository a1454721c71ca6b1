"""Documents: read as a stream, they are what the JSON says, and what is wrong with it is told."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.formats.planning import opened
from tests.formats.zip_surgery import EVENT, archive_bytes, zip_bytes

from eventimport.conference.report import Report, Severity
from eventimport.formats.bounded_json.reader import JsonReader
from eventimport.formats.bounded_json.text_stream import DocumentError, TextStream
from eventimport.formats.limits import ArchiveLimits
from eventimport.formats.openevent.documents import EventDocuments, read_list, read_object
from eventimport.formats.source import Source

Records = list[tuple[int, dict[str, Any]]]


def read(sessions: bytes, limits: ArchiveLimits | None = None) -> tuple[Records, Report]:
    """The records of a document `sessions`, and the report."""
    report = Report()
    file = BytesIO(archive_bytes(("sessions", sessions)))
    with opened(file, report, limits) as archive:
        return list(read_list(archive, "sessions", report)), report


class ChunkedSource(Source):
    """A source that gives its bytes in chunks of its own size."""

    chunk_size = 1

    def read(self, name: str | None = None) -> Iterator[bytes]:
        data = b"".join(super().read(name))
        return (
            data[start : start + self.chunk_size] for start in range(0, len(data), self.chunk_size)
        )


def read_chunked(sessions: bytes, chunk_size: int) -> tuple[Records, Report]:
    """As `read`, the bytes coming in chunks of this size."""
    report = Report()
    file = BytesIO(archive_bytes(("sessions", sessions)))
    with ChunkedSource.open(file, ArchiveLimits(), report) as source:
        source.chunk_size = chunk_size
        return list(read_list(EventDocuments(source, report), "sessions", report)), report


# What a database can store; the rest has tests of its own.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
records = st.lists(st.dictionaries(texts, values, max_size=5), max_size=6)


@st.composite
def written(draw: st.DrawFn) -> str:
    """A list of records, in one of the ways that JSON may be written."""
    return json.dumps(
        draw(records),
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from([None, 1, "\t"])),
        separators=draw(st.sampled_from([(",", ":"), (" , ", " : ")])),
    )


@pytest.mark.slow
@settings(max_examples=200)
@given(written(), st.integers(1, 12))
@example('[{"a": "\U0001f600\u20ac\u00e9"}]', 1)
@example('[{"a": -1.5e-300}, {"b": 12345678901234567890}]', 1)
@example('[{"a": "\\ud83d\\ude00"}]', 1)
def test_a_stream_reads_what_the_whole_is(text: str, chunk_size: int) -> None:
    found, report = read_chunked(text.encode(), chunk_size)
    assert [record for _, record in found] == json.loads(text)
    assert [index for index, _ in found] == list(range(len(found)))
    assert not report.findings


class SmallWindow(TextStream):
    """A stream that reads as little as it may, so that its window ends everywhere."""

    def fill(self, characters: int) -> None:
        super().fill(1)


@settings(max_examples=200)
@given(values | st.just(-1.5e-300) | st.just("\U0001f600"), st.booleans(), st.integers(1, 3))
def test_a_value_may_be_cut_anywhere(value: Any, ascii_only: bool, chunk_size: int) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only).encode()
    chunks = (data[start : start + chunk_size] for start in range(0, len(data), chunk_size))
    reader = JsonReader(SmallWindow(chunks), ArchiveLimits())
    reader.peek()
    assert reader.value() == value
    assert not reader.bad_numbers
    assert not reader.peek()


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "-Infinity", "9" * 5000])
def test_a_number_that_cannot_be_stored_may_be_cut_anywhere(number: str) -> None:
    data = f'{{"a": {number}}}'.encode()
    reader = JsonReader(SmallWindow(data[at : at + 1] for at in range(len(data))), ArchiveLimits())
    assert reader.value() == {"a": None}
    assert [bad.position for bad in reader.bad_numbers] == [6]


def test_a_number_is_not_taken_for_its_beginning() -> None:
    digits = b"1" + b"0" * 4990 + b"e-4990"
    reader = JsonReader(SmallWindow(bytes([byte]) for byte in digits), ArchiveLimits())
    assert reader.value() == 1.0
    assert not reader.bad_numbers


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A document with some bytes overwritten, cut out or put in."""
    data = bytearray(draw(written()).encode())
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        pieces = [b'"', b"\\", b"[", b"}", b"NaN", b"1e999", b"\\ud800", b"\\u0000", b"\xff"]
        data[start : start + draw(st.integers(0, 3))] = draw(
            st.sampled_from(pieces) | st.binary(max_size=3)
        )
    return bytes(data)


def is_plain_json(data: bytes) -> bool:
    """Whether it is JSON of the kind and the numbers that an archive should hold."""

    def refuse(_: str) -> None:
        raise ValueError

    try:
        value = json.loads(data.decode(), parse_constant=refuse)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, list) and all(isinstance(record, dict) for record in value)


@pytest.mark.slow
@settings(max_examples=250)
@given(mutated(), st.integers(1, 40))
@example(b'[{"a": "\\ud83d\\u12"}]', 1)
@example(b"\xef\xbb", 1)
@example(b"\xef\xbb\xbf", 1)
def test_mutated_documents_raise_nothing(data: bytes, chunk_size: int) -> None:
    found, report = read_chunked(data, chunk_size)
    whole, expected = read(data)
    assert found == whole
    # Bytes behind an error that ends the document may have been seen, or not.
    assert [f for f in report.findings if f.code != "json-encoding"] == [
        f for f in expected.findings if f.code != "json-encoding"
    ]
    if not is_plain_json(data):
        assert expected.findings
    # Whatever was read can be stored, and so can what is told of the rest.
    assert "\0" not in repr(found)
    json.dumps([found, report.as_dict()], ensure_ascii=False).encode()


def read_one_by_one(data: bytes, limits: ArchiveLimits) -> tuple[Records, Report]:
    """As `read`, no records being read together."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JsonReader, "objects", lambda *_: [])
        return read(data, limits)


ODD_RECORDS = (
    '{"id": 1, "id": 2}',
    '{"a": NaN}',
    '{"a": 1e999}',
    '{"a": %s}' % ("7" * 5000),
    '{"a": "\\ud800"}',
    '{"a": "\\u0000"}',
    '{"a": "\\ud83d\\ude00"}',
    '{"a": %s}' % ("[" * 9 + "]" * 9),
    '{"a": %s}' % ([0] * 60),
    '{"a": "%s"}' % ("x" * 300),
    "17",
    '"A"',
    "null",
    "[{}, {}]",
    '{"a" 1}',
    '{"a": "x\ny"}',
    "{}], [{}",
    '{"a": [{}, {}]',
    "",
)


@settings(max_examples=150)
@given(
    st.lists(
        st.builds(json.dumps, st.dictionaries(texts, values, max_size=3))
        | st.just('{"id": 1, "speakers": [{"id": 1}, {"id": 2}]}')
        | st.sampled_from(ODD_RECORDS),
        min_size=3,
        max_size=12,
    ),
    st.sampled_from([",", ", ", ",\n  ", "\n,"]),
    st.sampled_from(["[%s]", '{"sessions": [%s], "tracks": [{"id": 1}, {"id": 2}]}']),
    st.integers(2, 14),
    st.integers(20, 120),
)
@example([*["{}"] * 6, *ODD_RECORDS[:1]], ", ", "[%s]", 14, 120)
@example(["{}"] * 8, ", ", "[%s]", 7, 120)
@example(["{}"] * 8, ", ", "[%s]", 14, 20)
def test_records_read_together_are_as_those_read_one_by_one(
    records: list[str], between: str, around: str, most: int, most_values: int
) -> None:
    data = (around % between.join(records)).encode()
    limits = ArchiveLimits(
        max_records=most,
        max_values=most_values,
        max_record_values=50,
        max_depth=8,
        max_string_length=250,
    )
    found, report = read(data, limits)
    expected, expected_report = read_one_by_one(data, limits)
    assert found == expected
    assert report == expected_report


def test_records_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    together = JsonReader.objects

    def counted(reader: JsonReader, between: str, most: int, most_values: int) -> Any:
        records = together(reader, between, most, most_values)
        counts.append(len(records))
        return records

    monkeypatch.setattr(JsonReader, "objects", counted)
    records = [{"id": number, "text": "é" * 100} for number in range(10_000)]
    for indent in (None, 4):
        counts.clear()
        found, report = read(json.dumps(records, ensure_ascii=False, indent=indent).encode())
        assert [record for _, record in found] == records
        assert not report.findings
        assert sum(counts) > 9_900
        assert len(counts) < 100


def test_a_document_that_is_not_there_is_empty() -> None:
    report = Report()
    with opened(BytesIO(archive_bytes()), report) as archive:
        assert not list(read_list(archive, "sessions", report))
        assert read_object(archive, "meta", report) is None
        assert read_object(archive, "event", report) == json.loads(EVENT)
    assert not report.findings


def test_what_was_read_before_an_error_is_given() -> None:
    found, report = read(b'[{"id": 1}, {"id": 2}, {"id" 3}]')
    assert found == [(0, {"id": 1}), (1, {"id": 2})]
    assert [str(finding.place) for finding in report.errors] == [
        "sessions, line 1, column 30, record 3"
    ]


def test_an_error_far_into_a_document_has_its_line_and_column() -> None:
    lines = [
        json.dumps({"id": number, "text": "é" * 100}, ensure_ascii=False)
        for number in range(10_000)
    ]
    lines[9_000] = lines[9_000].replace(":", ";", 1)
    found, report = read(("[\n" + ",\n".join(lines) + "]").encode())
    assert len(found) == 9_000
    (finding,) = report.errors
    assert (finding.place.line, finding.place.column) == (9_002, 6)


def test_every_oddity_in_the_records_is_reported() -> None:
    text = b'[1, {"a": NaN, "b": 1e999}, "x",\n {"id": ' + b"[" * 40 + b"]" * 40 + b'}, {"id": 5}]'
    found, report = read(text)
    assert found == [(1, {"a": None, "b": None}), (2, {"title": "x"}), (4, {"id": 5})]
    told = [(f.code, f.severity, p.place.record) for f in report.findings for p in f.occurrences]
    assert told == [
        ("record-not-an-object", Severity.WARNING, 0),
        ("json-number", Severity.WARNING, 1),
        ("json-number", Severity.WARNING, 1),
        ("record-is-a-text", Severity.WARNING, 2),
        ("json-nesting", Severity.ERROR, 3),
    ]


def test_many_oddities_of_one_kind_are_one_finding_with_its_first_places() -> None:
    _, report = read(b"[" + b"1,\n " * 4999 + b"{}]")
    (finding,) = report.findings
    assert finding.count == 4999
    places = [(p.place.record, p.place.line, p.place.column) for p in finding.occurrences]
    assert places == [(0, 1, 2), (1, 2, 2), (2, 3, 2), (3, 4, 2), (4, 5, 2)]


ONE = [(0, {"id": 1, "title": "A"})]
TWO = [(0, {"id": 1}), (1, {"id": 2})]
FROM_JSON_API = {
    "id": "7",
    "title": "A",
    "track": {"id": "1"},
    "speakers": [{"id": "1"}, {"id": "2"}],
}


@pytest.mark.parametrize(
    ("text", "expected", "code", "severity"),
    [
        ('{"id": 1, "title": "A"}', ONE, "not-a-list", Severity.REPAIR),
        ('{"sessions": [{"id": 1}, {"id": 2}]}', TWO, "not-a-list", Severity.REPAIR),
        ('{"Session": [{"id": 1}, {"id": 2}]}', TWO, "not-a-list", Severity.REPAIR),
        ('{"items": [{"id": 1}, {"id": 2}], "next": null}', TWO, "not-a-list", Severity.REPAIR),
        ('{"data": {"id": 1, "title": "A"}}', ONE, "not-a-list", Severity.REPAIR),
        ('{"sessions": {"data": [{"id": 1}, {"id": 2}]}}', TWO, "not-a-list", Severity.REPAIR),
        ('{"1": {"title": "A"}}', [(0, {"id": "1", "title": "A"})], "not-a-list", Severity.REPAIR),
        (
            '[{"type": "session", "id": "7", "attributes": {"title": "A"}, "relationships": {'
            '"track": {"data": {"type": "track", "id": "1"}}, "speakers": {"data": ['
            '{"type": "speaker", "id": "1"}, {"type": "speaker", "id": "2"}]}}}]',
            [(0, FROM_JSON_API)],
            "json-api",
            Severity.REPAIR,
        ),
        ('{"id": 1}\n{"id": 2}\n', TWO, "not-a-list", Severity.REPAIR),
        ('{"id": 1}{"id": 2}', TWO, "not-a-list", Severity.REPAIR),
        ('[{"id": 1}, {"id": 2}]\0\0\x1a', TWO, "padding", Severity.REPAIR),
        ('["A"]', [(0, {"title": "A"})], "record-is-a-text", Severity.WARNING),
        ("false", [], "empty-document", Severity.WARNING),
        ("null", [], "empty-document", Severity.WARNING),
        ("{}", [], "empty-document", Severity.WARNING),
        (" ", [], "empty-document", Severity.WARNING),
        ('""', [], "empty-document", Severity.WARNING),
        ('[{"id": NaN}]', [(0, {"id": None})], "json-number", Severity.WARNING),
        ('[{"id": -Infinity}]', [(0, {"id": None})], "json-number", Severity.WARNING),
        ('[{"id": 1e999}]', [(0, {"id": None})], "json-number", Severity.WARNING),
        ('[{"id": ' + "7" * 5000 + "}]", [(0, {"id": None})], "json-number", Severity.WARNING),
        ("[null]", [], "record-not-an-object", Severity.WARNING),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_what_is_written_otherwise_is_read_and_told(
    text: str, expected: Records, code: str, severity: Severity, encoding: str
) -> None:
    found, report = read(text.encode(encoding))
    assert found == expected
    told = {(finding.severity, finding.code) for finding in report.findings}
    assert told - {(Severity.REPAIR, "json-encoding")} == {(severity, code)}


def test_a_large_list_in_an_object_is_read_as_a_stream() -> None:
    records = [{"id": number, "text": "x" * 1000} for number in range(10_000)]
    whole = {"jsonapi": {"version": "1.0"}, "sessions": records, "total": 10_000}
    found, report = read(json.dumps(whole).encode(), ArchiveLimits(max_ratio=10_000))
    assert [record for _, record in found] == records
    told = {(finding.code, finding.place.field) for finding in report.findings}
    assert told == {("not-a-list", None), ("unknown-key", "total")}


@pytest.mark.parametrize(
    ("mark", "encoding", "code"),
    [
        (b"\xef\xbb\xbf", "utf-8", "byte-order-mark"),
        (b"\xff\xfe", "utf-16-le", "json-encoding"),
        (b"\xfe\xff", "utf-16-be", "json-encoding"),
        (b"\xff\xfe\0\0", "utf-32-le", "json-encoding"),
        (b"\0\0\xfe\xff", "utf-32-be", "json-encoding"),
        (b"", "utf-16-le", "json-encoding"),
        (b"", "utf-16-be", "json-encoding"),
        (b"", "utf-32-le", "json-encoding"),
    ],
)
@pytest.mark.parametrize("chunk_size", [1, 3, 1000])
def test_other_encodings_are_repaired(
    mark: bytes, encoding: str, code: str, chunk_size: int
) -> None:
    text = r'[{"title": "Größe 😀", "a": "x\u0000"}]'
    found, report = read_chunked(mark + text.encode(encoding), chunk_size)
    assert found == [(0, {"title": "Größe 😀", "a": "x"})]
    assert {(finding.severity, finding.code) for finding in report.findings} == {
        (Severity.REPAIR, code),
        (Severity.REPAIR, "unstorable-character"),
    }


def test_a_mark_may_stand_twice() -> None:
    found, report = read(b"\xef\xbb\xbf" * 2 + b'[{"id": 1}]')
    assert found == [(0, {"id": 1})]
    assert [finding.code for finding in report.findings] == ["byte-order-mark"]


@pytest.mark.parametrize("chunk_size", [1, 2, 7, 1000])
def test_what_is_not_utf8_is_read_as_windows_1252(chunk_size: int) -> None:
    data = b'[{"title": "caf\xe9 \x80 \x81", "name": "' + "Größe".encode() + b'"}]'
    found, report = read_chunked(data, chunk_size)
    assert found == [(0, {"title": "café € \x81", "name": "Größe"})]
    (finding,) = report.findings
    assert (finding.severity, finding.code) == (Severity.WARNING, "json-encoding")
    assert "from byte 15 on" in finding.message
    assert "Windows-1252" in finding.message


def test_characters_that_cannot_be_stored_are_repaired() -> None:
    found, report = read(rb'[{"a\u0000": {"b": ["x\u0000y", "\ud800z", "\ud83d\ude00"]}}]')
    assert found == [(0, {"a": {"b": ["xy", "\ufffdz", "\U0001f600"]}})]
    assert {finding.severity for finding in report.findings} == {Severity.REPAIR}
    told = [(p.place.field, p.value) for f in report.findings for p in f.occurrences]
    assert told == [("a", "a\\x00"), ("a.b.0", "x\\x00y"), ("a.b.1", "\\ud800z")]


@pytest.mark.parametrize("chunk_size", range(1, 12))
def test_an_escape_may_be_cut_anywhere(chunk_size: int) -> None:
    found, report = read_chunked(rb'[{"a": "x\u0000y"}]', chunk_size)
    assert found == [(0, {"a": "xy"})]
    assert [finding.code for finding in report.findings] == ["unstorable-character"]


def test_an_escaped_backslash_before_u0000_is_no_escape() -> None:
    found, report = read(rb'[{"a": "\\u0000"}]')
    assert found == [(0, {"a": "\\u0000"})]
    assert not report.findings


def test_keys_that_become_the_same_are_both_kept() -> None:
    found, _ = read(rb'[{"a": 1, "a\u0000": 2}]')
    assert found == [(0, {"a": 1, "a\ufffd": 2})]


def test_a_key_twice_is_told_with_the_value_that_is_lost() -> None:
    found, report = read(b'[{"a": {"b": 1, "b": "\\u0000", "b": "\\u0000"}}, {"c": 1, "c": true}]')
    assert found == [(0, {"a": {"b": ""}}), (1, {"c": True})]
    told = [(f.code, f.place.record, f.place.field, f.value) for f in report.findings]
    assert told == [
        ("duplicate-key", 0, "b", 1),
        ("unstorable-character", 0, "a.b", "\\x00"),
        ("duplicate-key", 1, "c", 1),
    ]


def test_records_are_counted_over_all_documents() -> None:
    report = Report()
    data = archive_bytes(("sessions", b"[{}, {}]"), ("tracks", b"[{}, {}]"))
    with opened(BytesIO(data), report, ArchiveLimits(max_records=3)) as archive:
        assert len(list(read_list(archive, "sessions", report))) == 2
        assert len(list(read_list(archive, "sessions", report))) == 2
        assert len(list(read_list(archive, "tracks", report))) == 1
    (finding,) = report.errors
    assert finding.place.entry == "tracks"


@pytest.mark.parametrize(
    "content",
    [
        "[],", "{},", "1,", '"":1,',
    ],
)  # fmt: skip
def test_a_record_of_a_million_values_is_refused(content: str) -> None:
    # Read at once, it would hold the interpreter's lock for a third of a second.
    mark = "{" if ":" in content else "["
    text = '[{"a": ' + mark + content * 1_000_000
    _, report = read(text.encode(), ArchiveLimits(max_ratio=10_000))
    assert [finding.code for finding in report.errors] == ["record-too-long"]


def test_a_long_record_of_text_is_read() -> None:
    record = {f"text{number}": "word, " * 10_000 for number in range(20)}
    found, report = read(json.dumps([record]).encode(), ArchiveLimits(max_ratio=10_000))
    assert found == [(0, record)]
    assert not report.findings


def test_an_object_may_be_no_longer_than_a_record() -> None:
    data = zip_bytes([("event", json.dumps({"a": ["x" * 900] * 9}).encode())])
    report = Report()
    limits = ArchiveLimits(max_record_bytes=5000)
    with opened(BytesIO(data), report, limits) as archive:
        assert read_object(archive, "event", report) is None
    assert [finding.code for finding in report.errors] == ["record-too-long"]


def test_damage_is_told_besides_the_error_that_it_makes() -> None:
    data = archive_bytes(("sessions", b'[{"id": 1}, {"id": 2}' + b" " * 600_000 + b"]"), method=0)
    broken = data.replace(b'"id": 2', b'"id"; 2')
    report = Report()
    with opened(BytesIO(broken), report) as archive:
        assert len(list(read_list(archive, "sessions", report))) == 1
    assert [finding.code for finding in report.errors] == ["json-syntax", "damaged-entry"]


def test_a_place_beyond_the_window_is_exact() -> None:
    stream = TextStream(iter([b"[1,\n2,\n", b"3", b"\n,x]"]))
    while not stream.ended:
        stream.position = len(stream.text)
        stream.fill(1)
    error = stream.error("json-syntax", "wrong", len(stream.text))
    assert isinstance(error, DocumentError)
    assert (error.line, error.column) == (4, 4)
