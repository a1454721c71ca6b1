"""An archive goes in, an event comes out: exactly once, or not at all."""

import asyncio
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event as sqlalchemy_event
from tests.formats.planning import zip_of
from tests.jobs.conftest import Imports
from tests.lost_workers import lose_workers
from tests.rows import change_imports

from eventimport.database.conference_writer import write_plan
from eventimport.database.tasks import StaleAttemptError, claim, release, update_task
from eventimport.imports.run import new_identifier, run_import

CONFERENCE: dict[str, Any] = {
    "event": {
        "id": 180,
        "name": "Conference",
        "timezone": "Europe/Berlin",
        "starts_at": "2027-05-01T09:00:00",
        "social_links": [{"id": 1, "name": "Site", "link": "https://example.org"}],
        "copyright": {"holder": "H"},
        "call_for_papers": {"announcement": "Speak!"},
        "hashtag": "#conf",
    },
    "forms": [{"id": 1, "form": "session", "field_identifier": "title", "is_required": True}],
    "microlocations": [{"id": 3, "name": "Room 3"}],
    "sponsors": [{"id": 1, "name": "S", "level": "1", "logo": "/images/s.png"}],
    "speakers": [{"id": 1, "name": "Ada", "photo": "https://example.org/ada.png"}],
    "tracks": [{"id": 1, "name": "Web"}],
    "session_types": [{"id": 1, "name": "Talk", "length": "00:30"}],
    "sessions": [
        {
            "id": 7,
            "title": "T",
            "starts_at": "2027-05-01T10:00:00",
            "track": {"id": 1, "name": "Web"},
            "microlocation": {"id": 3, "name": "Room 3"},
            "session_type": {"id": 1, "name": "Talk"},
            "speakers": [{"id": 1, "name": "Ada"}],
        }
    ],
}
WRITE_PLAN = "eventimport.imports.run.write_plan"
FINISH = "eventimport.imports.run.finish"
ARCHIVE = zip_of(CONFERENCE, {"images/s.png": b"not looked at yet"})


async def test_a_whole_conference_is_imported(imports: Imports) -> None:
    job = await imports.run(ARCHIVE)
    assert (job.status, job.stage, job.attempt) == ("SUCCESS", "done", 1)
    assert job.event_id is not None
    assert job.finished_at is not None
    (event,) = await imports.rows("events")
    assert (event["id"], event["identifier"]) == (job.event_id, job.event_identifier)
    assert (event["name"], event["source_id"]) == ("Conference", "180")
    assert event["extra"] == {"hashtag": "#conf"}
    assert event["starts_at"].isoformat() == "2027-05-01T07:00:00+00:00"
    (role,) = await imports.rows("event_roles")
    assert (role["user_id"], role["role"]) == (imports.user.id, "owner")
    (session,) = await imports.rows("sessions")
    for column, table in (
        ("track_id", "tracks"),
        ("microlocation_id", "microlocations"),
        ("session_type_id", "session_types"),
    ):
        (target,) = await imports.rows(table)
        assert session[column] == target["id"]
    assert await imports.links(job.event_id) == {("7", "1")}
    for table in ("social_links", "custom_forms", "event_copyrights", "speakers_calls"):
        assert len(await imports.rows(table)) == 1, table
    media = {row["source"]: row for row in await imports.rows("media_items")}
    assert media["/images/s.png"]["entry"] == "images/s.png"
    assert media["https://example.org/ada.png"]["origin"] == "remote"


async def test_the_report_counts_and_tells(imports: Imports) -> None:
    job = await imports.run(ARCHIVE)
    assert job.report is not None
    assert job.report["counts"]["sessions"] == 1
    assert job.report["counts"]["session_speakers"] == 1
    assert (job.report["media"]["archive"], job.report["media"]["remote"]) == (1, 1)
    outcomes = {item["source"]: item["outcome"] for item in job.report["media"]["items"]}
    assert outcomes == {
        "/images/s.png": "NOT_AN_IMAGE",
        "https://example.org/ada.png": "REFUSED",
    }
    assert job.report["media"]["outcomes"] == {"NOT_AN_IMAGE": 1, "REFUSED": 1}
    assert job.report["totals"]["error"] == 0
    told = {(finding["code"], finding.get("entry")) for finding in job.report["findings"]}
    assert told == {
        ("no-offset", "event"),
        ("no-offset", "sessions"),
        ("unknown-key", "event"),
        ("media-not-an-image", None),
        ("media-refused", None),
    }
    rows = await imports.rows("import_findings")
    rows.sort(key=lambda row: int(row["position"]))
    assert [row["content"] for row in rows] == job.report["findings"]


async def test_a_dry_run_reports_and_writes_nothing(imports: Imports) -> None:
    job = await imports.run(ARCHIVE, dry_run=True)
    assert (job.status, job.event_id, job.event_name) == ("SUCCESS", None, "Conference")
    assert job.report is not None
    assert job.report["counts"]["sessions"] == 1
    assert await imports.traces() == {}


async def test_a_strict_import_fails_for_any_finding(imports: Imports) -> None:
    job = await imports.run(ARCHIVE, strict=True)
    assert job.status == "FAILURE"
    assert job.errors is not None
    assert {error["code"] for error in job.errors} == {"no-offset", "unknown-key"}
    assert await imports.traces() == {}


async def test_all_errors_are_told_at_once(imports: Imports) -> None:
    deep = b'{"a": ' * 40 + b"1" + b"}" * 40
    sponsors = b"[" + deep + b", " + deep + b"]"
    documents = CONFERENCE | {"tracks": b'[\n {"id": 1\n}}', "sponsors": sponsors}
    job = await imports.run(zip_of(documents))
    assert job.status == "FAILURE"
    assert job.errors is not None
    places = {error["meta"]["entry"]: error["meta"] for error in job.errors}
    assert places["tracks"]["line"] == 3
    assert places["sponsors"]["count"] == 2
    assert [place["record"] for place in places["sponsors"]["places"]] == [0, 1]
    assert job.report is not None
    assert job.report["error_count"] == len(job.errors)
    rows = await imports.rows("import_findings")
    assert {row["content"]["entry"] for row in rows} >= {"tracks", "sponsors"}
    assert all(error["status"] == "422" for error in job.errors)
    assert await imports.traces() == {}


async def test_an_archive_that_is_gone_is_a_failure_that_says_so(imports: Imports) -> None:
    job_id = await imports.accept(ARCHIVE)
    job = await imports.job(job_id)
    assert job.archive_key is not None
    await imports.resources.storages.active.delete(job.archive_key)
    await run_import(imports.resources, job_id)
    job = await imports.job(job_id)
    assert job.status == "FAILURE"
    assert job.errors is not None
    assert job.errors[0]["code"] == "archive-gone"


async def test_a_job_that_has_ended_is_not_run_again(imports: Imports) -> None:
    job_id = await imports.accept(ARCHIVE)
    await run_import(imports.resources, job_id)
    before = await imports.job(job_id)
    await run_import(imports.resources, job_id)
    after = await imports.job(job_id)
    assert (after.attempt, after.finished_at) == (before.attempt, before.finished_at)
    assert len(await imports.rows("events")) == 1


async def test_one_job_run_by_two_workers_makes_one_event(imports: Imports) -> None:
    job_id = await imports.accept(ARCHIVE)
    await asyncio.gather(*(run_import(imports.resources, job_id) for _ in range(4)))
    assert len(await imports.rows("events")) == 1
    assert (await imports.job(job_id)).status == "SUCCESS"


async def test_a_stale_attempt_commits_nothing(
    imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await imports.accept(ARCHIVE)
    others: list[asyncio.Task[None]] = []

    async def another_attempt() -> None:
        # Meanwhile the worker was taken for dead, and another one has done the job.
        assert await lose_workers(imports.resources) == 1
        await run_import(imports.resources, job_id)

    async def slow_write(*arguments: Any) -> None:
        await write_plan(*arguments)
        monkeypatch.undo()
        # A task of its own: the first attempt's heartbeat may end that attempt at any time.
        others.append(asyncio.create_task(another_attempt()))
        await asyncio.wait(others)

    monkeypatch.setattr(WRITE_PLAN, slow_write)
    await run_import(imports.resources, job_id)
    await asyncio.gather(*others)
    job = await imports.job(job_id)
    assert (job.status, job.attempt) == ("SUCCESS", 2)
    (event,) = await imports.rows("events")
    assert event["id"] == job.event_id


async def test_an_old_number_changes_no_row(imports: Imports) -> None:
    job_id = await imports.accept(ARCHIVE)
    async with imports.resources.engine.begin() as connection:
        old = await claim(connection, job_id)
        assert old is not None
        assert await claim(connection, job_id) is None
        await release(connection, old)
        new = await claim(connection, job_id)
        assert new is not None
        with pytest.raises(StaleAttemptError):
            await update_task(connection, old, done=1)
        await update_task(connection, new, done=1)


async def test_a_cancelled_import_is_handed_back(
    imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await imports.accept(ARCHIVE)
    writing = asyncio.Event()

    async def endless_write(*_: Any) -> None:
        writing.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(WRITE_PLAN, endless_write)
    task = asyncio.create_task(run_import(imports.resources, job_id))
    await writing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    job = await imports.job(job_id)
    assert (job.status, job.attempt) == ("PENDING", 1)
    assert await imports.traces() == {}
    monkeypatch.undo()
    await run_import(imports.resources, job_id)
    assert (await imports.job(job_id)).status == "SUCCESS"


async def test_two_imports_at_once_do_not_mix(imports: Imports) -> None:
    other = CONFERENCE | {
        "event": {"id": 180, "name": "Other"},
        "sessions": [{**CONFERENCE["sessions"][0], "title": "Another"}],
    }
    ids = [await imports.accept(ARCHIVE), await imports.accept(zip_of(other))]
    await asyncio.gather(*(run_import(imports.resources, job_id) for job_id in ids))
    for job_id, title in zip(ids, ("T", "Another"), strict=True):
        job = await imports.job(job_id)
        assert job.event_id is not None
        (session,) = await imports.rows("sessions", job.event_id)
        (track,) = await imports.rows("tracks", job.event_id)
        assert (session["title"], session["track_id"]) == (title, track["id"])
        assert await imports.links(job.event_id) == {("7", "1")}


class CrashError(Exception):
    """What a test lets happen."""


async def test_a_crash_at_any_statement_leaves_no_trace(
    imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The n-th statement of the writing transaction fails, for each n."""
    fatal = 0
    seen = 0
    # The connection that writes; the heartbeat has one of its own, and is not meant.
    writing: Any = None
    original_copy = asyncpg.Connection.copy_records_to_table

    def count() -> None:
        nonlocal seen
        seen += 1
        if seen == fatal:
            raise CrashError

    async def write(connection: Any, *arguments: Any) -> None:
        nonlocal writing
        writing = connection.sync_connection
        await write_plan(connection, *arguments)

    async def copy(self: Any, *arguments: Any, **named: Any) -> Any:
        count()
        return await original_copy(self, *arguments, **named)

    def commit(connection: Any) -> None:
        nonlocal writing
        if connection is writing:
            count()
            writing = None

    def execute(connection: Any, *_: Any) -> None:
        if connection is writing:
            count()

    monkeypatch.setattr(WRITE_PLAN, write)
    monkeypatch.setattr(asyncpg.Connection, "copy_records_to_table", copy)
    engine = imports.resources.engine.sync_engine
    sqlalchemy_event.listen(engine, "before_cursor_execute", execute)
    sqlalchemy_event.listen(engine, "commit", commit)
    try:
        while True:
            fatal += 1
            seen, writing = 0, None
            job = await imports.run(ARCHIVE)
            if job.status == "SUCCESS":
                break
            assert job.status == "FAILURE"
            assert await imports.traces() == {}, fatal
    finally:
        sqlalchemy_event.remove(engine, "before_cursor_execute", execute)
        sqlalchemy_event.remove(engine, "commit", commit)
    # DISCARD PLANS, fourteen tables, the job's own step, COMMIT.
    assert fatal > 15


async def test_what_fails_after_the_commit_is_tried_again(
    imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: Any) -> None:
        raise CrashError

    monkeypatch.setattr(FINISH, crash)
    job = await imports.run(ARCHIVE)
    assert (job.status, job.attempt, job.failures, job.held) == ("PENDING", 1, 1, False)
    assert job.retry_at is not None
    (event,) = await imports.rows("events")
    monkeypatch.undo()
    await run_import(imports.resources, job.id)
    assert (await imports.job(job.id)).status == "PENDING", "it is put off for a while"
    await change_imports(imports.resources.engine, retry_at=None)
    await run_import(imports.resources, job.id)
    job = await imports.job(job.id)
    assert (job.status, job.event_id) == ("SUCCESS", event["id"])


async def test_the_last_attempt_to_fail_leaves_the_event(
    imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People may have seen and edited it: it stays, and the report says what isn't stored."""

    async def crash(*_: Any) -> None:
        raise CrashError

    monkeypatch.setattr(FINISH, crash)
    job_id = await imports.accept(ARCHIVE)
    for _ in range(imports.resources.settings.max_attempts):
        await change_imports(imports.resources.engine, retry_at=None)
        await run_import(imports.resources, job_id)
    job = await imports.job(job_id)
    (event,) = await imports.rows("events")
    assert (job.status, job.event_id, job.errors) == ("SUCCESS", event["id"], None)
    assert job.report is not None
    assert job.report["counts"]["sessions"] == 1
    assert job.report["media"]["outcomes"] == {"NOT_STORED": 2}
    assert {item["detail"] for item in job.report["media"]["items"]} == {"internal error"}
    assert job.message == "Imported; 2 media files were not stored"


def test_identifiers_are_never_numbers() -> None:
    identifiers = {new_identifier() for _ in range(1000)}
    assert len(identifiers) == 1000
    assert all(len(name) == 8 and not name.isdigit() for name in identifiers)
