"""The bulk writer: all rows or none, as they were given, without holding the event loop."""

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from eventimport.conference.plan import Row, TableRows
from eventimport.database.conference_writer import EventWriteError, WritePace, draw_ids, write_plan
from eventimport.database.models import (
    Base,
    Event,
    EventSession,
    SessionSpeaker,
    Speaker,
    Track,
)

TABLES = ("events", "speakers", "tracks", "sessions", "session_speakers")


async def conference(engine: AsyncEngine, *, size: int = 3) -> list[TableRows]:
    """A small event: as many speakers, tracks, sessions and links as `size` says."""
    counts = {"events": 1, "speakers": size, "tracks": size, "sessions": size}
    async with engine.begin() as connection:
        ids = await draw_ids(connection, counts)
    event_id = ids["events"][0]
    people, tracks, sessions = ids["speakers"], ids["tracks"], ids["sessions"]
    return [
        TableRows("events", ("id", "identifier", "name"), [(event_id, f"e{event_id}", "Event")]),
        TableRows("speakers", ("id", "event_id", "name"), [(i, event_id, "Ada") for i in people]),
        TableRows("tracks", ("id", "event_id", "name"), [(i, event_id, "Science") for i in tracks]),
        TableRows(
            "sessions",
            ("id", "event_id", "title", "track_id"),
            [(i, event_id, "Talk", track) for i, track in zip(sessions, tracks, strict=True)],
        ),
        TableRows(
            "session_speakers",
            ("session_id", "speaker_id"),
            list(zip(sessions, people, strict=True)),
        ),
    ]


async def counts(engine: AsyncEngine) -> dict[str, int]:
    async with engine.connect() as connection:
        return {
            name: await connection.scalar(
                select(func.count()).select_from(Base.metadata.tables[name])
            )
            or 0
            for name in TABLES
        }


NOTHING = dict.fromkeys(TABLES, 0)


async def test_all_rows_are_written_in_the_callers_transaction(engine: AsyncEngine) -> None:
    tables = await conference(engine)
    async with engine.begin() as connection:
        await write_plan(connection, tables)
        assert await counts(engine) == NOTHING
    assert await counts(engine) == {**dict.fromkeys(TABLES, 3), "events": 1}


@pytest.mark.parametrize("failing", range(len(TABLES)))
async def test_nothing_remains_when_a_table_cannot_be_written(
    engine: AsyncEngine, failing: int
) -> None:
    tables = await conference(engine)
    rows = [*tables[failing].rows]
    tables[failing] = replace(tables[failing], rows=[*rows, rows[0]])
    with pytest.raises(EventWriteError, match="duplicate key") as caught:
        async with engine.begin() as connection:
            await write_plan(connection, tables)
    assert caught.value.table == TABLES[failing]
    assert not caught.value.retryable
    assert await counts(engine) == NOTHING


async def test_a_rollback_takes_back_what_a_new_connection_wrote(engine: AsyncEngine) -> None:
    tables = await conference(engine)
    await engine.dispose()
    async with engine.connect() as connection, connection.begin() as transaction:
        await write_plan(connection, tables)
        await transaction.rollback()
    assert await counts(engine) == NOTHING


async def test_a_connection_that_commits_by_itself_is_refused(engine: AsyncEngine) -> None:
    tables = await conference(engine)
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        with pytest.raises(RuntimeError, match="autocommit"):
            await write_plan(connection, tables)
    assert await counts(engine) == NOTHING


async def test_values_come_back_as_they_were_given(engine: AsyncEngine) -> None:
    starts_at = datetime(2026, 2, 28, 23, 59, 59, 999999, tzinfo=UTC)
    extra = {"größe": [1, 2.5, None, {"deep": True}], "quote": 'a "b" \\ c', "emoji": "🎤"}
    event: dict[str, Any] = {
        "id": 7_000_000_000,
        "identifier": "a1b2c3d4",
        "name": "Tab\tnewline\nbackslash \\N comma, quote '\"",
        "description": "",
        "topic": None,
        "starts_at": starts_at,
        "latitude": 48.2082,
        "is_sessions_speakers_enabled": False,
        "extra": json.dumps(extra),
    }
    rows = TableRows("events", tuple(event), [tuple(event.values())])
    async with engine.begin() as connection:
        await write_plan(connection, [rows])
        columns = [Event.__table__.c[name] for name in event]
        found = (await connection.execute(select(*columns))).one()._asdict()
        defaults = (await connection.execute(select(Event.version, Event.timezone))).one()
    assert found == {**event, "extra": extra}
    assert tuple(defaults) == (1, "UTC")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("name", "nul \x00 character"),
        ("name", "lone surrogate \ud800"),
        ("name", 5),
        ("name", None),
        ("version", 2**31),
        ("version", "one"),
        ("extra", '"\\u0000"'),
        ("extra", "{not json"),
        ("starts_at", "2026-01-01"),
        ("no_such_column", 1),
    ],
)
async def test_a_value_that_the_column_cannot_hold_is_told(
    engine: AsyncEngine, column: str, value: Any
) -> None:
    row = {"id": 1, "identifier": "a", "name": "b", column: value}
    rows = TableRows("events", tuple(row), [tuple(row.values())])
    with pytest.raises(EventWriteError, match="events") as caught:
        async with engine.begin() as connection:
            await write_plan(connection, [rows])
    assert not caught.value.retryable
    assert await counts(engine) == NOTHING


async def end_backend(url: str, pid: int) -> None:
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
    await connection.close()


async def test_a_connection_lost_half_way_may_be_tried_again(
    engine: AsyncEngine, database_url: str
) -> None:
    tables = await conference(engine)

    async def write() -> None:
        async with engine.begin() as connection:
            pid = await connection.scalar(text("SELECT pg_backend_pid()"))

            def lose(table: str, done: int, total: int) -> None:
                if table == "tracks":
                    with ThreadPoolExecutor(1) as executor:
                        executor.submit(asyncio.run, end_backend(database_url, pid)).result()

            await write_plan(connection, tables, lose)

    with pytest.raises(EventWriteError) as caught:
        await write()
    assert caught.value.retryable
    assert await counts(engine) == NOTHING


async def test_a_connection_that_is_about_to_be_lost_may_be_tried_again(
    engine: AsyncEngine,
) -> None:
    """The server's last message has come, the end of the connection has not."""
    fields = b"SFATAL\0C57P01\0Mterminating connection\0\0"
    message = b"E" + (len(fields) + 4).to_bytes(4, "big") + fields

    async def write() -> None:
        async with engine.begin() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            protocol = driver._protocol

            class Rows(list[tuple[Any, ...]]):
                """Read after the writer's first statement, and before its first COPY."""

                def __iter__(self) -> Iterator[tuple[Any, ...]]:
                    protocol.data_received(message)
                    return super().__iter__()

            rows = Rows([(1, "a", "b")])
            await write_plan(connection, [TableRows("events", ("id", "identifier", "name"), rows)])

    with pytest.raises(EventWriteError) as caught:
        await write()
    assert isinstance(caught.value.__cause__, asyncpg.InternalClientError)
    assert caught.value.retryable
    assert await counts(engine) == NOTHING


async def test_a_cancelled_import_leaves_no_trace(engine: AsyncEngine) -> None:
    tables = await conference(engine)

    async def write(on_progress: Callable[[str, int, int], None]) -> None:
        async with engine.begin() as connection:
            await write_plan(connection, tables, on_progress)

    def cancel(table: str, done: int, total: int) -> None:
        if table == "sessions":
            task.cancel()

    task = asyncio.create_task(write(cancel))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await counts(engine) == NOTHING


async def test_other_tasks_get_their_turn(engine: AsyncEngine) -> None:
    tables = await conference(engine, size=100)
    turns: list[int] = []
    told: list[tuple[str, int, int]] = []

    def on_progress(table: str, done: int, total: int) -> None:
        told.append((table, done, total))
        asyncio.get_running_loop().call_soon(turns.append, len(told))

    async with engine.begin() as connection:
        await write_plan(connection, tables, on_progress, pace=WritePace(longest_hold=-1.0))
    sessions = [(done, total) for table, done, total in told if table == "sessions"]
    assert sessions == [(done, 100) for done in range(101)]
    # A turn between any two rows: none had to wait for the next.
    assert turns == list(range(1, len(told) + 1))


async def test_rows_that_take_long_to_make_leave_turns_to_others(
    engine: AsyncEngine,
) -> None:
    now = 0.0
    turns = 0
    made_at: list[int] = []

    class SlowRows(list[Row]):
        def __iter__(self) -> Iterator[Row]:
            nonlocal now
            for row in super().__iter__():
                now += 1.0
                made_at.append(turns)
                yield row

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    tables = await conference(engine, size=10)
    tables[3] = replace(tables[3], rows=SlowRows(tables[3].rows))
    counting = asyncio.create_task(count_turns())
    async with engine.begin() as connection:
        await write_plan(connection, tables, pace=WritePace(clock=lambda: now))
    counting.cancel()
    assert len(set(made_at)) == len(made_at) == 10


async def test_a_table_may_be_written_in_batches(engine: AsyncEngine) -> None:
    pace = WritePace(batch_rows=7, longest_making=-1.0)
    tables = await conference(engine, size=21)
    tables[1] = replace(tables[1], rows=[*tables[1].rows][:20])
    tables[4] = replace(tables[4], rows=[])
    told: list[tuple[str, int, int]] = []
    async with engine.begin() as connection:
        await write_plan(connection, tables, lambda *progress: told.append(progress), pace=pace)
    assert told == [
        ("events", 1, 1),
        *[("speakers", done, 20) for done in (7, 14, 20)],
        *[("tracks", done, 21) for done in (7, 14, 21)],
        *[("sessions", done, 21) for done in (7, 14, 21)],
        ("session_speakers", 0, 0),
    ]
    expected = {"events": 1, "speakers": 20, "tracks": 21, "sessions": 21, "session_speakers": 0}
    assert await counts(engine) == expected


async def test_foreign_keys_are_not_checked_by_plans_for_small_tables(engine: AsyncEngine) -> None:
    small = [await conference(engine, size=10) for _ in range(2)]
    large = await conference(engine, size=1000)
    async with engine.connect() as connection:
        async with connection.begin():
            await write_plan(connection, small[0])
        async with connection.begin():
            # As autovacuum would: only where PostgreSQL knows that a table is small does it plan
            # to read all of it.
            await connection.execute(text("ANALYZE speakers, tracks, sessions"))
        async with connection.begin():
            await write_plan(connection, small[1])
        async with connection.begin():
            await write_plan(connection, large)
            read = await connection.scalar(
                text(
                    "SELECT sum(seq_tup_read) FROM pg_stat_xact_user_tables "
                    "WHERE relname IN ('speakers', 'tracks', 'sessions')"
                )
            )
    assert read < 10_000


async def test_ids_are_drawn_once_only_and_ascend(engine: AsyncEngine) -> None:
    async def draw() -> list[int]:
        async with engine.begin() as connection:
            drawn = await draw_ids(connection, {"sessions": 500, "tracks": 0})
        assert drawn["tracks"] == []
        return drawn["sessions"]

    drawn = await asyncio.gather(*(draw() for _ in range(8)))
    for ids in drawn:
        assert len(ids) == 500
        assert ids == sorted(ids)
    assert len({number for ids in drawn for number in ids}) == 8 * 500


async def test_ids_drawn_are_not_given_out_by_the_tables_themselves(engine: AsyncEngine) -> None:
    tables = await conference(engine)
    async with engine.begin() as connection:
        await write_plan(connection, tables)
        event_id = next(iter(tables[0].rows))[0]
        for model in (Speaker, Track, EventSession):
            await connection.execute(insert(model).values(event_id=event_id))
        links = await connection.scalar(select(func.count()).select_from(SessionSpeaker))
    assert links == 3
