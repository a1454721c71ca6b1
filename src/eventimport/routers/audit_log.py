"""The audit log, which admins read."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import AwareDatetime, Field

from eventimport.auth import MAX_USER_ID
from eventimport.database.audit import AuditFilter, list_acts
from eventimport.http.dependencies import AdminDep, ResourcesDep
from eventimport.http.jsonapi import (
    Attributes,
    Collection,
    JSONAPIResponse,
    PageQuery,
    Resource,
    SelfLink,
)
from eventimport.http.openapi import problems
from eventimport.http.routing import Router

PATH = "/v1/audit-log"
TYPE = "audit-entry"

router = Router(prefix=PATH, tags=["audit log"], default_response_class=JSONAPIResponse)


class AuditAttributes(Attributes):
    """One act. `actor-id` is the id of the user who acted, null for a stranger and for the operator
    at the command line. `subject-kind` and `subject-id` name what was acted on, and `client` is the
    address of the client. Times are in UTC."""

    created_at: datetime
    action: str
    actor_id: str | None
    subject_kind: str | None
    subject_id: str | None
    client: str | None
    detail: dict[str, Any]


class AuditCollection(Collection[AuditAttributes]):
    """One page of the audit log, newest first."""


_Name = Annotated[str, Field(max_length=100, pattern=r"^[^\x00]*$")]


class AuditQuery(PageQuery):
    """Which entries an admin wants."""

    action: _Name | None = Field(
        None,
        alias="filter[action]",
        description="Only this action, such as `sign-in`.",
    )
    actor: int | None = Field(
        None,
        alias="filter[actor-id]",
        ge=1,
        le=MAX_USER_ID,
        description="Only acts of the user with this id.",
    )
    subject_kind: _Name | None = Field(
        None,
        alias="filter[subject-kind]",
        description="Only acts on this kind, such as `user` or `event`.",
    )
    subject_id: _Name | None = Field(
        None,
        alias="filter[subject-id]",
        description="Only acts on what has this id.",
    )
    since: AwareDatetime | None = Field(
        None,
        alias="filter[since]",
        description="Only acts at this time or later, such as `2027-05-01T00:00:00Z`.",
    )
    until: AwareDatetime | None = Field(
        None, alias="filter[until]", description="Only acts at this time or earlier."
    )


@router.get("", responses=problems(400, 403))
async def list_audit_log(
    _admin: AdminDep, resources: ResourcesDep, query: Annotated[AuditQuery, Query()]
) -> AuditCollection:
    """List the acts of all users, newest first. Only admins can do this. The clean-up deletes
    entries that are older than AUDIT_RETENTION_DAYS."""
    wanted = AuditFilter(
        action=query.action,
        actor=query.actor,
        subject_kind=query.subject_kind,
        subject_id=query.subject_id,
        since=query.since,
        until=query.until,
    )
    page = query.page(resources.settings.max_list_size)
    async with resources.reader.connect() as connection:
        rows, total = await list_acts(connection, wanted, limit=page.limit, offset=page.offset)
    return AuditCollection.page(PATH, page, total, map(_resource, rows))


def _resource(row: Any) -> Resource[AuditAttributes]:
    return Resource(
        type=TYPE,
        id=str(row.id),
        attributes=AuditAttributes(
            created_at=row.created_at,
            action=row.action,
            actor_id=None if row.actor_id is None else str(row.actor_id),
            subject_kind=row.subject_kind,
            subject_id=row.subject_id,
            client=row.client,
            detail=row.detail,
        ),
        links=SelfLink(self=PATH),
    )
