"""The points at which a worker is killed, and how a function becomes one of them."""

import inspect
import os
import signal
from dataclasses import dataclass
from functools import wraps
from pkgutil import resolve_name
from typing import Any, Literal

SLOTS = "eventimport.jobs.worker:"
JOB = "eventimport.imports.run:"
RECORDS = "eventimport.database.media_records:ImportMediaRecords."
IMAGES = "eventimport.media.image_processes:ImageProcesses."
DISK = "eventimport.storage.local:LocalStorage."
FILE = "eventimport.storage.partial_file:PartialFile."
MAIL = "eventimport.jobs.send_mail:"


@dataclass(frozen=True)
class KillPoint:
    """Just before, or just after, the `nth` call of a function in a process. The process sends the
    signal to itself: it ends there, or stops, or learns that it is to end."""

    target: str
    when: Literal["before", "after"]
    nth: int = 1
    number: int = signal.SIGKILL

    def __str__(self) -> str:
        name = self.target.partition(":")[2]
        return f"{self.when} {name}" + (f" {self.nth}" if self.nth > 1 else "")

    def arm(self) -> None:
        """Have this process killed at the point."""
        module, _, path = self.target.partition(":")
        parents, _, name = path.rpartition(".")
        holder = resolve_name(f"{module}:{parents}" if parents else module)
        setattr(holder, name, self._deadly(getattr(holder, name)))

    def _deadly(self, function: Any) -> Any:
        reached = 0

        def reach(moment: str) -> None:
            nonlocal reached
            if moment == self.when:
                reached += 1
                if reached == self.nth:
                    os.kill(os.getpid(), self.number)

        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def waiting(*args: Any, **kwargs: Any) -> Any:
                reach("before")
                result = await function(*args, **kwargs)
                reach("after")
                return result

            return waiting

        @wraps(function)
        def calling(*args: Any, **kwargs: Any) -> Any:
            reach("before")
            result = function(*args, **kwargs)
            reach("after")
            return result

        return calling


COPY = "asyncpg.connection:Connection.copy_records_to_table"

KILL_POINTS = [
    # Claiming it: before, within the transaction, and once it is committed.
    KillPoint(SLOTS + "claim_next", "before"),
    KillPoint(SLOTS + "claim_next", "after"),
    KillPoint(SLOTS + "Slots._claim", "after"),
    KillPoint(JOB + "lease_import", "after"),
    # Reading.
    KillPoint(JOB + "local_copy", "before"),
    KillPoint(JOB + "read_conference", "before"),
    KillPoint("eventimport.formats.openevent.reader:read_list", "before", 4),
    KillPoint(JOB + "read_conference", "after"),
    # Planning.
    KillPoint(JOB + "draw_ids", "before"),
    KillPoint(JOB + "draw_ids", "after"),
    KillPoint(JOB + "make_plan", "before"),
    KillPoint(JOB + "make_plan", "after"),
    # Writing and committing: the first table, one of many, all, the job's step forward, the COMMIT.
    KillPoint(COPY, "before"),
    KillPoint(COPY, "after", 7),
    KillPoint(JOB + "write_plan", "after"),
    KillPoint(JOB + "update_import", "after"),
    KillPoint(JOB + "_write", "after"),
    # Media: each step of the first batch and of later ones, and of a file that is streamed.
    KillPoint(JOB + "move_media", "before"),
    KillPoint(RECORDS + "reserve", "before"),
    KillPoint("eventimport.database.media_records:record_objects", "after"),
    KillPoint(RECORDS + "reserve", "after"),
    KillPoint(RECORDS + "reserve", "after", 4),
    KillPoint(IMAGES + "check", "before"),
    KillPoint(IMAGES + "check", "after"),
    KillPoint(DISK + "put", "before", 2),
    KillPoint(FILE + "fill", "before"),
    KillPoint(FILE + "fill", "after", 2),
    KillPoint(FILE + "sync", "before", 3),
    KillPoint(FILE + "name", "before", 2),
    KillPoint(FILE + "name", "after", 3),
    KillPoint("eventimport.storage.partial_file:NewEntries.sync", "before", 3),
    KillPoint("eventimport.storage.local:_commit_all", "after"),
    KillPoint("eventimport.storage.local:_commit_all", "after", 3),
    KillPoint(DISK + "put", "after", 5),
    KillPoint(RECORDS + "settle_moved", "before"),
    KillPoint("eventimport.database.media_records:use_objects", "before"),
    KillPoint("eventimport.database.media_records:use_objects", "after"),
    KillPoint(RECORDS + "settle_moved", "after"),
    KillPoint(RECORDS + "settle_moved", "after", 4),
    KillPoint(JOB + "move_media", "after"),
    # The end, and what is told of it.
    KillPoint(JOB + "succeed", "before"),
    KillPoint("eventimport.database.endings:add_notification", "before"),
    KillPoint("eventimport.database.endings:add_notification", "after"),
    KillPoint(JOB + "succeed", "after"),
    KillPoint(JOB + "finish", "after"),
    # The mail.
    KillPoint(MAIL + "claim_due_mail", "after"),
    KillPoint(MAIL + "write_mail", "before"),
    KillPoint("eventimport.notifications.mailers:FolderMailer.send", "after"),
    KillPoint(MAIL + "mark_sent", "before"),
    KillPoint(MAIL + "_mark", "after"),
]
