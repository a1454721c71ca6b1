"""Users list and delete what they have uploaded, and may upload so much."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.stored_files import keys_in
from tests.web.keyed_requests import HalfWay, code_of, form, keyed
from tests.web.test_idempotent_uploads import picture

from eventimport.database.models import ObjectRecord, User
from eventimport.jobs.clean_up import clean_up
from eventimport.storage.protocol import StorageError

URL = "/v1/uploads"
ONE = "/v1/upload/file"
MANY = "/v1/upload/files"
QUOTA = 10_000


async def upload(
    client: httpx.AsyncClient, content: bytes = b"content", name: str = "a.txt"
) -> httpx.Response:
    return await client.post(ONE, files={"file": (name, content)})


async def listed(client: httpx.AsyncClient, **query: str) -> list[dict[str, Any]]:
    answer = await client.get(URL, params=query)
    assert answer.status_code == 200
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


async def test_uploads_are_listed_newest_first(user_client: httpx.AsyncClient) -> None:
    urls = [(await upload(user_client, b"x" * n, f"Zoë {n}.png")).json()["url"] for n in range(3)]

    answer = await user_client.get(URL)

    assert answer.headers["content-type"] == "application/vnd.api+json"
    assert answer.json()["meta"] == {"total": 3, "count": 3, "pages": 1}
    data = answer.json()["data"]
    assert [one["attributes"]["url"] for one in data] == urls[::-1]
    attributes = dict(data[0]["attributes"])
    created_at = attributes.pop("created-at")
    assert created_at.endswith("Z")
    assert attributes == {
        "file-name": "Zoë-2.png",
        "content-type": "image/png",
        "size": 2,
        "storage": "local",
        "url": urls[2],
        "taken-down-reason": None,
    }
    single = (await user_client.get(data[0]["links"]["self"])).json()["data"]
    assert single == {**data[0], "type": "upload"}


async def test_they_come_page_by_page(user_client: httpx.AsyncClient) -> None:
    names = [("files", (f"{n}.txt", b"x")) for n in range(5)]
    assert (await user_client.post(MANY, files=names)).status_code == 200

    answer = await user_client.get(URL, params={"page[size]": "2", "page[number]": "3"})

    assert [one["attributes"]["file-name"] for one in answer.json()["data"]] == ["0.txt"]
    assert answer.json()["meta"] == {"total": 5, "count": 5, "pages": 3}
    assert answer.json()["links"]["next"] is None
    assert code_of(await user_client.get(URL, params={"page[size]": "-1"}))[0] == 400
    assert code_of(await user_client.get(URL, params={"sort": "size"}))[0] == 400


async def test_an_image_is_listed_with_its_sizes(user_client: httpx.AsyncClient) -> None:
    await user_client.post(
        "/v1/upload/image", params={"size": "icon"}, files={"file": ("a.png", picture())}
    )

    assert len(await listed(user_client)) == 2


async def test_archives_of_imports_are_not_uploads(
    user_client: httpx.AsyncClient, archive: bytes
) -> None:
    await user_client.post("/v1/events/import/json", files={"file": ("a.zip", archive)})

    assert await listed(user_client) == []


async def test_a_deleted_upload_is_gone(service: Any, user_client: httpx.AsyncClient) -> None:
    urls = [(await upload(user_client)).json()["url"] for _ in range(2)]
    newest, oldest = await listed(user_client)

    answer = await user_client.delete(f"{URL}/{newest['id']}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert await listed(user_client) == [oldest]
    for method in ("GET", "DELETE"):
        again = await user_client.request(method, f"{URL}/{newest['id']}")
        assert code_of(again) == (404, "not-found")
    assert [(await user_client.get(urlsplit(url).path)).status_code for url in urls] == [200, 404]
    assert len(await keys_in(service.resources.storages.active)) == 1


async def test_uploads_are_their_owners(
    service: Any, user_client: httpx.AsyncClient, make_user: Any
) -> None:
    await upload(user_client)
    (own,) = await listed(user_client)
    stranger, admin = [
        await service.client(await make_user(is_admin=is_admin)) for is_admin in (False, True)
    ]
    nobody = await service.client()

    assert await listed(stranger) == []
    for method in ("GET", "DELETE"):
        assert (await stranger.request(method, f"{URL}/{own['id']}")).status_code == 404
        assert (await nobody.request(method, f"{URL}/{own['id']}")).status_code == 401
    assert (await nobody.get(URL)).status_code == 401
    assert await listed(user_client) == await listed(admin) == [own]
    assert (await admin.delete(f"{URL}/{own['id']}")).status_code == 204
    assert await listed(user_client) == []


@pytest.mark.parametrize("wrong", ["0", "-1", "x", str(2**63), "9" * 30])
async def test_what_is_not_an_id_is_not_found(user_client: httpx.AsyncClient, wrong: str) -> None:
    for method in ("GET", "DELETE"):
        answer = await user_client.request(method, f"{URL}/{wrong}")
        assert answer.status_code in {400, 404, 422}
        assert answer.json()["errors"]


async def test_a_storage_that_cannot_delete_does_it_later(
    service: Any, user_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await upload(user_client)
    (own,) = await listed(user_client)

    async def fail(_key: str) -> None:
        raise StorageError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(service.resources.storages.active, "delete", fail)
        assert (await user_client.delete(f"{URL}/{own['id']}")).status_code == 204
    assert await listed(user_client) == []
    assert await clean_up(service.resources) == {"upload": 1}
    assert await keys_in(service.resources.storages.active) == []


async def test_of_two_deletions_at_once_one_finds_it(user_client: httpx.AsyncClient) -> None:
    await upload(user_client)
    (own,) = await listed(user_client)

    answers = await asyncio.gather(*(user_client.delete(f"{URL}/{own['id']}") for _ in range(4)))

    assert sorted(answer.status_code for answer in answers) == [204, 404, 404, 404]


@pytest.fixture
async def limited(start_service: Any, user: User) -> Any:
    """A service in which a user's uploads may hold so many bytes, and a client of it."""
    service = await start_service(max_uploaded_bytes_per_user=QUOTA)
    return service, await service.client(user)


async def test_a_users_uploads_hold_so_many_bytes(limited: Any, make_user: Any) -> None:
    service, client = limited
    assert (await upload(client, b"x" * 6_000)).status_code == 200

    refused = await upload(client, b"x" * 4_001)

    assert code_of(refused) == (413, "upload-quota-exceeded")
    (error,) = refused.json()["errors"]
    assert "MAX_UPLOADED_BYTES_PER_USER" in error["detail"]
    assert "4,000 bytes are left" in error["detail"]
    assert error["meta"]["left"] == 4_000
    assert (await upload(client, b"x" * 4_000)).status_code == 200
    assert code_of(await upload(client, b"x"))[0] == 413
    assert (await upload(client, b"")).status_code == 200
    other = await service.client(await make_user())
    assert (await upload(other, b"x" * QUOTA)).status_code == 200
    newest = (await listed(client))[1]
    await client.delete(f"{URL}/{newest['id']}")
    assert (await upload(client, b"x" * 4_000)).status_code == 200


async def test_files_of_one_request_count_together(limited: Any, engine: AsyncEngine) -> None:
    _, client = limited
    files = [("files", (f"{n}.txt", b"x" * 2_000)) for n in range(6)]

    assert code_of(await client.post(MANY, files=files))[0] == 413
    async with engine.connect() as connection:
        assert list(await connection.scalars(select(ObjectRecord.key))) == []
    assert (await client.post(MANY, files=files[:5])).status_code == 200


async def test_images_count_with_their_sizes(limited: Any) -> None:
    _, client = limited
    for _ in range(100):
        files = {"file": ("a.png", picture())}
        answer = await client.post("/v1/upload/image", params={"size": "large"}, files=files)
        if answer.status_code != 200:
            break
    assert code_of(answer) == (413, "upload-quota-exceeded")
    assert sum(one["attributes"]["size"] for one in await listed(client)) <= QUOTA


async def test_what_others_of_the_user_are_receiving_counts(limited: Any, user: User) -> None:
    service, client = limited
    request = HalfWay(service, user, ONE, form(b"x" * 9_000))
    await request.reached()

    # Half of it has come, and it did not say how much will.
    assert code_of(await upload(client, b"x" * 6_000))[0] == 413
    assert await request.finish() == 200
    assert code_of(await upload(client, b"x" * 1_001))[0] == 413
    assert (await upload(client, b"x" * 1_000)).status_code == 200


async def test_many_uploads_at_once_keep_to_the_quota(limited: Any) -> None:
    _, client = limited

    answers = await asyncio.gather(*(upload(client, b"x" * 3_000) for _ in range(8)))

    assert {answer.status_code for answer in answers} <= {200, 413}
    stored = [one["attributes"]["size"] for one in await listed(client)]
    assert sum(stored) <= QUOTA
    assert len(stored) == [answer.status_code for answer in answers].count(200) >= 1


async def test_a_large_upload_reserves_step_by_step(start_service: Any, user: User) -> None:
    mib = 1024 * 1024
    service = await start_service(max_uploaded_bytes_per_user=40 * mib)
    client = await service.client(user)

    async def body(count: int) -> AsyncIterator[bytes]:
        yield b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(count):
            yield b"x" * mib
        yield b"\r\n--frontier--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=frontier"}
    assert (await client.post(ONE, content=body(41), headers=headers)).status_code == 413
    assert await keys_in(service.resources.storages.active) == []
    assert (await client.post(ONE, content=body(40), headers=headers)).status_code == 200
    assert code_of(await upload(client, b"x"))[0] == 413


async def test_a_repetition_needs_nothing_of_the_quota(limited: Any) -> None:
    _, client = limited
    answers = [
        await client.post(ONE, files={"file": ("a", b"x" * 8_000)}, headers=keyed())
        for _ in range(3)
    ]

    assert [answer.status_code for answer in answers] == [200] * 3


async def test_what_a_dead_process_was_receiving_is_deleted_after_a_day(
    limited: Any, user: User, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, client = limited
    storage = service.resources.storages.active
    with monkeypatch.context() as patch:
        patch.setattr("eventimport.file_requests.FileRequest._take_back", _nothing)
        request = HalfWay(service, user, ONE, form(b"x" * 9_000))
        await request.reached()
        await request.leave()
    assert await clean_up(service.resources) == {}
    async with engine.begin() as connection:
        day = text("UPDATE stored_objects SET created_at = created_at - interval '25 hours'")
        await connection.execute(day)

    assert await clean_up(service.resources) == {"upload": 1}
    assert await keys_in(storage) == []
    assert (await upload(client, b"x" * QUOTA)).status_code == 200


async def _nothing(_self: Any) -> None:
    return None
