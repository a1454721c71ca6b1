"""How often, how many at once, and what is said to those who want more."""

import asyncio
import time
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from sqlalchemy import func, select, update
from starlette.requests import Request
from tests.stored_files import keys_in
from tests.web.conftest import Service, StartService

from eventimport.auth import Limit, Limiter, LookAlikes
from eventimport.database.models import ImportJob, Task, User
from eventimport.http.dependencies import client_network
from eventimport.settings import Settings

CREDENTIALS = {"email": "nobody@example.org", "password": "not the password"}


@pytest.fixture
def start_service(start_service: StartService) -> StartService:
    """Starts an application for which time stands still: no window of a minute ends in a test."""

    async def start(**changes: Any) -> Service:
        service = await start_service(**changes)
        service.stop_clock()
        return service

    return start


async def post_archive(client: httpx.AsyncClient, archive: bytes) -> httpx.Response:
    return await client.post("/v1/events/import/json", files={"file": ("a.zip", archive)})


async def stored_objects(service: Any) -> list[str]:
    return await keys_in(service.resources.storages.active, "private/")


def code_of(response: httpx.Response) -> str:
    code: str = response.json()["errors"][0]["code"]
    return code


async def test_requests_of_a_user_are_limited(
    start_service: Any, user: User, make_user: Any
) -> None:
    service = await start_service(requests_per_minute=3)
    client, other = await service.client(user), await service.client(await make_user())

    answers = [await client.get("/v1/import-jobs") for _ in range(4)]
    answer_to_other = await other.get("/v1/import-jobs")

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert code_of(answers[-1]) == "too-many-requests"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert answer_to_other.status_code == 200


@pytest.mark.parametrize("path", ["/v1/auth/session", "/auth/session"])
async def test_guessing_the_password_of_one_account_is_limited(
    start_service: Any, path: str
) -> None:
    client = await (await start_service(sign_ins_per_minute=2)).client()
    spellings = ["nobody@example.org", "Nobody@Example.org ", "NOBODY@example.org"]

    answers = [await client.post(path, json={**CREDENTIALS, "email": email}) for email in spellings]
    other = await client.post(path, json={**CREDENTIALS, "email": "else@example.org"})

    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert "retry-after" in answers[-1].headers
    assert other.status_code == 401


async def test_one_client_may_try_only_so_many_accounts(start_service: Any) -> None:
    client = await (await start_service(sign_ins_per_client=2)).client()

    answers = [
        await client.post("/v1/auth/session", json={**CREDENTIALS, "email": f"{n}@example.org"})
        for n in range(3)
    ]
    sign_up = await client.post(
        "/v1/users", json={"email": "new@example.org", "password": "long enough"}
    )

    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert sign_up.status_code == 429


async def test_no_personal_data_goes_to_redis(start_service: Any, redis_url: str) -> None:
    client = await (await start_service()).client()

    await client.post("/v1/auth/session", json=CREDENTIALS)

    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        keys = await redis.keys()
    assert len(keys) == 2
    assert not any("nobody" in key or "127.0.0.1" in key for key in keys)


async def test_signing_in_is_possible_and_limited_without_redis(
    start_service: Any, settings: Settings
) -> None:
    service = await start_service(
        redis_url=type(settings.redis_url)("redis://127.0.0.1:1/0"),
        sign_ins_per_minute=2,
    )
    client = await service.client()

    answers = [await client.post("/v1/auth/session", json=CREDENTIALS) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [401, 401, 429]


async def test_imports_of_a_user_at_once_are_limited(
    start_service: Any, user: User, make_user: Any, archive: bytes
) -> None:
    service = await start_service(max_imports_per_user=1)
    client, other = await service.client(user), await service.client(await make_user())

    first = await post_archive(client, archive)
    second = await post_archive(client, archive)
    answer_to_other = await post_archive(other, archive)

    assert first.status_code == 202
    assert second.status_code == 429
    assert code_of(second) == "too-many-imports"
    assert "retry-after" in second.headers
    assert answer_to_other.status_code == 202
    assert len(await stored_objects(service)) == 2

    async with service.resources.engine.begin() as connection:
        await connection.execute(update(Task).values(status="SUCCESS"))
    assert (await post_archive(client, archive)).status_code == 202


async def test_imports_that_come_at_the_same_time_keep_to_the_limit(
    start_service: Any, user: User, archive: bytes
) -> None:
    service = await start_service(max_imports_per_user=2)
    client = await service.client(user)

    answers = await asyncio.gather(*(post_archive(client, archive) for _ in range(6)))

    assert sorted(answer.status_code for answer in answers) == [202, 202, 429, 429, 429, 429]
    async with service.resources.reader.connect() as connection:
        count = await connection.scalar(select(func.count()).select_from(ImportJob))
    assert count == 2
    assert len(await stored_objects(service)) == 2


async def test_a_full_queue_takes_nothing(
    start_service: Any, user: User, make_user: Any, archive: bytes
) -> None:
    service = await start_service(max_waiting_imports=1)
    await post_archive(await service.client(user), archive)
    client = await service.client(await make_user())
    received = 0

    async def body() -> Any:
        nonlocal received
        received += 1
        yield archive

    headers = {"Content-Type": "multipart/form-data; boundary=b", "Expect": "100-continue"}
    answer = await client.post("/v1/events/import/json", content=body(), headers=headers)

    assert answer.status_code == 503
    assert code_of(answer) == "queue-full"
    assert "retry-after" in answer.headers
    assert received == 0
    assert len(await stored_objects(service)) == 1


class Clock:
    """Seconds, as a test sets them."""

    def __init__(self) -> None:
        self.now = 6000.0

    def __call__(self) -> float:
        return self.now


async def test_a_window_ends(redis_url: str) -> None:
    clock = Clock()
    async with Redis.from_url(redis_url) as redis:
        limiter = Limiter(redis, "test", clock)
        limit = Limit("knocks", 2, 60)

        hits = [await limiter.hit(limit, "ada") for _ in range(3)]
        clock.now += hits[-1] or 0

        assert hits == [None, None, 60]
        assert await limiter.hit(limit, "ada") is None


async def test_processes_count_together(redis_url: str) -> None:
    clock = Clock()
    async with Redis.from_url(redis_url) as redis:
        limiters = [Limiter(redis, "test", clock) for _ in range(2)]
        limit = Limit("knocks", 200, 60)

        hits = [await limiters[n % 2].hit(limit, "ada") for n in range(300)]

    assert hits.count(None) == limit.count


async def test_no_limit_is_no_limit_and_asks_nobody() -> None:
    limiter = Limiter(Redis.from_url("redis://127.0.0.1:1"), "test")

    assert [await limiter.hit(Limit("knocks", 0, 60), "ada") for _ in range(9)] == [None] * 9


@pytest.mark.parametrize(
    "spellings",
    [
        ["ivan@example.org", "İvan@example.org", "IVAN@example.org", "ivan@EXAMPLE.org"],
        ["kim@example.org", "\N{KELVIN SIGN}im@example.org", "KIM@example.org", " Kim@example.org"],
        ["sam@example.org", "\N{LATIN SMALL LETTER LONG S}am@example.org", "SAM@example.org"],
        ["ada@example.org", "ADA@example.org", "ada@example.org"],
        ["zoé@example.org", "zoe\N{COMBINING ACUTE ACCENT}@example.org", "ZOÉ@example.org"],
    ],
)
async def test_no_spelling_of_an_address_passes_the_limit(
    start_service: Any, make_user: Any, spellings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_user(email=spellings[0], password_hash="the account's own")
    service = await start_service(sign_ins_per_minute=2)
    tried = []

    async def verify(password_hash: str | None, password: str) -> bool:
        tried.append(password_hash)
        return False

    monkeypatch.setattr(service.resources.passwords, "verify", verify)
    client = await service.client()
    for _ in range(3):
        for email in spellings:
            await client.post("/v1/auth/session", json={"email": email, "password": "guess"})

    assert tried.count("the account's own") == 2


async def test_forged_addresses_of_clients_do_not_pass_the_limit(start_service: Any) -> None:
    client = await (await start_service(sign_ins_per_client=2)).client()

    statuses = []
    for number in range(4):
        headers = {"X-Forwarded-For": f"203.0.113.{number}", "Forwarded": f"for=192.0.2.{number}"}
        credentials = {"email": f"u{number}@example.org", "password": "x"}
        answer = await client.post("/v1/auth/session", json=credentials, headers=headers)
        statuses.append(answer.status_code)

    assert statuses == [401, 401, 429, 429]


@pytest.mark.parametrize(("others", "warnings"), [(0, 1), (1, 0)])
def test_clients_that_look_alike_are_noticed_once(others: int, warnings: int) -> None:
    now = time.time()
    seen = LookAlikes(lambda: now)

    told = [seen.add(f"192.0.2.{number}", "ada") for number in range(others)]
    told += [seen.add("127.0.0.1", str(number)) for number in range(100)]

    assert sum(told) == warnings


async def test_the_log_says_that_clients_look_alike(
    start_service: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await start_service()

    async def verify(password_hash: str | None, password: str) -> bool:
        return False

    monkeypatch.setattr(service.resources.passwords, "verify", verify)
    client = await service.client()
    for number in range(25):
        credentials = {"email": f"u{number}@example.org", "password": "x"}
        await client.post("/v1/auth/session", json=credentials)

    assert caplog.text.count("TRUSTED_PROXIES") == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:db8::1", "2001:db8::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
    ],
)
def test_which_addresses_are_one_client(one: str, other: str, same: bool) -> None:
    networks = {
        client_network(Request({"type": "http", "client": (address, 1)}))
        for address in (one, other)
    }
    assert (len(networks) == 1) == same
