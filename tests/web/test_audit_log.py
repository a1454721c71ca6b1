"""The audit log: what is recorded, who reads it, and that it only grows."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.web.conftest import MakeUser, Service
from typer.testing import CliRunner

from eventimport.auth import Passwords
from eventimport.cli import app
from eventimport.database.audit import delete_old_acts, record_act
from eventimport.database.models import User

PATH = "/v1/audit-log"
PASSWORD = "tea and cables"


async def entries(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await client.get(PATH, params={"page[size]": 100, **query})
    assert answer.status_code == 200, answer.text
    return [entry["attributes"] for entry in answer.json()["data"]]


async def test_sign_ins_are_recorded_and_admins_read_them(
    service: Service, make_user: MakeUser
) -> None:
    admin = await service.client(await make_user(is_admin=True))
    user = await make_user(email="ada@example.org", password_hash=await Passwords().hash(PASSWORD))
    client = await service.client()
    for email, password in (
        ("ada@example.org", PASSWORD),
        ("ada@example.org", "wrong password"),
        ("stranger@example.org", PASSWORD),
    ):
        await client.post("/v1/auth/session", json={"email": email, "password": password})

    found = await entries(admin)
    assert [(e["action"], e["actor-id"], e["subject-id"]) for e in found] == [
        ("sign-in-failed", None, None),
        ("sign-in-failed", None, str(user.id)),
        ("sign-in", str(user.id), str(user.id)),
    ]
    assert {entry["client"] for entry in found} == {"127.0.0.1"}
    assert "stranger" not in json.dumps(found)
    for query, count in (
        ({"filter[action]": "sign-in"}, 1),
        ({"filter[actor-id]": user.id}, 1),
        ({"filter[subject-kind]": "user", "filter[subject-id]": str(user.id)}, 2),
        ({"filter[since]": "2200-01-01T00:00:00Z"}, 0),
        ({"filter[until]": "2200-01-01T00:00:00Z"}, 3),
    ):
        assert len(await entries(admin, **query)) == count, query
    stranger = await (await service.client(user)).get(PATH)
    assert (stranger.status_code, (await client.get(PATH)).status_code) == (403, 401)


async def test_imports_are_recorded_once_they_are_accepted(
    service: Service, make_user: MakeUser, user: User, archive: bytes
) -> None:
    client = await service.client(user)
    path = "/v1/events/import/json"
    accepted = await client.post(path, files={"file": archive}, params={"dry_run": "true"})
    assert accepted.status_code == 202

    (entry,) = await entries(await service.client(await make_user(is_admin=True)))
    assert (entry["action"], entry["actor-id"]) == ("import", str(user.id))
    assert accepted.json()["task_url"] == f"/v1/tasks/{entry['subject-id']}"
    assert entry["detail"] == {"dry_run": True}


async def test_entries_only_grow_until_they_are_old(service: Service, user: User) -> None:
    engine = service.resources.engine
    async with engine.begin() as connection:
        await record_act(
            connection, "publish", actor=user.id, subject=("event", 5), detail={"by": "test"}
        )
    with pytest.raises(DBAPIError, match="append-only"):
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE audit_log SET action = 'nothing'"))
    async with engine.begin() as connection:
        assert await delete_old_acts(connection, timedelta(days=1)) == 0
        assert await delete_old_acts(connection, timedelta(days=-1)) == 1


async def test_operators_read_it_at_the_command_line(
    service: Service, settings: Any, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("database_url", "redis_url", "secret_key"):
        monkeypatch.setenv(name.upper(), getattr(settings, name).get_secret_value())
    async with service.resources.engine.begin() as connection:
        for number in range(3):
            await record_act(connection, "delete", actor=user.id, subject=("event", number))
        await record_act(connection, "sign-in", actor=None, client="192.0.2.1")

    def run(*arguments: str) -> list[str]:
        result = CliRunner().invoke(app, ["audit", *arguments])
        assert result.exit_code == 0, result.output
        return result.stdout.splitlines()

    lines = await asyncio.to_thread(run, "--action", "delete", "--limit", "2")
    assert "event 2" in lines[0]
    assert f"user {user.id}" in lines[0]
    assert lines[2].startswith("1 more")
    first = json.loads((await asyncio.to_thread(run, "--json"))[0])
    assert (first["action"], first["actor_id"], first["client"]) == ("sign-in", None, "192.0.2.1")


@pytest.mark.parametrize("way", ["sign-out", "disabled"])
async def test_a_token_ends_at_once(service: Service, user: User, way: str) -> None:
    client, other = await service.client(user), await service.client(user)
    paths = ("/v1/import-jobs", "/v1/tasks/00000000-0000-0000-0000-000000000000")
    assert [(await other.get(path)).status_code for path in paths] == [200, 404]

    if way == "sign-out":
        assert (await client.post("/v1/auth/sign-out-everywhere")).status_code == 204
    else:
        async with service.resources.engine.begin() as connection:
            await connection.execute(text("UPDATE users SET disabled_at = now()"))

    for old in (client, other):
        assert [(await old.get(path)).status_code for path in paths] == [401, 401]
    async with service.resources.engine.connect() as connection:
        version = await connection.scalar(text("SELECT token_version FROM users"))
    token = service.resources.tokens.issue(user.id, version)
    again = await other.get(paths[0], headers={"Authorization": f"JWT {token}"})
    assert again.status_code == (200 if way == "sign-out" else 401)
