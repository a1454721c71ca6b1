"""`kill -9` of a worker in the midst of a clean-up: the next round does the rest."""

import os
import secrets
import signal
import time
from pathlib import Path

import pytest
from sqlalchemy import func, text
from tests.faults.kill_points import KillPoint
from tests.faults.service import Service

from eventimport.storage.keys import media_key
from eventimport.storage.probe import PROBE_PREFIX

CLEAN_UP = "eventimport.jobs.clean_up:"
SEARCH = "eventimport.jobs.remove_orphans:"
OFTEN = "0.2"

POINTS = [
    KillPoint(CLEAN_UP + "take_round", "after", 2),
    KillPoint(CLEAN_UP + "archives_to_remove", "after"),
    KillPoint("eventimport.storage.local:LocalStorage.delete", "before"),
    KillPoint("eventimport.storage.local:LocalStorage.delete", "after"),
    KillPoint(CLEAN_UP + "forget_archives", "before"),
    KillPoint(CLEAN_UP + "forget_archives", "after"),
    KillPoint(SEARCH + "claim", "before"),
    KillPoint(SEARCH + "orphans_among", "after", 2),
    KillPoint("eventimport.storage.local:LocalStorage.delete", "after", 2),
    KillPoint("eventimport.storage.local:LocalStorage.delete", "after", 3),
    KillPoint(CLEAN_UP + "delete_old_mails", "before"),
    KillPoint(CLEAN_UP + "add_counts", "after"),
]


def age(root: Path) -> None:
    """Make all files older than an orphan must be."""
    old = time.time() - 25 * 3600
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, (old, old))


@pytest.mark.parametrize("point", POINTS, ids=str)
async def test_a_worker_that_is_killed_while_it_cleans_up(
    service: Service, point: KillPoint
) -> None:
    job_id = await service.accept()
    importing = await service.worker()
    job = await service.ended(job_id)
    await service.mailed()
    assert await importing.end() == 0, importing.told()
    await service.change(job_id, finished_at=func.now() - text("interval '31 days'"))
    root = Path(service.environment["LOCAL_STORAGE_PATH"])
    orphans = [
        root / media_key(999_999_999, "events", 1, "logo_url", "a.png"),
        root / (PROBE_PREFIX + secrets.token_hex(12)),
    ]
    for orphan in orphans:
        orphan.parent.mkdir(parents=True, exist_ok=True)
        orphan.write_bytes(b"x")
    age(root)

    killed = await service.worker(point, CLEAN_UP_INTERVAL=OFTEN)
    assert await killed.wait() == -signal.SIGKILL, "the point was not reached:\n" + killed.told()
    other = await service.worker(CLEAN_UP_INTERVAL=OFTEN)
    await service.until(
        job_id,
        lambda job: job.archive_key is None and not any(orphan.exists() for orphan in orphans),
    )
    assert await other.end() in {0, -signal.SIGTERM}, other.told()

    assert job.archive_key is not None
    assert not (root / job.archive_key).exists()
    assert await service.violations({job_id: 1}) == []
