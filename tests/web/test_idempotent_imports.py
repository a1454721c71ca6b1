"""An import under an `Idempotency-Key` is made once, and told the same each time."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import uvicorn
from sqlalchemy import func, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.web.keyed_requests import (
    PLAIN_HEADERS,
    HalfWay,
    Left,
    assert_replayed,
    code_of,
    commit_is_not_told,
    form,
    keyed,
)

from eventimport import stored_objects
from eventimport.database.models import Task, User
from eventimport.jobs.clean_up import clean_up
from eventimport.queue import create_redis
from eventimport.storage.protocol import StorageError

URL = "/v1/events/import/json"
ZIP = b"PK\x05\x06" + bytes(18)


@pytest.fixture
def left(engine: AsyncEngine, settings: Any) -> Left:
    return Left(engine, settings.local_storage_path)


async def post(
    client: httpx.AsyncClient,
    content: bytes = ZIP,
    *,
    key: str | None = "a key",
    url: str = URL,
    filename: str = "a.zip",
    field: str = "file",
) -> httpx.Response:
    headers = {} if key is None else keyed(key)
    return await client.post(url, files={field: (filename, content)}, headers=headers)


async def test_the_same_request_is_answered_the_same(
    user_client: httpx.AsyncClient, settings: Any, left: Left
) -> None:
    first = await post(user_client)
    again = [await post(user_client) for _ in range(2)]

    assert first.status_code == 202
    for answer in again:
        assert_replayed(answer, first)
    (job,) = await left.jobs()
    assert first.headers["location"] == f"/v1/tasks/{job}"
    assert left.files() == [f"private/imports/{job}/source"]
    redis = create_redis(settings.queue)
    assert len(await redis.queued_jobs()) == 1
    await redis.aclose()


async def test_without_a_key_each_request_is_new(
    user_client: httpx.AsyncClient, left: Left
) -> None:
    answers = [await post(user_client, key=None) for _ in range(2)]

    assert len({answer.json()["task_url"] for answer in answers}) == 2
    assert len(await left.jobs()) == 2
    assert await left.keys() == []


async def test_other_keys_and_other_users_are_independent(
    service: Any, user_client: httpx.AsyncClient, make_user: Any, left: Left
) -> None:
    other = await service.client(await make_user())

    answers = [await post(user_client), await post(user_client, key="b"), await post(other)]

    assert [answer.status_code for answer in answers] == [202] * 3
    assert len(await left.jobs()) == 3


async def test_of_many_at_once_one_is_carried_out(
    start_service: Any, user: User, left: Left
) -> None:
    clients = [await (await start_service()).client(user) for _ in range(2)]

    answers = await asyncio.gather(*(post(clients[n % 2]) for n in range(8)))

    assert [answer.status_code for answer in answers] == [202] * 8
    (job,) = await left.jobs()
    assert {answer.json()["task_url"] for answer in answers} == {f"/v1/tasks/{job}"}
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert left.files() == await left.objects() == [f"private/imports/{job}/source"]


async def test_the_last_place_is_for_all_requests_of_a_key(
    start_service: Any, user: User, left: Left
) -> None:
    client = await (await start_service(max_imports_per_user=1)).client(user)

    answers = await asyncio.gather(*(post(client) for _ in range(6)))

    assert [answer.status_code for answer in answers] == [202] * 6
    assert len(await left.jobs()) == 1


async def test_who_is_overtaken_takes_its_archive_back(
    service: Any, user: User, user_client: httpx.AsyncClient, left: Left
) -> None:
    request = HalfWay(service, user, URL, form(ZIP))
    await request.reached()
    winner = await post(user_client)

    assert await request.finish() == winner.status_code == 202
    assert request.content == winner.content
    (job,) = await left.jobs()
    assert winner.json() == {"task_url": f"/v1/tasks/{job}"}
    assert left.files() == await left.objects() == [f"private/imports/{job}/source"]
    assert_replayed(await post(user_client), winner)


@pytest.mark.parametrize(
    "body", [form(ZIP + b"else"), form(ZIP, filename="b.zip")], ids=["content", "name"]
)
async def test_who_is_overtaken_by_another_request_is_refused(
    service: Any, user: User, user_client: httpx.AsyncClient, left: Left, body: bytes
) -> None:
    request = HalfWay(service, user, URL, body)
    await request.reached()
    winner = await post(user_client)

    assert await request.finish() == 422
    assert b"idempotency-key-reused" in request.content
    assert left.files() == await left.objects()
    assert len(await left.jobs()) == len(left.files()) == 1
    assert_replayed(await post(user_client), winner)


async def test_who_is_overtaken_on_another_route_is_refused(
    service: Any, user: User, user_client: httpx.AsyncClient, left: Left
) -> None:
    request = HalfWay(service, user, "/v1/upload/file", form(ZIP))
    await request.reached()
    winner = await post(user_client)

    assert await request.finish() == 422
    assert left.files() == await left.objects()
    assert len(left.files()) == 1
    assert_replayed(await post(user_client), winner)


OTHERS: dict[str, dict[str, Any]] = {
    "content": {"content": ZIP + b"x"},
    "no content": {"content": b""},
    "no zip": {"content": b"%PDF-1.7"},
    "file name": {"filename": "b.zip"},
    "no file": {"field": "archive"},
    "option": {"url": f"{URL}?strict=true"},
    "other option": {"url": f"{URL}?dry_run=true"},
    "route": {"url": "/v1/upload/file"},
}


@pytest.mark.parametrize("other", OTHERS)
async def test_another_request_under_the_key_is_refused(
    user_client: httpx.AsyncClient, left: Left, other: str
) -> None:
    first = await post(user_client)

    answer = await post(user_client, **OTHERS[other])

    assert code_of(answer) == (422, "idempotency-key-reused")
    assert answer.json()["errors"][0]["source"] == {"header": "Idempotency-Key"}
    assert len(await left.jobs()) == len(left.files()) == 1
    assert_replayed(await post(user_client), first)


async def test_options_that_say_the_same_are_the_same(user_client: httpx.AsyncClient) -> None:
    first = await post(user_client, url=f"{URL}?strict=false")

    assert_replayed(await post(user_client, url=f"{URL}?dry_run=0"), first)


async def test_a_body_broken_off_is_no_repetition(
    user_client: httpx.AsyncClient, left: Left
) -> None:
    first = await post(user_client)

    answer = await user_client.post(
        URL, content=form(ZIP)[:-20], headers={**keyed(), **PLAIN_HEADERS}
    )

    assert answer.status_code == 422
    assert_replayed(await post(user_client), first)


async def test_what_is_refused_gives_its_key_back(
    user_client: httpx.AsyncClient, left: Left
) -> None:
    for content, status in [(b"", 400), (b"%PDF-1.7", 415)]:
        assert (await post(user_client, content)).status_code == status
        assert await left.nothing()

    assert (await post(user_client)).status_code == 202


async def test_limits_hold_for_what_is_new_alone(
    start_service: Any, user: User, engine: AsyncEngine, left: Left
) -> None:
    client = await (await start_service(max_imports_per_user=1)).client(user)

    first = await post(client)
    assert code_of(await post(client, key="another")) == (429, "too-many-imports")
    assert_replayed(await post(client), first)
    assert await left.keys() == ["a key"]

    async with engine.begin() as connection:
        await connection.execute(update(Task).values(status="SUCCESS"))
    assert (await post(client, key="another")).status_code == 202


async def test_a_full_queue_gives_the_key_back(
    start_service: Any, user: User, make_user: Any, left: Left
) -> None:
    service = await start_service(max_waiting_imports=1)
    await post(await service.client(await make_user()), key=None)

    answer = await post(await service.client(user))

    assert code_of(answer) == (503, "queue-full")
    assert await left.keys() == []


async def test_an_expired_key_is_new(
    user_client: httpx.AsyncClient, left: Left, settings: Any
) -> None:
    first = await post(user_client)
    await left.change_keys(created_at=func.now() - settings.idempotency_key_lifetime * 1.1)

    second = await post(user_client, ZIP + b"else")

    assert second.status_code == 202
    assert second.json() != first.json()
    assert_replayed(await post(user_client, ZIP + b"else"), second)


async def test_a_client_that_goes_away_gives_its_key_back(
    service: Any, user: User, user_client: httpx.AsyncClient, left: Left
) -> None:
    request = HalfWay(service, user, URL, form(ZIP))
    await request.reached()
    await request.leave()

    assert await left.nothing()
    assert (await post(user_client)).status_code == 202


async def test_a_request_that_is_cancelled_twice_leaves_nothing(
    service: Any, user: User, left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    give_up_really = stored_objects.__dict__["give_up_objects"]

    async def give_up(*args: Any) -> Any:
        begun.set()
        await go_on.wait()
        return await give_up_really(*args)

    monkeypatch.setattr(stored_objects, "give_up_objects", give_up)
    request = HalfWay(service, user, URL, form(ZIP + bytes(1_000_000)))
    for moment in (request.reached(), begun.wait()):
        await moment
        request.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request.task
    go_on.set()

    async with asyncio.timeout(60):
        while not await left.nothing():
            pass


async def test_a_storage_that_fails_gives_the_key_back(
    service: Any,
    user_client: httpx.AsyncClient,
    left: Left,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def put(_key: str, _chunks: Any, *, content_type: str) -> None:
        raise StorageError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(service.resources.storages.active, "put", put)
        assert (await post(user_client)).status_code == 503

    assert await left.nothing()
    assert (await post(user_client)).status_code == 202


REFUSING = (
    "CREATE FUNCTION refuse_row() RETURNS trigger LANGUAGE plpgsql AS"
    " $$BEGIN RAISE EXCEPTION 'no'; END$$",
    "CREATE CONSTRAINT TRIGGER refuse_row AFTER INSERT OR UPDATE ON {table}"
    " DEFERRABLE INITIALLY {when} FOR EACH ROW {condition} EXECUTE FUNCTION refuse_row()",
)
POINTS = {
    "row": {"table": "import_jobs", "when": "IMMEDIATE", "condition": ""},
    "commit": {"table": "import_jobs", "when": "DEFERRED", "condition": ""},
    "answer": {
        "table": "idempotency_keys",
        "when": "IMMEDIATE",
        "condition": "",
    },
}


@pytest.mark.parametrize("point", POINTS)
async def test_a_database_that_refuses_leaves_nothing(
    service: Any, user: User, engine: AsyncEngine, left: Left, point: str
) -> None:
    client = await service.client(user, raises=False)
    async with engine.begin() as connection:
        for statement in REFUSING:
            await connection.execute(text(statement.format(**POINTS[point])))
    try:
        answer = await post(client)
    finally:
        async with engine.begin() as connection:
            await connection.execute(text("DROP FUNCTION refuse_row CASCADE"))

    assert answer.status_code == 500
    assert await left.nothing()
    assert (await post(client)).status_code == 202


async def test_a_connection_lost_before_the_commit_leaves_nothing(
    service: Any, user_client: httpx.AsyncClient, left: Left
) -> None:
    with commit_is_not_told(service.resources.engine, is_made=False):
        assert (await post(user_client)).status_code == 503

    assert await left.nothing()
    assert (await post(user_client)).status_code == 202


async def test_a_connection_lost_after_the_commit_loses_nothing(
    service: Any, user_client: httpx.AsyncClient, left: Left
) -> None:
    with commit_is_not_told(service.resources.engine, is_made=True):
        assert (await post(user_client)).status_code == 503

    (job,) = await left.jobs()
    assert left.files() == [f"private/imports/{job}/source"]
    answer = await post(user_client)
    assert (answer.status_code, answer.json()) == (202, {"task_url": f"/v1/tasks/{job}"})
    assert len(await left.jobs()) == 1


@pytest.mark.parametrize("key", ["a key", None])
async def test_while_nothing_is_known_of_the_commit_the_archive_stays(
    service: Any,
    user_client: httpx.AsyncClient,
    left: Left,
    monkeypatch: pytest.MonkeyPatch,
    key: str | None,
) -> None:
    monkeypatch.setattr(stored_objects, "give_up_objects", away)
    with commit_is_not_told(service.resources.engine, is_made=True):
        assert (await post(user_client, key=key)).status_code == 503

    (job,) = await left.jobs()
    assert left.files() == [f"private/imports/{job}/source"]


async def test_what_the_database_does_not_let_be_taken_back_the_clean_up_deletes(
    start_service: Any,
    user: User,
    left: Left,
    monkeypatch: pytest.MonkeyPatch,
    engine: AsyncEngine,
) -> None:
    service = await start_service()
    client = await service.client(user)
    with monkeypatch.context() as patch:
        patch.setattr(stored_objects, "give_up_objects", away)
        with commit_is_not_told(service.resources.engine, is_made=False):
            assert (await post(client)).status_code == 503

    assert len(left.files()) == 1
    assert await clean_up(service.resources) == {}
    async with engine.begin() as connection:
        day = text("UPDATE stored_objects SET created_at = created_at - interval '25 hours'")
        await connection.execute(day)
    assert await clean_up(service.resources) == {"archive": 1}
    assert await left.nothing()
    assert (await post(client)).status_code == 202


async def away(*_args: Any) -> Any:
    raise OperationalError("UPDATE", {}, ConnectionResetError("gone"))


async def test_a_process_that_dies_before_the_queue_is_told_has_accepted_the_import(
    service: Any,
    user_client: httpx.AsyncClient,
    left: Left,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def die(*_args: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(service.resources.queue, "wake_worker", die)
        with pytest.raises(asyncio.CancelledError):
            await post(user_client)

    (job,) = await left.jobs()
    answer = await post(user_client)
    assert answer.json() == {"task_url": f"/v1/tasks/{job}"}
    assert left.files() == [f"private/imports/{job}/source"]
    assert len(await left.jobs()) == 1


@pytest.fixture
async def live(service: Any) -> AsyncIterator[tuple[uvicorn.Server, int]]:
    """A server on a port, in this loop."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(service.answer, interface="asgi3", lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        yield server, listener.getsockname()[1]
        server.should_exit = True
        await serving


async def test_over_a_socket(
    service: Any, user: User, live: tuple[uvicorn.Server, int], left: Left
) -> None:
    server, port = live
    token = service.resources.tokens.issue(user.id)
    headers = {"Authorization": f"Bearer {token}", **keyed()}
    content = ZIP + bytes(3_000_000)
    body = form(content)
    head = "".join(f"{n}: {v}\r\n" for n, v in {**headers, **PLAIN_HEADERS}.items())
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False
    ) as client:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"POST {URL} HTTP/1.1\r\nHost: localhost\r\n{head}"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
        )
        writer.write(body[:-1000])
        async with asyncio.timeout(60):
            while not (await left.objects() and left.files()):
                await writer.drain()
        writer.transport.abort()
        while server.server_state.tasks:
            await asyncio.wait(list(server.server_state.tasks))
        assert await left.nothing()

        first = await post(client, content)
        assert first.status_code == 202
        assert_replayed(await post(client, content), first)
    assert len(await left.jobs()) == 1
