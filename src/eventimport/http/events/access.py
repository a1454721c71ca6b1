"""Who may see and change what: from a request to the row it is about."""

from typing import Annotated, Any, Final, Literal

from fastapi import Path
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.auth import MAX_USER_ID
from eventimport.conference.kinds import Kind
from eventimport.database.event_queries import EDITABLE, Row, find
from eventimport.database.visibility import Viewer
from eventimport.errors import ProblemError, refuse
from eventimport.http.dependencies import Account
from eventimport.http.events.schema import ResourceType

MAX_ID: Final = MAX_USER_ID
"""The largest bigint; a larger number names nothing, and PostgreSQL would not take it."""

_EVENT_KEY = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="The event's id, or its identifier.")
]
_ROW_ID = Annotated[int, Path(ge=1, le=MAX_ID)]
HEADERS: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Accept"}


def key_type(resource: ResourceType) -> Any:
    """What the path names a resource of this type by."""
    return _EVENT_KEY if resource.kind is Kind.EVENT else _ROW_ID


def parse_id(text: str) -> int | None:
    """The number of an id that a document names; None where it can be no id."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 19:
        return None
    return int(text) if 1 <= int(text) <= MAX_ID else None


def viewer_of(account: Account | None) -> Viewer:
    """The account, as queries know it."""
    return Viewer() if account is None else Viewer(account.id, account.is_admin)


async def find_visible(
    connection: AsyncConnection,
    resource: ResourceType,
    key: int | str,
    account: Account | None,
    *,
    keys_only: bool = False,
) -> Row:
    """The row, if the account may see it; with `keys_only`, only what leads to other rows. Raises
    404, whether it exists or not."""
    return await _find(connection, resource, key, account, lock=None, keys_only=keys_only)


async def find_to_change(
    connection: AsyncConnection,
    resource: ResourceType,
    key: int | str,
    account: Account,
    *,
    lock: Literal["change", "delete"] = "change",
) -> Row:
    """The row, held until the transaction's end, where the account may change it. Raises 404 where
    the account may not see it, and 403 where it may see it but not change it."""
    row = await _find(connection, resource, key, account, lock=lock)
    if not row[EDITABLE]:
        what = "Only the event's owner and admins can do this."
        raise refuse(403, "forbidden", "Not allowed", what)
    return row


async def _find(
    connection: AsyncConnection,
    resource: ResourceType,
    key: int | str,
    account: Account | None,
    *,
    lock: Literal["change", "delete"] | None,
    keys_only: bool = False,
) -> Row:
    if isinstance(key, str) and key.isdecimal():
        parsed: int | str | None = parse_id(key)
    else:
        parsed = key
    row = None
    if parsed is not None:
        viewer = viewer_of(account)
        row = await find(connection, resource.node, parsed, viewer, lock=lock, keys_only=keys_only)
    if row is None:
        raise not_found(resource, key)
    return row


def not_found(resource: ResourceType, key: int | str) -> ProblemError:
    """The answer to a key of a resource that does not exist or that the client may not see."""
    return refuse(404, "not-found", "Not Found", f"Unknown {resource.type} {key}.")
