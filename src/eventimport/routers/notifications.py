"""What a user is told in the service itself: how their imports ended."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row, Select, func, select, true, update

from eventimport.database.models import ImportJob, ImportStatus, Notification
from eventimport.errors import ProblemError, refuse
from eventimport.http.dependencies import AccountDep, ResourcesDep, SessionDep
from eventimport.http.forms.small_body import SmallBodyRoute
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

PATH = "/v1/notifications"
TYPE: Literal["notification"] = "notification"
MAX_ID = 2**63 - 1

router = APIRouter(
    prefix=PATH,
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


@router.get("", responses=problems(400))
async def list_notifications(
    account: AccountDep, resources: ResourcesDep, query: Annotated[NotificationQuery, Query()]
) -> NotificationCollection:
    """List your notifications, newest first."""
    chosen = true() if query.is_read is None else Notification.is_read.is_(query.is_read)
    page = (
        _of(account.id)
        .where(chosen)
        .order_by(Notification.created_at.desc(), Notification.id.desc())
        .limit(query.size)
        .offset(query.offset)
    )
    counts = select(
        func.count().filter(chosen).label("total"),
        func.count().filter(~Notification.is_read).label("unread"),
    ).where(Notification.user_id == account.id)
    async with resources.reader.connect() as connection:
        rows = (await connection.execute(page)).all()
        count = (await connection.execute(counts)).one()
    base = resources.settings.event_base_url
    return NotificationCollection(
        data=[_resource(row, base) for row in rows],
        meta=NotificationMeta(
            **query.page_meta(count.total).model_dump(), unread_count=count.unread
        ),
        links=query.page_links(PATH, count.total),
    )


@router.get("/{notification_id}", responses=problems(404))
async def get_notification(
    notification_id: NotificationId, account: AccountDep, resources: ResourcesDep
) -> NotificationDocument:
    """Get one of your notifications."""
    statement = _of(account.id).where(Notification.id == notification_id)
    async with resources.reader.connect() as connection:
        row = (await connection.execute(statement)).one_or_none()
    if row is None:
        raise _not_found(notification_id)
    return NotificationDocument(data=_resource(row, resources.settings.event_base_url))


@router.patch("/{notification_id}", responses=problems(400, 404, 409, 413, 422))
async def update_notification(
    notification_id: NotificationId,
    patch: NotificationPatch,
    account: AccountDep,
    session: SessionDep,
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
                "Not what this address names",
                f"The resource's {name} must be {expected} here.",
                source={"pointer": f"/data/{name}"},
            )
    mine = Notification.id == notification_id, Notification.user_id == account.id
    await session.execute(
        update(Notification).where(*mine).values(is_read=patch.data.attributes.is_read)
    )
    statement = _of(account.id).where(Notification.id == notification_id)
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        raise _not_found(notification_id)
    return NotificationDocument(data=_resource(row, resources.settings.event_base_url))


@router.post("/mark-all-read", status_code=204)
async def mark_all_notifications_read(account: AccountDep, session: SessionDep) -> None:
    """Mark all your notifications as read."""
    unread = Notification.user_id == account.id, ~Notification.is_read
    await session.execute(update(Notification).where(*unread).values(is_read=True))


def _of(user_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Notification.id,
            Notification.title,
            Notification.message,
            Notification.is_read,
            Notification.created_at,
            Notification.import_job_id,
            ImportJob.status,
            ImportJob.event_identifier,
        )
        .outerjoin(ImportJob, ImportJob.id == Notification.import_job_id)
        .where(Notification.user_id == user_id)
    )


def _not_found(notification_id: int) -> ProblemError:
    return refuse(404, "not-found", "Not Found", f"There is no notification {notification_id}.")


def _resource(row: Row[*tuple[Any, ...]], event_base_url: str) -> Resource[NotificationAttributes]:
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
