"""The storage port: what the service asks of a place that keeps objects."""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from eventimport.errors import EventImportError


class Visibility(StrEnum):
    """Public objects have a URL; private ones (archives of imports) have none, ever."""

    PUBLIC = "public"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as the backend knows it: `size` in bytes, `modified_at` in UTC."""

    key: str
    size: int
    content_type: str
    modified_at: datetime


class StorageError(EventImportError):
    """The backend failed; `retryable` says whether trying again may help.

    `code` is the server's or the operating system's name of the failure, and `advice` says what an
    operator can do. Neither contains a key, an address or a secret.
    """

    def __init__(
        self, message: str, *, retryable: bool = True, code: str = "", advice: str = ""
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.code = code
        self.advice = advice

    def __str__(self) -> str:
        """The message and the advice."""
        message = str(self.args[0])
        return f"{message.rstrip('.')}. {self.advice}" if self.advice else message


class ObjectNotFoundError(StorageError):
    """Unknown key: no object has it."""

    def __init__(self, key: str) -> None:
        super().__init__(f"no object {key!r}", retryable=False)


class Storage(Protocol):
    """A backend. Keys come from `storage.keys`; the first part decides whether an object is public.

    `put` stores all chunks or nothing: if it raises, for whatever reason (also if the chunks
    fail or the caller is cancelled), it leaves no object and no part of an object behind.
    """

    @property
    def name(self) -> str:
        """The configured name of the backend: `local`, `s3`, `gcs`."""
        ...

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str
    ) -> StoredObject:
        """Store the chunks under the key. Raises StorageError, and what `chunks` raises."""
        ...

    def open(self, key: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Read an object as chunks of at most 1 MiB. Raises ObjectNotFoundError, StorageError."""
        ...

    async def stat(self, key: str) -> StoredObject | None:
        """The object's size, type and time, or None if it does not exist."""
        ...

    async def delete(self, key: str) -> None:
        """Remove the object, if it exists."""
        ...

    async def delete_unfinished(self, key: str) -> None:
        """Delete what a `put` of this key left behind when its process died: a temporary file, or
        the parts of an upload. A `put` that still runs fails. Raises StorageError."""
        ...

    def public_url(self, key: str) -> str:
        """The URL of a public object. Raises ValueError for a private key."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


@runtime_checkable
class MovingStorage(Protocol):
    """A backend that moves objects without reading them."""

    async def move(self, key: str, new_key: str) -> None:
        """Move the object. Raises ObjectNotFoundError if there is none, StorageError."""
        ...


async def move_object(storage: Storage, key: str, new_key: str) -> None:
    """Move an object. If the process dies meanwhile, the object is under one key or both. Raises
    ObjectNotFoundError, StorageError."""
    if isinstance(storage, MovingStorage):
        await storage.move(key, new_key)
        return
    found = await storage.stat(key)
    if found is None:
        raise ObjectNotFoundError(key)
    async with storage.open(key) as chunks:
        await storage.put(new_key, chunks, content_type=found.content_type)
    await storage.delete(key)
