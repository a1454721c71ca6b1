"""Take-downs: admins hide an event, or a user's uploads, from the public."""

from collections.abc import Collection
from typing import Annotated, Any

from fastapi import Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from eventimport.database.take_down import take_event_down, take_user_files_down
from eventimport.database.withdrawal import MovingFile
from eventimport.errors import refuse
from eventimport.http.dependencies import AdminDep, ClientAddressDep, ResourcesDep
from eventimport.http.forms.body import SmallBodyRoute
from eventimport.http.openapi import problems
from eventimport.http.routing import Router
from eventimport.stored_objects import move_files

MAX_ID = 2**63 - 1

router = Router(prefix="/v1", tags=["moderation"], route_class=SmallBodyRoute)

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


class Moderator:
    """The admin who takes down and reinstates, and the client that the audit log names."""

    def __init__(self, admin: AdminDep, resources: ResourcesDep, client: ClientAddressDep) -> None:
        self._resources = resources
        self._act: dict[str, Any] = {"actor": admin.id, "client": client}

    async def event(self, event_id: int, reason: str | None) -> Response:
        """Take an event down, or reinstate it if there is no reason."""
        async with self._resources.engine.begin() as connection:
            files = await take_event_down(connection, event_id, reason, **self._act)
        return await self._moved(files, f"event {event_id}")

    async def user_files(self, user_id: int, reason: str | None) -> Response:
        """Take a user's files down, or reinstate them if there is no reason."""
        async with self._resources.engine.begin() as connection:
            files = await take_user_files_down(connection, user_id, reason, **self._act)
        return await self._moved(files, f"user {user_id}")

    async def _moved(self, files: Collection[MovingFile] | None, name: str) -> Response:
        if files is None:
            raise refuse(404, "not-found", "Not Found", f"Unknown {name}.")
        await move_files(self._resources.engine, self._resources.storages, files)
        return Response(status_code=204)


ModeratorDep = Annotated[Moderator, Depends()]


@router.post(
    "/events/{event_id}/take-down",
    status_code=204,
    response_class=Response,
    responses=problems(400, 403, 404, 413, 415, 422),
)
async def take_down_event(event_id: EventId, body: TakeDown, moderator: ModeratorDep) -> Response:
    """Hide an event: the public does not see it, and its files are not served. Its members see it,
    with the reason. Only admins can do this."""
    return await moderator.event(event_id, body.reason)


@router.post(
    "/events/{event_id}/reinstate",
    status_code=204,
    response_class=Response,
    responses=problems(403, 404),
)
async def reinstate_event(event_id: EventId, moderator: ModeratorDep) -> Response:
    """End the take-down of an event. If it was published before, it is public again. Only admins
    can do this."""
    return await moderator.event(event_id, None)


@router.post(
    "/users/{user_id}/take-down-files",
    status_code=204,
    response_class=Response,
    responses=problems(400, 403, 404, 413, 415, 422),
)
async def take_down_user_files(
    user_id: UserId, body: TakeDown, moderator: ModeratorDep
) -> Response:
    """Hide all files that a user has uploaded until now: they are not served. The user sees the
    reason. Only admins can do this."""
    return await moderator.user_files(user_id, body.reason)


@router.post(
    "/users/{user_id}/reinstate-files",
    status_code=204,
    response_class=Response,
    responses=problems(403, 404),
)
async def reinstate_user_files(user_id: UserId, moderator: ModeratorDep) -> Response:
    """End the take-down of a user's uploads. Only admins can do this."""
    return await moderator.user_files(user_id, None)
