"""A file is imported from the URL that a client names, under the rules for linked media files."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from tests.formats.schedule_samples import PLAIN
from tests.media.test_fetch import Server, ok, redirect, serving
from tests.web.conftest import Service, StartService

from eventimport.database.models import ImportJob, User
from eventimport.imports.run import run_import

URL = "/v1/events/import/auto"
DOCUMENT = PLAIN.encode()
PATH = "/export/schedule.xml?lang=en"


@dataclass
class World:
    """A service, its user's client, and a server with files."""

    service: Service
    client: httpx.AsyncClient
    server: Server

    async def send(self, path: str, url: str = URL, **headers: str) -> httpx.Response:
        return await self.client.post(url, json={"url": self.server.url(path)}, headers=headers)

    async def jobs(self) -> list[ImportJob]:
        async with self.service.resources.sessions() as session:
            return list((await session.scalars(select(ImportJob))).all())

    def files(self) -> list[str]:
        root = self.service.resources.settings.local_storage_path
        return [path.name for path in root.rglob("*") if path.is_file()]

    async def left_nothing(self) -> bool:
        return not await self.jobs() and not self.files()


@pytest.fixture
async def world(start_service: StartService, user: User) -> AsyncIterator[World]:
    service = await start_service(fetch_allowed_hosts=("127.0.0.1",), url_imports_at_once=1)
    async with serving() as server:
        server.answers[PATH] = ok(DOCUMENT, "Content-Type: application/xml")
        yield World(service, await service.client(user), server)


async def test_a_file_is_fetched_stored_and_imported(world: World) -> None:
    response = await world.send(PATH)
    assert response.status_code == 202
    assert response.headers["location"] == response.json()["task_url"]
    (job,) = await world.jobs()
    assert (job.file_name, job.archive_size) == ("schedule.xml", len(DOCUMENT))
    await run_import(world.service.resources, job.id)
    task = (await world.client.get(response.json()["task_url"])).json()
    assert (task["state"], task["event"]["id"]) == ("SUCCESS", task["result"]["id"])


async def test_redirects_are_followed_and_the_server_may_name_the_file(world: World) -> None:
    world.server.answers["/old"] = redirect("/new")
    header = 'Content-Disposition: attachment; filename="lanterns.xml"'
    world.server.answers["/new"] = ok(DOCUMENT, header)
    assert (await world.send("/old")).status_code == 202
    (job,) = await world.jobs()
    assert job.file_name == "lanterns.xml"


async def test_a_repeated_request_fetches_nothing(world: World) -> None:
    first = await world.send(PATH, **{"Idempotency-Key": "a"})
    world.server.answers[PATH] = ok(b"<something-else/>")
    again = await world.send(PATH, **{"Idempotency-Key": "a"})
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert len(world.server.requests) == len(await world.jobs()) == 1
    other = await world.send("/other", **{"Idempotency-Key": "a"})
    assert other.status_code == 422
    assert other.json()["errors"][0]["code"] == "idempotency-key-reused"


NOT_FETCHED = (
    "http://127.0.0.1:1/closed",
    "http://169.254.169.254/latest/meta-data",
    "http://[::1]/",
    "ftp://example.org/schedule.xml",
    "file:///etc/passwd",
    "https://user:secret@example.org/",
    "schedule.xml",
)


@pytest.mark.parametrize("url", NOT_FETCHED)
async def test_what_cannot_be_fetched_is_a_422_and_leaves_nothing(world: World, url: str) -> None:
    response = await world.client.post(URL, json={"url": url})
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["code"] == "not-fetched"
    assert error["source"] == {"pointer": "/url"}
    assert await world.left_nothing()


@pytest.mark.parametrize("body", [{"url": 5}, {"url": ""}, {"url": "x" * 3000}])
async def test_what_is_not_a_url_is_a_422(world: World, body: Any) -> None:
    response = await world.client.post(URL, json=body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["code"] == "invalid-url"


async def test_any_other_body_should_be_a_form(world: World) -> None:
    headers = {"Content-Type": "application/json"}
    for body in (b"", b"{", b"[" * 10_000, b"\xff", b"{}", b"[]", b'{"u": 1}', b" " * 100_000):
        response = await world.client.post(URL, content=body, headers=headers)
        assert response.status_code == 415
        assert "multipart/form-data" in response.json()["errors"][0]["detail"]
    assert await world.left_nothing()


async def test_missing_files_and_cut_off_ones_leave_nothing(world: World) -> None:
    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + DOCUMENT)
        await writer.drain()

    world.server.answers["/cut"] = cut
    for path in ("/missing", "/cut"):
        response = await world.send(path)
        assert (response.status_code, response.json()["errors"][0]["code"]) == (422, "not-fetched")
    assert await world.left_nothing()


async def test_the_content_is_checked_as_that_of_an_upload_is(world: World) -> None:
    world.server.answers["/empty"] = ok(b"")
    assert (await world.send("/empty")).json()["errors"][0]["code"] == "empty-file"
    response = await world.send(PATH, "/v1/events/import/ical")
    assert (response.status_code, response.json()["errors"][0]["code"]) == (415, "other-format")
    assert await world.left_nothing()


async def test_files_that_are_too_large_are_rejected(
    start_service: StartService, user: User
) -> None:
    service = await start_service(fetch_allowed_hosts=("127.0.0.1",), max_archive_bytes=500)
    async with serving() as server:
        server.answers["/said"] = ok(bytes(501))
        server.answers["/unsaid"] = b"HTTP/1.1 200 OK\r\n\r\n" + b"<schedule>" + b" " * 600
        world = World(service, await service.client(user), server)
        for path in ("/said", "/unsaid"):
            response = await world.send(path)
            assert response.status_code == 413
            assert "MAX_ARCHIVE_BYTES" in response.json()["errors"][0]["detail"]
        assert await world.left_nothing()


async def test_only_some_files_are_fetched_at_the_same_time(world: World) -> None:
    begun = asyncio.Event()

    async def slow(writer: asyncio.StreamWriter) -> None:
        begun.set()
        await world.server.held.wait()
        writer.write(ok(DOCUMENT))
        await writer.drain()

    world.server.answers["/slow"] = slow
    first = asyncio.create_task(world.send("/slow"))
    async with asyncio.timeout(60):
        await begun.wait()
    second = await world.send(PATH)
    assert second.status_code == 503
    assert "URL_IMPORTS_AT_ONCE" in second.json()["errors"][0]["detail"]
    assert second.headers["retry-after"]
    world.server.held.set()
    assert (await first).status_code == 202
    assert (await world.send(PATH)).status_code == 202


async def test_an_operator_may_turn_it_off(start_service: StartService, user: User) -> None:
    service = await start_service(
        fetch_allowed_hosts=("127.0.0.1",), import_from_urls=False, fetch_media=True
    )
    client = await service.client(user)
    response = await client.post(URL, json={"url": "http://127.0.0.1:1/"})
    assert response.status_code == 422
    assert "IMPORT_FROM_URLS" in response.json()["errors"][0]["detail"]
