"""What the database knows of all imports: the source of their metrics."""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Numeric,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    text,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.orm import InstrumentedAttribute

from eventimport.database.engine import explain
from eventimport.database.models import ImportJob, ImportStatus, MediaItem, Task
from eventimport.database.models.media import MediaOutcome
from eventimport.database.periodic_jobs import CLEAN_UP, read_counts

MAX_AGE_SECONDS = 5.0
STATEMENT_TIMEOUT = "SET LOCAL statement_timeout = '5s'"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StageTime:
    """The total duration of a stage, and the number of imports that recorded it."""

    seconds: float
    imports: int


@dataclass(frozen=True, slots=True)
class ImportStatistics:
    """A snapshot. `imports` counts by status and stage, `media` by outcome and origin; sizes are in
    bytes, ages in seconds; `waiting` are the imports that no worker has taken yet, `waiting_tasks`
    all tasks, by kind. `cleaned_up` is what was removed so far, by why."""

    imports: dict[tuple[str, str], int]
    waiting: int
    oldest_waiting: float
    waiting_tasks: dict[str, int]
    oldest_waiting_task: float
    stages: dict[str, StageTime]
    media: dict[tuple[str, str], int]
    archive_bytes: int
    media_bytes: int
    cleaned_up: dict[str, int]


@dataclass(slots=True)
class StatisticsReader:
    """Reads snapshots, one at a time and no more often than every few seconds, however many ask."""

    engine: AsyncEngine
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _last: ImportStatistics | None = None
    _read_at: float = 0.0

    async def read(self) -> ImportStatistics | None:
        """A snapshot that is at most a few seconds old; None if the database is unavailable or does
        not answer in time."""
        try:
            return await self._read()
        except (SQLAlchemyError, OSError) as error:
            logger.warning("metrics without imports: %s", explain(error))
            return None

    async def _read(self) -> ImportStatistics:
        async with self._lock:
            if self._last is None or time.monotonic() - self._read_at > MAX_AGE_SECONDS:
                async with self.engine.begin() as connection:
                    await connection.execute(text(STATEMENT_TIMEOUT))
                    self._last = await read_statistics(connection)
                self._read_at = time.monotonic()
            return self._last


@dataclass(frozen=True, slots=True)
class Backlog:
    """The tasks that wait for a worker: their number, and seconds since the oldest was made."""

    waiting: int
    oldest_seconds: float


async def unattended_backlog(connection: AsyncConnection, seconds: float) -> Backlog | None:
    """The tasks that wait if no worker empties the queue: the oldest waits for longer than this, no
    worker holds a task, and none has started one meanwhile. Else None."""
    age = func.extract("epoch", func.now() - func.min(Task.created_at))
    waits = or_(Task.retry_at.is_(None), Task.retry_at <= func.now())
    row = (
        await connection.execute(
            select(func.count(), func.coalesce(age, 0)).where(
                Task.status == ImportStatus.PENDING, waits
            )
        )
    ).one()
    backlog = Backlog(row[0], float(row[1]))
    if backlog.oldest_seconds <= seconds:
        return None
    since = func.now() - timedelta(seconds=seconds)
    attended = select(
        or_(
            exists().where(Task.held),
            exists().where(Task.started_at > since),
        )
    )
    return None if await connection.scalar(attended) else backlog


async def read_statistics(connection: AsyncConnection) -> ImportStatistics:
    """One snapshot."""
    stage = func.coalesce(ImportJob.stage, "waiting")
    jobs = await connection.execute(
        select(
            ImportJob.status,
            stage,
            func.count(),
            _total(ImportJob.archive_size),
        ).group_by(ImportJob.status, stage)
    )
    imports: dict[tuple[str, str], int] = {}
    archive_bytes = 0
    for status, name, count, size in jobs:
        imports[status, name] = count
        archive_bytes += size
    age = func.extract("epoch", func.now() - func.min(ImportJob.created_at))
    waiting = (
        await connection.execute(
            select(func.count(), func.coalesce(age, 0)).where(
                ImportJob.status == ImportStatus.PENDING
            )
        )
    ).one()
    of_kinds = (
        await connection.execute(
            select(
                Task.kind,
                func.count(),
                func.extract("epoch", func.now() - func.min(Task.created_at)),
            )
            .where(Task.status == ImportStatus.PENDING)
            .group_by(Task.kind)
        )
    ).all()
    media = (
        await connection.execute(
            select(
                MediaItem.outcome,
                MediaItem.origin,
                func.count(),
                _total(MediaItem.size),
            ).group_by(MediaItem.outcome, MediaItem.origin)
        )
    ).all()
    return ImportStatistics(
        imports=imports,
        waiting=waiting[0],
        oldest_waiting=max(0.0, float(waiting[1])),
        waiting_tasks={row[0]: row[1] for row in of_kinds},
        oldest_waiting_task=max((float(row[2]) for row in of_kinds), default=0.0),
        stages=await _read_stages(connection),
        media={(row[0], row[1]): row[2] for row in media},
        archive_bytes=archive_bytes,
        media_bytes=sum(row[3] for row in media if row[0] == MediaOutcome.MOVED),
        cleaned_up=await read_counts(connection, CLEAN_UP),
    )


def _total(sizes: InstrumentedAttribute[int | None]) -> ColumnElement[int]:
    return func.coalesce(cast(func.sum(sizes), BigInteger), literal(0))


async def _read_stages(connection: AsyncConnection) -> dict[str, StageTime]:
    told = func.jsonb_each_text(ImportJob.stage_seconds).table_valued("key", "value")
    name, seconds = told.c.key, cast(told.c.value, Numeric)
    rows = await connection.execute(
        select(name, func.sum(seconds), func.count())
        .select_from(ImportJob)
        .join(told, text("true"))
        .where(ImportJob.stage_seconds.is_not(None))
        .group_by(name)
    )
    return {row[0]: StageTime(float(row[1]), row[2]) for row in rows}
