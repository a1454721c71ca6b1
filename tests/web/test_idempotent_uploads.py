"""An upload under an `Idempotency-Key` is stored once, and told the same each time."""

import asyncio
import base64
import io
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from PIL import Image
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.storage_doubles import MemoryStorage
from tests.stored_files import keys_in
from tests.web.keyed_requests import (
    HalfWay,
    Left,
    assert_replayed,
    code_of,
    commit_is_not_told,
    form,
    keyed,
)

from eventimport.database.models import User
from eventimport.media.image_processes import ImageProcesses
from eventimport.storage.factory import StorageSet
from eventimport.storage.protocol import Storage

ONE = "/v1/upload/file"
MANY = "/v1/upload/files"
IMAGE = "/v1/upload/image"
SIZES = f"{IMAGE}?size=thumbnail&size=large"

Send = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]


@pytest.fixture
def left(engine: AsyncEngine, settings: Any) -> Left:
    return Left(engine, settings.local_storage_path)


def picture(colour: int = 60) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (640, 480), (200, 30, colour)).save(content, "PNG")
    return content.getvalue()


def sending(url: str, *files: tuple[str, str, bytes]) -> Send:
    """Sends a form of files: field, file name, content."""

    def send(client: httpx.AsyncClient) -> Awaitable[httpx.Response]:
        given = [(field, (filename, content)) for field, filename, content in files]
        return client.post(url, files=given, headers=keyed())

    return send


def sending_json(content: bytes, kind: str = "image/png") -> Send:
    """Sends a picture as JSON."""
    data = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    return lambda client: client.post(IMAGE, json={"data": data}, headers=keyed())


A = ("files", "a.bin", b"a" * 200_000)
B = ("files", "b.bin", b"b")
ONE_FILE = sending(ONE, ("file", "a.png", b"content"))
MANY_FILES = sending(MANY, A, B)
PICTURE = sending(IMAGE, ("file", "a.png", picture()))

# What is sent, how many objects it makes, and what else may be sent under the same key.
CASES: dict[str, tuple[Send, int, list[Send]]] = {
    "one": (
        ONE_FILE,
        1,
        [
            sending(ONE, ("file", "a.png", b"kontent")),
            sending(ONE, ("file", "b.png", b"content")),
            sending(ONE, ("files", "a.png", b"content")),
            sending(ONE, ("other", "a.png", b"content")),
            sending(ONE, ("file", "a.png", b"content"), ("file", "a.png", b"content")),
            sending(MANY, ("file", "a.png", b"content")),
            sending(f"{ONE}?force_local=true", ("file", "a.png", b"content")),
        ],
    ),
    "many": (
        MANY_FILES,
        2,
        [
            sending(MANY, B, A),
            sending(MANY, A),
            sending(MANY, A, B, B),
            sending(MANY, ("files", "a.bin", A[2] + b"b"), ("files", "b.bin", b"")),
        ],
    ),
    "picture": (
        PICTURE,
        1,
        [
            sending(IMAGE, ("file", "a.png", picture(61))),
            sending(IMAGE, ("file", "b.png", picture())),
            sending(SIZES, ("file", "a.png", picture())),
            sending_json(picture()),
        ],
    ),
    "picture and its sizes": (
        sending(SIZES, ("file", "a.png", picture())),
        3,
        [sending(f"{IMAGE}?size=large&size=thumbnail", ("file", "a.png", picture()))],
    ),
    "picture as JSON": (
        sending_json(picture()),
        1,
        [sending_json(picture(61)), sending_json(b"no picture"), PICTURE],
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_the_same_upload_is_answered_the_same(
    user_client: httpx.AsyncClient, left: Left, case: str
) -> None:
    send, count, others = CASES[case]

    first = await send(user_client)
    stored = left.files()
    answers = [await send(user_client) for _ in range(2)]
    refusals = [await other(user_client) for other in others]
    answers.append(await send(user_client))

    assert first.status_code == 200, first.text
    assert len(stored) == count
    for answer in answers:
        assert_replayed(answer, first)
    for refusal in refusals:
        assert code_of(refusal) == (422, "idempotency-key-reused")
    assert left.files() == stored


async def test_a_repeated_picture_is_not_processed_again(
    user_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await PICTURE(user_client)

    def process(*_args: Any) -> None:
        pytest.fail("processed again")

    monkeypatch.setattr(ImageProcesses, "process", process)
    assert_replayed(await PICTURE(user_client), first)


async def test_json_that_says_the_same_is_the_same(user_client: httpx.AsyncClient) -> None:
    first = await sending_json(picture())(user_client)
    data = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"

    body = f'{{ "data" :\n"{data}"}}'
    headers = {**keyed(), "Content-Type": "application/vnd.api+json"}
    answer = await user_client.post(IMAGE, content=body, headers=headers)

    assert_replayed(answer, first)


@pytest.mark.parametrize(
    ("send", "status"),
    [
        (sending(ONE, ("other", "a", b"x")), 400),
        (sending(ONE, ("file", "a", b"x"), ("file", "b", b"x")), 400),
        (sending(IMAGE, ("file", "a.png", b"no picture")), 415),
        (sending(IMAGE, ("file", "a.png", picture()[:-200])), 422),
        (sending_json(b""), 415),
    ],
)
async def test_what_is_refused_gives_its_key_back(
    user_client: httpx.AsyncClient, left: Left, send: Send, status: int
) -> None:
    assert (await send(user_client)).status_code == status
    assert await left.nothing()

    assert (await ONE_FILE(user_client)).status_code == 200


@pytest.fixture
async def memory(service: Any) -> tuple[Any, Storage]:
    """A service whose objects are in memory, and that storage."""
    storage = MemoryStorage("https://memory.example")
    storages = StorageSet({"memory": storage}, active_name="memory")
    return replace(service, resources=replace(service.resources, storages=storages)), storage


async def test_another_storage(memory: tuple[Any, Storage], user: User) -> None:
    service, storage = memory
    client = await service.client(user)

    first = await MANY_FILES(client)
    stored = await keys_in(storage)
    assert_replayed(await MANY_FILES(client), first)

    assert len(stored) == 2
    assert await keys_in(storage) == stored


async def test_the_answer_stays_when_new_files_go_elsewhere(
    service: Any, memory: tuple[Any, Storage], user: User
) -> None:
    first = await ONE_FILE(await service.client(user))

    assert_replayed(await ONE_FILE(await memory[0].client(user)), first)


@pytest.mark.parametrize("content", [b"content", b"kontent"], ids=["the same", "another"])
async def test_who_is_overtaken_stores_nothing(
    service: Any, user: User, user_client: httpx.AsyncClient, left: Left, content: bytes
) -> None:
    request = HalfWay(service, user, ONE, form(content, filename="a.png"))
    await request.reached()
    first = await ONE_FILE(user_client)

    same = content == b"content"
    assert await request.finish() == (200 if same else 422)
    assert (request.content == first.content) is same
    (stored,) = left.files()
    assert await left.objects() == [stored]
    assert first.json()["url"].endswith(stored)
    assert_replayed(await ONE_FILE(user_client), first)


@pytest.mark.parametrize("case", CASES)
async def test_of_many_at_once_one_is_stored(
    user_client: httpx.AsyncClient, left: Left, case: str
) -> None:
    send, count, _ = CASES[case]

    answers = await asyncio.gather(*(send(user_client) for _ in range(5)))

    assert {(answer.status_code, answer.content) for answer in answers} == {
        (200, answers[0].content)
    }
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert sorted(left.files()) == sorted(await left.objects())
    assert len(left.files()) == count


async def test_a_client_that_goes_away_gives_its_key_back(
    service: Any, user: User, user_client: httpx.AsyncClient, left: Left
) -> None:
    request = HalfWay(service, user, ONE, form(b"content"))
    await request.reached()
    await request.leave()

    assert await left.nothing()
    assert (await ONE_FILE(user_client)).status_code == 200


async def test_an_answer_that_can_not_be_recorded_leaves_nothing(
    service: Any, user: User, engine: AsyncEngine, left: Left
) -> None:
    client = await service.client(user, raises=False)
    async with engine.begin() as connection:
        await connection.execute(
            text("ALTER TABLE idempotency_keys ADD CONSTRAINT no_room CHECK (status = 0)")
        )
    try:
        answers = [await MANY_FILES(client), await PICTURE(client)]
    finally:
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE idempotency_keys DROP CONSTRAINT no_room"))

    assert [answer.status_code for answer in answers] == [500, 500]
    assert await left.nothing()


@pytest.mark.parametrize("is_made", [True, False])
async def test_a_connection_lost_at_the_commit(
    service: Any, user_client: httpx.AsyncClient, left: Left, *, is_made: bool
) -> None:
    with commit_is_not_told(service.resources.engine, is_made=is_made):
        assert (await MANY_FILES(user_client)).status_code == 503

    stored = left.files()
    answer = await MANY_FILES(user_client)

    assert len(stored) == (2 if is_made else 0)
    assert ("idempotency-replayed" in answer.headers) == is_made
    assert len(left.files()) == 2
