"""What clients are told while PostgreSQL is away: nothing of theirs is wrong."""

import socket
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from eventimport.database.models import User


@pytest.fixture(params=["refused", "unknown host", "starting up", "connection limit"])
def address(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    database_url: str,
) -> str:
    """Where there is no PostgreSQL, or one that takes no connection for now."""
    faults: dict[str, Callable[[str], Exception]] = {
        "starting up": asyncpg.CannotConnectNowError,
        "connection limit": asyncpg.TooManyConnectionsError,
    }
    if request.param in faults:

        async def refuse(*_args: Any, **_kwargs: Any) -> Any:
            raise faults[request.param]("not now")

        monkeypatch.setattr("asyncpg.connect", refuse)
        return database_url
    if request.param == "refused":
        return "postgresql://x:y@127.0.0.1:1/x"

    # Without asking a name server: one that is silent takes a minute to be given up.
    def unknown(*_args: Any, **_kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    return "postgresql://x:y@postgres.invalid:1/x"


async def test_a_database_that_is_away_is_503(
    start_service: Any, address: str, archive: bytes
) -> None:
    service = await start_service(database_url=SecretStr(address))
    user = User(id=1, email="ada@example.org")
    client: httpx.AsyncClient = await service.client(user)
    answers = [
        await client.get(f"/v1/tasks/{uuid4()}"),
        await client.get("/v1/import-jobs"),
        await client.post("/v1/events/import/json", files={"file": archive}),
        await client.post("/v1/auth/session", json={"email": "a@b.c", "password": "p"}),
    ]
    for answer in answers:
        assert answer.status_code == 503, answer.text
        assert answer.headers["Retry-After"]
        assert answer.json()["errors"][0]["code"] == "database-unavailable"
