"""Requests that store files: each is carried out as a whole or not at all, and once per key.

The response to a request with an `Idempotency-Key` is recorded in the transaction that carries the
request out. If two requests with one key arrive together, the first to commit wins: the other one
deletes what it has stored, and repeats the winner's response.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.idempotency import Answer, KeyUsedError, find_answer, record_answer
from eventimport.database.objects import ObjectLostError, UploadQuotaError
from eventimport.errors import ProblemError, refuse
from eventimport.http.fingerprint import Fingerprint
from eventimport.http.idempotency_key import HEADER, REPLAYED
from eventimport.resources import Resources
from eventimport.storage.protocol import Storage
from eventimport.stored_objects import NewObjects

KEPT_HEADERS: Final = ("Location", "Retry-After")
"""The headers of a response that its replay repeats."""

FAULTS_OF_BODIES: Final = frozenset({400, 415, 422})
"""The statuses of responses that reject a request's body. The body of a request that was carried
out had no fault, so a request that gets one of these is another one."""

Step = Callable[[AsyncConnection], Awaitable[None]]


class FileRequest:
    """A request that stores files. Made by `carry_out`."""

    def __init__(
        self,
        resources: Resources,
        user_id: int,
        key: str | None,
        fingerprint: Fingerprint,
        objects: NewObjects,
    ) -> None:
        self._resources = resources
        self._user_id = user_id
        self._key = key
        self._fingerprint = fingerprint
        self._earlier: Answer | None = None
        self._objects = objects

    @property
    def is_repetition(self) -> bool:
        """Whether an earlier request was carried out under this one's key. If so, nothing is stored
        and `accept` returns the earlier response."""
        return self._earlier is not None

    async def find_earlier(self) -> None:
        """Look for an earlier request. Raises 422 if it was to another route."""
        if self._key is None:
            return
        async with self._resources.reader.connect() as connection:
            self._earlier = await find_answer(
                connection,
                self._user_id,
                self._key,
                lifetime=self._resources.settings.idempotency_key_lifetime,
            )
        if self._earlier is not None and self._earlier.route != self._fingerprint.route:
            raise reused()

    def reading(
        self, name: str, filename: str | None, chunks: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """The chunks of a file in the form, which become part of the request's fingerprint."""
        if self._key is None:
            return chunks
        return self._fingerprint.reading(name, filename, chunks)

    async def add(self, name: str, filename: str | None, content: bytes) -> None:
        """The same for a file that is in memory."""
        if self._key is not None:
            await asyncio.to_thread(self._fingerprint.add, name, filename, content)

    async def store_archive(
        self, key: str, chunks: AsyncIterator[bytes], *, content_type: str
    ) -> int:
        """Store an import's archive; its size in bytes. A repetition's is read and dropped."""
        if self.is_repetition:
            return sum([len(chunk) async for chunk in chunks])
        return await self._objects.store_archive(key, chunks, content_type=content_type)

    async def store_upload(
        self, key: str, chunks: AsyncIterator[bytes], *, content_type: str
    ) -> int:
        """Store a file that the user keeps, in the same way. Raises 413 beyond the user's quota."""
        if self.is_repetition:
            return sum([len(chunk) async for chunk in chunks])
        try:
            return await self._objects.store_upload(key, chunks, content_type=content_type)
        except UploadQuotaError as error:
            raise _quota_exceeded(
                self._resources.settings.max_uploaded_bytes_per_user, error.left
            ) from None

    async def accept(
        self, response: Response, step: Step | None = None, **used_by: Any
    ) -> Response:
        """Carry the request out in one transaction: record the response, take the `step`, and link
        the files with what uses them. Returns the response, or that of an earlier request.

        Raises 422 if the earlier request was another one, and what `step` raises.
        """
        if self._earlier is None:
            try:
                async with self._resources.engine.begin() as connection:
                    # First: a request that has lost the race must meet no other limit.
                    await self._record(connection, response)
                    if step is not None:
                        await step(connection)
                    await self._objects.use(connection, **used_by)
            except KeyUsedError:
                await self.undo()
                await self.find_earlier()
                if self._earlier is None:
                    raise
            else:
                return response
        return self.earlier_response()

    def earlier_response(self) -> Response:
        """The response to the request that this one repeats. Raises 422 if that was another one."""
        assert self._earlier is not None  # noqa: S101 - the caller knows that it is a repetition
        if self._fingerprint.digest() != self._earlier.fingerprint:
            raise reused()
        headers = {**self._earlier.headers, REPLAYED: "true"}
        return Response(
            self._earlier.body, self._earlier.status, headers, media_type="application/json"
        )

    async def undo(self) -> None:
        """Delete the files unless they are used: a commit may have been made although the database
        did not confirm it. Goes on if the caller is cancelled."""
        undoing = asyncio.create_task(self._objects.take_back())
        self._resources.unfinished.add(undoing)
        undoing.add_done_callback(self._resources.unfinished.discard)
        await asyncio.shield(undoing)

    async def _record(self, connection: AsyncConnection, response: Response) -> None:
        if self._key is None:
            return
        answer = Answer(
            self._fingerprint.route,
            self._fingerprint.digest(),
            response.status_code,
            bytes(response.body).decode(),
            {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers},
        )
        lifetime = self._resources.settings.idempotency_key_lifetime
        await record_answer(connection, self._user_id, self._key, answer, lifetime=lifetime)


async def carry_out(
    request: Request,
    resources: Resources,
    storage: Storage,
    work: Callable[[FileRequest], Awaitable[Response]],
    *,
    user_id: int,
    key: str | None,
    options: Mapping[str, Any],
) -> Response:
    """Carry out a request that stores files: `work` reads and stores them, and ends with `accept`.
    If it raises, none of its files stays, and the key may be used again.

    `options` are the query parameters, which tell requests apart. Raises 422 if the key was used
    for another request.
    """
    route = f"{request.method} {request.url.path}"
    declared = request.headers.get("content-length", "")
    objects = NewObjects(
        resources.engine,
        resources.storages,
        storage,
        user_id,
        quota=resources.settings.max_uploaded_bytes_per_user,
        declared=int(declared) if declared.isdecimal() else None,
    )
    files = FileRequest(resources, user_id, key, Fingerprint(route, options), objects)
    with _unfinished(resources):
        try:
            await files.find_earlier()
            return await work(files)
        except BaseException as error:
            await files.undo()
            is_other = isinstance(error, ProblemError) and error.status in FAULTS_OF_BODIES
            if files.is_repetition and is_other:
                raise reused() from error
            if isinstance(error, ObjectLostError):
                raise _too_slow() from error
            raise


def reused() -> ProblemError:
    """The response to another request under a key that was used."""
    return refuse(
        422,
        "idempotency-key-reused",
        "Idempotency key already used",
        "The key was used for a request to another route, or with other content. Repeat that"
        " request, or send this one with a new key.",
        source={"header": HEADER},
    )


def _quota_exceeded(quota: int, left: int) -> ProblemError:
    return refuse(
        413,
        "upload-quota-exceeded",
        "Upload quota exceeded",
        f"Your uploads may hold {_size(quota)} in total, and {_size(left)} are left. The limit is"
        " set by MAX_UPLOADED_BYTES_PER_USER. Delete uploads that you no longer need"
        " (DELETE /v1/uploads/{id}).",
        meta={"limit": "MAX_UPLOADED_BYTES_PER_USER", "allowed": quota, "left": left},
    )


def _size(count: int) -> str:
    return f"{count / 1024**2:,.1f} MiB" if count >= 1024**2 else f"{count:,} bytes"


def _too_slow() -> ProblemError:
    return refuse(
        408,
        "upload-expired",
        "The upload took too long",
        "The upload was not complete within the time set by ORPHAN_AGE_HOURS. Send it again.",
        headers={"Connection": "close"},
    )


@contextmanager
def _unfinished(resources: Resources) -> Iterator[None]:
    """Make the end of the process wait for the current task."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in a task
    resources.unfinished.add(task)
    try:
        yield
    finally:
        resources.unfinished.discard(task)
