"""Events that were deleted, and restoring them."""

from dataclasses import replace

from fastapi import Response

from eventimport.conference.kinds import Kind
from eventimport.database.audit import record_act
from eventimport.database.deletion import restore
from eventimport.database.event_queries import find_event_ids
from eventimport.http.dependencies import AccountDep, ClientAddressDep, ResourcesDep
from eventimport.http.events.documents import COLLECTIONS
from eventimport.http.events.queries import CollectionQuery, query_of
from eventimport.http.events.requests import (
    annotate,
    changed_meanwhile,
    create_router,
    find_to_change,
    viewer_of,
)
from eventimport.http.events.schema import EVENT
from eventimport.http.events.serializer import list_page
from eventimport.http.openapi import problems
from eventimport.http.routing import Router
from eventimport.stored_objects import move_files

DELETED = "/v1/deleted-events"


def create_restoring_router() -> Router:
    """The list of deleted events, and the route that restores one."""
    router = create_router()
    router.add_api_route(
        DELETED,
        annotate(list_deleted_events, query=query_of(EVENT, CollectionQuery)),
        name="list_deleted_events",
        response_model=COLLECTIONS[Kind.EVENT],
    )
    router.add_api_route(
        f"{EVENT.path}/{{resource_id}}/restore",
        annotate(restore_event, EVENT),
        methods=["POST"],
        name="restore_event",
        status_code=204,
        response_class=Response,
        responses=problems(412),
    )
    return router


async def list_deleted_events(
    account: AccountDep, resources: ResourcesDep, query: CollectionQuery
) -> Response:
    """List the deleted events that you own, and can still restore. Admins see all. `deleted-at` is
    the time of the deletion; DELETED_RETENTION_DAYS later, the event is removed."""
    viewer = replace(viewer_of(account), of_deleted=True)
    return await list_page(resources, EVENT, query, viewer, DELETED, find_event_ids)


async def restore_event(
    resource_id: str, account: AccountDep, resources: ResourcesDep, client: ClientAddressDep
) -> Response:
    """Restore an event that was deleted, as it was before. Only its owner and admins can do this,
    for `DELETED_RETENTION_DAYS` after the deletion."""
    async with resources.engine.begin() as connection:
        row = await find_to_change(
            connection, EVENT, resource_id, account, by_owner=True, of_deleted=True
        )
        files = await restore(connection, row)
        if files is None:
            raise changed_meanwhile()
        event = ("event", row["id"])
        await record_act(connection, "restore", actor=account.id, subject=event, client=client)
    await move_files(resources.engine, resources.storages, files)
    return Response(status_code=204)
