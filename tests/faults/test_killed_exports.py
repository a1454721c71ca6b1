"""`kill -9` of a worker that exports an event: another one makes the file, once."""

import io
import signal
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.faults.kill_points import KillPoint
from tests.faults.service import running_service
from tests.faults.test_killed_fetches import ended
from tests.faults.workers import Workers
from tests.formats.planning import zip_of
from tests.jobs.test_media_findings import drawn
from tests.stored_files import keys_in

from eventimport.database.models import Event, ExportJob, ObjectRecord
from eventimport.database.visibility import Viewer
from eventimport.exports.accept import accept_export
from eventimport.formats import OPENEVENT
from eventimport.imports.run import run_import


@pytest.mark.parametrize(
    "point",
    [
        KillPoint("eventimport.exports.stream:Sink.finish", "before"),
        KillPoint("eventimport.exports.run:settle_export", "after"),
    ],
    ids=str,
)
async def test_a_worker_that_is_killed_while_it_exports(
    workers: Workers, tmp_path: Path, database_url: str, redis_url: str, point: KillPoint
) -> None:
    async with running_service(workers, tmp_path, database_url, redis_url) as service:
        documents = {"event": {"id": 1, "name": "Conference", "logo-url": "logo.png"}}
        job_id = await service.accept(data=zip_of(documents, {"logo.png": drawn()}))
        await run_import(service.resources, job_id)
        job = await service.job(job_id)
        async with service.resources.sessions() as session:
            event_id = await session.scalar(select(Event.id))
        assert event_id is not None
        viewer = Viewer(job.user_id)
        task_id = await accept_export(service.resources, viewer, job.user_id, event_id, OPENEVENT)
        assert task_id is not None
        killed = await service.worker(point)
        assert await killed.wait() == -signal.SIGKILL, killed.told()
        await service.worker()
        await ended(service, task_id)

        async with service.resources.sessions() as session:
            export = await session.get_one(ExportJob, task_id)
            objects = select(ObjectRecord).where(ObjectRecord.purpose == "export")
            (kept,) = await session.scalars(objects)
        assert (kept.key, kept.state, kept.size) == (export.key, "KEPT", export.size)
        assert export.attempt > 1
        storage = service.resources.storages.get("local")
        assert await keys_in(storage, "private/exports") == [kept.key]
        async with storage.open(kept.key) as chunks:
            content = b"".join([chunk async for chunk in chunks])
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.testzip() is None
            assert drawn() in map(archive.read, archive.namelist())
