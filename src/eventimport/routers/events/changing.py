"""Changing: attributes and relationships of single resources, and deleting them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import Response

from eventimport.conference.kinds import Kind
from eventimport.database.audit import record_act
from eventimport.database.deletion import delete_for_now
from eventimport.database.event_changes import is_being_imported
from eventimport.database.event_graph import Edge
from eventimport.database.event_queries import OWNED, Row
from eventimport.database.withdrawal import MovingFile, settle_event_files
from eventimport.errors import refuse
from eventimport.http.dependencies import AccountDep, ClientAddressDep, ResourcesDep
from eventimport.http.events.changes import apply_patch, write
from eventimport.http.events.documents import CHANGED_DOCUMENTS
from eventimport.http.events.linkage import Linking, is_changeable, linkage_body, relink
from eventimport.http.events.patches import PATCHES, write_limits
from eventimport.http.events.queries import ResourceQuery, query_of
from eventimport.http.events.requests import (
    CONTENT_TYPE,
    ETAG,
    Endpoint,
    IfMatchDep,
    annotate,
    changed_meanwhile,
    create_router,
    find_to_change,
    viewer_of,
)
from eventimport.http.events.schema import EVENT, TYPES, ResourceType, kebab
from eventimport.http.events.serializer import Answer
from eventimport.http.jsonapi import JSONAPIResponse
from eventimport.http.openapi import problems
from eventimport.http.routing import Router
from eventimport.stored_objects import move_files

REFUSALS: Final = problems(400, 403, 409, 412, 413, 415, 422)


def create_changing_router() -> Router:
    """All routes that change something."""
    router = create_router(tags=())
    for resource in TYPES.values():
        for path in resource.other_paths:
            for method, endpoint in (("PATCH", update_one), ("DELETE", delete_one)):
                router.add_api_route(
                    f"{path}/{{resource_id}}",
                    endpoint(resource),
                    methods=[method],
                    include_in_schema=False,
                    status_code=200 if method == "PATCH" else 204,
                    response_class=JSONAPIResponse if method == "PATCH" else Response,
                    dependencies=[CONTENT_TYPE] if method == "PATCH" else [],
                )
        router.add_api_route(
            f"{resource.path}/{{resource_id}}",
            update_one(resource),
            methods=["PATCH"],
            tags=[resource.tag],
            name=f"update_{resource.words}",
            response_model=CHANGED_DOCUMENTS[resource.kind],
            responses={200: ETAG, **REFUSALS},
            dependencies=[CONTENT_TYPE],
        )
    for resource in TYPES.values():
        router.add_api_route(
            f"{resource.path}/{{resource_id}}",
            annotate(delete_one_event, EVENT) if resource is EVENT else delete_one(resource),
            methods=["DELETE"],
            tags=[resource.tag],
            name=f"delete_{resource.words}",
            status_code=204,
            response_class=Response,
            responses=problems(400, 403, 409, 412),
        )
        for edge in resource.edges.values():
            _add_linkage_routes(router, resource, edge)
    return router


def _add_linkage_routes(router: Router, resource: ResourceType, edge: Edge) -> None:
    changes = {"PATCH": ("replace", Linking.REPLACE)}
    if edge.many:
        changes |= {"POST": ("add", Linking.ADD), "DELETE": ("remove", Linking.REMOVE)}
    for method, (verb, linking) in changes.items():
        router.add_api_route(
            f"{resource.path}/{{resource_id}}/relationships/{kebab(edge.name)}",
            change_linkage(resource, edge, linking),
            methods=[method],
            tags=[resource.tag],
            name=f"{verb}_{resource.words_of(edge)}",
            status_code=204,
            response_class=Response,
            responses=REFUSALS,
            dependencies=[CONTENT_TYPE],
        )


def update_one(resource: ResourceType) -> Endpoint:
    """The route that changes a single resource."""

    async def patch(
        resource_id: int | str,
        account: AccountDep,
        resources: ResourcesDep,
        query: ResourceQuery,
        body: Any,
        *,
        if_match: IfMatchDep = None,
    ) -> Response:
        async with resources.engine.begin() as connection:
            before = await find_to_change(
                connection, resource, resource_id, account, if_match=if_match
            )
            limits = write_limits(resources.settings)
            written = await apply_patch(
                connection, resource, before, body.data, limits=limits, user_id=account.id
            )
            row = written.row
            files: list[MovingFile] = []
            if row["deleted_at"] != before["deleted_at"]:
                if resource is EVENT and not before[OWNED]:
                    raise refuse(
                        403,
                        "forbidden",
                        "Not allowed",
                        "Only the event's owner and admins can delete or restore the event.",
                        source={"pointer": "/data/attributes/deleted-at"},
                    )
                files = await settle_event_files(connection, event_id_of(row))
            limit = resources.settings.max_response_bytes
            answer = Answer(resource, query, viewer_of(account), limit)
            await answer.load_included(connection, [row])
        await move_files(resources.engine, resources.storages, files)
        if written.tasks:
            await resources.wake_worker()
        return await answer.response(row, written.meta())

    patch.__doc__ = f"Change attributes of one {resource.type}, and leave the others as they are."
    if resource.kind in {Kind.EVENT, Kind.SPEAKER}:
        patch.__doc__ += (
            " A new image clears the URLs of its smaller sizes, except those that the request sets."
            " A task makes the others anew; `meta` has its URL."
        )
    if any(map(is_changeable, resource.edges.values())):
        patch.__doc__ += " Relationships can be changed as well; what they name is of the event."
    patch.__doc__ += (
        " The values are read as an import reads them: `meta.findings` has what was repaired."
    )
    return annotate(
        patch,
        resource,
        query=query_of(resource, ResourceQuery),
        body=PATCHES[resource.kind],
    )


def change_linkage(resource: ResourceType, edge: Edge, linking: Linking) -> Endpoint:
    """The route that changes a relationship."""

    async def change_links(
        resource_id: int | str,
        account: AccountDep,
        resources: ResourcesDep,
        body: Any,
        if_match: IfMatchDep = None,
    ) -> Response:
        async with resources.engine.begin() as connection:
            row = await find_to_change(
                connection, resource, resource_id, account, if_match=if_match
            )
            values = await relink(connection, edge, row, body.data, how=linking, pointer="/data")
            if values is not None:
                await write(connection, resource, row, values, relinked=edge.column is None)
        return Response(status_code=204)

    change_links.__doc__ = f"{_VERBS[linking]} {kebab(edge.name)} of one {resource.type}."
    return annotate(change_links, resource, body=linkage_body(edge.target, many=edge.many))


_VERBS: Final[Mapping[Linking, str]] = {
    Linking.REPLACE: "Replace the",
    Linking.ADD: "Add to the",
    Linking.REMOVE: "Remove some of the",
}


def event_id_of(row: Row) -> int:
    """The id of the row's event, or of the event that the row is."""
    event_id: int = row["event_id"] if "event_id" in row else row["id"]
    return event_id


def delete_one(resource: ResourceType) -> Endpoint:
    """The route that deletes a part of an event."""

    async def delete(
        resource_id: int | str,
        account: AccountDep,
        resources: ResourcesDep,
        if_match: IfMatchDep = None,
    ) -> Response:
        async with resources.engine.begin() as connection:
            row = await find_to_change(
                connection, resource, resource_id, account, if_match=if_match
            )
            if row["deleted_at"] is None:
                await write(connection, resource, row, {"deleted_at": datetime.now(UTC)})
            files = await settle_event_files(connection, event_id_of(row))
        await move_files(resources.engine, resources.storages, files)
        return Response(status_code=204)

    delete.__doc__ = (
        f"Delete one {resource.type}. To restore it, set its `deleted-at` to null with a `PATCH`,"
        " within `DELETED_RETENTION_DAYS`. Its files are not served meanwhile."
    )
    return annotate(delete, resource)


async def delete_one_event(
    resource_id: str,
    account: AccountDep,
    resources: ResourcesDep,
    client: ClientAddressDep,
    if_match: IfMatchDep = None,
) -> Response:
    """Delete an event with all its resources and stored files.

    Its owner can restore it for `DELETED_RETENTION_DAYS`. Only the owner and admins can do this.
    """
    async with resources.engine.begin() as connection:
        row = await find_to_change(
            connection,
            EVENT,
            resource_id,
            account,
            if_match=if_match,
            lock="delete",
            by_owner=True,
        )
        if await is_being_imported(connection, row["id"]):
            raise refuse(
                409,
                "import-running",
                "Import not ended",
                "The media files of the event are still being stored. Delete the"
                " event when its import has ended.",
            )
        files = await delete_for_now(connection, row)
        if files is None:
            raise changed_meanwhile()
        event = ("event", row["id"])
        await record_act(connection, "delete", actor=account.id, subject=event, client=client)
    await move_files(resources.engine, resources.storages, files)
    return Response(status_code=204)
