"""Notifications in the service itself: how a user's imports ended."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

from eventimport.database import notifications
from eventimport.database.models import ImportStatus
from eventimport.errors import ProblemError, refuse
from eventimport.http.dependencies import AccountDep, ResourcesDep
from eventimport.http.events.filters import FILTER, filterable, read_filters
from eventimport.http.forms.body import SmallBodyRoute
from eventimport.http.jsonapi import (
    Attributes,
    Collection,
    Document,
    JSONAPIResponse,
    PageMeta,
    PageQuery,
    Resource,
    SelfLink,
)
from eventimport.http.openapi import problems
from eventimport.http.routing import Router

PATH = "/v1/notifications"
TYPE: Literal["notification"] = "notification"
MAX_ID = 2**63 - 1

SORTS: Final = "^-?(created-at|created_at|received-at)$"
"""Existing clients use all of these names. Generators cannot make an enumeration of them."""


FILTERABLE: Final = filterable(
    TYPE,
    {
        "title": ("title", str),
        "message": ("message", str),
        "is-read": ("is_read", bool),
        "created-at": ("created_at", datetime),
    },
)

router = Router(
    tags=["notifications"],
    default_response_class=JSONAPIResponse,
    route_class=SmallBodyRoute,
)

NotificationId = Annotated[int, Path(ge=1, le=MAX_ID)]


class NotificationAttributes(Attributes):
    """A message. Times are in UTC. `event-url` is null if no event was imported."""

    title: str
    message: str
    is_read: bool
    created_at: datetime
    import_job_id: UUID | None
    event_url: str | None


class NotificationDocument(Document[NotificationAttributes]):
    """One notification."""


class NotificationMeta(PageMeta):
    """`unread-count` is the number of all unread notifications, independent of the query."""

    model_config = ConfigDict(populate_by_name=True)

    unread_count: int = Field(alias="unread-count")


class NotificationCollection(Collection[NotificationAttributes]):
    """One page of notifications, newest first."""

    meta: NotificationMeta


class NotificationQuery(PageQuery):
    """Which notifications a client wants."""

    is_read: bool | None = Field(
        None,
        alias="filter[is-read]",
        description="`true`: only read notifications. `false`: only unread notifications.",
    )
    sort: str | None = Field(
        None,
        pattern=SORTS,
        description="`created-at` for the oldest first. Default: the newest first. Existing clients"
        " call it `received-at`.",
    )
    filter: str | None = FILTER


class NotificationChanges(Attributes):
    """The attributes that you can change."""

    model_config = ConfigDict(extra="forbid")

    is_read: bool = Field(strict=True)


class ChangedNotification(BaseModel):
    """A notification as a client changes it."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(description="Always `notification`.", examples=[TYPE])
    id: str
    attributes: NotificationChanges


class NotificationPatch(BaseModel):
    """The document of a change."""

    data: ChangedNotification


@router.get(PATH, responses=problems(400))
async def list_notifications(
    account: AccountDep, resources: ResourcesDep, query: Annotated[NotificationQuery, Query()]
) -> NotificationCollection:
    """List your notifications, newest first."""
    page = query.page(resources.settings.max_list_size)
    limit = resources.settings.max_filter_conditions
    filters = read_filters(query.filter, {}, FILTERABLE, limit)
    async with resources.reader.connect() as connection:
        rows, total, unread = await notifications.list_notifications(
            connection,
            account.id,
            is_read=query.is_read,
            filters=filters,
            oldest_first=query.sort is not None and query.sort[0] != "-",
            limit=page.limit,
            offset=page.offset,
        )
    base = resources.settings.event_base_url
    found = (_resource(row, base) for row in rows)
    return NotificationCollection.page(PATH, page, total, found, unread_count=unread)


@router.get("/v1/users/{user_id}/notifications", responses=problems(400, 404))
async def list_user_notifications(
    user_id: Annotated[int, Path(ge=1, le=MAX_ID)],
    account: AccountDep,
    resources: ResourcesDep,
    query: Annotated[NotificationQuery, Query()],
) -> NotificationCollection:
    """List your notifications, newest first, as existing clients ask for them."""
    if user_id != account.id:
        raise refuse(404, "not-found", "Not Found", f"Unknown user {user_id}.")
    return await list_notifications(account, resources, query)


@router.get(f"{PATH}/{{notification_id}}", responses=problems(404))
async def get_notification(
    notification_id: NotificationId, account: AccountDep, resources: ResourcesDep
) -> NotificationDocument:
    """Get one of your notifications."""
    async with resources.reader.connect() as connection:
        row = await notifications.find_notification(connection, account.id, notification_id)
    if row is None:
        raise _not_found(notification_id)
    return NotificationDocument(data=_resource(row, resources.settings.event_base_url))


@router.patch(f"{PATH}/{{notification_id}}", responses=problems(400, 404, 409, 413, 422))
async def update_notification(
    notification_id: NotificationId,
    patch: NotificationPatch,
    account: AccountDep,
    resources: ResourcesDep,
) -> NotificationDocument:
    """Mark a notification as read or unread."""
    for name, given, expected in (
        ("type", patch.data.type, TYPE),
        ("id", patch.data.id, str(notification_id)),
    ):
        if given != expected:
            raise refuse(
                409,
                "conflict",
                "Resource mismatch",
                f"The {name} of the resource must be {expected} on this route.",
                source={"pointer": f"/data/{name}"},
            )
    async with resources.engine.begin() as connection:
        row = await notifications.mark_notification(
            connection, account.id, notification_id, is_read=patch.data.attributes.is_read
        )
    if row is None:
        raise _not_found(notification_id)
    return NotificationDocument(data=_resource(row, resources.settings.event_base_url))


@router.post(f"{PATH}/mark-all-read", status_code=204)
async def mark_all_notifications_read(account: AccountDep, resources: ResourcesDep) -> None:
    """Mark all your notifications as read."""
    async with resources.engine.begin() as connection:
        await notifications.mark_all_read(connection, account.id)


def _not_found(notification_id: int) -> ProblemError:
    return refuse(404, "not-found", "Not Found", f"Unknown notification {notification_id}.")


def _resource(row: Any, event_base_url: str) -> Resource[NotificationAttributes]:
    imported = row.status == ImportStatus.SUCCESS and row.event_identifier is not None
    return Resource(
        type=TYPE,
        id=str(row.id),
        attributes=NotificationAttributes(
            title=row.title,
            message=row.message,
            is_read=row.is_read,
            created_at=row.created_at,
            import_job_id=row.import_job_id,
            event_url=f"{event_base_url}/events/{row.event_identifier}" if imported else None,
        ),
        links=SelfLink(self=f"{PATH}/{row.id}"),
    )
