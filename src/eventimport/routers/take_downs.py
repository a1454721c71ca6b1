"""Take-downs: admins hide an event, or a user's uploads, from the public."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from eventimport.database.take_down import take_event_down, take_user_files_down
from eventimport.errors import refuse
from eventimport.http.dependencies import AdminDep, ClientAddressDep, ResourcesDep
from eventimport.http.forms.body import SmallBodyRoute
from eventimport.http.openapi import problems
from eventimport.stored_objects import move_files

MAX_ID = 2**63 - 1

router = APIRouter(prefix="/v1", tags=["moderation"], route_class=SmallBodyRoute)

EventId = Annotated[int, Path(ge=1, le=MAX_ID, description="The event's id.")]
UserId = Annotated[int, Path(ge=1, le=MAX_ID, description="The user's id.")]


class TakeDown(BaseModel):
    """Why something is taken down. Its owner sees the reason."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(
        min_length=1,
        max_length=1_000,
        pattern=r"^[^\x00]*[^\x00\s][^\x00]*$",
        examples=["The photos are used without the permission of the photographer."],
    )


@router.post(
    "/events/{event_id}/take-down",
    status_code=204,
    response_class=Response,
    responses=problems(400, 403, 404, 413, 415, 422),
)
async def take_down_event(
    event_id: EventId,
    body: TakeDown,
    admin: AdminDep,
    resources: ResourcesDep,
    client: ClientAddressDep,
) -> Response:
    """Hide an event: the public does not see it, and its files are not served. Its members see it,
    with the reason. Only admins can do this."""
    return await _event(event_id, body.reason, admin.id, resources, client)


@router.post(
    "/events/{event_id}/reinstate",
    status_code=204,
    response_class=Response,
    responses=problems(403, 404),
)
async def reinstate_event(
    event_id: EventId, admin: AdminDep, resources: ResourcesDep, client: ClientAddressDep
) -> Response:
    """End the take-down of an event. If it was published before, it is public again. Only admins
    can do this."""
    return await _event(event_id, None, admin.id, resources, client)


@router.post(
    "/users/{user_id}/take-down-files",
    status_code=204,
    response_class=Response,
    responses=problems(400, 403, 404, 413, 415, 422),
)
async def take_down_user_files(
    user_id: UserId,
    body: TakeDown,
    admin: AdminDep,
    resources: ResourcesDep,
    client: ClientAddressDep,
) -> Response:
    """Hide all files that a user has uploaded until now: they are not served. The user sees the
    reason. Only admins can do this."""
    return await _user_files(user_id, body.reason, admin.id, resources, client)


@router.post(
    "/users/{user_id}/reinstate-files",
    status_code=204,
    response_class=Response,
    responses=problems(403, 404),
)
async def reinstate_user_files(
    user_id: UserId, admin: AdminDep, resources: ResourcesDep, client: ClientAddressDep
) -> Response:
    """End the take-down of a user's uploads. Only admins can do this."""
    return await _user_files(user_id, None, admin.id, resources, client)


async def _event(
    event_id: int, reason: str | None, admin_id: int, resources: ResourcesDep, client: str | None
) -> Response:
    async with resources.engine.begin() as connection:
        files = await take_event_down(connection, event_id, reason, actor=admin_id, client=client)
    if files is None:
        raise refuse(404, "not-found", "Not Found", f"Unknown event {event_id}.")
    await move_files(resources.engine, resources.storages, files)
    return Response(status_code=204)


async def _user_files(
    user_id: int, reason: str | None, admin_id: int, resources: ResourcesDep, client: str | None
) -> Response:
    async with resources.engine.begin() as connection:
        files = await take_user_files_down(
            connection, user_id, reason, actor=admin_id, client=client
        )
    if files is None:
        raise refuse(404, "not-found", "Not Found", f"Unknown user {user_id}.")
    await move_files(resources.engine, resources.storages, files)
    return Response(status_code=204)
