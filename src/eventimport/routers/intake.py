"""Requests that bring files: all of a request is stored and answered, or nothing of it stays."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any, Final

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.errors import ProblemError
from eventimport.resources import Resources
from eventimport.routers.idempotency import KeyedRequest, claim_key, reused
from eventimport.storage.protocol import Storage
from eventimport.storage.removal import take_back

ASKS_SOMETHING_ELSE: Final = frozenset({400, 415, 422})
"""These tell what is wrong with a request's body. That of a request that was answered had nothing
wrong with it, so this is another one."""


class Intake:
    """What one request brings. Made by `open_intake`."""

    def __init__(self, resources: Resources, storage: Storage, keyed: KeyedRequest | None) -> None:
        self._resources = resources
        self._storage = storage
        self._keyed = keyed
        self._objects: list[str] = []
        self._is_recorded = False

    @property
    def is_repetition(self) -> bool:
        """Whether an earlier request was answered under this one's key. Then nothing is stored, and
        once all is read, there is an `earlier_response`."""
        return self._keyed is not None and self._keyed.is_repetition

    def reading(
        self, name: str, filename: str | None, chunks: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """The chunks of a file in the form, by which a request is known from others."""
        if self._keyed is None:
            return chunks
        return self._keyed.fingerprint.reading(name, filename, chunks)

    async def add(self, name: str, filename: str | None, content: bytes) -> None:
        """The same for a file that is read already."""
        if self._keyed is not None:
            await asyncio.to_thread(self._keyed.fingerprint.add, name, filename, content)

    async def put(self, key: str, chunks: AsyncIterable[bytes], *, content_type: str) -> int:
        """Store an object, which is taken back should the request fail; its size in bytes. The
        chunks of a repetition are read and thrown away."""
        if self.is_repetition:
            return sum([len(chunk) async for chunk in chunks])
        stored = await self._storage.put(key, chunks, content_type=content_type)
        self._objects.append(key)
        return stored.size

    async def record(self, connection: AsyncConnection, response: Response) -> None:
        """Record the answer: the last statement of the transaction that makes it true. Raises 409
        where another request has the key by now."""
        if self._keyed is not None:
            await self._keyed.record(connection, response)
        self._is_recorded = True

    async def answer(self, response: Response) -> Response:
        """The response, which tells of nothing but the objects; or the earlier one. Raises 409 and
        422 as they do."""
        if self.is_repetition:
            return self.earlier_response()
        if self._keyed is not None:
            async with self._resources.engine.begin() as connection:
                await self.record(connection, response)
        return response

    def earlier_response(self) -> Response:
        """That to the request of which this is a repetition. Raises 422 where it is another one."""
        assert self._keyed is not None  # noqa: S101 - the caller has seen that it is a repetition
        return self._keyed.earlier_response()

    async def undo(self) -> None:
        """Take back what was stored, and give back the key; neither where the answer stands.

        Goes on when the caller is cancelled, as a request is whose client has gone.
        """
        undoing = asyncio.create_task(self._undo())
        self._resources.unfinished.add(undoing)
        undoing.add_done_callback(self._resources.unfinished.discard)
        await asyncio.shield(undoing)

    async def _undo(self) -> None:
        is_released = await self._keyed.release() if self._keyed is not None else None
        if is_released is None:
            # A commit whose outcome nobody told may have been made. Then an object too many is
            # better than one too few.
            is_released = not self._is_recorded
        if is_released:
            await take_back(self._storage, self._objects)


@asynccontextmanager
async def open_intake(
    request: Request,
    resources: Resources,
    storage: Storage,
    *,
    user_id: int,
    key: str | None,
    options: Mapping[str, Any],
) -> AsyncIterator[Intake]:
    """Take in a request's files within it: whatever it raises, nothing of them stays, and the key
    may be used again. `options` are the query parameters, by which a request is known from others.

    Raises 409 where another request of the same key is not answered yet, and 422 where the key was
    used for another one.
    """
    keyed = None
    if key is not None:
        keyed = await claim_key(request, resources, user_id, key, options)
    intake = Intake(resources, storage, keyed)
    with _unfinished(resources):
        async with keyed.staying_claimed() if keyed else nullcontext():
            try:
                yield intake
            except BaseException as error:
                await intake.undo()
                is_other = isinstance(error, ProblemError) and error.status in ASKS_SOMETHING_ELSE
                if intake.is_repetition and is_other:
                    raise reused() from error
                raise


@contextmanager
def _unfinished(resources: Resources) -> Iterator[None]:
    """Have the current task's end waited for."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in a task
    resources.unfinished.add(task)
    try:
        yield
    finally:
        resources.unfinished.discard(task)
