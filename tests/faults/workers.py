"""Worker processes, and those that send a request, as tests start and end them."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Queue
from types import TracebackType
from typing import Any, Final, Self

from tests.faults.kill_points import KillPoint

PATIENCE: Final = 300.0
"""Seconds after which what is bound to happen is not waited for any more. A machine that runs
several workers on few processors may be slow."""

ROOT: Final = Path(__file__).parents[2]


@dataclass(eq=False)
class WorkerProcess:
    """A worker; `code` is how it has ended: its exit status, or a signal's number below zero."""

    pid: int
    log: Path
    ended: threading.Event
    code: int | None = None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing where it has ended."""
        if not self.ended.is_set():
            os.kill(self.pid, number)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal, and wait for its end."""
        self.send(number)
        return await self.wait()

    async def wait(self) -> int:
        """Wait for its end; how it ended."""
        if not await asyncio.to_thread(self.ended.wait, PATIENCE):
            self.send(signal.SIGUSR1)
            await asyncio.sleep(0.5)
            raise TimeoutError(f"worker {self.pid} goes on ({self.state()}):\n{self.told()}")
        assert self.code is not None
        return self.code

    async def stopped(self) -> None:
        """Wait until a signal has stopped it."""
        deadline = time.monotonic() + PATIENCE
        while self.state() != "T":
            if time.monotonic() > deadline:
                raise TimeoutError(f"worker {self.pid} was not stopped:\n{self.told()}")
            await asyncio.sleep(0.02)

    def state(self) -> str:
        """What the kernel says that it does."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2][:2].strip()

    def told(self) -> str:
        """What it has logged."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Workers:
    """Starts workers, from a process that has imported all that they need."""

    def __init__(self) -> None:
        self._workers: dict[int, WorkerProcess] = {}
        self._started: Queue[WorkerProcess] = Queue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.worker_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        self._log = Path()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._listener.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    async def start(
        self,
        environment: Mapping[str, str],
        log: Path,
        kill_point: KillPoint | None = None,
        request: list[str | int] | None = None,
    ) -> WorkerProcess:
        """Start a worker; one call at a time. With a request (see `api_requests.send`), the process
        sends it instead, and dies at the kill point."""
        self._log = log
        order: dict[str, Any] = {
            "environment": dict(environment),
            "log": str(log),
            "kill_point": asdict(kill_point) if kill_point is not None else None,
            "request": request,
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return await asyncio.to_thread(self._started.get, timeout=PATIENCE)

    def running(self) -> list[WorkerProcess]:
        """The workers that have not ended."""
        return [worker for worker in self._workers.values() if not worker.ended.is_set()]

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            words = json.loads(line)
            if "started" in words:
                worker = WorkerProcess(words["started"], self._log, threading.Event())
                self._workers[worker.pid] = worker
                self._started.put(worker)
            elif "ended" in words:
                worker = self._workers[words["ended"]]
                worker.code = words["code"]
                worker.ended.set()
