"""The list of imports."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from eventimport.conference.report import Place, Report
from eventimport.database.findings import add_findings
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
    assert response.json()["meta"] == {"total": 0, "count": 0, "pages": 0}
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
    assert response.json()["meta"] == {"total": 5, "count": 5, "pages": 3}


async def test_a_status_can_be_asked_for(
    user_client: httpx.AsyncClient, user: User, add_jobs: Any
) -> None:
    ids = await add_jobs(user, "SUCCESS", "FAILURE", "SUCCESS", "PENDING")

    response = await user_client.get("/v1/import-jobs?filter[status]=SUCCESS&page[size]=1")
    following = await user_client.get(response.json()["links"]["next"])

    assert ids_of(response) + ids_of(following) == [ids[0], ids[2]]
    assert response.json()["meta"] == {"total": 2, "count": 2, "pages": 2}


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
        ("page[size]=-1", "page[size]"),
        ("page[number]=0", "page[number]"),
        ("page[number]=99999999999999999999", "page[number]"),
        ("page[number]=x", "page[number]"),
        ("filter[status]=DONE", "filter[status]"),
        ("filter[state]=SUCCESS", "filter[state]"),
        ("sort=message", "sort"),
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


@pytest.fixture
async def findings(
    user: User, add_jobs: Any, session_factory: async_sessionmaker[AsyncSession]
) -> tuple[str, list[dict[str, Any]]]:
    """A finished import and its findings, as they are written."""
    report = Report()
    for number in range(25):
        place = Place("sessions", number, f"s{number}", f"f{number % 23}", title=f"Talk {number}")
        report.warning("invalid-value", "not a number", place, "x")
    report.repair("no-offset", "no offset", Place("sessions"))
    report.error("json-number", "too long", Place("speakers", 1, line=7))
    (job_id,) = await add_jobs(user, "FAILURE", report=report.summary())
    rows = report.as_rows()
    async with session_factory.begin() as session:
        connection = await session.connection()
        await add_findings(connection, UUID(job_id), rows[:10])
        await add_findings(connection, UUID(job_id), rows[10:])
        await add_findings(connection, UUID(job_id), [])
    return job_id, rows


async def test_findings_come_in_pages(
    user_client: httpx.AsyncClient, findings: tuple[str, list[dict[str, Any]]]
) -> None:
    job_id, expected = findings
    job = (await user_client.get(f"/v1/import-jobs/{job_id}")).json()["data"]["attributes"]
    assert len(job["report"]["findings"]) == 20
    assert job["report"]["total"] == len(expected) == 25

    seen: list[dict[str, Any]] = []
    link: str | None = job["findings-url"] + "?page[size]=10"
    while link:
        response = await user_client.get(link)
        seen += response.json()["data"]
        link = response.json()["links"]["next"]

    assert response.json()["meta"] == {"total": 25, "count": 25, "pages": 3}
    assert len({resource["id"] for resource in seen}) == 25
    assert [resource["attributes"]["severity"] for resource in seen] == (
        ["error"] + ["warning"] * 23 + ["repair"]
    )
    for resource, row in zip(seen, expected, strict=True):
        for name in ("severity", "code", "message", "count", "places"):
            assert resource["attributes"][name] == row[name]
    assert seen[1]["attributes"]["count"] == 2
    assert seen[1]["attributes"]["places"][1]["title"] == "Talk 23"


async def test_findings_of_one_severity_can_be_asked_for(
    user_client: httpx.AsyncClient, findings: tuple[str, list[dict[str, Any]]]
) -> None:
    response = await user_client.get(
        f"/v1/import-jobs/{findings[0]}/findings?filter[severity]=error"
    )

    assert [r["attributes"]["code"] for r in response.json()["data"]] == ["json-number"]
    assert response.json()["meta"]["total"] == 1


async def test_findings_exist_for_the_owner_and_admins_only(
    service: Any, make_user: Any, user: User, findings: tuple[str, list[dict[str, Any]]]
) -> None:
    path = f"/v1/import-jobs/{findings[0]}/findings"
    people = {"owner": user, "admin": await make_user(is_admin=True), "other": await make_user()}
    statuses = {
        name: (await (await service.client(who)).get(path)).status_code
        for name, who in people.items()
    }
    anonymous = (await (await service.client()).get(path)).status_code
    unknown = await (await service.client(user)).get(f"/v1/import-jobs/{uuid4()}/findings")

    assert statuses == {"owner": 200, "admin": 200, "other": 404}
    assert (anonymous, unknown.status_code) == (401, 404)


@pytest.mark.parametrize("query", ["page[size]=101", "page[number]=0", "filter[severity]=x", "a=b"])
async def test_what_a_page_of_findings_cannot_be(
    user_client: httpx.AsyncClient, findings: tuple[str, list[dict[str, Any]]], query: str
) -> None:
    response = await user_client.get(f"/v1/import-jobs/{findings[0]}/findings?{query}")

    assert response.status_code == 400
