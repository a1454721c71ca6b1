"""What a client that polls is told."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from eventimport.database.models import Event, ImportJob, User

REPORT = {
    "counts": {"session": 3},
    "totals": {"repair": 1, "warning": 0, "error": 0},
    "omitted": 0,
    "findings": [{"severity": "repair", "code": "time", "message": "…", "entry": "sessions"}],
}
ERROR = {
    "status": "422",
    "code": "json-syntax",
    "title": "Archive rejected",
    "detail": "session_types, line 3, column 7: a comma is missing",
    "meta": {"entry": "session_types", "line": 3, "column": 7},
}
IDLE = {"stage": None, "done": 0, "total": 0, "message": None}


def told(state: str, progress: dict[str, Any]) -> dict[str, Any]:
    """A task that has neither an event nor a result."""
    return {"kind": "import", "state": state, "progress": progress, "event": None, "result": None}


@pytest.fixture
def add_job(session_factory: async_sessionmaker[AsyncSession], user: User) -> Any:
    """Writes an import job of `user` and gives back its id."""

    async def add(**values: Any) -> UUID:
        job = ImportJob(**{"id": uuid4(), "user_id": user.id, **values})
        async with session_factory.begin() as session:
            session.add(job)
        return job.id

    return add


async def test_a_pending_task(user_client: httpx.AsyncClient, add_job: Any) -> None:
    response = await user_client.get(f"/v1/tasks/{await add_job()}")

    assert response.status_code == 200
    assert response.json() == told("PENDING", IDLE)
    assert response.headers["retry-after"] == "1"
    assert response.headers["cache-control"] == "no-store"


async def test_a_running_task_tells_its_progress(
    user_client: httpx.AsyncClient, add_job: Any
) -> None:
    progress = {
        "stage": "writing",
        "done": 120,
        "total": 491,
        "message": "Importing sessions (120/491)",
    }
    job_id = await add_job(status="STARTED", **progress)

    response = await user_client.get(f"/v1/tasks/{job_id}")

    assert response.json() == told("STARTED", progress)
    assert "retry-after" in response.headers


async def test_a_task_that_has_not_changed_is_not_sent_again(
    user_client: httpx.AsyncClient, add_job: Any
) -> None:
    job_id = await add_job(status="STARTED", done=1, total=2)
    first = await user_client.get(f"/v1/tasks/{job_id}")
    headers = {"If-None-Match": first.headers["etag"]}
    again = await user_client.get(f"/v1/tasks/{job_id}", headers=headers)
    other = await user_client.get(f"/v1/tasks/{job_id}", headers={"If-None-Match": '"0"'})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["retry-after"] == first.headers["retry-after"]
    assert (other.status_code, other.json()) == (200, first.json())


async def test_success_leads_to_the_event(
    user_client: httpx.AsyncClient,
    add_job: Any,
    session_factory: async_sessionmaker[AsyncSession],
) -> None:
    conference = Event(identifier="ab3de6f0", name="Conference")
    async with session_factory.begin() as session:
        session.add(conference)
    job_id = await add_job(
        status="SUCCESS",
        event_id=conference.id,
        event_identifier="ab3de6f0",
        event_name="Conference",
        report=REPORT,
    )

    response = await user_client.get(f"/v1/tasks/{job_id}")

    result = response.json()["result"]
    access = result.pop("access")
    assert access["published"] is False
    assert access["publish"] == f"/v1/events/{conference.id}/publish"
    assert result == {
        "id": str(conference.id),
        "identifier": "ab3de6f0",
        "event_name": "Conference",
        "url": "https://events.example/events/ab3de6f0",
        "report": {
            **REPORT,
            "format": "openevent",
            "findings_url": f"/v1/import-jobs/{job_id}/findings",
        },
    }
    assert "retry-after" not in response.headers


async def test_a_dry_run_has_a_report_and_no_event(
    user_client: httpx.AsyncClient, add_job: Any
) -> None:
    job_id = await add_job(status="SUCCESS", dry_run=True, event_name="Conference", report=REPORT)

    response = await user_client.get(f"/v1/tasks/{job_id}")

    assert response.json()["result"] == {
        "id": None,
        "identifier": None,
        "event_name": "Conference",
        "url": None,
        "access": None,
        "report": {
            **REPORT,
            "format": "openevent",
            "findings_url": f"/v1/import-jobs/{job_id}/findings",
            "dry_run": True,
        },
    }


async def test_failure_is_a_document_of_all_errors(
    user_client: httpx.AsyncClient, add_job: Any
) -> None:
    errors = [ERROR, {**ERROR, "detail": "another"}]
    job_id = await add_job(status="FAILURE", errors=errors, report=REPORT)

    response = await user_client.get(f"/v1/tasks/{job_id}")

    assert response.status_code == 200
    assert response.json()["state"] == "FAILURE"
    assert response.json()["result"] == {
        "errors": errors,
        "meta": {"total": 2, "findings_url": f"/v1/import-jobs/{job_id}/findings"},
        "jsonapi": {"version": "1.1"},
    }


async def test_a_failure_says_how_many_errors_there_are(
    user_client: httpx.AsyncClient, add_job: Any
) -> None:
    report = {**REPORT, "error_count": 4_711}
    job_id = await add_job(status="FAILURE", errors=[ERROR], report=report)

    result = (await user_client.get(f"/v1/tasks/{job_id}")).json()["result"]

    assert (len(result["errors"]), result["meta"]["total"]) == (1, 4_711)


async def test_a_revoked_task_has_no_result(user_client: httpx.AsyncClient, add_job: Any) -> None:
    response = await user_client.get(f"/v1/tasks/{await add_job(status='REVOKED')}")

    assert response.json() == told("REVOKED", IDLE)
    assert "retry-after" not in response.headers


async def test_a_task_exists_for_its_owner_and_admins_alone(
    service: Any, make_user: Any, user: User, add_job: Any
) -> None:
    job_id = await add_job()
    paths = [f"/v1/tasks/{job_id}", f"/v1/import-jobs/{job_id}"]
    statuses = {}
    for name, who in {
        "owner": user,
        "admin": await make_user(is_admin=True),
        "other": await make_user(),
    }.items():
        client = await service.client(who)
        statuses[name] = [(await client.get(path)).status_code for path in paths]

    assert statuses == {"owner": [200, 200], "admin": [200, 200], "other": [404, 404]}


async def test_a_foreign_task_is_told_like_one_that_never_was(
    service: Any, make_user: Any, add_job: Any
) -> None:
    foreign, never = await add_job(), uuid4()
    client = await service.client(await make_user())

    foreign_answer = await client.get(f"/v1/tasks/{foreign}")
    never_answer = await client.get(f"/v1/tasks/{never}")

    assert foreign_answer.text.replace(str(foreign), str(never)) == never_answer.text


@pytest.mark.parametrize("task_id", ["1", "x", "%00", "ffffffff"])
async def test_what_is_no_id_is_no_task(user_client: httpx.AsyncClient, task_id: str) -> None:
    response = await user_client.get(f"/v1/tasks/{task_id}")

    assert response.status_code == 404
    assert response.json()["errors"][0]["code"] == "not-found"


async def test_polling_costs_one_statement(
    service: Any, user_client: httpx.AsyncClient, add_job: Any
) -> None:
    job_id = await add_job()
    await user_client.get(f"/v1/tasks/{job_id}")
    statements: list[str] = []
    event.listen(
        service.resources.reader.sync_engine,
        "before_cursor_execute",
        lambda *told: statements.append(told[2]),
    )

    await user_client.get(f"/v1/tasks/{job_id}")

    assert len(statements) == 1
