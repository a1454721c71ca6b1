"""XML is cleaned, bounded and parsed strictly, whatever stands in it."""

import subprocess
import sys
import textwrap
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from eventimport.conference.report import Finding, Report, Severity
from eventimport.formats.bounded_xml.reader import Step, read_xml, text_of, value_of
from eventimport.formats.limits import ArchiveError, ArchiveLimits

LIMITS = ArchiveLimits()
CONTAINERS = {"schedule", "day", "room"}


def walk(
    document: str | bytes, limits: ArchiveLimits = LIMITS, size: int = 1000
) -> tuple[list[tuple[str, str, Any]], list[Finding]]:
    """The steps of a document, which comes in chunks of `size`, and the findings."""
    data = document.encode() if isinstance(document, str) else document
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    report = Report()
    steps: list[tuple[str, str, Any]] = []
    for each in read_xml(chunks, CONTAINERS, limits, report):
        said: Any = each.text if each.step is Step.CLOSE else dict(each.element.attrib)
        if each.step is Step.RECORD:
            said = value_of(each.element)
        steps.append((each.step.value, each.name, said))
    return steps, report.findings


def text(document: str | bytes) -> tuple[str, list[str]]:
    """The text of the only record, and the codes of the findings."""
    steps, findings = walk(document)
    [value] = [value for step, _, value in steps if step == "record"]
    return value, [finding.code for finding in findings]


def error(document: str | bytes, limits: ArchiveLimits = LIMITS) -> ArchiveError:
    with pytest.raises(ArchiveError) as found:
        walk(document, limits)
    return found.value


def outcome(data: bytes, size: int) -> tuple[list[tuple[str, str, Any]], ArchiveError | None]:
    try:
        return walk(data, size=size)[0], None
    except ArchiveError as error:
        return [], error


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_records_come_in_the_order_of_the_document(size: int) -> None:
    document = """<?xml version="1.0"?>
<!-- before --><schedule><version>1</version>stray
  <day index="1"><room name="A"><event id="1"><room>A</room><title>x</title></event>
    <event id="2"/></room><room name="B"/></day><!-- between -->
  <day index="2">also <note/>stray</day><conference><room name="inner"/></conference>
</schedule>"""
    steps, findings = walk(document, size=size)
    assert steps == [
        ("open", "schedule", {}),
        ("record", "version", "1"),
        ("open", "day", {"index": "1"}),
        ("open", "room", {"name": "A"}),
        ("record", "event", {"@id": "1", "room": "A", "title": "x"}),
        ("record", "event", {"@id": "2"}),
        ("close", "room", ""),
        ("open", "room", {"name": "B"}),
        ("close", "room", ""),
        ("close", "day", ""),
        ("open", "day", {"index": "2"}),
        ("record", "note", ""),
        ("close", "day", "also stray"),
        ("record", "conference", {"room": {"@name": "inner"}}),
        ("close", "schedule", "stray\n  "),
    ]
    assert not findings


def test_the_root_is_a_container_whatever_it_is_called() -> None:
    steps, _ = walk('<x:feed xmlns:x="urn:x"><x:item>1</x:item></x:feed>')
    assert steps == [("open", "feed", {}), ("record", "item", "1"), ("close", "feed", "")]


def test_prefixes_do_not_count() -> None:
    steps, _ = walk("<schedule xmlns:p='urn:p'><p:title p:a='1'>x</p:title></schedule>")
    assert steps[1] == ("record", "title", {"@a": "1", "#text": "x"})


def test_a_value_holds_all_that_an_element_says() -> None:
    document = '<schedule><a n="1">t<b/><b>x</b>u<c d="e">f</c></a></schedule>'
    steps, _ = walk(document)
    assert steps[1][2] == {"@n": "1", "#text": "tu", "b": ["", "x"], "c": {"@d": "e", "#text": "f"}}


@pytest.mark.parametrize(
    ("given", "expected", "code"),
    [
        ("a & b", "a & b", "bare-ampersand"),
        ("a &amp b", "a &amp b", "bare-ampersand"),
        ("a &unknown; b", "a &unknown; b", "bare-ampersand"),
        ("a&&amp;&b", "a&&&b", "bare-ampersand"),
        ("1 < 2", "1 < 2", "bare-less-than"),
        ("a &nbsp;b &hearts; &AMP;", "a \xa0b ♥ &", "html-entity"),
        ("x&LT;b&GT;", "x<b>", "html-entity"),
        ("x\x06y\x00\x0b", "xy", "control-character"),
        ("x&#6;y&#x0;&#X1F;z", "xyz", "control-character"),
        ("x\ufffey\uffffz", "xyz", "control-character"),
        ("a ]]> b", "a ]]> b", "cdata-end"),
        ("x&#xD800;y", "x\ufffdy", "bad-reference"),
        ("x&#1114112;y", "x\ufffdy", "bad-reference"),
        ("x&#X41;y&#0065;&#13;", "xAyA\r", None),
        ("&amp;amp; &lt;p&gt; &quot;&apos;", "&amp; <p> \"'", None),
        ("<![CDATA[a & b &nbsp; <c> &#6;]]>", "a & b &nbsp; <c> &#6;", None),
        ("a<!-- & &nbsp; <! < -->b", "ab", None),
    ],
)
def test_text_is_repaired(given: str, expected: str, code: str | None) -> None:
    found, codes = text(f"<schedule><t>{given}</t></schedule>")
    assert found == expected
    assert codes == ([code] if code else [])


def test_attributes_are_repaired() -> None:
    steps, findings = walk('<schedule><a b="x & y &eacute; &lt; < &#6;">1</a></schedule>')
    assert steps[1][2] == {"@b": "x & y é < < ", "#text": "1"}
    assert {finding.severity for finding in findings} == {Severity.REPAIR}


def test_ampersands_after_a_repair_stay() -> None:
    """lxml's `recover` drops each `&amp;` after the first error."""
    found, _ = text("<schedule><t>\x06 P &amp; Q &amp; R &lt; S</t></schedule>")
    assert found == " P & Q & R < S"


def test_repairs_say_the_line_and_are_counted() -> None:
    _, [finding] = walk("<schedule>\n<t>ok</t>\n<t>a & b</t>\n<t>c & d & e</t>\n</schedule>")
    assert (finding.place.line, finding.count) == (3, 3)
    assert [other.place.line for other in finding.others] == [4, 4]
    assert finding.severity is Severity.REPAIR


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_sections_may_be_cut_anywhere(size: int) -> None:
    sections = "<![CDATA[a > b & ]] > c]]>&amp;<!-- > & - > --><?pi > & ?>d"
    document = f"<schedule><t>{sections}</t></schedule>"
    steps, findings = walk(document, size=size)
    assert steps[1][2] == "a > b & ]] > c&d"
    assert not findings


@pytest.mark.parametrize(
    ("data", "codes"),
    [
        ("<schedule><t>Zoë</t></schedule>".encode(), []),
        ("\ufeff<schedule><t>Zoë</t></schedule>".encode(), ["byte-order-mark"]),
        (
            "\n \r\n<?xml version='1.0'?><schedule><t>Zoë</t></schedule>".encode(),
            ["leading-blanks"],
        ),
        ("\n<schedule><t>Zoë</t></schedule>".encode(), []),
        ("<?xml version='1.0' encoding='UTF-8'?><schedule><t>Zoë</t></schedule>".encode(), []),
        ("<?xml version='1.1'?><schedule><t>Zoë</t></schedule>".encode(), []),
        (
            "<?xml version='1.0' encoding='utf-8'?><schedule><t>Zoë</t></schedule>".encode(
                "cp1252"
            ),
            ["bad-encoding"],
        ),
        ("<schedule><t>Zoë</t></schedule>".encode("latin-1"), ["bad-encoding"]),
        (
            "<?xml version='1.0' encoding='ISO-8859-1'?><schedule><t>Zoë</t></schedule>".encode(
                "latin-1"
            ),
            [],
        ),
        ("<schedule><t>Zoë</t></schedule>".encode("utf-16"), []),
        ("<schedule><t>Zoë</t></schedule>".encode("utf-16-le"), []),
        ("<schedule><t>Zoë</t></schedule>".encode("utf-16-be"), []),
        ("<schedule><t>Zoë</t></schedule>".encode("utf-32"), []),
        (
            "<?xml version='1.0' encoding='utf-16'?><schedule><t>Zoë</t></schedule>".encode(),
            ["declared-encoding"],
        ),
        (
            "<?xml version='1.0' encoding='zlib_codec'?><schedule><t>Zoë</t></schedule>".encode(),
            ["declared-encoding"],
        ),
        (
            "<?xml version='1.0' encoding='windows-1250'?><schedule><t>Zoë</t></schedule>".encode(
                "cp1250"
            ),
            [],
        ),
    ],
)
def test_encodings(data: bytes, codes: list[str]) -> None:
    assert text(data) == ("Zoë", codes)


def test_one_foreign_byte_spoils_no_other_character() -> None:
    found, codes = text("<schedule><t>Zoë, ".encode() + b"caf\xe9 \x93q\x94" + b"</t></schedule>")
    assert found == "Zoë, café “q”"
    assert codes == ["bad-encoding"]


@pytest.mark.parametrize(
    "document",
    [
        "<!DOCTYPE schedule><schedule/>",
        '<?xml version="1.0"?>\n<!doctype schedule SYSTEM "http://example.org/x.dtd"><schedule/>',
        '<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><schedule><t>&x;</t></schedule>',
        '<!DOCTYPE s [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><schedule>&b;</schedule>',
        '<!DOCTYPE s [<!ENTITY % p SYSTEM "http://example.org/e">%p;]><schedule/>',
        "<schedule><!DOCTYPE x></schedule>",
    ],
)
def test_a_document_type_is_rejected(document: str) -> None:
    found = error(document)
    assert found.code == "doctype"
    assert found.place.line is not None


def test_entities_that_nothing_defines_are_text() -> None:
    assert text("<schedule><t>&xxe;</t></schedule>") == ("&xxe;", ["bare-ampersand"])


@pytest.mark.parametrize(
    ("document", "line"),
    [
        ("<schedule>\n<t>x</u>\n</schedule>", 2),
        ("<schedule>\n\n<t>", 3),
        ("<schedule><t a='1' a='2'/></schedule>", 1),
        ("<schedule/>\n<schedule/>", 2),
        ("<schedule>\n<p:title>x</p:title></schedule>", 2),
        ("<schedule>\n<t a=1/></schedule>", 2),
    ],
)
def test_other_errors_are_not_repaired(document: str, line: int) -> None:
    found = error(document)
    assert found.code == "invalid-xml"
    assert found.place.line == line


@pytest.mark.parametrize("document", ["", "  \n", "BEGIN:VCALENDAR", "{}", "\ufeff", "\0\0\0", "<"])
def test_what_is_not_xml(document: str) -> None:
    assert error(document).code in {"not-xml", "invalid-xml"}


@pytest.mark.parametrize(
    ("document", "change", "code"),
    [
        ("<schedule>" + "<a>" * 300, {}, "too-deep"),
        ("<schedule>" + "<day>" * 300, {}, "too-deep"),
        ("<schedule><a>" + "<b/>" * 60_000, {"max_record_values": 5_000}, "too-many-values"),
        ("<schedule>" + "<b/>" * 6_000, {"max_values": 5_000}, "too-many-values"),
        (f"<schedule><a b='{'x' * 2_000}'/>", {"max_string_length": 1_000}, "text-too-long"),
        (f"<schedule><a>{'x' * 2_000}</a>", {"max_string_length": 1_000}, "text-too-long"),
        (f"<schedule><a {'x' * 300_000}", {"max_record_bytes": 100_000}, "record-too-large"),
        (f"<schedule><!-- {'x' * 300_000}", {"max_record_bytes": 100_000}, "record-too-large"),
        (f"<schedule>{'x>' * 200_000}", {"max_record_bytes": 100_000}, "record-too-large"),
        ("<schedule>" + "& " * 3_000, {"max_values": 1_000}, "too-many-repairs"),
        (
            "<schedule><a " + " ".join(f"x{n}=''" for n in range(20_000)) + "/></schedule>",
            {"max_record_values": 10_000},
            "too-many-values",
        ),
    ],
)
def test_limits(document: str, change: dict[str, Any], code: str) -> None:
    found = error(document + "</schedule>", replace(LIMITS, **change))
    assert found.code == code
    if code != "too-deep":
        assert "MAX_" in found.message


def test_the_check_stops_the_walk() -> None:
    class StoppedError(Exception):
        pass

    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise StoppedError

    chunks = (b"<schedule>" if not n else b"<t>x</t>" * 20_000 for n in range(1_000_000))
    with pytest.raises(StoppedError):
        for _ in read_xml(chunks, CONTAINERS, LIMITS, Report(), check=check):
            pass


HOSTILE = {
    "a million events": "b'<schedule><day><room>' + b'<event/>' * 1_000_000",
    "rooms": "b'<schedule><day>' + b'<room/>' * 300_000",
    "one huge tag": "b'<schedule><a ' + b'x=\"1\" ' * 10_000_000",
    "a million attributes": "b'<s><a ' + b' '.join(b'x%d=\"\"' % n for n in range(1_000_000))",
    "a long text": "b'<schedule><a>' + b'x' * 60_000_000",
    "ampersands": "b'<schedule><a>' + b'&' * 20_000_000",
    "foreign bytes": "b'<schedule><a>' + b'\\xe9<b/>' * 4_000_000",
    "nested": "b'<schedule>' + b'<a>' * 10_000_000",
    "namespaces": "b'<s ' + b' '.join(b'xmlns:x%d=\"y\"' % n for n in range(300_000)) + b'/>'",
    "comments": "b'<schedule>' + b'<!---->' * 5_000_000",
    "blanks": "b' ' * 60_000_000",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents_end_in_bounded_memory(name: str) -> None:
    """In a process of its own, whose data may grow by 300 MB beyond the document."""
    program = f"""
        import resource
        from eventimport.conference.report import Report
        from eventimport.formats.bounded_xml.reader import read_xml
        from eventimport.formats.limits import ArchiveError, ArchiveLimits

        data = {HOSTILE[name]}
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        chunks = (data[at : at + 2**20] for at in range(0, len(data), 2**20))
        steps = 0
        try:
            for step in read_xml(chunks, {CONTAINERS!r}, ArchiveLimits(), Report()):
                steps += 1
        except ArchiveError as error:
            print(error.code)
        else:
            print(steps)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.strip()


PARTS = [
    *("<a>", "</a>", "<day>", "</day>", "<room n='1'>", "</room>", "&", "&amp;", "&nbsp;", "<"),
    *("<![CDATA[", "]]>", "<!--", "-->", "<?x", "?>", "<!", "é", "\x06", ">", "'", "x", "\n"),
]


@given(st.lists(st.sampled_from(PARTS), max_size=40), st.integers(1, 50))
def test_anything_ends_in_steps_or_an_explained_error(parts: list[str], size: int) -> None:
    document = "<schedule>" + "".join(parts) + "</schedule>"
    steps, rejection = outcome(document.encode(), size)
    if rejection is None:
        assert steps[0][:2] == ("open", "schedule")
        assert steps[-1][:2] == ("close", "schedule")
    else:
        assert rejection.code in {"invalid-xml", "doctype"}
        assert rejection.place.line is not None


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_end_in_steps_or_an_explained_error(data: bytes, size: int) -> None:
    steps, rejection = outcome(data, size)
    assert steps or (rejection and rejection.message)


_TEXTS = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\ufffe\uffff").filter(
        lambda character: ord(character) >= 32 or character in "\t\n"
    ),
    max_size=20,
)


@given(_TEXTS, _TEXTS, st.sampled_from(["utf-8", "utf-16", "windows-1252", "iso-8859-15", "ascii"]))
def test_what_lxml_writes_is_read_unchanged(text: str, attribute: str, encoding: str) -> None:
    root = etree.Element("schedule")
    etree.SubElement(root, "t", a=attribute).text = text
    data = etree.tostring(root, encoding=encoding, xml_declaration=True)
    steps, findings = walk(data, size=17)
    expected: Any = {"@a": attribute}
    if text.strip():
        expected["#text"] = text
    assert steps[1][2] == expected
    assert not findings


def test_text_of_an_element_is_all_text_in_it() -> None:
    steps = read_xml([b"<schedule><t>a<b>b</b>c</t></schedule>"], CONTAINERS, LIMITS, Report())
    assert [text_of(step.element) for step in steps if step.step is Step.RECORD] == ["abc"]
