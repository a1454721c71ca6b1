"""Requests that store files: each is carried out as a whole or not at all, and once per key.

The reply to a request with an idempotency key is recorded in the transaction that carries the
request out. If two requests with one key arrive together, the first to commit wins: the other one
deletes what it has stored, and its client gets the winner's reply.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.idempotency import Answer, KeyUsedError, find_answer, record_answer
from eventimport.database.models import ObjectPurpose
from eventimport.database.objects import (
    ObjectLostError,
    Reservation,
    UploadQuotaError,
    Use,
    record_objects,
    record_upload,
    set_size,
    use_objects,
)
from eventimport.errors import EventImportError, ProblemError, refuse, size_in_words
from eventimport.resources import Resources
from eventimport.storage.protocol import Storage
from eventimport.stored_objects import take_back

HEADER: Final = "Idempotency-Key"
"""The header in which clients send the key."""

RESERVED_AT_ONCE: Final = 16 * 1024 * 1024
"""Bytes of a quota that an upload reserves ahead of what it has received."""

FAULTS_OF_BODIES: Final = frozenset({400, 415, 422})
"""The statuses of responses that reject a request's body. The body of a request that was carried
out had no fault, so a request that gets one of these is another one."""

Step = Callable[[AsyncConnection], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestIdentity:
    """What distinguishes a request from others: its idempotency key, its route and its options.
    `declared` is how many bytes it brings at most, if the client has said so."""

    key: str | None = None
    route: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    declared: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the client gets: a status, a JSON text, and the headers that belong to it."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


class RepeatedRequestError(EventImportError):
    """The request repeats an earlier one, which got `reply`."""

    def __init__(self, reply: Reply) -> None:
        super().__init__("the request was carried out before")
        self.reply = reply


class Fingerprint:
    """What a request asks for, in 32 bytes: its route, its options, and the names and contents of
    its files in the order sent.

    It covers what was parsed and not the body as sent, in which a client may write another boundary
    each time.
    """

    def __init__(self, route: str, options: Mapping[str, Any]) -> None:
        self._route = route
        self._options = dict(options)
        self._files: list[tuple[str, str | None, int, str]] = []

    async def reading(
        self, name: str, filename: str | None, chunks: AsyncIterable[bytes]
    ) -> AsyncIterator[bytes]:
        """The chunks of a part of the form, which counts once it is read to its end."""
        # In the event loop: a chunk of 64 KiB takes 0.1 ms, as long as handing it to a thread does.
        digest, size = hashlib.sha256(), 0
        async for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            yield chunk
        self._files.append((name, filename, size, digest.hexdigest()))

    def add(self, name: str, filename: str | None, content: bytes) -> None:
        """Count a whole file."""
        digest = hashlib.sha256(content).hexdigest()
        self._files.append((name, filename, len(content), digest))

    def digest(self) -> bytes:
        """The SHA-256 of all that was added."""
        content = json.dumps([self._route, self._options, self._files], sort_keys=True)
        return hashlib.sha256(content.encode()).digest()


class FileRequest:
    """A request that stores files, as a context manager: its body stores them and ends with
    `accept`. If it raises, none of the files stays, and the key may be used again.

    Raises RepeatedRequestError if the request repeats an earlier one, and 422 if its key was used
    for another one.
    """

    def __init__(
        self,
        resources: Resources,
        storage: Storage,
        user_id: int,
        identity: RequestIdentity,
    ) -> None:
        self._resources = resources
        self._storage = storage
        self._user_id = user_id
        self._identity = identity
        self._fingerprint = Fingerprint(identity.route, identity.options)
        self._earlier: Answer | None = None
        self._keys: list[str] = []
        self._stored: dict[str, int] = {}
        self._unsettled: tuple[str, int] | None = None
        self._task: asyncio.Task[Any] | None = None

    async def __aenter__(self) -> Self:
        # The end of the process waits for it.
        self._task = asyncio.current_task()
        assert self._task is not None  # noqa: S101 - a coroutine runs in a task
        self._resources.unfinished.add(self._task)
        try:
            await self.find_earlier()
        except BaseException:
            self._resources.unfinished.discard(self._task)
            raise
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None or isinstance(error, RepeatedRequestError):
                return
            await self._undo()
            is_other = isinstance(error, ProblemError) and error.status in FAULTS_OF_BODIES
            if self.is_repetition and is_other:
                raise _key_reused() from error
            if isinstance(error, ObjectLostError):
                raise _too_slow() from error
        finally:
            assert self._task is not None  # noqa: S101 - for the types
            self._resources.unfinished.discard(self._task)

    @property
    def is_repetition(self) -> bool:
        """Whether an earlier request was carried out under this one's key. If so, nothing is stored
        and `accept` raises RepeatedRequestError."""
        return self._earlier is not None

    async def find_earlier(self) -> None:
        """Look for an earlier request. Raises 422 if it was to another route."""
        if self._identity.key is None:
            return
        async with self._resources.reader.connect() as connection:
            self._earlier = await find_answer(
                connection,
                self._user_id,
                self._identity.key,
                lifetime=self._resources.settings.idempotency_key_lifetime,
            )
        if self._earlier is not None and self._earlier.route != self._identity.route:
            raise _key_reused()

    def reading(
        self, name: str, filename: str | None, chunks: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """The chunks of a file in the form, which become part of the request's fingerprint."""
        if self._identity.key is None:
            return chunks
        return self._fingerprint.reading(name, filename, chunks)

    async def add(self, name: str, filename: str | None, content: bytes) -> None:
        """The same for a file that is in memory."""
        if self._identity.key is not None:
            await asyncio.to_thread(self._fingerprint.add, name, filename, content)

    async def store_archive(
        self, key: str, chunks: AsyncIterator[bytes], *, content_type: str
    ) -> int:
        """Store an import's archive; its size in bytes. A repetition's is read and dropped."""
        if self.is_repetition:
            return sum([len(chunk) async for chunk in chunks])
        self._keys.append(key)
        async with self._resources.engine.begin() as connection:
            await record_objects(
                connection, self._storage.name, [key], ObjectPurpose.ARCHIVE, user_id=self._user_id
            )
        return await self._store(key, chunks, content_type)

    async def store_upload(
        self, key: str, chunks: AsyncIterator[bytes], *, content_type: str
    ) -> int:
        """Store a file that the user keeps; its size in bytes. A repetition's is read and dropped.
        Raises 413 once the user's uploads, with those being received, exceed the quota."""
        if self.is_repetition:
            return sum([len(chunk) async for chunk in chunks])
        self._keys.append(key)
        reserved = await self._reserve(key, 0)
        return await self._store(key, self._metered(key, chunks, reserved), content_type)

    async def accept(
        self, reply: Reply | None = None, step: Step | None = None, **used_by: Any
    ) -> None:
        """Carry the request out in one transaction: record the reply, take the `step`, and link the
        files with what uses them. A request with a key needs a `reply`.

        Raises RepeatedRequestError if an earlier request was carried out, 422 if that was another
        one, and what `step` raises.
        """
        if self._identity.key is None and step is None:
            uses = self._uses(**used_by)
            if uses:
                await self._resources.uses.ask((self._storage.name, uses))
            return
        if self._earlier is None:
            try:
                async with self._resources.engine.begin() as connection:
                    # First: a request that has lost the race must meet no other limit.
                    await self._record(connection, reply)
                    if step is not None:
                        await step(connection)
                    await use_objects(connection, self._storage.name, self._uses(**used_by))
            except KeyUsedError:
                await self._undo()
                await self.find_earlier()
                if self._earlier is None:
                    raise
            else:
                return
        self.repeat()

    def repeat(self) -> None:
        """Raise RepeatedRequestError if this request repeats the earlier one, else 422."""
        earlier = self._earlier
        assert earlier is not None  # noqa: S101 - the caller knows that it is a repetition
        if self._fingerprint.digest() != earlier.fingerprint:
            raise _key_reused()
        raise RepeatedRequestError(Reply(earlier.status, earlier.body, earlier.headers))

    async def _store(self, key: str, chunks: AsyncIterable[bytes], content_type: str) -> int:
        stored = await self._storage.put(key, chunks, content_type=content_type)
        self._stored[key] = stored.size
        return stored.size

    async def _metered(
        self, key: str, chunks: AsyncIterable[bytes], reserved: int
    ) -> AsyncIterator[bytes]:
        received = 0
        async for chunk in chunks:
            received += len(chunk)
            if received > reserved:
                reserved = await self._reserve(key, received)
            yield chunk
        self._unsettled = (key, received) if received < reserved else None

    async def _reserve(self, key: str, received: int) -> int:
        """Reserve bytes of the user's quota ahead of what was received of a file."""
        wanted = received + RESERVED_AT_ONCE
        if self._identity.declared is not None:
            wanted = min(wanted, self._identity.declared - sum(self._stored.values()))
        quota = self._resources.settings.max_uploaded_bytes_per_user
        if not received and self._unsettled is None:
            # A new file, and mostly a small one: many of them may come at the same time.
            new = Reservation(
                storage=self._storage.name,
                key=key,
                user_id=self._user_id,
                size=max(wanted, 0),
                quota=quota,
            )
            if await self._resources.reservations.ask(new):
                return new.size
        try:
            async with self._resources.engine.begin() as connection:
                if self._unsettled is not None:
                    done, size = self._unsettled
                    await set_size(connection, self._storage.name, done, size)
                    self._unsettled = None
                return await record_upload(
                    connection,
                    self._storage.name,
                    key,
                    self._user_id,
                    needed=received,
                    wanted=max(wanted, received),
                    quota=quota,
                )
        except UploadQuotaError as error:
            raise _quota_exceeded(quota, error.left) from None

    async def _record(self, connection: AsyncConnection, reply: Reply | None) -> None:
        if self._identity.key is None:
            return
        assert reply is not None  # noqa: S101 - a request with a key has a reply
        answer = Answer(
            self._identity.route,
            self._fingerprint.digest(),
            reply.status,
            reply.body,
            reply.headers,
        )
        await record_answer(
            connection,
            self._user_id,
            self._identity.key,
            answer,
            lifetime=self._resources.settings.idempotency_key_lifetime,
        )

    def _uses(self, **used_by: Any) -> list[Use]:
        return [Use(key=key, size=size, **used_by) for key, size in self._stored.items()]

    async def _undo(self) -> None:
        """Delete the files unless they are used: a commit may have been made although the database
        did not confirm it. Goes on if the caller is cancelled."""
        undoing = asyncio.create_task(self._take_back())
        self._resources.unfinished.add(undoing)
        undoing.add_done_callback(self._resources.unfinished.discard)
        await asyncio.shield(undoing)

    async def _take_back(self) -> None:
        resources = self._resources
        await take_back(resources.engine, resources.storages, self._storage.name, self._keys)


def _key_reused() -> ProblemError:
    return refuse(
        422,
        "idempotency-key-reused",
        "Idempotency key already used",
        "The key was used for a request to another route or with other content."
        " Repeat that request, or send this request with a new key.",
        source={"header": HEADER},
    )


def _quota_exceeded(quota: int, left: int) -> ProblemError:
    return refuse(
        413,
        "upload-quota-exceeded",
        "Upload quota exceeded",
        f"Your uploads are limited to {size_in_words(quota)} in total, and"
        f" {size_in_words(left)} are left. The limit is set by"
        " MAX_UPLOADED_BYTES_PER_USER. Delete uploads that you no longer need"
        " (DELETE /v1/uploads/{id}).",
        meta={"limit": "MAX_UPLOADED_BYTES_PER_USER", "allowed": quota, "left": left},
    )


def _too_slow() -> ProblemError:
    return refuse(
        408,
        "upload-expired",
        "Upload timed out",
        "The upload was not complete within the time limit, which is set by"
        " ORPHAN_AGE_HOURS. Send it again.",
        headers={"Connection": "close"},
    )
