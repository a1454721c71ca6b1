"""Refresh tokens, which work once, and personal access tokens with their scopes."""

import re
from typing import Any

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import text
from tests.web.conftest import MakeUser, Service

from eventimport.auth import Passwords
from eventimport.auth.tokens import new_secret
from eventimport.database.models import User
from eventimport.http.scopes import ALL_SCOPES, NO_SCOPE, Scope, scopes_for
from eventimport.jobs.clean_up import clean_up
from eventimport.main import create_app
from eventimport.settings import Settings

PASSWORD = "tea and cables"
FOREVER = "UPDATE {} SET expires_at = now() - interval '1 second'"


async def sql(service: Service, statement: str) -> Any:
    async with service.resources.engine.begin() as connection:
        found = await connection.execute(text(statement))
        return found.scalars().all() if found.returns_rows else None


@pytest.fixture
async def owner(make_user: MakeUser) -> User:
    return await make_user(
        email="ada@example.org", password_hash=await Passwords().hash(PASSWORD), is_admin=True
    )


async def sign_in(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.post(
        "/v1/auth/session", json={"email": "ada@example.org", "password": PASSWORD}
    )
    assert answer.status_code == 200
    assert answer.json()["expires_in"] == 24 * 3600
    session: dict[str, Any] = answer.json()
    return session


async def test_a_refresh_token_works_once_and_an_old_one_ends_the_sign_in(
    service: Service, owner: User
) -> None:
    client = await service.client()

    async def refresh(token: str) -> httpx.Response:
        return await client.post("/v1/auth/refresh", json={"refresh_token": token})

    first, other = await sign_in(client), await sign_in(client)
    second = (await refresh(first["refresh_token"])).json()
    third = (await refresh(second["refresh_token"])).json()
    tokens = [each["refresh_token"] for each in (first, second, third, other)]
    assert len(set(tokens)) == 4
    headers = {"Authorization": f"Bearer {third['access_token']}"}
    assert (await client.get("/v1/account", headers=headers)).status_code == 200
    hashes = await sql(service, "SELECT refresh_hash FROM sign_ins")
    assert not {*hashes} & {*tokens}

    # A thief who comes second shows that there are two; a thief who came first is shut out, too.
    for token in (second["refresh_token"], third["refresh_token"]):
        answer = await refresh(token)
        assert answer.status_code == 401
        assert answer.json()["errors"][0]["code"] == "invalid-refresh-token"
    assert await sql(service, "SELECT action FROM audit_log WHERE action LIKE 'refresh%'") == [
        "refresh-token-reused"
    ]
    # Another sign-in goes on, until it is ended, expires, or all are.
    other = (await refresh(other["refresh_token"])).json()
    for _ in range(2):
        answer = await client.post(
            "/v1/auth/sign-out", json={"refresh_token": other["refresh_token"]}
        )
        assert answer.status_code == 204
    assert (await refresh(other["refresh_token"])).status_code == 401
    expired = await sign_in(client)
    await sql(service, FOREVER.format("sign_ins"))
    assert (await refresh(expired["refresh_token"])).status_code == 401
    assert (await clean_up(service.resources))["expired_sign_in"] == 1
    everywhere = await sign_in(client)
    headers = {"Authorization": f"JWT {everywhere['access_token']}"}
    await client.post("/v1/auth/sign-out-everywhere", headers=headers)
    assert (await refresh(everywhere["refresh_token"])).status_code == 401
    for damaged in ("", "eir_x", everywhere["access_token"][:200], "eir_" + "0" * 32):
        assert (await refresh(damaged)).status_code == 401


async def make_token(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post("/v1/personal-access-tokens", json={"name": "cron", **body})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    attributes: dict[str, Any] = answer.json()["data"]["attributes"]
    return {**attributes, "id": answer.json()["data"]["id"]}


async def test_a_personal_access_token_does_what_its_scopes_say(
    service: Service, owner: User
) -> None:
    session, client = await service.client(owner), await service.client()
    event = "/v1/events/7"
    made = {scope: await make_token(session, scopes=[scope], expires_in_days=7) for scope in Scope}

    async def code(scope: Scope, method: str, path: str) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {made[scope]['token']}"}
        if method == "PATCH":
            headers["Content-Type"] = "application/vnd.api+json"
        answer = await client.request(
            method, path, headers=headers, content=b"{}" if method == "PATCH" else None
        )
        errors = answer.json().get("errors") if answer.content else None
        return answer.status_code, errors[0]["code"] if errors else ""

    refused = (403, "insufficient-scope")
    task = "/v1/tasks/00000000-0000-0000-0000-000000000000"
    assert (await code(Scope.IMPORT, "POST", "/v1/events/import/json"))[0] == 415
    assert await code(Scope.READ, "POST", "/v1/events/import/json") == refused
    assert (await code(Scope.READ, "GET", "/v1/events"))[0] == 200
    assert await code(Scope.IMPORT, "GET", "/v1/events") == refused
    assert await code(Scope.IMPORT, "GET", "/v1/import-jobs") == (200, "")
    for scope in Scope:
        assert await code(scope, "GET", task) == (404, "not-found")
        for method, path in (
            ("PATCH", event),
            ("DELETE", event),
            ("POST", "/v1/upload/file"),
            ("POST", f"{event}/preview"),
            ("GET", "/v1/account"),
            ("GET", "/v1/users/1"),
            ("GET", "/v1/personal-access-tokens"),
            ("POST", "/v1/personal-access-tokens"),
            ("GET", "/v1/audit-log"),
            ("GET", "/v1/settings"),
            ("POST", "/v1/auth/sign-out-everywhere"),
        ):
            assert await code(scope, method, path) == refused, (scope, method, path)

    headers = {"Authorization": f"JWT {made[Scope.READ]['token']}"}
    answer = await client.post("/v1/events/import/json", headers=headers)
    (error,) = answer.json()["errors"]
    assert "scope `import`" in error["detail"]
    assert error["meta"] == {"scopes": ["import"]}
    assert 'error="insufficient_scope", scope="import"' in answer.headers["www-authenticate"]


async def test_personal_access_tokens_are_listed_and_revoked(
    start_service: Any, owner: User, make_user: MakeUser
) -> None:
    service = await start_service(max_personal_access_tokens=2, personal_access_token_days=30)
    session, client = await service.client(owner), await service.client()
    path = "/v1/personal-access-tokens"
    long = await session.post(path, json={"name": "a", "scopes": ["read"], "expires_in_days": 31})
    assert "PERSONAL_ACCESS_TOKEN_DAYS" in long.json()["errors"][0]["detail"]
    body = {"scopes": ["read", "import", "read"], "expires_in_days": 30}
    first, second = await make_token(session, **body), await make_token(session, **body)
    full = await session.post(path, json={"name": "c", **body})
    assert full.status_code == 409
    assert "MAX_PERSONAL_ACCESS_TOKENS" in full.json()["errors"][0]["detail"]
    wrongs: list[dict[str, Any]] = [
        *({"name": ""}, {"scopes": []}, {"scopes": ["admin"]}, {"expires_in_days": 0})
    ]
    for wrong in wrongs:
        answer = await session.post(path, json={"name": "d", **body, **wrong})
        assert answer.status_code == 422, wrong

    async def status(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return int((await client.get("/v1/events", headers=headers)).status_code)

    assert await status(first["token"]) == 200
    assert await status(new_secret("eip_")) == 401
    listed = (await session.get(path)).json()["data"]
    assert [each["id"] for each in listed] == [second["id"], first["id"]]
    assert [each["attributes"]["last-used-at"] is None for each in listed] == [True, False]
    assert listed[0]["attributes"]["scopes"] == ["import", "read"]
    assert first["token"] not in str(listed)
    stored = await sql(service, "SELECT token_hash FROM personal_access_tokens")
    assert first["token"] not in stored

    other = await service.client(await make_user())
    assert (await other.delete(f"{path}/{first['id']}")).status_code == 404
    assert (await session.delete(f"{path}/{first['id']}")).status_code == 204
    assert (await status(first["token"]), await status(second["token"])) == (401, 200)
    # It stays when its user signs out everywhere, and goes with its time or its user.
    await session.post("/v1/auth/sign-out-everywhere")
    assert await status(second["token"]) == 200
    await sql(service, "UPDATE users SET disabled_at = now()")
    assert await status(second["token"]) == 401
    await sql(service, "UPDATE users SET disabled_at = NULL")
    await sql(service, FOREVER.format("personal_access_tokens"))
    assert await status(second["token"]) == 401


def test_every_route_has_its_scopes(settings: Settings) -> None:
    """What changes anything but imports needs a sign-in, and so does all that is about accounts."""
    routes = {
        (method, re.sub(r"\{[^}]*\}", "7", context.path or ""))
        for context in iter_route_contexts(create_app(settings).routes)
        for method in context.methods or ()
        if (context.path or "").startswith(("/v1/", "/auth/"))
    }
    table = {route: scopes_for(*route) for route in routes}
    writing = {route: scopes for route, scopes in table.items() if route[0] not in {"GET", "HEAD"}}
    assert {route for route, scopes in writing.items() if scopes} == {
        ("POST", "/v1/events/import/7"),
        ("POST", "/v1/import-jobs/7/fetch-media"),
        ("DELETE", "/v1/tasks/7"),
    }
    private = ("/v1/account", "/v1/users", "/v1/auth", "/auth", "/v1/audit", "/v1/settings")
    for (method, path), scopes in table.items():
        if path.startswith((*private, "/v1/personal")):
            assert scopes == NO_SCOPE, path
        elif method == "GET":
            assert scopes & {Scope.READ, Scope.EXPORT}, path
    assert table["GET", "/v1/tasks/7"] == ALL_SCOPES
    assert scopes_for("GET", "/v1/events/7/export/ical") == {Scope.EXPORT}
    assert scopes_for("PUT", "/v1/anything") == scopes_for("GET", "/elsewhere") == NO_SCOPE
