"""Media files that an import has not stored are fetched again; its report follows."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.formats.planning import zip_of
from tests.jobs.test_media_findings import PHOTO, drawn
from tests.media.test_fetch import Server, ok, serving
from tests.stored_files import accept_archive
from tests.web.conftest import MakeUser, Service, StartService

from eventimport.database.models import Base, User
from eventimport.database.tasks import claim
from eventimport.imports.media_fetch import attempt_media_fetch
from eventimport.imports.run import run_import

LOGO = drawn()
LINKS = ("a.png", "b.png", "c.png")
DOWN = b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"


@dataclass
class World:
    """A service, its user's client, and a server that images are linked on."""

    service: Service
    client: httpx.AsyncClient
    user: User
    server: Server

    async def imported(self, **options: Any) -> str:
        """The URL of an import of three links, a good image and a damaged one."""
        sponsors = [
            {"id": number, "name": f"Sponsor {number}", "logo-url": self.server.url(f"/{name}")}
            for number, name in enumerate(LINKS)
        ]
        documents = {
            "event": {"id": 1, "name": "Conference", "logo-url": "logo.png"},
            "speakers": [{"id": 7, "name": "Ada", "photo-url": "damaged.jpg"}],
            "sponsors": sponsors,
        }
        data = zip_of(documents, {"logo.png": LOGO, "damaged.jpg": PHOTO[:-400]})
        job_id = await accept_archive(self.service.resources, self.user.id, data, **options)
        await run_import(self.service.resources, job_id)
        return f"/v1/import-jobs/{job_id}"

    async def job(self, url: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.client.get(url)).json()["data"]["attributes"]
        return found

    async def report(self, url: str) -> tuple[dict[str, int], dict[str, int]]:
        """The outcomes of the media files, and how often each finding was found. The report and the
        list of findings must agree."""
        report = (await self.job(url))["report"]
        findings = (await self.client.get(f"{url}/findings?page[size]=100")).json()["data"]
        listed = [finding["attributes"] for finding in findings]
        assert [one["code"] for one in listed] == [one["code"] for one in report["findings"]]
        assert report["total"] == len(listed)
        totals = Counter({"repair": 0, "warning": 0, "error": 0})
        for one in listed:
            totals[one["severity"]] += one["count"]
        assert report["totals"] == dict(totals)
        return report["media"]["outcomes"], {one["code"]: one["count"] for one in listed}

    async def begin(self, url: str) -> str:
        answer = await self.client.post(f"{url}/fetch-media")
        assert (answer.status_code, answer.headers["location"]) == (202, answer.json()["task_url"])
        assert int(answer.headers["retry-after"]) > 0
        return str(answer.json()["task_url"])

    async def run(self, task_url: str) -> dict[str, Any]:
        """The task after an attempt by a worker."""
        async with self.service.resources.engine.begin() as connection:
            claimed = await claim(connection, UUID(task_url.rpartition("/")[2]))
        assert claimed is not None
        await attempt_media_fetch(self.service.resources, claimed)
        return await self.task(task_url)

    async def task(self, task_url: str) -> dict[str, Any]:
        task: dict[str, Any] = (await self.client.get(task_url)).json()
        return task

    async def logos(self) -> list[Any]:
        async with self.service.resources.engine.connect() as connection:
            table = Base.metadata.tables["sponsors"]
            rows = await connection.execute(table.select().order_by(table.c.source_id))
            return [row.logo_url for row in rows]


@pytest.fixture
async def world(start_service: StartService, user: User) -> AsyncIterator[World]:
    service = await start_service(fetch_media=True, fetch_allowed_hosts=("127.0.0.1",))
    async with serving() as server:
        server.answers = {f"/{name}": DOWN for name in LINKS}
        yield World(service, await service.client(user), user, server)


async def test_what_is_missing_is_fetched_and_the_report_follows(world: World) -> None:
    url = await world.imported()
    damaged = {"media-not-an-image": 1}
    assert await world.report(url) == (
        {"MOVED": 1, "NOT_AN_IMAGE": 1, "UNREACHABLE": 3},
        damaged | {"media-unreachable": 3},
    )

    world.server.answers |= {"/a.png": ok(LOGO), "/b.png": ok(LOGO)}
    task_url = await world.begin(url)
    assert await world.begin(url) == task_url, "one task at a time"
    task = await world.run(task_url)

    assert (task["kind"], task["state"], task["event"]) == ("fetch-media", "SUCCESS", None)
    assert (task["progress"]["done"], task["progress"]["total"]) == (5, 5)
    outcomes = {"MOVED": 3, "NOT_AN_IMAGE": 1, "UNREACHABLE": 1}
    assert task["result"] == {
        "import_job_id": url.rpartition("/")[2],
        "stored": 2,
        "missing": 2,
        "outcomes": outcomes,
    }
    assert await world.report(url) == (outcomes, damaged | {"media-unreachable": 1})

    world.server.answers["/c.png"] = ok(LOGO)
    before = list(world.server.requests)
    task = await world.run(await world.begin(url))
    assert (task["result"]["stored"], task["result"]["missing"]) == (1, 1)
    assert [line.split()[1] for line in world.server.requests[len(before) :]] == ["/c.png"]
    assert await world.report(url) == ({"MOVED": 4, "NOT_AN_IMAGE": 1}, damaged)
    assert all("/media/events/" in logo for logo in await world.logos())
    assert (await world.job(url))["status"] == "SUCCESS"

    answer = await world.client.post(f"{url}/fetch-media")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "nothing-missing")


async def test_a_cancelled_fetch_keeps_what_it_has_stored(world: World) -> None:
    url = await world.imported()
    before = await world.report(url)
    # Before a worker has begun, nothing changes.
    task_url = await world.begin(url)
    assert (await world.client.delete(task_url)).json()["state"] == "REVOKED"
    assert await world.report(url) == before

    reached = asyncio.Event()

    async def endless(_writer: asyncio.StreamWriter) -> None:
        reached.set()
        await world.server.held.wait()

    world.server.answers["/b.png"] = endless
    task_url = await world.begin(url)
    running = asyncio.create_task(world.run(task_url))
    async with asyncio.timeout(60):
        await reached.wait()
        assert (await world.report(url))[0]["PLANNED"] > 0
        assert (await world.client.delete(task_url)).json()["state"] == "REVOKED"
        await running
    outcomes, findings = await world.report(url)
    assert "PLANNED" not in outcomes
    assert findings["media-not-stored"] == outcomes["NOT_STORED"]

    world.server.answers = {f"/{name}": ok(LOGO) for name in LINKS}
    task = await world.run(await world.begin(url))
    assert (task["state"], task["result"]["stored"]) == ("SUCCESS", 3)
    assert await world.report(url) == (
        {"MOVED": 4, "NOT_AN_IMAGE": 1},
        {"media-not-an-image": 1},
    )


async def test_a_link_that_a_user_has_replaced_or_removed_stays_so(world: World) -> None:
    url = await world.imported()
    sponsors = Base.metadata.tables["sponsors"]
    async with world.service.resources.engine.begin() as connection:
        for source_id, value in (("0", "https://example.org/own.png"), ("1", None)):
            changed = sponsors.update().where(sponsors.c.source_id == source_id)
            await connection.execute(changed.values(logo_url=value))
    world.server.answers = {f"/{name}": ok(LOGO) for name in LINKS}
    task = await world.run(await world.begin(url))
    assert (task["result"]["stored"], task["result"]["outcomes"]["REFUSED"]) == (1, 2)
    replaced, removed, stored = await world.logos()
    assert (replaced, removed) == ("https://example.org/own.png", None)
    assert "/media/" in stored
    answer = await world.client.post(f"{url}/fetch-media")
    assert answer.json()["errors"][0]["code"] == "nothing-missing"


async def test_imports_that_cannot_be_fetched_for(world: World, make_user: MakeUser) -> None:
    url = await world.imported()
    dry_run = await world.imported(dry_run=True)
    open_id = await accept_archive(world.service.resources, world.user.id, b"waits")
    stranger = await world.service.client(await make_user())
    admin = await world.service.client(await make_user(is_admin=True))
    for client, job, status, code in (
        (stranger, url, 404, "not-found"),
        (world.client, f"/v1/import-jobs/{uuid4()}", 404, "not-found"),
        (world.client, f"/v1/import-jobs/{open_id}", 409, "import-running"),
        (world.client, dry_run, 409, "nothing-missing"),
    ):
        answer = await client.post(f"{job}/fetch-media")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)
    event = f"/v1/events/{(await world.job(url))['event-id']}"
    assert (await world.client.delete(event)).status_code == 204
    answer = await world.client.post(f"{url}/fetch-media")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "event-deleted")
    assert (await world.client.post(f"{event}/restore")).status_code < 300
    task_url = (await admin.post(f"{url}/fetch-media")).json()["task_url"]
    assert (await world.task(task_url))["state"] == "PENDING", "the task is its owner's"
