"""Changing: attributes and relationships of single resources, and deleting events."""

from collections.abc import Mapping
from typing import Any, Final

import anyio.to_thread
from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.kinds import Kind
from eventimport.database.event_changes import change, delete_event, is_being_imported
from eventimport.database.event_graph import Edge
from eventimport.database.event_queries import (
    LINK_BYTES,
    ByteBudget,
    Row,
    TooLargeError,
    follow,
)
from eventimport.database.visibility import Viewer
from eventimport.errors import ProblemError, refuse
from eventimport.http.dependencies import AccountDep, ResourcesDep
from eventimport.http.events.access import find_to_change, viewer_of
from eventimport.http.events.documents import CHANGED_DOCUMENTS
from eventimport.http.events.linking import Linking, relink
from eventimport.http.events.negotiation import (
    CONTENT_TYPE,
    IfMatchDep,
    changed_meanwhile,
    check_if_match,
)
from eventimport.http.events.patches import (
    MAX_LINKS,
    PATCHES,
    changes_of,
    is_changeable,
    linkage_body,
    with_originals,
)
from eventimport.http.events.queries import ResourceQuery, query_of
from eventimport.http.events.route_class import ETAG, Endpoint, annotate, create_router
from eventimport.http.events.schema import EVENT, TYPES, ResourceType, kebab
from eventimport.http.events.serializer import Answer, attributes_of
from eventimport.http.openapi import problems
from eventimport.routers.events.image_sizes import begin_sizes, wake_worker
from eventimport.routers.events.reading import single_answer
from eventimport.stored_objects import delete_objects

REFUSALS: Final = problems(400, 403, 409, 412, 413, 415, 422)


def create_changing_router() -> APIRouter:
    """All routes that change something."""
    router = create_router()
    for resource in TYPES.values():
        router.add_api_route(
            f"{resource.path}/{{resource_id}}",
            update_one(resource),
            methods=["PATCH"],
            name=f"update_{resource.words}",
            response_model=CHANGED_DOCUMENTS[resource.kind],
            responses={200: ETAG, **REFUSALS},
            dependencies=[CONTENT_TYPE],
        )
    router.add_api_route(
        f"{EVENT.path}/{{resource_id}}",
        annotate(delete_one_event, EVENT),
        methods=["DELETE"],
        name="delete_event",
        status_code=204,
        response_class=Response,
        responses=problems(400, 403, 409, 412),
    )
    session = TYPES[Kind.SESSION]
    for name, edge in session.edges.items():
        if name != "event":
            _add_linkage_routes(router, session, edge)
    return router


def _add_linkage_routes(router: APIRouter, resource: ResourceType, edge: Edge) -> None:
    changes = {"PATCH": ("replace", Linking.REPLACE)}
    if edge.many:
        changes |= {"POST": ("add", Linking.ADD), "DELETE": ("remove", Linking.REMOVE)}
    for method, (verb, linking) in changes.items():
        router.add_api_route(
            f"{resource.path}/{{resource_id}}/relationships/{kebab(edge.name)}",
            change_linkage(resource, edge, linking),
            methods=[method],
            name=f"{verb}_{resource.words}_{edge.name}",
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
            row = await find_to_change(connection, resource, resource_id, account)
            check_if_match(if_match, row)
            before = row
            row = await _apply(connection, resource, row, body.data)
            tasks = await begin_sizes(connection, resource, before, row, account.id)
            limit = resources.settings.max_response_bytes
            answer = Answer(resource, query, viewer_of(account), limit)
            await answer.load_included(connection, [row])
        if tasks:
            await wake_worker(resources.queue)
        meta = {"tasks": [f"/v1/tasks/{task_id}" for task_id in tasks]} if tasks else None
        return await single_answer(resource, row, answer, query, meta=meta)

    patch.__doc__ = f"Change attributes of one {resource.type}, and leave the others as they are."
    if resource.kind in {Kind.EVENT, Kind.SPEAKER}:
        patch.__doc__ += (
            " A new image clears the URLs of its smaller sizes, except those that the request sets."
            " A task makes the others anew; `meta` has its URL."
        )
    if resource.kind is Kind.SESSION:
        patch.__doc__ += " Relationships can be changed as well; what they name is of the event."
    return annotate(
        patch,
        resource,
        query=query_of(resource, ResourceQuery),
        body=PATCHES[resource.kind],
    )


async def _apply(connection: AsyncConnection, resource: ResourceType, row: Row, data: Any) -> Row:
    if data.id != str(row["id"]):
        raise refuse(
            409,
            "id-mismatch",
            "The id does not match",
            f"Expected id {str(row['id'])!r}, got {data.id[:50]!r}.",
            source={"pointer": "/data/id"},
        )
    # In a thread: checking a long text would hold the event loop.
    values = await anyio.to_thread.run_sync(_checked, resource, data.attributes, row)
    _check_order(row, values)
    links_changed = False
    for name, given in data.relationships.items():
        edge = resource.edges[name]
        pointer = f"/data/relationships/{name}/data"
        if "data" not in given:
            continue
        if await _is_linked_so(connection, edge, row, given["data"]):
            continue
        if not is_changeable(resource, name):
            raise _read_only(edge)
        values |= await relink(
            connection, edge, row, given["data"], how=Linking.REPLACE, pointer=pointer
        )
        links_changed = links_changed or edge.linked
    if not values and not links_changed:
        return row
    return await _write(connection, resource, row, values)


def _checked(resource: ResourceType, given: Mapping[str, Any], row: Row) -> dict[str, Any]:
    """The changes of a row that its new attributes ask for, by column. Raises 422."""
    values = changes_of(resource, given, attributes_of(resource, row))
    return with_originals(resource, given, row, values)


async def _is_linked_so(connection: AsyncConnection, edge: Edge, row: Row, data: Any) -> bool:
    """Whether the row is linked with what `data` names, and nothing else."""
    given = data if isinstance(data, list) else [data] if data is not None else []
    enough = ByteBudget(MAX_LINKS * LINK_BYTES)
    try:
        linked = await follow(connection, edge, [row], Viewer(is_admin=True), enough)
    except TooLargeError:
        return False
    return {each.id for each in given} == set(map(str, linked.get(row["id"], ())))


def _read_only(edge: Edge) -> ProblemError:
    name = kebab(edge.name)
    if edge.target is Kind.EVENT:
        pointer = {"pointer": f"/data/relationships/{name}/data"}
        what = "A resource cannot move to another event."
        return refuse(403, "forbidden", "Not allowed", what, source=pointer)
    what = f"{name!r} is read-only here. Leave it out, or send it as it is."
    pointer = {"pointer": f"/data/relationships/{name}"}
    return refuse(422, "invalid-value", "Invalid value", what, source=pointer)


async def _write(
    connection: AsyncConnection, resource: ResourceType, row: Row, values: Mapping[str, Any]
) -> Row:
    changed = await change(connection, resource.node, row, values)
    if changed is None:
        raise changed_meanwhile()
    return changed


def _check_order(row: Row, values: Mapping[str, Any]) -> None:
    times = {"starts_at", "ends_at"} & values.keys()
    if not times:
        return
    merged = {**row, **values}
    starts_at, ends_at = merged["starts_at"], merged["ends_at"]
    if starts_at is not None and ends_at is not None and ends_at < starts_at:
        raise refuse(
            422,
            "invalid-value",
            "Invalid value",
            "The end is before the start.",
            source={"pointer": f"/data/attributes/{kebab(min(times))}"},
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
            row = await find_to_change(connection, resource, resource_id, account)
            check_if_match(if_match, row)
            values = await relink(connection, edge, row, body.data, how=linking, pointer="/data")
            await _write(connection, resource, row, values)
        return Response(status_code=204)

    change_links.__doc__ = f"{_VERBS[linking]} {kebab(edge.name)} of one {resource.type}."
    return annotate(change_links, resource, body=linkage_body(edge.target, many=edge.many))


_VERBS: Final[Mapping[Linking, str]] = {
    Linking.REPLACE: "Replace the",
    Linking.ADD: "Add to the",
    Linking.REMOVE: "Remove some of the",
}


async def delete_one_event(
    resource_id: str,
    account: AccountDep,
    resources: ResourcesDep,
    if_match: IfMatchDep = None,
) -> Response:
    """Delete an event with all its resources and stored files."""
    async with resources.engine.begin() as connection:
        row = await find_to_change(connection, EVENT, resource_id, account, lock="delete")
        check_if_match(if_match, row)
        if await is_being_imported(connection, row["id"]):
            raise refuse(
                409,
                "import-running",
                "The event is still being imported",
                "Its media are still being moved. Delete it when its import has ended.",
            )
        files = await delete_event(connection, row["id"])
    await delete_objects(resources.engine, resources.storages, files)
    return Response(status_code=204)
