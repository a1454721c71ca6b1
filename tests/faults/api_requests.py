"""Requests to an application, in the test's own process or in one that is killed meanwhile."""

import asyncio
from pathlib import Path

import httpx
from tests.faults.kill_points import KillPoint

from eventimport.main import create_app
from eventimport.resources import Resources
from eventimport.settings import Settings

IMPORT, UPLOAD = "/v1/events/import/json", "/v1/upload/files"
ZIP = b"PK\x05\x06" + bytes(18)


def settings_of(database_url: str, redis_url: str, folder: str) -> Settings:
    """The same settings in both processes."""
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        secret_key="a key for tests, which guards nothing",
        local_storage_path=Path(folder),
        allowed_hosts=("service.example",),
    )


class answers:  # noqa: N801 - used as a function
    """A client of an application in this process, signed in as the user."""

    def __init__(self, settings: Settings, user_id: int) -> None:
        self._app = create_app(settings)
        self._user_id = user_id

    async def __aenter__(self) -> httpx.AsyncClient:
        self._lifespan = self._app.router.lifespan_context(self._app)
        state = await self._lifespan.__aenter__()
        assert state is not None
        resources: Resources = state["resources"]

        async def answer(scope: object, receive: object, send: object) -> None:
            await self._app({**scope, "state": {"resources": resources}}, receive, send)  # type: ignore[dict-item, arg-type]

        headers = {"Authorization": f"Bearer {resources.tokens.issue(self._user_id)}"}
        transport = httpx.ASGITransport(answer)
        return httpx.AsyncClient(
            transport=transport, base_url="http://service.example", headers=headers
        )

    async def __aexit__(self, *_error: object) -> None:
        await self._lifespan.__aexit__(None, None, None)


async def post(client: httpx.AsyncClient, url: str) -> httpx.Response:
    """The request that is cut off, and then repeated."""
    name = "file" if url == IMPORT else "files"
    return await client.post(
        url, files=[(name, ("a.zip", ZIP))], headers={"Idempotency-Key": "a key"}
    )


def send(kill_point: KillPoint, url: str, user_id: int, *service: str) -> None:
    """Send the request to an application that is killed at the point. `service` is what
    `settings_of` accepts."""

    async def send_it() -> None:
        async with answers(settings_of(*service), user_id) as client:
            kill_point.arm()
            await post(client, url)

    asyncio.run(send_it())
