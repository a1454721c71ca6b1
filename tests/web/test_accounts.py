"""Signing up and signing in."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest
from argon2 import PasswordHasher
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from tests.web.conftest import claims_of

from eventimport.auth import Passwords
from eventimport.database.models import User

NEW = {"email": "Grace@Example.org", "password": "correct horse"}


def code_of(response: httpx.Response) -> str:
    """The code of the answer's only error."""
    assert response.headers["content-type"] == "application/vnd.api+json"
    (error,) = response.json()["errors"]
    assert error["status"] == str(response.status_code)
    return str(error["code"])


async def test_sign_up_makes_an_account(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/users", json=NEW)

    assert response.status_code == 201
    assert response.headers["content-type"] == "application/vnd.api+json"
    resource = response.json()["data"]
    assert resource["type"] == "user"
    assert resource["attributes"]["email"] == "Grace@example.org"
    assert resource["attributes"]["is-admin"] is False
    assert (
        response.headers["location"] == resource["links"]["self"] == f"/v1/users/{resource['id']}"
    )


async def test_only_an_argon2_hash_is_stored(
    client: httpx.AsyncClient, session_factory: async_sessionmaker[AsyncSession]
) -> None:
    await client.post("/v1/users", json=NEW)

    async with session_factory() as session:
        user = (await session.scalars(select(User))).one()
    assert user.password_hash.startswith("$argon2id$")
    assert PasswordHasher().verify(user.password_hash, NEW["password"])


async def test_an_address_has_one_account_however_it_is_spelled(client: httpx.AsyncClient) -> None:
    await client.post("/v1/users", json=NEW)

    response = await client.post("/v1/users", json={**NEW, "email": "gRACE@example.org"})

    assert response.status_code == 409
    assert code_of(response) == "email-taken"


async def test_sign_up_can_be_switched_off(start_service: Any) -> None:
    service = await start_service(sign_up_enabled=False)
    client = await service.client()

    response = await client.post("/v1/users", json=NEW)

    assert response.status_code == 403
    assert code_of(response) == "sign-up-disabled"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"email": "no address"}, "/email"),
        ({"email": "a\x00@example.org"}, "/email"),
        ({"password": "seven77"}, "/password"),
        ({"password": "x" * 129}, "/password"),
        ({"password": "\ud800 is no character"}, "/password"),
        ({"is_admin": True}, "/is_admin"),
    ],
)
async def test_sign_up_says_what_is_wrong(
    client: httpx.AsyncClient, change: dict[str, Any], pointer: str
) -> None:
    # ASCII alone, so that a lone surrogate can be sent at all.
    body = json.dumps({**NEW, **change})
    response = await client.post(
        "/v1/users", content=body, headers={"Content-Type": "application/json"}
    )

    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["source"] == {"pointer": pointer}


async def test_sign_up_tells_all_that_is_wrong_at_once(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/users", json={"email": "x", "password": "y"})

    pointers = [error["source"]["pointer"] for error in response.json()["errors"]]
    assert pointers == ["/email", "/password"]


@pytest.mark.parametrize("path", ["/auth/session", "/v1/auth/session"])
@pytest.mark.parametrize("scheme", ["JWT", "Bearer", "bearer", "jwt"])
async def test_a_session_token_opens_routes(
    client: httpx.AsyncClient, path: str, scheme: str
) -> None:
    await client.post("/v1/users", json=NEW)
    credentials = {"email": "grace@example.org", "password": NEW["password"], "remember-me": True}

    session = await client.post(path, json=credentials)
    token = session.json()["access_token"]
    response = await client.get("/v1/import-jobs", headers={"Authorization": f"{scheme} {token}"})

    assert session.status_code == 200
    assert session.headers["cache-control"] == "no-store"
    assert response.status_code == 200


async def test_unknown_user_and_wrong_password_get_the_same_answer(
    client: httpx.AsyncClient,
) -> None:
    await client.post("/v1/users", json=NEW)

    wrong = await client.post("/v1/auth/session", json={**NEW, "password": "wrong password"})
    unknown = await client.post("/v1/auth/session", json={**NEW, "email": "nobody@example.org"})

    assert wrong.status_code == unknown.status_code == 401
    assert wrong.content == unknown.content
    for answer in (wrong, unknown):
        del answer.headers["x-request-id"]
    assert wrong.headers == unknown.headers
    assert "www-authenticate" in wrong.headers


async def test_an_unknown_user_costs_a_hash_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = Passwords()
    verified: list[str] = []

    def verify(_hasher: PasswordHasher, password_hash: str, _password: str) -> bool:
        verified.append(password_hash)
        return True

    monkeypatch.setattr(PasswordHasher, "verify", verify)

    assert not await passwords.verify(None, "nobody has this password")
    assert len(verified) == 1
    assert verified[0].startswith("$argon2id$")


async def test_a_hash_with_old_parameters_is_renewed(
    client: httpx.AsyncClient,
    make_user: Any,
    session_factory: async_sessionmaker[AsyncSession],
) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse")
    user = await make_user(email="old@example.org", password_hash=old)

    response = await client.post(
        "/v1/auth/session", json={"email": "old@example.org", "password": "correct horse"}
    )

    assert response.status_code == 200
    async with session_factory() as session:
        renewed = (await session.get_one(User, user.id)).password_hash
    assert renewed != old
    assert not PasswordHasher().check_needs_rehash(renewed)
    assert PasswordHasher().verify(renewed, "correct horse")


async def test_the_body_must_be_json(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/v1/auth/session", content=b'{"email": ', headers={"Content-Type": "application/json"}
    )

    assert response.status_code == 400
    assert code_of(response) == "invalid-json"


@pytest.mark.parametrize("path", ["/v1/users", "/v1/auth/session"])
@pytest.mark.parametrize("declared", [True, False])
async def test_a_large_body_is_not_taken(
    client: httpx.AsyncClient, path: str, declared: bool
) -> None:
    body = json.dumps({**NEW, "more": "x" * 65536}).encode()

    async def chunks() -> AsyncIterator[bytes]:
        yield body

    response = await client.post(
        path,
        content=body if declared else chunks(),
        headers={"Content-Type": "application/json"},
    )

    assert response.status_code == 413
    assert code_of(response) == "content-too-large"


async def test_a_token_has_all_claims(service: Any, user: User) -> None:
    token = service.resources.tokens.issue(user.id)

    claims = jwt.decode(token, options={"verify_signature": False})
    header = jwt.get_unverified_header(token)

    assert header["alg"] == "HS256"
    assert claims["sub"] == str(user.id)
    assert claims["iss"] == claims["aud"] == "eventimport"
    assert claims["exp"] - claims["iat"] == 24 * 3600


@pytest.mark.parametrize("claim", ["exp", "iat", "sub", "iss", "aud"])
async def test_a_token_without_a_claim_opens_nothing(
    service: Any, user: User, settings: Any, claim: str
) -> None:
    claims = claims_of(user)
    key = settings.secret_key.get_secret_value()
    client = await service.client()

    async def status(some: dict[str, Any]) -> int:
        headers = {"Authorization": f"Bearer {jwt.encode(some, key, 'HS256')}"}
        return int((await client.get("/v1/import-jobs", headers=headers)).status_code)

    assert await status(claims) == 200
    assert await status({name: value for name, value in claims.items() if name != claim}) == 401


@pytest.mark.parametrize(("claim", "value"), [("iss", "other"), ("aud", "other"), ("sub", "x")])
async def test_a_token_for_someone_else_opens_nothing(
    service: Any, user: User, settings: Any, claim: str, value: str
) -> None:
    claims = claims_of(user) | {claim: value}
    token = jwt.encode(claims, settings.secret_key.get_secret_value(), "HS256")
    client = await service.client()

    response = await client.get("/v1/import-jobs", headers={"Authorization": f"JWT {token}"})

    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_of_a_deleted_user_opens_nothing(
    service: Any, user: User, session_factory: async_sessionmaker[AsyncSession]
) -> None:
    client = await service.client(user)
    async with session_factory.begin() as session:
        await session.delete(await session.get_one(User, user.id))

    answers = [
        await client.get("/v1/import-jobs"),
        await client.get("/v1/tasks/00000000-0000-0000-0000-000000000000"),
    ]

    assert [answer.status_code for answer in answers] == [401, 401]


async def test_an_account_is_seen_by_its_owner_and_admins(
    service: Any, make_user: Any, user: User
) -> None:
    other, admin = await make_user(), await make_user(is_admin=True)
    path = f"/v1/users/{user.id}"

    statuses = [
        (await (await service.client(who)).get(path)).status_code for who in (user, admin, other)
    ]

    assert statuses == [200, 200, 404]


async def test_answers_to_a_signed_in_client_are_private(user_client: httpx.AsyncClient) -> None:
    for path in ("/v1/import-jobs", "/v1/notifications", "/v1/events"):
        answer = await user_client.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "private, no-cache"
