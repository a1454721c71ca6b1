"""Each leaf value of each record of an archive is found again in its plan."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.formats.accounting import DOCUMENTS, lost_values
from tests.formats.planning import Planned, plan_of, zip_of

from eventimport.conference.kinds import LEVELS, SHAPES, Kind
from eventimport.formats.openevent.dialect import OLDER_SPELLINGS


def mended(path: Path) -> bytes:
    """The archive's bytes; in the one that misses commas between its session types, they are put
    in."""
    data = path.read_bytes()
    if path.stem != "FOSSASIASummit2011":
        return data
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for info in old.infolist():
            content = old.read(info)
            if info.filename == "session_types":
                content = b",\n".join(part for part in _objects(content))
                content = b"[" + content + b"]"
            new.writestr(info.filename, content)
    return buffer.getvalue()


def _objects(content: bytes) -> list[bytes]:
    return [
        part[: part.index(b"}") + 1] for part in content.split(b"{")[1:] for part in [b"{" + part]
    ]


def test_nothing_of_the_real_archives_is_lost(archives: list[Path]) -> None:
    for path in archives:
        data = mended(path)
        planned = plan_of(data)
        assert not planned.report.errors, path.stem
        assert lost_values(data, planned) == [], path.stem


def test_the_accounting_notices_a_loss() -> None:
    data = zip_of({"event": {"id": 1, "name": "E"}, "tracks": [{"id": 1, "name": "A", "x": "y"}]})
    planned = plan_of(data)
    assert lost_values(data, planned) == []
    tables = planned.plan.tables
    place = next(i for i, table in enumerate(tables) if table.table == "tracks")
    tracks = tables[place]
    for index, column in enumerate(tracks.columns):
        if column in ("name", "extra", "source_id"):
            (row,) = tracks.rows
            value = "{}" if column == "extra" else None
            tables[place] = replace(tracks, rows=[(*row[:index], value, *row[index + 1 :])])
            assert lost_values(data, planned), column
    tables[place] = tracks
    assert lost_values(data, planned) == []


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | TEXTS
    | st.sampled_from(
        [
            *("", "true", "2016-05-05T09:00:00+02:00", "2016-05-05T09:00:00", "01.30", "3"),
            *("<p>a<br/>b</p>", "<script>x</script>", "http://x.example/a.png", "/images/a.png"),
            *("javascript:x", "images/missing.png", "US / Pacific", "+05:30", "none", "N/A"),
            *("2027-03-05 09.30", "05/03/2027 09:30", "2027-03-05", "20270305", 20270305),
            *(1804235400, "1804235400000", "25:30", "March 5, 2027 9:30 AM", "1801-01-01T00:00Z"),
            *("a<b and x>0", "List<String> & <jane@example.org>", "one\n\n<b>two</b>", "<b>x"),
            *("Q&amp;A &lt;b&gt;", "@jane@example.social", "http//x.example", "a@x.example"),
            *(
                "https://a.example, https://b.example",
                "images\\a.png",
                "images/a.png?1",
                "C:\\a.png",
            ),
            *("//x.example/a.png", "www.x.example/a.png", "data:image/png;base64,AAAA", "pending"),
            *("Accepted ", "completed", "45 min", "PT45M", 90, "0.20", "1.5", 491701234567.0),
        ]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)
IDS = st.integers(1, 4) | st.sampled_from(["1", "2", "a"]) | st.none()
NAMES = st.sampled_from(["Ada", "ada ", "Bob", "Room 1", "Talk"])


def _spellings(kind: Kind) -> list[str]:
    names = [*SHAPES[kind].fields, *OLDER_SPELLINGS[kind], "unknown", "extra"]
    references = {reference.field for reference in LEVELS[kind].references}
    besides = {"event_copyright", "speakers_call", "copyright", "call_for_papers"}
    besides |= {f"{name}_id" for name in references}
    besides |= {"require", "include"}
    return [
        spelled
        for name in names
        if name not in besides
        for spelled in {name, name.replace("_", "-")}
    ]


def _references(kind: Kind) -> st.SearchStrategy[dict[str, Any]]:
    possible: dict[str, st.SearchStrategy[Any]] = {}
    for reference in LEVELS[kind].references:
        label = LEVELS[reference.kind].label
        nested = st.fixed_dictionaries(
            {"id": IDS},
            optional={label: NAMES, "color": SCALARS, "length": SCALARS, "unknown": SCALARS},
        )
        one: st.SearchStrategy[Any] = st.integers(1, 4) | nested | st.just({})
        possible[reference.field] = st.lists(one, max_size=3) if reference.many else one
    return st.fixed_dictionaries({}, optional=possible)


@st.composite
def records(draw: st.DrawFn, kind: Kind) -> dict[str, Any]:
    """One record of a kind: some fields in some spelling, some of them with odd values."""
    result = draw(st.dictionaries(st.sampled_from(_spellings(kind)), VALUES, max_size=6))
    result |= draw(_references(kind))
    result |= {"id": draw(IDS), LEVELS[kind].label: draw(NAMES)}
    return result


@st.composite
def conferences(draw: st.DrawFn) -> dict[str, Any]:
    """The documents of a conference; some of them are missing."""
    event = draw(st.dictionaries(st.sampled_from(_spellings(Kind.EVENT)), VALUES, max_size=6))
    event = {key: value for key, value in event.items() if key.replace("-", "_") != "social_links"}
    event |= {"name": "Conference"}
    documents: dict[str, Any] = {"event": event}
    for document, kind in DOCUMENTS.items():
        if draw(st.booleans()):
            documents[document] = draw(st.lists(records(kind), max_size=3))
    return documents


@pytest.mark.without_coverage
@pytest.mark.slow
@settings(max_examples=200)
@given(conferences())
def test_nothing_of_a_generated_archive_is_lost(documents: dict[str, Any]) -> None:
    data = zip_of(documents, {"images/a.png": b"x"})
    planned: Planned = plan_of(data)
    assert lost_values(data, planned) == [], json.dumps(documents)
