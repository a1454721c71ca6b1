"""Who works on a task: claims, heartbeats, and the fencing of attempts.

A worker claims the next task by one UPDATE, which adds 1 to its `attempt`. Every later statement
names that number and reports whether it still counted: a worker with an older one changes nothing.

No clock decides whether a worker is alive. Each heartbeat adds 1 to the row's `beat`; another
worker that sees the same number for HEARTBEAT_TIMEOUT seconds of its own takes the task back.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from eventimport.database.models import IMPORT_JOBS, ImportStatus, Task, TaskKind
from eventimport.errors import EventImportError
from eventimport.observability.logs import request_id
from eventimport.observability.tracing import current_parent

LONGEST_PAUSE: Final = timedelta(seconds=10)
"""No task is put off for longer than this."""


class StaleAttemptError(EventImportError):
    """Another worker has the task by now, or it has ended: nothing may be committed for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One attempt at a task, by the worker that claimed it. `failures` attempts have failed before,
    and for `waited` seconds the task was put off because a server was unavailable. `trace_parent`
    is the span of the request that made the task, `request_id` its id in the logs."""

    task_id: UUID
    kind: str = "import"
    attempt: int
    user_id: int
    failures: int = 0
    waited: float = 0.0
    trace_parent: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease(Claim):
    """An attempt at an import. `event_id` is that of an event that an earlier attempt committed,
    and `event_identifier` its name in URLs, which stays when the event is deleted."""

    format: str
    strict: bool
    dry_run: bool
    archive_storage: str
    archive_key: str
    event_id: int | None
    event_identifier: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    publish: bool = False
    confirm: bool = False

    @property
    def job_id(self) -> UUID:
        """The import job's id, which is the task's."""
        return self.task_id


_CLAIMED = (
    Task.id.label("task_id"),
    Task.kind,
    Task.attempt,
    Task.user_id,
    Task.failures,
    Task.waited,
    Task.trace_parent,
    Task.request_id,
)


async def add_task(connection: AsyncConnection, kind: TaskKind, *, user_id: int) -> UUID:
    """Add a task of the current request that waits for a worker, and return its id. What its kind
    has besides is a row of another table, under the same id. Imports have a statement of their own
    (`add_import`)."""
    task_id = uuid4()
    await connection.execute(
        insert(Task.__table__).values(  # type: ignore[arg-type]
            id=task_id,
            kind=kind.value,
            user_id=user_id,
            trace_parent=current_parent(),
            request_id=request_id(),
        )
    )
    return task_id


async def claim_next(
    connection: AsyncConnection, *, kinds: Collection[str], without_users: Collection[int] = ()
) -> Claim | None:
    """Claim the next waiting task of these kinds: of the user with the fewest running tasks, and
    among those of the one whose last task started first, the oldest. Tasks of `without_users` are
    passed over. None if no task waits.

    A row that another transaction holds is skipped, not waited for.
    """
    running = (
        select(Task.user_id, func.count().label("tasks"))
        .where(Task.held)
        .group_by(Task.user_id)
        .subquery()
    )
    other = aliased(Task)
    last_start = select(func.max(other.started_at)).where(other.user_id == Task.user_id)
    chosen = (
        select(Task.id)
        .outerjoin(running, running.c.user_id == Task.user_id)
        .where(_waiting(), Task.kind.in_(kinds), Task.user_id.not_in(without_users))
        .order_by(
            func.coalesce(running.c.tasks, 0),
            last_start.correlate(Task).scalar_subquery().asc().nulls_first(),
            Task.created_at,
            Task.id,
        )
        .limit(1)
        .with_for_update(of=Task, skip_locked=True)
    )
    return await _claim(connection, Task.id == chosen.scalar_subquery())


async def claim(connection: AsyncConnection, task_id: UUID) -> Claim | None:
    """Claim this task, out of its turn. None if it doesn't wait for a worker."""
    return await _claim(connection, and_(Task.id == task_id, _waiting()))


async def _claim(connection: AsyncConnection, which: ColumnElement[bool]) -> Claim | None:
    statement = (
        update(Task)
        .where(which)
        .values(
            status=ImportStatus.STARTED,
            attempt=Task.attempt + 1,
            held=True,
            beat=Task.beat + 1,
            retry_at=None,
            started_at=func.coalesce(Task.started_at, func.now()),
        )
        .returning(*_CLAIMED)
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    return Claim(**row) if row is not None else None


async def lease_import(connection: AsyncConnection, claimed: Claim) -> Lease:
    """The claimed attempt, with what its import job says."""
    job = IMPORT_JOBS.c
    statement = select(
        job.format,
        job.strict,
        job.dry_run,
        job.options,
        job.publish,
        job.confirm,
        job.archive_storage,
        job.archive_key,
        job.event_id,
        job.event_identifier,
    ).where(job.id == claimed.task_id)
    row = (await connection.execute(statement)).mappings().one()
    own = {name: getattr(claimed, name) for name in Claim.__dataclass_fields__}
    return Lease(**own, **row)


async def update_task(connection: AsyncConnection, claimed: Claim, **values: Any) -> None:
    """Change the task's row, and show that its worker is alive.

    Raises StaleAttemptError if the attempt doesn't count any more.
    """
    statement = update(Task).where(current(claimed)).values(beat=Task.beat + 1, **values)
    if (await connection.execute(statement)).rowcount != 1:
        raise StaleAttemptError(f"attempt {claimed.attempt} of task {claimed.task_id} is over")


async def update_import(connection: AsyncConnection, lease: Lease, **values: Any) -> None:
    """Change the import job's row. Raises StaleAttemptError if the attempt doesn't count any
    more."""
    await update_task(connection, lease)
    statement = update(IMPORT_JOBS).where(IMPORT_JOBS.c.id == lease.task_id).values(**values)
    await connection.execute(statement)


async def release(
    connection: AsyncConnection,
    claimed: Claim,
    *,
    pause: timedelta = timedelta(0),
    failed: bool = False,
    waited: float = 0.0,
) -> None:
    """Hand the task back, to be claimed after `pause`, at most LONGEST_PAUSE. `failed` counts the
    attempt as a failure, `waited` seconds as time in which a server was unavailable.

    Raises StaleAttemptError.
    """
    await update_task(
        connection,
        claimed,
        status=ImportStatus.PENDING,
        held=False,
        retry_at=func.now() + min(pause, LONGEST_PAUSE) if pause else None,
        failures=Task.failures + int(failed),
        waited=Task.waited + waited,
    )


async def keep_holding(connection: AsyncConnection, claimed: Claim) -> None:
    """Show that this worker still runs code of an attempt that has ended."""
    statement = update(Task).where(_held_by(claimed)).values(beat=Task.beat + 1)
    await connection.execute(statement)


async def let_go(connection: AsyncConnection, claimed: Claim) -> None:
    """This worker has stopped running code of an attempt that was cancelled."""
    await connection.execute(update(Task).where(_held_by(claimed)).values(held=False))


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat of the worker that holds a task."""

    task_id: UUID
    attempt: int
    number: int


async def last_beats(connection: AsyncConnection) -> list[Beat]:
    """The last heartbeat of each task that a worker holds."""
    statement = select(Task.id, Task.attempt, Task.beat).where(Task.held)
    return [Beat(*row) for row in await connection.execute(statement)]


def silent_since(beat: Beat) -> ColumnElement[bool]:
    """That the task's worker has sent no heartbeat since this one."""
    return and_(
        Task.id == beat.task_id, Task.attempt == beat.attempt, Task.beat == beat.number, Task.held
    )


async def take_back(connection: AsyncConnection, beat: Beat, *, max_failures: int) -> bool:
    """Take the task from a worker that is silent since this heartbeat, and count that as a failure.
    True if the task waits for another worker now. Nothing happens if the worker isn't silent, its
    row is held, or the task has failed too often for another attempt: `exhausted` selects those."""
    chosen = select(Task.id).where(silent_since(beat)).with_for_update(skip_locked=True)
    cancelled = (
        update(Task)
        .where(Task.id.in_(chosen.scalar_subquery()), Task.status != ImportStatus.STARTED)
        .values(held=False)
    )
    await connection.execute(cancelled)
    waiting = (
        update(Task)
        .where(
            Task.id.in_(chosen.scalar_subquery()),
            Task.status == ImportStatus.STARTED,
            Task.failures + 1 < max_failures,
        )
        .values(status=ImportStatus.PENDING, held=False, failures=Task.failures + 1)
    )
    return (await connection.execute(waiting)).rowcount == 1


def exhausted(beat: Beat, *, max_failures: int) -> ColumnElement[bool]:
    """That the worker is silent since this heartbeat, and the task has failed too often."""
    return and_(
        silent_since(beat),
        Task.status == ImportStatus.STARTED,
        Task.failures + 1 >= max_failures,
    )


def current(claimed: Claim) -> ColumnElement[bool]:
    """That the attempt still counts."""
    return and_(
        Task.id == claimed.task_id,
        Task.attempt == claimed.attempt,
        Task.status == ImportStatus.STARTED,
    )


def _held_by(claimed: Claim) -> ColumnElement[bool]:
    return and_(Task.id == claimed.task_id, Task.attempt == claimed.attempt, Task.held)


def _waiting() -> ColumnElement[bool]:
    # Further ahead than any pause, `retry_at` was written before the server's clock was set back.
    due = or_(
        Task.retry_at.is_(None),
        Task.retry_at <= func.now(),
        Task.retry_at > func.now() + LONGEST_PAUSE,
    )
    return and_(Task.status == ImportStatus.PENDING, due)
