"""The list of imports."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from eventimport.database.models import ImportJob, User

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def add_jobs(session_factory: async_sessionmaker[AsyncSession]) -> Any:
    """Writes import jobs of a user, one an hour, and gives back their ids, newest first."""

    async def add(user: User, *statuses: str, **values: Any) -> list[str]:
        jobs = [
            ImportJob(
                id=uuid4(),
                user_id=user.id,
                status=status,
                created_at=NOW - timedelta(hours=hours),
                **values,
            )
            for hours, status in enumerate(statuses)
        ]
        async with session_factory.begin() as session:
            session.add_all(jobs)
        return [str(job.id) for job in jobs]

    return add


def ids_of(response: httpx.Response) -> list[str]:
    """The ids of the resources of an answer."""
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/vnd.api+json"
    return [resource["id"] for resource in response.json()["data"]]


async def test_there_may_be_none(user_client: httpx.AsyncClient) -> None:
    response = await user_client.get("/v1/import-jobs")

    assert ids_of(response) == []
    assert response.json()["meta"] == {"total": 0, "pages": 0}
    assert response.json()["links"]["next"] is None


async def test_pages_lead_from_the_newest_to_the_oldest(
    user_client: httpx.AsyncClient, user: User, add_jobs: Any
) -> None:
    expected = await add_jobs(user, *["SUCCESS"] * 5)

    seen: list[str] = []
    link: str | None = "/v1/import-jobs?page[size]=2"
    links: list[dict[str, Any]] = []
    while link:
        response = await user_client.get(link)
        seen += ids_of(response)
        links.append(response.json()["links"])
        link = links[-1]["next"]

    assert seen == expected
    assert len(links) == 3
    assert links[0]["prev"] is None
    assert ids_of(await user_client.get(links[1]["prev"])) == expected[:2]
    assert ids_of(await user_client.get(links[0]["last"])) == expected[4:]
    assert ids_of(await user_client.get(links[2]["first"])) == expected[:2]
    assert ids_of(await user_client.get(links[1]["self"])) == expected[2:4]
    assert response.json()["meta"] == {"total": 5, "pages": 3}


async def test_a_status_can_be_asked_for(
    user_client: httpx.AsyncClient, user: User, add_jobs: Any
) -> None:
    ids = await add_jobs(user, "SUCCESS", "FAILURE", "SUCCESS", "PENDING")

    response = await user_client.get("/v1/import-jobs?filter[status]=SUCCESS&page[size]=1")
    following = await user_client.get(response.json()["links"]["next"])

    assert ids_of(response) + ids_of(following) == [ids[0], ids[2]]
    assert response.json()["meta"] == {"total": 2, "pages": 2}


async def test_each_sees_their_own_and_an_admin_all(
    service: Any, make_user: Any, user: User, add_jobs: Any
) -> None:
    other, admin = await make_user(), await make_user(is_admin=True)
    mine, theirs = await add_jobs(user, "SUCCESS"), await add_jobs(other, "SUCCESS")

    seen = {
        name: set(ids_of(await (await service.client(who)).get("/v1/import-jobs")))
        for name, who in {"user": user, "other": other, "admin": admin}.items()
    }

    assert seen == {"user": {*mine}, "other": {*theirs}, "admin": {*mine, *theirs}}


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("page[size]=101", "page[size]"),
        ("page[size]=0", "page[size]"),
        ("page[number]=0", "page[number]"),
        ("page[number]=99999999999999999999", "page[number]"),
        ("page[number]=x", "page[number]"),
        ("filter[status]=DONE", "filter[status]"),
        ("filter[state]=SUCCESS", "filter[state]"),
        ("sort=created-at", "sort"),
    ],
)
async def test_a_query_that_cannot_be_met_is_refused(
    user_client: httpx.AsyncClient, query: str, parameter: str
) -> None:
    response = await user_client.get(f"/v1/import-jobs?{query}")

    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["source"] == {"parameter": parameter}


async def test_a_page_beyond_the_last_is_empty(
    user_client: httpx.AsyncClient, user: User, add_jobs: Any
) -> None:
    await add_jobs(user, "SUCCESS")

    response = await user_client.get("/v1/import-jobs?page[number]=7")

    assert ids_of(response) == []
    assert response.json()["links"]["next"] is None
    assert ids_of(await user_client.get(response.json()["links"]["prev"])) != []


async def test_one_job_has_its_report(
    user_client: httpx.AsyncClient, user: User, add_jobs: Any
) -> None:
    report = {"counts": {"session": 3}}
    (job_id,) = await add_jobs(
        user, "SUCCESS", report=report, file_name="a.zip", event_identifier="abc", archive_size=9
    )

    response = await user_client.get(f"/v1/import-jobs/{job_id}")
    listed = (await user_client.get("/v1/import-jobs")).json()["data"][0]

    resource = response.json()["data"]
    assert response.headers["content-type"] == "application/vnd.api+json"
    assert (resource["type"], resource["id"]) == ("import-job", job_id)
    assert resource["attributes"]["report"] == report
    assert resource["attributes"]["file-name"] == "a.zip"
    assert resource["attributes"]["event-url"] == "https://events.example/events/abc"
    assert resource["attributes"]["task-url"] == f"/v1/tasks/{job_id}"
    assert resource["attributes"]["created-at"] == "2026-03-01T00:00:00Z"
    assert resource["links"]["self"] == f"/v1/import-jobs/{job_id}"
    assert "report" not in listed["attributes"]
