"""However an import ends, and however often it was run: one notification, and one mail."""

import asyncio
from collections.abc import Awaitable, Callable
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from tests.formats.planning import zip_of
from tests.jobs.conftest import Imports
from tests.lost_workers import lose_workers
from tests.notifications.conftest import Outbox
from tests.rows import change_imports

from eventimport.database.endings import NotificationWords, fail, fail_lost, succeed
from eventimport.database.models import Task, User
from eventimport.database.tasks import Claim, StaleAttemptError, claim, release
from eventimport.imports import run as import_event
from eventimport.imports import run as import_run
from eventimport.imports.run import run_import
from eventimport.jobs.recovery import Watch, recover
from eventimport.jobs.send_mail import send_next
from eventimport.notifications.config import FolderConfig
from eventimport.notifications.mailers import FolderMailer
from eventimport.resources import Resources, open_resources
from eventimport.settings import Settings

ARCHIVE = zip_of({"event": {"id": 1, "name": "Lantern\nOpen", "timezone": "UTC"}})
BROKEN = zip_of({"event": {"id": 1, "name": "N"}, "tracks": b'[\n {"id": 1\n}}'})


@pytest.fixture
async def imports(resources: Resources, outbox: Outbox) -> Imports:
    """Imports of the outbox's user."""
    return Imports(resources, outbox.user)


async def the_only_message(outbox: Outbox) -> tuple[str, str]:
    """Title and text of the only notification, which has one mail."""
    (notification,) = await outbox.notifications()
    (mail,) = await outbox.mails()
    assert mail.notification_id == notification.id
    assert notification.user_id == outbox.user.id
    assert not notification.is_read
    assert mail.message_id == f"<import-{notification.import_job_id}@service.example>"
    return notification.title, notification.message


async def test_a_success_is_told(imports: Imports, outbox: Outbox) -> None:
    job = await imports.run(ARCHIVE)

    title, message = await the_only_message(outbox)
    assert job.status == "SUCCESS"
    assert title == "“Lantern Open” was imported"
    assert f"https://events.example/events/{job.event_identifier}" in message


async def test_a_failure_is_told_with_its_place(imports: Imports, outbox: Outbox) -> None:
    job = await imports.run(BROKEN, file_name="lantern.zip")

    title, message = await the_only_message(outbox)
    assert job.status == "FAILURE"
    assert title == "The import of “lantern.zip” failed"
    assert message.startswith("tracks, line 3, column 2: ")


async def test_what_is_no_zip_is_told(imports: Imports, outbox: Outbox) -> None:
    assert (await imports.run(b"no zip")).status == "FAILURE"
    assert (await the_only_message(outbox))[0] == "The import of the archive failed"


async def test_a_dry_run_is_told(imports: Imports, outbox: Outbox) -> None:
    await imports.run(ARCHIVE, dry_run=True)

    title, message = await the_only_message(outbox)
    assert title == "“Lantern Open” can be imported"
    assert "Nothing was imported" in message


@pytest.mark.parametrize("data", [ARCHIVE, BROKEN])
async def test_a_job_that_is_run_again_tells_nothing_more(
    imports: Imports, outbox: Outbox, data: bytes
) -> None:
    job = await imports.run(data)
    before = await the_only_message(outbox)

    await asyncio.gather(*(run_import(imports.resources, job.id) for _ in range(3)))

    assert await the_only_message(outbox) == before


async def test_a_job_that_was_handed_back_is_told_at_its_end(
    imports: Imports, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = asyncio.Event()

    async def wait(*_: Any) -> None:
        started.set()
        await asyncio.Event().wait()

    job_id = await imports.accept(ARCHIVE)
    with monkeypatch.context() as patch:
        patch.setattr(import_event, "finish", wait)
        running = asyncio.create_task(run_import(imports.resources, job_id))
        await started.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert await outbox.notifications() == []

    await run_import(imports.resources, job_id)

    assert (await the_only_message(outbox))[0] == "“Lantern Open” was imported"


class KilledError(BaseException):
    """What nothing catches: as far as the import can tell, the process has ended."""


async def test_a_worker_that_dies_at_the_end_tells_nothing_until_another_has_ended_it(
    imports: Imports, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last transaction is rolled back after everything in it was written."""

    async def die(*arguments: Any, **named: Any) -> None:
        await succeed(*arguments, **named)
        raise KilledError

    job_id = await imports.accept(ARCHIVE)
    with monkeypatch.context() as patch:
        patch.setattr(import_run, "succeed", die)
        with pytest.raises(KilledError):
            await run_import(imports.resources, job_id)
    assert (await imports.job(job_id)).status == "STARTED"
    assert await outbox.notifications() == []
    await lose_workers(imports.resources)

    await run_import(imports.resources, job_id)

    assert (await the_only_message(outbox))[0] == "“Lantern Open” was imported"


async def test_the_last_attempt_to_fail_is_told(
    imports: Imports, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(import_event, "finish", crash)
    job_id = await imports.accept(ARCHIVE)
    for _ in range(imports.resources.settings.max_attempts):
        assert await outbox.notifications() == []
        await change_imports(imports.resources.engine, retry_at=None)
        await run_import(imports.resources, job_id)

    assert (await the_only_message(outbox))[0] == "“Lantern Open” was imported"


async def test_workers_that_die_again_and_again_are_told_of(
    imports: Imports, outbox: Outbox, make_user: Callable[..., Awaitable[User]]
) -> None:
    other = await make_user()
    most = imports.resources.settings.max_attempts
    for user in (outbox.user, other):
        job_id = await imports.accept(ARCHIVE, user=user, file_name="lantern.zip")
        await change_imports(imports.resources.engine, job_id, failures=most - 1)
        async with imports.resources.engine.begin() as connection:
            assert await claim(connection, job_id) is not None
    await recover(imports.resources, Watch())
    assert await outbox.notifications() == []

    await asyncio.gather(*(lose_workers(imports.resources) for _ in range(3)))

    notifications = await outbox.notifications()
    assert {notification.user_id for notification in notifications} == {outbox.user.id, other.id}
    assert {notification.title for notification in notifications} == {
        "The import of “lantern.zip” failed"
    }
    assert {notification.message for notification in notifications} == {
        f"The worker stopped unexpectedly in all {most} attempts (MAX_ATTEMPTS)."
        " Nothing was imported."
    }
    assert len(await outbox.mails()) == len(notifications) == 2


def words(_: object) -> NotificationWords:
    """What is told where the words do not matter."""
    return NotificationWords("T", "M", "<a@b>")


@pytest.mark.parametrize("outcome", ["success", "failure"])
async def test_a_stale_attempt_tells_nothing(
    imports: Imports, outbox: Outbox, outcome: str
) -> None:
    job_id = await imports.accept(ARCHIVE)
    engine = imports.resources.engine

    async def attempt() -> Claim:
        async with engine.begin() as connection:
            claimed = await claim(connection, job_id)
        assert claimed is not None
        return claimed

    old = await attempt()
    async with engine.begin() as connection:
        await release(connection, old)
    new = await attempt()

    async def end(lease: Claim) -> None:
        async with engine.begin() as connection:
            if outcome == "success":
                await succeed(connection, lease, words)
            else:
                await fail(connection, lease, words, [])

    with pytest.raises(StaleAttemptError):
        await end(old)
    assert await outbox.notifications() == []
    await end(new)
    with pytest.raises(StaleAttemptError):
        await end(new)
    assert len(await outbox.notifications()) == len(await outbox.mails()) == 1


async def test_nothing_has_ended(imports: Imports, outbox: Outbox) -> None:
    await imports.accept(ARCHIVE)

    async with imports.resources.engine.begin() as connection:
        ended = await fail_lost(connection, Task.status == "STARTED", words, lambda _kind: [])

    assert ended == []
    assert await outbox.notifications() == []


async def test_without_a_way_to_send_there_is_the_notification_alone(
    settings: Settings, outbox: Outbox
) -> None:
    async with open_resources(settings.model_copy(update={"mail_folder": None})) as resources:
        await Imports(resources, outbox.user).run(ARCHIVE)

    assert len(await outbox.notifications()) == 1
    assert await outbox.mails() == []


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        (ARCHIVE, ["“Lantern Open” was imported", "https://events.example/events/"]),
        (BROKEN, ["The import of “lantern.zip” failed", "tracks, line 3, column 2"]),
    ],
)
async def test_from_the_archive_to_the_mail(
    imports: Imports, outbox: Outbox, tmp_path: Path, data: bytes, parts: list[str]
) -> None:
    await imports.run(data, file_name="lantern.zip")
    mailer = FolderMailer(FolderConfig(tmp_path / "mails"))

    assert await send_next(imports.resources, mailer)
    assert not await send_next(imports.resources, mailer)

    (path,) = (tmp_path / "mails").iterdir()
    content = path.read_bytes()
    assert b"To: ada@example.org" in content
    mail = message_from_bytes(content, policy=policy.default)
    for body in mail.iter_parts():
        assert all(part in body.get_content() for part in parts)
