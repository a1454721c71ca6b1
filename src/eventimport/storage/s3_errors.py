"""What the SDK raises, in the port's words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import ClientError as ConnectionFailed
from botocore.exceptions import BotoCoreError, ClientError

from eventimport.storage.protocol import StorageError

_NOT_FOUND = frozenset({"404", "NoSuchKey", "NoSuchUpload", "NotFound"})
_FORBIDDEN = frozenset({"AccessDenied", "NotImplemented"})
_RETRYABLE = frozenset(
    {"InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown", "TooManyRequests"}
)


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Turn the SDK's exceptions into StorageError; put nothing but calls of the SDK inside."""
    try:
        yield
    except ClientError as error:
        code = _code(error)
        status: int = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        retryable = code in _RETRYABLE or status == 429 or status >= 500
        raise StorageError(f"{what}: {error}", retryable=retryable) from error
    except (BotoCoreError, ConnectionFailed, TimeoutError, OSError) as error:
        raise StorageError(f"{what}: {error!r}") from error


def is_not_found(error: BaseException | None) -> bool:
    """Whether the SDK said that there is no such object, or no such upload."""
    return isinstance(error, ClientError) and _code(error) in _NOT_FOUND


def is_forbidden(error: BaseException | None) -> bool:
    """Whether the server does not do this for us, or for anyone."""
    return isinstance(error, ClientError) and _code(error) in _FORBIDDEN


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
