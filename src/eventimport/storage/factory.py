"""From configurations to backends."""

from collections.abc import Iterable, Iterator, Mapping
from typing import assert_never

from eventimport.storage.config import (
    GCSConfig,
    LocalConfig,
    S3Config,
    StorageConfig,
)
from eventimport.storage.local import LocalStorage
from eventimport.storage.protocol import Storage

__all__ = [
    "GCSConfig",
    "LocalConfig",
    "S3Config",
    "StorageConfig",
    "StorageSet",
    "create_storage",
]


def create_storage(config: StorageConfig) -> Storage:
    """The backend of this configuration; no connection is opened before its first use."""
    match config:
        case LocalConfig():
            return LocalStorage(config)
        # Importing the SDK costs 0.4 s; a service on local disk never needs it.
        case S3Config():
            from eventimport.storage.s3 import S3Storage  # noqa: PLC0415

            return S3Storage(config)
        case GCSConfig():
            from eventimport.storage.s3 import create_gcs_storage  # noqa: PLC0415

            return create_gcs_storage(config)
        case _:
            assert_never(config)


class StorageSet:
    """The configured backends by name; the active one stores new objects.

    Objects stay where they are when another becomes active: `get` reaches each by its name.
    """

    def __init__(self, backends: Mapping[str, Storage], *, active_name: str) -> None:
        self._backends = dict(backends)
        self._active_name = active_name
        self.activate(active_name)

    @classmethod
    def create(cls, configs: Iterable[StorageConfig], *, active_name: str) -> "StorageSet":
        """One backend for each configuration. Raises KeyError if none has the active name."""
        return cls(
            {config.kind: create_storage(config) for config in configs}, active_name=active_name
        )

    def __iter__(self) -> Iterator[Storage]:
        return iter(self._backends.values())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all backends."""
        return tuple(self._backends)

    @property
    def active_name(self) -> str:
        """The name of the backend that stores new objects."""
        return self._active_name

    @property
    def active(self) -> Storage:
        """The backend that stores new objects."""
        return self._backends[self._active_name]

    def activate(self, name: str) -> None:
        """Store new objects in this backend. Raises KeyError if it is not configured."""
        self.get(name)
        self._active_name = name

    def get(self, name: str) -> Storage:
        """The backend of that name. Raises KeyError if it is not configured."""
        try:
            return self._backends[name]
        except KeyError:
            raise KeyError(f"no storage backend {name!r} is configured") from None

    async def close(self) -> None:
        """Close all backends."""
        for backend in self._backends.values():
            await backend.close()
