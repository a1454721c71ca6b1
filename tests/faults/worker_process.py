"""Starts worker processes quickly: all is imported once, and each worker is a fork.

Takes a line of JSON for each worker on standard input, and tells on standard output, a line each,
which processes it has started and how they ended. All of them end with it, and it ends with its
standard input.
"""

import ctypes
import faulthandler
import json
import os
import signal
import sys
import traceback
from types import FrameType
from typing import Any

from tests.faults.api_requests import send
from tests.faults.kill_points import KillPoint

from eventimport.jobs.worker import run_worker
from eventimport.settings import Settings

PR_SET_PDEATHSIG = 1


def say(**words: Any) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


def reap(_signal: int, _frame: FrameType | None) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        say(ended=pid, code=os.waitstatus_to_exitcode(status))


def work(order: dict[str, Any]) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    os.environ.update(order["environment"])
    kill_point = KillPoint(**order["kill_point"]) if order["kill_point"] is not None else None
    if kill_point is not None and order["request"] is not None:
        send(kill_point, *order["request"])
        return
    if kill_point is not None:
        kill_point.arm()
    run_worker(Settings())


def main() -> None:
    signal.signal(signal.SIGCHLD, reap)
    say(ready=True)
    for line in sys.stdin:
        # Before it is known under its number, a worker's end would mean nothing to anybody.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        pid = os.fork()
        if pid == 0:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
            code = 1
            try:
                work(json.loads(line))
                code = 0
            finally:
                traceback.print_exc()
                os._exit(code)
        say(started=pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])


if __name__ == "__main__":
    main()
