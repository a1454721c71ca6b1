"""What every backend promises, and each failure leaves behind: nothing."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from tests.storage.conftest import PART_SIZE
from tests.storage_doubles import FaultyStorage

from eventimport.storage.keys import InvalidKeyError, withdrawn_key
from eventimport.storage.local import local_copy
from eventimport.storage.protocol import (
    ObjectNotFoundError,
    Storage,
    StorageError,
    move_object,
)

pytestmark = pytest.mark.contract

CHUNK = PART_SIZE // 9
"""Neither end of a part is the end of a chunk."""
LEAST_PART_OF_S3 = 5 * 1024 * 1024
KEY = "events/1/speakers/2/photo/abc/Zoë 1.png"
PRIVATE = "private/imports/9/archive.zip"


def content(size: int) -> bytes:
    """The same bytes each time, no part of them equal to another."""
    return Random(size).randbytes(size)


async def stream(data: bytes, size: int = CHUNK) -> AsyncIterator[bytes]:
    """The data, in chunks."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def read(storage: Storage, key: str) -> bytes:
    """The object's content."""
    async with storage.open(key) as chunks:
        found = [chunk async for chunk in chunks]
    assert all(0 < len(chunk) <= 1024 * 1024 for chunk in found)
    return b"".join(found)


@pytest.mark.parametrize(
    "size",
    [0, 1, CHUNK, PART_SIZE - 1, PART_SIZE, PART_SIZE + 1, 3 * PART_SIZE, 3 * PART_SIZE + 12_345],
)
async def test_an_object_is_read_as_it_was_put(backend: Any, size: int) -> None:
    data = content(size)
    stored = await backend.storage.put(KEY, stream(data), content_type="image/png")
    assert (stored.key, stored.size, stored.content_type) == (KEY, size, "image/png")
    assert abs(stored.modified_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert await read(backend.storage, KEY) == data
    found = await backend.storage.stat(KEY)
    assert found is not None
    assert (found.key, found.size, found.content_type) == (KEY, size, "image/png")
    assert found.modified_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("part_size", [LEAST_PART_OF_S3])
async def test_an_object_of_many_megabytes(backend: Any, part_size: int) -> None:
    data = content(3 * part_size + 12_345)
    await backend.storage.put(KEY, stream(data, 600_000), content_type="image/png")
    assert await read(backend.storage, KEY) == data


async def test_chunks_may_be_of_any_size(backend: Any) -> None:
    data = content(20_000)
    pieces = [b"", data[:1], b"", *(data[a:b] for a, b in pairwise(range(1, 20_001, 7))), b""]
    pieces.append(data[sum(map(len, pieces)) :])

    async def source(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    await backend.storage.put(KEY, source(pieces), content_type="image/png")
    assert await read(backend.storage, KEY) == data


async def test_a_second_put_replaces_the_first(backend: Any) -> None:
    await backend.storage.put(KEY, stream(b"first, and longer"), content_type="image/png")
    await backend.storage.put(KEY, stream(b"second"), content_type="image/png")
    assert await read(backend.storage, KEY) == b"second"
    assert len(backend.left()) == 1


async def test_what_is_not_there(backend: Any) -> None:
    assert await backend.storage.stat(KEY) is None
    await backend.storage.delete(KEY)
    with pytest.raises(ObjectNotFoundError):
        async with backend.storage.open(KEY):
            pytest.fail("nothing to open")
    with pytest.raises(ObjectNotFoundError):
        async with local_copy(backend.storage, KEY):
            pytest.fail("nothing to copy")


async def test_a_folder_is_no_object(backend: Any) -> None:
    await backend.storage.put("a/b/c.png", stream(b"x"), content_type="image/png")
    assert await backend.storage.stat("a/b") is None
    assert await backend.storage.stat("a/b/c.png/d.png") is None
    await backend.storage.delete("a/b")
    assert await read(backend.storage, "a/b/c.png") == b"x"


async def test_deleting_leaves_nothing(backend: Any) -> None:
    await backend.storage.put(KEY, stream(b"x"), content_type="image/png")
    await backend.storage.put(PRIVATE, stream(b"x"), content_type="application/zip")
    await backend.storage.delete(KEY)
    assert await backend.storage.stat(KEY) is None
    assert len(backend.left()) == 1
    await backend.storage.delete(PRIVATE)
    assert backend.left() == []


async def test_only_public_objects_have_a_url(backend: Any) -> None:
    url = backend.storage.public_url(KEY)
    assert url.startswith(("http://", "https://"))
    assert url.endswith("/events/1/speakers/2/photo/abc/Zo%C3%AB%201.png")
    with pytest.raises(ValueError, match="private"):
        backend.storage.public_url(PRIVATE)


@pytest.mark.parametrize(
    "key",
    [
        *("", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", "a/.b", "a\\b", "a\nb", "a\0b"),
        *("x" * 1025, "a/" + "x" * 256, "\ud800"),
    ],
)
async def test_no_key_leaves_the_root(backend: Any, key: str) -> None:
    with pytest.raises(InvalidKeyError):
        await backend.storage.put(key, stream(b"x"), content_type="image/png")
    with pytest.raises(InvalidKeyError):
        await backend.storage.stat(key)
    with pytest.raises(InvalidKeyError):
        await backend.storage.delete(key)
    with pytest.raises(InvalidKeyError):
        async with backend.storage.open(key):
            pytest.fail("opened")
    with pytest.raises(InvalidKeyError):
        backend.storage.public_url(key)
    assert backend.left() == []


async def test_a_copy_can_be_sought_in_and_is_gone_afterwards(backend: Any) -> None:
    data = content(3 * PART_SIZE)
    await backend.storage.put(PRIVATE, stream(data), content_type="application/zip")
    async with local_copy(backend.storage, PRIVATE) as path:
        with path.open("rb") as file:
            file.seek(-1000, 2)
            assert file.read() == data[-1000:]
    assert path.exists() == (backend.storage.name == "local")
    assert await backend.storage.stat(PRIVATE) is not None


class SourceError(Exception):
    """The source's own failure: no backend may turn it into another."""


@pytest.mark.parametrize("error", [SourceError("gone"), OSError("gone"), TimeoutError("gone")])
@pytest.mark.parametrize("sent", [0, 1, CHUNK, 2 * PART_SIZE + 1, 4 * PART_SIZE])
async def test_a_failing_source_leaves_nothing(backend: Any, sent: int, error: Exception) -> None:
    async def source() -> AsyncIterator[bytes]:
        async for chunk in stream(content(sent)):
            yield chunk
        raise error

    with pytest.raises(type(error)) as raised:
        await backend.storage.put(KEY, source(), content_type="image/png")
    assert raised.value is error
    assert backend.left() == []


@pytest.mark.parametrize("sent", [0, 1, CHUNK, 2 * PART_SIZE + 1, 4 * PART_SIZE])
async def test_cancelling_in_the_middle_leaves_nothing(backend: Any, sent: int) -> None:
    reached = asyncio.Event()

    async def source() -> AsyncIterator[bytes]:
        async for chunk in stream(content(sent)):
            yield chunk
        reached.set()
        await asyncio.Event().wait()

    putting = asyncio.create_task(backend.storage.put(KEY, source(), content_type="image/png"))
    await reached.wait()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    await backend.storage.close()
    assert backend.left() == []


@pytest.mark.parametrize("steps", range(0, 60, 5))
async def test_cancelling_at_any_await_leaves_all_or_nothing(backend: Any, steps: int) -> None:
    data = content(2 * PART_SIZE + 1)
    putting = asyncio.create_task(backend.storage.put(KEY, stream(data), content_type="image/png"))
    for _ in range(steps):
        await asyncio.sleep(0)
    putting.cancel()
    try:
        await putting
    except asyncio.CancelledError:
        await backend.storage.close()
        assert backend.left() == []
    else:
        assert await read(backend.storage, KEY) == data


async def test_each_failing_write_leaves_nothing(backend: Any) -> None:
    data = content(2 * PART_SIZE + 1)
    counting = FaultyStorage(backend.storage)
    await counting.put(KEY, stream(data), content_type="image/png")
    await counting.delete(KEY)
    assert counting.writes == -(-len(data) // CHUNK) + 1
    for number in range(1, counting.writes + 1):
        faulty = FaultyStorage(backend.storage, fail_at=number)
        with pytest.raises(StorageError, match=f"write {number} failed"):
            await faulty.put(KEY, stream(data), content_type="image/png")
        assert backend.left() == []


async def test_many_at_once(backend: Any) -> None:
    names = [f"uploads/1/{number}/file.png" for number in range(40)]
    await asyncio.gather(
        *(
            backend.storage.put(name, stream(name.encode()), content_type="image/png")
            for name in names
        )
    )
    assert [await read(backend.storage, name) for name in names] == [
        name.encode() for name in names
    ]
    await asyncio.gather(*(backend.storage.delete(name) for name in names))
    assert backend.left() == []


async def test_an_object_is_moved_and_moved_back(backend: Any) -> None:
    data = content(PART_SIZE + 1)
    storage, private = backend.storage, withdrawn_key(KEY)
    await storage.put(KEY, stream(data), content_type="image/png")

    await move_object(storage, KEY, private)
    assert [left.endswith(private) for left in backend.left()] == [True]
    assert await read(storage, private) == data
    with pytest.raises(ObjectNotFoundError):
        await move_object(storage, KEY, private)
    assert [left.endswith(private) for left in backend.left()] == [True]

    await move_object(storage, private, KEY)
    (left,) = backend.left()
    assert left.endswith(KEY)
    assert "private" not in left
    assert await read(storage, KEY) == data
    found = await storage.stat(KEY)
    assert (found.size, found.content_type) == (len(data), "image/png")
