"""Writes an import's rows in bulk: ids drawn ahead, then a few COPYs for each table."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.plan import Row, TableRows
from eventimport.errors import EventImportError


@dataclass(frozen=True, slots=True, kw_only=True)
class WritePace:
    """How the writing is divided, so that other tasks and the server wait for it briefly.

    `batch_rows` are the rows of one COPY. The event loop gets a turn after `longest_hold` seconds
    of encoding rows, and after `longest_making` seconds of making them: the server waits for these.
    The latter is a time, not a number of rows, because one row may hold megabytes.
    """

    batch_rows: int = 5_000
    longest_hold: float = 0.005
    longest_making: float = 0.0005
    clock: Callable[[], float] = time.monotonic


_DEFAULT_PACE = WritePace()

Progress = Callable[[str, int, int], None]


class EventWriteError(EventImportError):
    """The rows of `table` could not be written, and nothing of the import may be committed.

    `retryable` says whether the same rows may be taken later: the connection was lost, or the
    server is short of something, rather than a value being wrong.
    """

    def __init__(self, table: str, cause: Exception) -> None:
        super().__init__(f"the rows of {table} could not be written: {cause}")
        self.table = table
        self.retryable = isinstance(cause, RETRYABLE)


RETRYABLE = (
    OSError,
    asyncpg.InterfaceError,
    # What the driver makes of a connection that the server has said to end, but not ended yet.
    asyncpg.InternalClientError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
)


_FAILURES = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    OverflowError,
    TypeError,
    ValueError,
)


async def draw_ids(connection: AsyncConnection, counts: Mapping[str, int]) -> dict[str, list[int]]:
    """As many new ids for each table as `counts` says, ascending. No other caller gets them.

    They are gone for good, even if the transaction is rolled back. Raises SQLAlchemyError.
    """
    statement = text(
        "SELECT array_agg(nextval(sequence)) "
        "FROM CAST(:sequence AS regclass) AS sequence, generate_series(1, :count)"
    )
    return {
        table: await connection.scalar(statement, {"sequence": f"{table}_id_seq", "count": count})
        or []
        for table, count in counts.items()
    }


async def write_plan(
    connection: AsyncConnection,
    tables: Sequence[TableRows],
    on_progress: Progress | None = None,
    *,
    pace: WritePace = _DEFAULT_PACE,
) -> None:
    """Write all rows, tables in the order given, in the connection's transaction.

    The caller commits. `on_progress` gets the table, the rows sent so far and the table's number
    of rows, each time that the event loop gets a turn and at the end of a table. Raises
    EventWriteError, after which only a rollback is possible, SQLAlchemyError where the connection
    is lost before the first row, and RuntimeError for a connection that commits by itself.
    """
    # It costs nothing on a new connection. On one that has imported before, the checks of foreign
    # keys would go on with plans made when the tables were small, and read all of them for each
    # row. It also makes SQLAlchemy begin its transaction, without which the driver's connection
    # would commit each COPY by itself.
    await connection.exec_driver_sql("DISCARD PLANS")
    driver = (await connection.get_raw_connection()).driver_connection
    if driver is None or not driver.is_in_transaction():
        raise RuntimeError("the connection is in autocommit mode")
    async with aclosing(_batches(tables, pace)) as batches:
        async for batch in batches:
            try:
                await driver.copy_records_to_table(
                    batch.table.table,
                    columns=batch.table.columns,
                    records=_in_turns(batch, on_progress, pace),
                )
            except _FAILURES as error:
                if driver.is_closed():
                    # Else SQLAlchemy would try to roll back, and its error would hide this one.
                    await connection.invalidate()
                raise EventWriteError(batch.table.table, error) from error


@dataclass(frozen=True, slots=True)
class _Batch:
    """Rows for one COPY: `before` of the table's `total` are written already."""

    table: TableRows
    rows: list[Row]
    before: int


async def _batches(tables: Sequence[TableRows], pace: WritePace) -> AsyncGenerator[_Batch]:
    """All rows in batches. Each is made while the server has the one before: at the end of a COPY
    it checks foreign keys, which takes it longer than all else, and leaves this process idle."""
    coming = _make_batches(tables, pace)
    making = asyncio.create_task(anext(coming, None))
    try:
        while (batch := await making) is not None:
            making = asyncio.create_task(anext(coming, None))
            yield batch
    finally:
        making.cancel()
        await asyncio.gather(making, return_exceptions=True)
        await coming.aclose()


async def _make_batches(tables: Sequence[TableRows], pace: WritePace) -> AsyncGenerator[_Batch]:
    turn = pace.clock()
    for table in tables:
        before = 0
        rows: list[Row] = []
        for row in table.rows:
            rows.append(row)
            if pace.clock() - turn > pace.longest_making:
                await asyncio.sleep(0)
                turn = pace.clock()
            if len(rows) == pace.batch_rows:
                yield _Batch(table, rows, before)
                before += len(rows)
                rows = []
        if rows or not before:
            yield _Batch(table, rows, before)


async def _in_turns(
    batch: _Batch, on_progress: Progress | None, pace: WritePace
) -> AsyncIterator[Row]:
    """The rows, with a pause for the event loop whenever the driver has encoded for long.

    The driver itself pauses only when the socket is full, which it never is for a fast server.
    """
    table, total = batch.table.table, len(batch.table.rows)
    turn = pace.clock()
    for done, row in enumerate(batch.rows, batch.before):
        if pace.clock() - turn > pace.longest_hold:
            if on_progress is not None:
                on_progress(table, done, total)
            await asyncio.sleep(0)
            turn = pace.clock()
        yield row
    if on_progress is not None:
        on_progress(table, batch.before + len(batch.rows), total)
