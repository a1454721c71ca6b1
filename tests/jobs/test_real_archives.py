"""Real archives of real conferences come out complete: counts, links and times equal the JSON."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.formats.test_nothing_lost import mended
from tests.jobs.conftest import Imports

Record = dict[str, Any]
TABLES = {
    "microlocations": "microlocations",
    "sponsors": "sponsors",
    "speakers": "speakers",
    "tracks": "tracks",
    "session_types": "session_types",
    "sessions": "sessions",
}
BROKEN = "FOSSASIASummit2011"


class Json:
    """What an archive's JSON says, read without any code of the importer."""

    def __init__(self, data: bytes) -> None:
        self._documents: dict[str, Any] = {}
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in [*TABLES, "event"]:
                if name in archive.namelist():
                    self._documents[name] = json.loads(archive.read(name))

    @property
    def event(self) -> Record:
        """The event, in snake case."""
        return snake(self._documents["event"])

    def records(self, document: str) -> list[Record]:
        """The records of a document; session types, where there are none, from the sessions."""
        found: list[Record] = []
        for record in self._documents.get(document, []):
            if snake(record) not in found:
                found.append(snake(record))
        if document == "session_types" and not found:
            for session in self.records("sessions"):
                nested = session.get("session_type") or {}
                if nested.get("name") and nested["id"] not in [one["id"] for one in found]:
                    found.append(nested)
        return found

    def find(self, document: str, reference: Any) -> Record | None:
        """The record that a reference means: by id; of several of one id by name, else the first;
        and by name where no record has the id."""
        if not isinstance(reference, dict):
            reference = {"id": reference}
        label = "title" if document == "sessions" else "name"
        records = self.records(document)
        named = [r for r in records if reference.get(label) and same(r, reference, label)]
        found = [r for r in records if str(r["id"]) == str(reference.get("id"))]
        for record in found:
            if record in named:
                return record
        if found:
            return found[0]
        return named[0] if len(named) == 1 else None

    def links(self) -> set[tuple[str, str]]:
        """Titles of sessions with names of their speakers, told by either side."""
        pairs = set()
        for session in self.records("sessions"):
            for reference in session.get("speakers") or []:
                if speaker := self.find("speakers", reference):
                    pairs.add((title(session), speaker["name"]))
        for speaker in self.records("speakers"):
            for reference in speaker.get("sessions") or []:
                if found := self.find("sessions", reference):
                    pairs.add((title(found), speaker["name"]))
        return pairs


def snake(record: Record) -> Record:
    """The record with its keys in snake case."""
    return {key.replace("-", "_"): value for key, value in record.items()}


def same(one: Record, other: Record, label: str) -> bool:
    """Whether two records have one name, but for case and spaces."""
    names = [" ".join(str(record.get(label, "")).split()).casefold() for record in (one, other)]
    return names[0] == names[1]


def title(session: Record) -> str:
    """What a session is called."""
    return session.get("title") or session.get("name") or ""


async def test_the_broken_archive_fails_with_its_place(
    imports: Imports, archives: list[Path]
) -> None:
    (path,) = [path for path in archives if path.stem == BROKEN]
    job = await imports.run(path.read_bytes())
    assert job.status == "FAILURE"
    assert job.errors is not None
    (error,) = job.errors
    assert (error["meta"]["entry"], error["meta"]["line"], error["meta"]["column"]) == (
        "session_types",
        12,
        5,
    )
    assert "session_types, line 12, column 5" in error["detail"]
    assert await imports.traces() == {}


@pytest.mark.without_coverage
async def test_all_archives_are_imported_completely(imports: Imports, archives: list[Path]) -> None:
    assert len(archives) == 10
    for path in archives:
        data = mended(path)
        source = Json(data)
        job = await imports.run(data)
        assert job.status == "SUCCESS", (path.stem, job.errors)
        assert job.event_id is not None
        tables = {name: await imports.rows(name, job.event_id) for name in TABLES}
        for name, rows in tables.items():
            assert len(rows) == len(source.records(name)), (path.stem, name)
        await check_links(imports, job.event_id, source, path.stem)
        check_references(tables, source, path.stem)


async def check_links(imports: Imports, event_id: int, source: Json, name: str) -> None:
    """The links between sessions and speakers are those of the JSON."""
    sessions = {row["id"]: row["title"] for row in await imports.rows("sessions", event_id)}
    speakers = {row["id"]: row["name"] for row in await imports.rows("speakers", event_id)}
    links = {
        (sessions[link["session_id"]], speakers[link["speaker_id"]])
        for link in await imports.rows("session_speakers")
        if link["session_id"] in sessions
    }
    assert links == source.links(), name


def check_references(tables: dict[str, list[Record]], source: Json, name: str) -> None:
    """Each session has the track, room and type that the JSON says."""
    rows = {row["source_id"]: row for row in tables["sessions"]}
    for session in source.records("sessions"):
        row = rows[str(session["id"])]
        for field, document in (
            ("track", "tracks"),
            ("microlocation", "microlocations"),
            ("session_type", "session_types"),
        ):
            reference = session.get(field) or session.get(f"{field}_id")
            wanted = source.find(document, reference) if reference else None
            linked = [r for r in tables[document] if r["id"] == row[f"{field}_id"]]
            assert [r["source_id"] for r in linked] == ([str(wanted["id"])] if wanted else []), (
                name,
                session["id"],
                field,
            )


@pytest.mark.parametrize("stem", ["OSCAL2017", "RedHatSummit17"])
async def test_an_archive_imported_twice_is_two_events(
    imports: Imports, archives: list[Path], stem: str
) -> None:
    (path,) = [path for path in archives if path.stem == stem]
    first, second = [await imports.run(path.read_bytes()) for _ in range(2)]
    assert first.report is not None
    assert second.report is not None
    assert first.event_id != second.event_id
    assert first.report["counts"] == second.report["counts"]
    one, other = [await imports.rows("sessions", job.event_id) for job in (first, second)]
    assert [row["source_id"] for row in one] == [row["source_id"] for row in other]
    assert {row["track_id"] for row in one}.isdisjoint({row["track_id"] for row in other} - {None})
