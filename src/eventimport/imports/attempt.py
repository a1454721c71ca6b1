"""One attempt at a task: its heartbeat and progress, and what follows if it is interrupted."""

import asyncio
import contextvars
import gc
import logging
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeVar

from asyncpg import UniqueViolationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from eventimport.database.conference_writer import EventWriteError
from eventimport.database.endings import fail
from eventimport.database.engine import is_unavailable, when_available
from eventimport.database.tasks import (
    LONGEST_PAUSE,
    Claim,
    Lease,
    StaleAttemptError,
    keep_holding,
    let_go,
    release,
    update_task,
)
from eventimport.errors import Problem
from eventimport.imports.endings import Reasons, new_report_of, words_of
from eventimport.observability import logs
from eventimport.observability.tracing import job_span
from eventimport.resources import Resources
from eventimport.settings import Settings
from eventimport.storage.protocol import ObjectNotFoundError, StorageError

PROGRESS_SECONDS: Final = 0.25
"""Progress is written to the database at most once in this time."""

FIRST_PAUSE: Final = 0.5
"""Seconds until the second attempt."""

ENDED: Final = "done"
"""The stage in which nothing happens any more."""

_Result = TypeVar("_Result")
logger = logging.getLogger(__name__)


class AttemptStoppedError(Exception):
    """Raised in a worker's thread whose attempt was cancelled meanwhile."""


@dataclass(slots=True)
class TaskAttempt:
    """What a running task shows of itself. `show` may be called from any thread, and any number of
    times: a few times a second, the latest progress is written to the row. `seconds` says how long
    each stage took. `is_ending` is set before the attempt ends its task: from then on the heartbeat
    doesn't cancel it. `threads` are those that still run its code."""

    claimed: Claim
    stage: str = "reading"
    message: str = "Reading the archive"
    done: int = 0
    total: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)
    is_ending: bool = False
    threads: set[asyncio.Future[Any]] = field(default_factory=set)
    seconds: dict[str, float] = field(default_factory=dict)
    _entered: float = field(default_factory=time.monotonic)

    def show(self, message: str, done: int, total: int) -> None:
        """Record the progress. Raises AttemptStoppedError when the attempt is to end."""
        self.check()
        self.message = f"{message} ({done}/{total})" if total else f"{message} ({done})"
        self.done = done
        self.total = total

    def check(self) -> None:
        """Raise AttemptStoppedError if the attempt is to end. Cheap enough for each record."""
        if self.stopped.is_set():
            raise AttemptStoppedError

    def enter(self, stage: str, message: str) -> None:
        """Begin a stage, and end the one before."""
        now = time.monotonic()
        self.seconds[self.stage] = self.seconds.get(self.stage, 0.0) + now - self._entered
        self._entered = now
        self.stage = stage
        self.message = message
        self.done = self.total = 0

    def times(self) -> dict[str, float]:
        """How long each stage took, the current one until now, in seconds to the millisecond."""
        running = self.seconds.get(self.stage, 0.0) + time.monotonic() - self._entered
        return {
            stage: round(seconds, 3)
            for stage, seconds in {**self.seconds, self.stage: running}.items()
            if stage != ENDED
        }

    async def in_thread(self, function: Callable[[], _Result]) -> _Result:
        """Run a function that reads or computes for long. Cancelled, it ends at its next `check` or
        `show`. It has a thread of its own: a stopped import keeps none from the others."""
        executor = ThreadPoolExecutor(1, f"{self.claimed.kind}-{self.claimed.task_id}")
        context = contextvars.copy_context()
        thread = asyncio.get_running_loop().run_in_executor(executor, context.run, function)
        self.threads.add(thread)
        thread.add_done_callback(self._thread_ended)
        try:
            return await asyncio.shield(thread)
        except asyncio.CancelledError:
            self.stopped.set()
            raise
        finally:
            executor.shutdown(wait=False)

    def _thread_ended(self, thread: asyncio.Future[Any]) -> None:
        self.threads.discard(thread)
        if not thread.cancelled():
            # That of a thread that was not waited for would be logged as never retrieved.
            thread.exception()

    async def wind_down(self, engine: AsyncEngine, heartbeat_seconds: float) -> None:
        """Wait until no thread runs the attempt's code, and only then let go of its task: until
        then a cancelled import counts towards its owner's quota."""
        while self.threads:
            _, running = await asyncio.wait(self.threads, timeout=heartbeat_seconds)
            if running:
                await self._write(engine, keep_holding)
        await self._write(engine, let_go)

    async def _write(
        self, engine: AsyncEngine, step: Callable[[AsyncConnection, Claim], Awaitable[None]]
    ) -> None:
        try:
            async with engine.begin() as connection:
                await step(connection, self.claimed)
        except (SQLAlchemyError, OSError, TimeoutError):
            logger.warning(
                "task %s cannot be released for now", self.claimed.task_id, exc_info=True
            )


@dataclass(slots=True)
class Attempt(TaskAttempt):
    """An attempt at an import. `detected` is the name of the format that its source turned out to
    have."""

    detected: str | None = None

    @property
    def lease(self) -> Lease:
        """The claimed attempt, with what its import job says."""
        assert isinstance(self.claimed, Lease)  # noqa: S101 - for the types
        return self.claimed

    @property
    def format(self) -> str:
        """The name of the source's format, as far as it is known."""
        return self.detected or self.lease.format


_pauses = 0
_pauses_lock = threading.Lock()


@contextmanager
def paused_collection() -> Iterator[None]:
    """No cyclic garbage collection meanwhile: it would walk over all records, again and again, and
    hold every other thread for as long. What is made here has no cycles."""
    global _pauses  # noqa: PLW0603 - the collector is the process's
    with _pauses_lock:
        _pauses += 1
        gc.disable()
    try:
        yield
    finally:
        with _pauses_lock:
            _pauses -= 1
            if not _pauses:
                gc.enable()


@asynccontextmanager
async def running(
    engine: AsyncEngine, attempt: TaskAttempt, *, heartbeat_seconds: float
) -> AsyncIterator[None]:
    """Keep the task's row up to date while the body runs, over an engine in autocommit mode: its
    heartbeat never waits for a connection that a long transaction uses.

    Raises StaleAttemptError, and cancels the body, when the attempt does not count any more.
    """
    body = asyncio.current_task()
    assert body is not None  # noqa: S101 - a coroutine runs in a task
    pulse = asyncio.create_task(_keep_alive(engine, attempt, body, heartbeat_seconds))
    try:
        yield
    except asyncio.CancelledError:
        if pulse.done() and not pulse.cancelled() and pulse.exception() is not None:
            body.uncancel()
            raise StaleAttemptError(f"task {attempt.claimed.task_id} went on elsewhere") from None
        raise
    finally:
        attempt.stopped.set()
        pulse.cancel()
        await asyncio.gather(pulse, return_exceptions=True)


async def _keep_alive(
    engine: AsyncEngine, attempt: TaskAttempt, body: asyncio.Task[object], heartbeat_seconds: float
) -> None:
    written: tuple[object, ...] = ()
    written_at = 0.0
    while True:
        now = attempt.stage, attempt.message, attempt.done, attempt.total
        if now != written or time.monotonic() - written_at >= heartbeat_seconds:
            try:
                async with engine.connect() as connection:
                    await update_task(
                        connection,
                        attempt.claimed,
                        stage=attempt.stage,
                        message=attempt.message,
                        done=attempt.done,
                        total=attempt.total,
                    )
            except StaleAttemptError:
                if attempt.is_ending:
                    return
                body.cancel()
                raise
            except (SQLAlchemyError, OSError, TimeoutError):
                # The database may be back at the next beat; until then another worker may come.
                logger.warning("task %s: no heartbeat", attempt.claimed.task_id, exc_info=True)
            else:
                written, written_at = now, time.monotonic()
        await asyncio.sleep(PROGRESS_SECONDS)


async def run_attempt(
    resources: Resources,
    attempt: TaskAttempt,
    work: Callable[[], Awaitable[None]],
    reasons: Reasons,
) -> None:
    """Run an attempt at a task of any kind: `work` ends the task. If it raises, the task is handed
    back for another attempt, or ends for one of the `reasons`. Cancelled, the attempt hands the
    task back. Its log and trace show the task, its user and its request."""
    claimed = attempt.claimed
    task_id = str(claimed.task_id)
    with (
        logs.bound(
            request_id=claimed.request_id,
            task_id=task_id,
            user_id=claimed.user_id,
            attempt=claimed.attempt,
        ),
        job_span(
            resources.tracer_provider, claimed.kind, parent=claimed.trace_parent, task_id=task_id
        ),
    ):
        await _run(resources, attempt, work, reasons)


async def _run(
    resources: Resources,
    attempt: TaskAttempt,
    work: Callable[[], Awaitable[None]],
    reasons: Reasons,
) -> None:
    claimed = attempt.claimed
    settings = resources.settings
    beat = settings.heartbeat_interval
    try:
        async with (
            asyncio.timeout(settings.import_timeout) as limit,
            running(resources.reader, attempt, heartbeat_seconds=beat),
        ):
            await work()
    except StaleAttemptError:
        logger.warning("task %s: attempt %d was superseded", claimed.task_id, claimed.attempt)
        await attempt.wind_down(resources.engine, beat)
    except asyncio.CancelledError:
        await asyncio.shield(_hand_back(resources, claimed))
        raise
    except Exception as error:
        reason, patience = reasons.too_long, None
        if limit.expired():
            logger.warning("task %s took too long", claimed.task_id, exc_info=True)
        else:
            reason, patience = _reason_of(error, reasons, settings)
            internal = reason is reasons.internal_error
            level = logging.ERROR if internal else logging.WARNING
            logger.log(level, "task %s was interrupted", claimed.task_id, exc_info=True)
        await when_available(lambda: _put_off(resources, claimed, reason, patience))


async def fail_attempt(
    resources: Resources, attempt: TaskAttempt, problem: Problem, message: str
) -> None:
    """End the task for a reason that another attempt would meet, too."""
    attempt.is_ending = True
    async with resources.engine.begin() as connection:
        await fail(
            connection,
            attempt.claimed,
            words_of(resources.settings),
            [problem.as_dict()],
            message=message,
            stage=attempt.stage,
            stage_seconds=attempt.times(),
        )
    logger.warning("task %s failed: %s", attempt.claimed.task_id, problem.detail)


def passes(error: Exception) -> bool:
    """Whether another attempt may succeed: this one is over, or the database is unavailable."""
    if isinstance(error, EventWriteError):
        # The identifier may be used already; another attempt draws another one.
        return error.retryable or isinstance(error.__cause__, UniqueViolationError)
    return isinstance(error, StaleAttemptError) or is_unavailable(error)


def _reason_of(
    error: Exception, reasons: Reasons, settings: Settings
) -> tuple[Problem, float | None]:
    """Why the attempt failed, and for how many seconds to go on trying in spite of it; None if it
    counts as a failed attempt."""
    if passes(error):
        return reasons.database_unavailable, settings.database_patience
    if isinstance(error, ObjectNotFoundError):
        return reasons.source_gone, None
    if isinstance(error, StorageError):
        return reasons.storage_unavailable, settings.storage_patience if error.retryable else None
    return reasons.internal_error, None


async def _put_off(
    resources: Resources, claimed: Claim, reason: Problem, patience: float | None
) -> None:
    """Hand the task back for a later attempt. If it has waited for an unavailable server for
    `patience` seconds, or (without it) this was the last permitted attempt, end the task."""
    settings = resources.settings
    try:
        async with resources.engine.begin() as connection:
            if patience is None:
                pause = _pause(2.0**claimed.failures - 1)
                last = claimed.failures + 1 >= settings.max_attempts
                counted: dict[str, Any] = {"failed": True}
            else:
                pause = _pause(claimed.waited)
                seconds = pause.total_seconds()
                last = claimed.waited + seconds > patience
                counted = {"waited": seconds}
            if last:
                await fail(
                    connection,
                    claimed,
                    words_of(settings),
                    [reason.as_dict()],
                    new_report=new_report_of(settings),
                )
            else:
                await release(connection, claimed, pause=pause, **counted)
    except StaleAttemptError:
        logger.warning("task %s: attempt %d was superseded", claimed.task_id, claimed.attempt)


def _pause(before: float) -> timedelta:
    """Until the next attempt: each pause is about as long as all `before` it, in seconds."""
    return min(timedelta(seconds=FIRST_PAUSE + before), LONGEST_PAUSE)


async def _hand_back(resources: Resources, claimed: Claim) -> None:
    """Let another worker have the task now, rather than when this one's heartbeat is missed."""
    try:
        async with resources.engine.begin() as connection:
            try:
                await release(connection, claimed)
            except StaleAttemptError:
                logger.info("task %s was cancelled", claimed.task_id)
                await let_go(connection, claimed)
                return
        await resources.queue.wake_worker()
    except Exception:
        logger.warning("task %s stays for the recovery", claimed.task_id, exc_info=True)
