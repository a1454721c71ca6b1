"""What an import plans is read again from its rows: all of it, in bounded batches."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from sqlalchemy import delete, false, text, true, update
from sqlalchemy import event as sql_event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.formats.planning import conference_of, zip_of
from tests.formats.test_nothing_lost import conferences, mended

from eventimport.conference.conference import Conference, Record, Reference
from eventimport.conference.kinds import IMPORT_ORDER, LEVELS, LINK_TABLE, SHAPES, Kind
from eventimport.conference.plan import Plan, make_plan
from eventimport.conference.report import Report
from eventimport.database.conference_reader import (
    BatchLimits,
    Selection,
    read_conference,
    read_links,
    read_records,
    read_rows,
    snapshot,
)
from eventimport.database.conference_writer import draw_ids, write_plan
from eventimport.database.event_graph import NODES
from eventimport.database.models import EventSession, SessionSpeaker
from eventimport.imports.run import new_identifier


class InvalidSourceError(Exception):
    """No event can be made of the archive."""


SMALL = BatchLimits(max_rows=2, max_bytes=3_000)


def talks(size: int) -> bytes:
    """An archive with this many sessions and speakers, each session with two of them."""
    people = [{"id": n, "name": f"Speaker {n}"} for n in range(size)]
    sessions = [
        {
            "id": n,
            "title": f"Talk {n}",
            "long_abstract": "x" * (n % 7) * 200,
            "speakers": [{"id": n}, {"id": (n + 1) % size}],
            "track": {"id": 1},
        }
        for n in range(size)
    ]
    documents = {"speakers": people, "sessions": sessions, "tracks": [{"id": 1, "name": "Main"}]}
    return zip_of({"event": {"id": 1, "name": "Conference"}, **documents})


async def imported(engine: AsyncEngine, data: bytes) -> tuple[Conference, Plan]:
    """Plan the archive's rows and write them."""
    report = Report(max_bytes=2**40, max_places=2**40)
    conference = conference_of(data, report)
    if report.errors:
        raise InvalidSourceError
    async with engine.begin() as connection:
        ids = await draw_ids(connection, conference.counts())
        plan = make_plan(conference, ids, new_identifier(), report)
        await write_plan(connection, plan.tables)
    return conference, plan


def facts(record: Record) -> dict[str, Any]:
    """What a record says, without its place in its document and its references: rows have links
    instead, and `extra` holds what the references said beyond them."""
    found = asdict(record)
    del found["index"], found["references"]
    # JSONB keeps numbers, not how they were written: 1e2 comes back as 100.
    found["extra"] = json.loads(json.dumps(found["extra"]), parse_float=Decimal, parse_int=Decimal)
    return found


def links_of(plan: Plan) -> set[tuple[int, int]]:
    (found,) = (set(table.rows) for table in plan.tables if table.table == LINK_TABLE)
    return found


async def check(engine: AsyncEngine, data: bytes, limits: BatchLimits) -> None:
    """Compare what is read from the rows with what was planned."""
    planned, plan = await imported(engine, data)
    async with snapshot(engine) as connection:
        found = await read_conference(connection, plan.event_id, limits=limits)
    assert found is not None
    conference, links = found
    for level in IMPORT_ORDER:
        expected = [facts(record) for record in planned.records[level.kind]]
        assert [facts(record) for record in conference.records[level.kind]] == expected
    assert links == links_of(plan)
    assert conference.counts() == planned.counts()
    assert [record.references for record in conference.records[Kind.SESSION]] == [
        references_of(session, planned, links) for session in planned.records[Kind.SESSION]
    ]


def references_of(
    session: Record, planned: Conference, links: set[tuple[int, int]]
) -> dict[str, tuple[Reference, ...]]:
    """What a planned session's links say as references."""
    found: dict[str, tuple[Reference, ...]] = {}
    for field in LEVELS[Kind.SESSION].references:
        ids = (
            {other for own, other in links if own == session.new_id}
            if field.many
            else {session.foreign_keys.get(field.column)}
        )
        targets = [record for record in planned.records[field.kind] if record.new_id in ids]
        if targets:
            label = LEVELS[field.kind].label
            found[field.field] = tuple(
                Reference(field.kind, record.key, record.values[label]) for record in targets
            )
    return found


async def test_the_references_lead_to_the_same_links(engine: AsyncEngine) -> None:
    _, plan = await imported(engine, talks(7))
    async with snapshot(engine) as connection:
        found = await read_conference(connection, plan.event_id, limits=SMALL)
    assert found is not None
    conference, links = found
    keys = [record.foreign_keys for record in conference.records[Kind.SESSION]]
    for record in conference.records[Kind.SESSION]:
        record.foreign_keys = {}
    ids = {
        level.table: [record.new_id for record in conference.records[level.kind]]
        for level in IMPORT_ORDER
    }

    report = Report()
    again = make_plan(conference, ids, "abcd1234", report)

    assert links_of(again) == links == links_of(plan)
    assert [record.foreign_keys for record in conference.records[Kind.SESSION]] == keys
    assert report.findings == []


@pytest.mark.without_coverage
@settings(
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(documents=conferences())
async def test_any_conference_is_read_as_it_was_planned(
    engine: AsyncEngine, documents: dict[str, Any]
) -> None:
    try:
        await check(engine, zip_of(documents, {"images/a.png": b"x"}), SMALL)
    except InvalidSourceError:
        assume(False)


async def test_the_real_conferences_are_read_as_they_were_planned(
    engine: AsyncEngine, archives: list[Path]
) -> None:
    for path in archives:
        await check(engine, mended(path), BatchLimits())


def test_every_column_is_read() -> None:
    """Only what we add to a record ourselves is left out."""
    ours = {
        *("id", "event_id", "identifier", "version", "revision", "schedule_version"),
        *("created_at", "updated_at", "published_at", "deleted_here"),
        *("taken_down_at", "taken_down_reason"),
    }
    for kind in Kind:
        read = {column.name for column in Selection().columns(kind)}
        assert {column.name for column in NODES[kind].table.c} - read <= ours, kind
        assert set(SHAPES[kind].fields) <= read


@contextmanager
def statements(engine: AsyncEngine) -> Iterator[list[tuple[str, int]]]:
    """All statements meanwhile, with the number of rows of each."""
    seen: list[tuple[str, int]] = []

    def see(*told: Any) -> None:
        seen.append((told[2], told[1].rowcount))

    sql_event.listen(engine.sync_engine, "after_cursor_execute", see)
    yield seen
    sql_event.remove(engine.sync_engine, "after_cursor_execute", see)


async def test_batches_are_bounded_in_rows(engine: AsyncEngine) -> None:
    _, plan = await imported(engine, talks(20))
    limits = BatchLimits(max_rows=6)

    async with snapshot(engine) as connection:
        with statements(engine) as seen:
            records = [
                record
                async for record in read_records(
                    connection, plan.event_id, Kind.SESSION, limits=limits
                )
            ]
        # Each batch of sessions has four more statements, one for each field with references.
        assert [rows for _, rows in seen][::5] == [6, 6, 6, 2, 0]
        assert len(seen) == 4 * 5 + 1
        with statements(engine) as seen:
            links = [link async for link in read_links(connection, plan.event_id, limits=limits)]

    assert [record.new_id for record in records] == sorted(record.new_id for record in records)
    assert [record.index for record in records] == list(range(20))
    assert links == sorted(links_of(plan))
    assert [rows for _, rows in seen] == [6] * 6 + [4, 0]


async def test_batches_are_bounded_in_bytes(engine: AsyncEngine) -> None:
    long = [{"id": n, "title": str(n), "long_abstract": "x" * 50_000} for n in range(10)]
    _, plan = await imported(engine, zip_of({"event": {"name": "Conference"}, "sessions": long}))
    limits = BatchLimits(max_bytes=120_000)

    async with snapshot(engine) as connection:
        with statements(engine) as seen:
            found = [
                row.title
                async for row in read_rows(connection, plan.event_id, Kind.SESSION, limits=limits)
            ]

    assert found == [str(n) for n in range(10)]
    assert [rows for _, rows in seen] == [3, 3, 3, 1, 0]


async def test_the_first_record_comes_before_the_last_is_read(engine: AsyncEngine) -> None:
    _, plan = await imported(engine, talks(20))

    async with snapshot(engine) as connection:
        with statements(engine) as seen:
            records = read_records(connection, plan.event_id, Kind.SESSION, limits=SMALL)
            await anext(records)
            await records.aclose()  # type: ignore[attr-defined]

    assert len(seen) == 5


async def test_a_snapshot_sees_no_later_change(engine: AsyncEngine) -> None:
    _, plan = await imported(engine, talks(6))
    titles = []

    async with snapshot(engine) as connection:
        async for row in read_rows(connection, plan.event_id, Kind.SESSION, limits=SMALL):
            titles.append(row.title)
            async with engine.begin() as other:
                await other.execute(
                    update(EventSession)
                    .where(EventSession.event_id == plan.event_id)
                    .values(title="Changed")
                )
        async with engine.begin() as other:
            await other.execute(delete(SessionSpeaker))
        links = {link async for link in read_links(connection, plan.event_id)}

    assert titles == [f"Talk {n}" for n in range(6)]
    assert links == links_of(plan)


async def test_a_snapshot_writes_nothing_and_leaves_the_connection_as_it_was(
    engine: AsyncEngine,
) -> None:
    with pytest.raises(DBAPIError, match="read-only"):
        async with snapshot(engine) as connection:
            await connection.execute(text("DELETE FROM events"))

    async with engine.begin() as connection:
        assert await connection.scalar(text("SHOW transaction_read_only")) == "off"
        assert await connection.scalar(text("SHOW transaction_isolation")) == "read committed"


async def test_a_selection_says_which_rows_and_columns_are_read(engine: AsyncEngine) -> None:
    planned, plan = await imported(engine, talks(5))
    chosen = planned.records[Kind.SESSION][1:3]
    sessions = NODES[Kind.SESSION].table
    selection = Selection(
        rows=lambda kind: (
            sessions.c.id.in_([record.new_id for record in chosen])
            if kind is Kind.SESSION
            else false()
        ),
        columns=lambda _: [sessions.c.title, sessions.c.track_id],
    )

    async with snapshot(engine) as connection:
        found = [
            record
            async for record in read_records(connection, plan.event_id, Kind.SESSION, selection)
        ]
        none = {link async for link in read_links(connection, plan.event_id, selection)}
        with_speakers = Selection(
            rows=lambda kind: true() if kind is Kind.SPEAKER else selection.rows(kind)
        )
        links = {link async for link in read_links(connection, plan.event_id, with_speakers)}

    assert none == set()
    assert [record.values for record in found] == [
        {"title": record.values["title"]} for record in chosen
    ]
    assert [(record.foreign_keys, record.references) for record in found] == [({}, {}), ({}, {})]
    ids = {record.new_id for record in chosen}
    assert links == {link for link in links_of(plan) if link[0] in ids}


async def test_other_events_are_not_read(engine: AsyncEngine) -> None:
    await imported(engine, talks(5))
    planned, plan = await imported(engine, talks(4))

    async with snapshot(engine) as connection:
        found = await read_conference(connection, plan.event_id)
        unknown = await read_conference(connection, -1)

    assert found is not None
    assert found[0].counts() == planned.counts()
    assert unknown is None
