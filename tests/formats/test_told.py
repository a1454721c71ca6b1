"""Whatever is not in an event as its archive has it has a finding."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.formats.accounting import DOCUMENTS, lost_values
from tests.formats.planning import Planned, plan_documents, plan_of, zip_of
from tests.formats.test_nothing_lost import conferences, mended

from eventimport.conference.kinds import LEVELS, SHAPES, Kind
from eventimport.formats.openevent.dialect import ADMINISTRATION, SYNONYMS, dialects, letters

DIALECTS = dialects()


def untold(planned: Planned) -> list[str]:
    """What is only in `extra`, or not stored, without a finding."""
    return [*_untold_extra(planned), *_untold_media(planned)]


def _untold_extra(planned: Planned) -> Iterator[str]:
    told: dict[tuple[str | None, str], set[int]] = {}
    for finding in planned.report.findings:
        for found in finding.occurrences:
            place = found.place
            named = told.setdefault(
                (place.entry, letters((place.field or "").split(".")[0])), set()
            )
            named.add(place.record or 0)
    counts: Counter[tuple[str | None, str]] = Counter()
    for finding in planned.report.findings:
        if finding.code == "unknown-key":
            # Two spellings of one key are two findings.
            counts[finding.place.entry, letters(finding.place.field or "")] += finding.count
    administered = "administration" in planned.codes
    for level in LEVELS.values():
        kind, entry = level.kind, planned.conference.entries[level.kind]
        kept: dict[str, int] = {}
        rows = planned.rows(level.table)
        for record, row in zip(planned.conference.records[kind], rows, strict=True):
            for key in row["extra"]:
                name = letters(key)
                field = letters(DIALECTS[kind].names(key))
                if record.index in told.get((entry, name), set()) | told.get((entry, field), set()):
                    continue
                kept[name] = kept.get(name, 0) + 1
                if name in {letters(word) for word in ADMINISTRATION} or key in ("meta", "config"):
                    if administered:
                        continue
                elif kept[name] < counts.get((entry, name), 0):
                    # Those that an unknown key's finding counts, beside the one that it names.
                    continue
                yield f"{kind} {record.index}: {key} = {row['extra'][key]!r}"


def _untold_media(planned: Planned) -> Iterator[str]:
    told = {
        (found.place.field, found.value)
        for finding in planned.report.findings
        for found in finding.occurrences
    }
    for item in planned.plan.media:
        if item.missing and (item.field, item.source[:200]) not in {
            (field, value[:200]) for field, value in told if isinstance(value, str)
        }:
            yield f"{item.table} {item.field}: {item.source!r} is missing"


def test_what_is_only_in_extra_is_told_for_the_real_archives(archives: list[Path]) -> None:
    for path in archives:
        assert untold(plan_of(mended(path))) == [], path.stem


def test_the_oracle_notices_silence() -> None:
    planned = plan_documents(
        tracks=[{"id": 1, "name": "T", "beamer": 1}],
        speakers=[{"id": 1, "name": "P", "photo": "images/a.png"}],
    )
    assert untold(planned) == []
    for code in ("unknown-key", "media-missing"):
        silent = plan_documents(
            tracks=[{"id": 1, "name": "T", "beamer": 1}],
            speakers=[{"id": 1, "name": "P", "photo": "images/a.png"}],
        )
        for key, finding in list(silent.report._found.items()):
            if finding.code == code:
                del silent.report._found[key]
        assert len(untold(silent)) == 1, code


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(conferences())
def test_nothing_of_a_generated_archive_is_silent(documents: dict[str, Any]) -> None:
    planned = plan_of(zip_of(documents, {"images/a.png": b"x"}))
    assert untold(planned) == []


TEXTS = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12
) | st.sampled_from(
    [
        *("a<b and c>d", "List<String>", "<jane@example.org>", "Q&amp;A", "1 < 2", "I <3 it"),
        *("<p>One</p>", "<b>x", "<script>x</script>", "One\n\nTwo <i>x</i>", "&lt;", "&copy"),
    ]
)
TIMES = st.sampled_from(
    [
        *("2027-03-05T09:30:00+01:00", "2027-03-05 09.30", "2027-03-05", "2027-03-28T02:30:00"),
        *("2027-10-31T02:30:00", "05/03/2027", "25:30", "0000-00-00", 1804233600, 1804233600000),
        *("1804233600", "/Date(1804233600000)/", "2027-03-05T09:30:00[Europe/Berlin]", 20270305),
        *("1927-03-05T09:30:00Z", "Fri, 05 Mar 2027 09:30:00 GMT", "2027-03-05T24:00:00", ""),
    ]
)
LENGTHS = st.sampled_from(
    [30, "45", "45 min", "PT45M", "1.5", 0.75, "01.30", "x", "90 Minuten", True]
)
STATES = st.sampled_from(
    ["accepted", "Accepted ", "completed", "scheduled", "rejected", "whatever", 1, None]
)
PATHS = st.sampled_from(
    [
        *("images/a.png", "/images/a.png", "Images\\A.PNG", "images/a.png?1430000000", "b.png"),
        *("./images//a.png", "file:///images/a.png", "C:\\a.png", "//x.example/a.png", "../a.png"),
        *("www.x.example/a.png", "https://x.example/a b.png", "javascript:x", "none", " ", 5),
    ]
)
LINKS = st.sampled_from(
    [
        *("@jane", "jane@example.social", "none", "-", "https://a.example https://b.example"),
        *("mailto:a@b.example", "example.org", "javascript:x", "Jane Doe", ["@a"], True),
    ]
)
ODD = st.one_of(
    TEXTS,
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.none(),
    st.lists(TEXTS, max_size=2),
    st.dictionaries(st.sampled_from(["en", "de", "x"]), TEXTS, max_size=2),
)
UNKNOWN = st.sampled_from(["beamer", "Coffee break", "is-mail-sent", "created_at", "x", "ünï", ""])


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _values(kind: Kind, name: str) -> st.SearchStrategy[Any]:
    shape = SHAPES[kind]
    if name in shape.times:
        return TIMES | ODD
    if name in shape.media:
        return PATHS | ODD
    if name in shape.links:
        return LINKS | ODD
    return {"length": LENGTHS | ODD, "state": STATES | ODD}.get(name, ODD)


@st.composite
def awkward_records(draw: st.DrawFn, kind: Kind) -> dict[str, Any]:
    """A record with fields in some spelling, odd values and unknown keys."""
    record: dict[str, Any] = {"id": draw(st.integers(1, 5))}
    record[LEVELS[kind].label] = draw(TEXTS)
    skipped = {"id", LEVELS[kind].label, "timezone", "deleted_at"}
    names = [name for name in SHAPES[kind].fields if name not in skipped]
    for name in draw(st.lists(st.sampled_from(names), max_size=5, unique=True)):
        spelled = draw(st.sampled_from([name, _camel(name), name.replace("_", "-")]))
        record[spelled] = draw(_values(kind, name))
    known = {reference.field for reference in LEVELS[kind].references}
    for key, name in SYNONYMS[kind].items():
        if name not in known and draw(st.integers(0, 9)) == 0:
            record[key] = draw(_values(kind, name))
    record |= draw(st.dictionaries(UNKNOWN, ODD, max_size=3))
    return record


@st.composite
def awkward_conferences(draw: st.DrawFn) -> dict[str, Any]:
    """Documents of awkward records."""
    event = {"name": "Conference", "timezone": "Europe/Berlin"}
    documents: dict[str, Any] = {"event": draw(awkward_records(Kind.EVENT)) | event}
    for document, kind in DOCUMENTS.items():
        if document != "social_links" and draw(st.booleans()):
            documents[document] = draw(st.lists(awkward_records(kind), max_size=3))
    return documents


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(awkward_conferences())
def test_nothing_of_an_awkward_archive_is_lost_or_silent(documents: dict[str, Any]) -> None:
    data = zip_of(documents, {"images/a.png": b"x"})
    planned = plan_of(data)
    assert not planned.report.errors
    assert untold(planned) == []
    assert lost_values(data, planned) == []
