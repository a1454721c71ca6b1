"""The web application over real servers, spoken to without a socket."""

import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from eventimport.database.models import User
from eventimport.main import create_app
from eventimport.resources import Resources, open_resources
from eventimport.settings import Settings

SECRET_KEY = "a key for tests, which guards nothing; long enough for every HMAC there is"
BASE_URL = "http://service.example"


SHARED: list[tuple[Settings, FastAPI]] = []
"""The applications of this process, each with the settings that it was made for.

They share their routes, which know no settings: FastAPI prepares all of them at the first request,
which costs a quarter of a second.
"""


def shared_app(settings: Settings) -> FastAPI:
    """An application for these settings. Only the resources know where files are stored."""
    key = settings.model_copy(update={"local_storage_path": Path()})
    for known, app in SHARED:
        if known == key:
            return app
    app = create_app(settings)
    if SHARED:
        app.router = SHARED[0][1].router
    SHARED.append((key, app))
    return app


@dataclass
class Service:
    """A started application."""

    resources: Resources
    _stack: AsyncExitStack
    _app: FastAPI | None = None

    @property
    def app(self) -> FastAPI:
        """This service's own application, which a test may change."""
        if self._app is None:
            self._app = create_app(self.resources.settings)
        return self._app

    def stop_clock(self) -> None:
        """Have time stand still for the limits: no window of a minute ends in a test."""
        self.resources.limiter.clock = lambda: 1_800_000_000.0

    async def client(self, user: User | None = None, *, raises: bool = True) -> httpx.AsyncClient:
        """A client, signed in as the user. `raises`: what the application does not expect is
        raised here, and not only answered with 500."""
        headers = {}
        if user is not None:
            headers["Authorization"] = f"Bearer {self.resources.tokens.issue(user.id)}"
        transport = httpx.ASGITransport(self.answer, raise_app_exceptions=raises)
        client = httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=headers)
        return await self._stack.enter_async_context(client)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application as a server calls it, with the lifespan's state."""
        app = self._app or shared_app(self.resources.settings)
        await app({**scope, "state": {"resources": self.resources}}, receive, send)


StartService = Callable[..., Awaitable[Service]]
MakeUser = Callable[..., Awaitable[User]]


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    """Settings over the test servers; objects are on local disk."""
    common = settings_over(database_url, redis_url)
    return common.model_copy(update={"local_storage_path": tmp_path / "storage"})


@cache
def settings_over(database_url: str, redis_url: str) -> Settings:
    """Settings over these servers, read once, which costs 20 ms."""
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        secret_key=SECRET_KEY,
        frontend_url="https://events.example/",
        readiness_timeout=60,
        allowed_hosts=("service.example", "127.0.0.1", "localhost"),
    )


@pytest.fixture
async def start_service(settings: Settings) -> AsyncIterator[StartService]:
    """Starts an application; keywords replace settings."""
    async with AsyncExitStack() as stack:

        async def start(**changes: Any) -> Service:
            opening = open_resources(settings.model_copy(update=changes))
            return Service(await stack.enter_async_context(opening), stack)

        yield start


@pytest.fixture
async def service(start_service: StartService) -> Service:
    """An application with the settings of the tests."""
    return await start_service()


@pytest.fixture
async def client(service: Service) -> httpx.AsyncClient:
    """A client that is not signed in."""
    return await service.client()


@pytest.fixture
async def user(make_user: MakeUser) -> User:
    """A user who is no admin."""
    return await make_user(email="ada@example.org")


@pytest.fixture
async def user_client(service: Service, user: User) -> httpx.AsyncClient:
    """A client that is signed in as `user`."""
    return await service.client(user)


def claims_of(user: User) -> dict[str, Any]:
    """What an access token of the user says, as long as it is valid."""
    now = datetime.now(UTC)
    return {
        "sub": str(user.id),
        "iat": now,
        "exp": now + timedelta(hours=1),
        "iss": "eventimport",
        "aud": "eventimport",
    }


@pytest.fixture
def archive() -> bytes:
    """A small zip."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("event", '{"id": 1, "name": "Conference"}')
    return content.getvalue()
