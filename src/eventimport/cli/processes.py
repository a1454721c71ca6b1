"""Child processes that live and end together."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

STOP_SECONDS = 15.0
LOG_TAIL = 4000

# The command takes the shell's place. What the shell leaves behind waits for the end of standard
# input: that comes when the parent closes it or is gone, even by kill -9, so that no orphan of ours
# keeps a port busy.
WATCHED = """\
exec 3<&0 </dev/null
( { read -r _ <&3; kill -TERM $$; } >/dev/null 2>&1 & )
exec "$@" 3<&-
"""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Child:
    """A command of ours in a process of its own. With `log`, its output goes into that file."""

    name: str
    arguments: Sequence[str]
    log: Path | None = None


class ChildDiedError(Exception):
    """A child ended unexpectedly."""

    def __init__(self, child: Child, status: int) -> None:
        ended = f"exit status {status}" if status >= 0 else signal.Signals(-status).name
        tail = f". The end of {child.log}:\n{log_tail(child.log)}" if child.log else ""
        super().__init__(f"The {child.name} ended unexpectedly ({ended}){tail}")


def log_tail(log: Path) -> str:
    """The last lines of a log."""
    return log.read_bytes()[-LOG_TAIL:].decode(errors="replace")


class Children:
    """Running children. When their block ends, all of them are stopped at once, and killed if they
    haven't after STOP_SECONDS."""

    def __init__(self) -> None:
        self._running: list[tuple[Child, asyncio.subprocess.Process]] = []

    @classmethod
    @asynccontextmanager
    async def start(
        cls, children: Sequence[Child], environment: Mapping[str, str]
    ) -> AsyncIterator["Children"]:
        """Start `eventimport <arguments>` for each, in this environment."""
        self = cls()
        try:
            for child in children:
                self._running.append((child, await _spawn(child, environment)))
            yield self
        finally:
            await self._stop()

    async def until(self, work: Coroutine[Any, Any, Result], stop: asyncio.Event) -> Result | None:
        """The work's result, or None when `stop` is set first. Raises ChildDiedError as soon as
        a child has ended; in both cases the work is cancelled."""
        working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
        deaths = {asyncio.create_task(process.wait()): child for child, process in self._running}
        tasks = {working, stopping, *deaths}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if working in done:
                return working.result()
            for death, child in deaths.items():
                if death in done and stopping not in done:
                    raise ChildDiedError(child, death.result())
            return None
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def run(self, child: Child, environment: Mapping[str, str]) -> int:
        """Run one more command to its end and return its exit status."""
        process = await _spawn(child, environment)
        try:
            return await process.wait()
        finally:
            await _end(child, process)

    async def _stop(self) -> None:
        await asyncio.gather(*(_end(child, process) for child, process in self._running))


async def _spawn(child: Child, environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    log = os.open(child.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) if child.log else None
    try:
        return await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", WATCHED, "sh"),
            *(sys.executable, "-m", "eventimport.cli", *child.arguments),
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the parent, which then stops its children
        )
    finally:
        if log is not None:
            os.close(log)


async def _end(child: Child, process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        sys.stderr.write(f"The {child.name} did not stop within {STOP_SECONDS:.0f} seconds.\n")
        process.kill()
        await process.wait()


def stop_signal() -> asyncio.Event:
    """An event that Ctrl-C and SIGTERM set, in place of what they do otherwise."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
