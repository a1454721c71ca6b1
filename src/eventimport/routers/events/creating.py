"""Creating: events, and their parts."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import Response

from eventimport.conference.kinds import Kind
from eventimport.database.event_graph import NODES, Edge
from eventimport.errors import refuse
from eventimport.http.dependencies import AccountDep, ResourcesDep
from eventimport.http.events.changes import apply_creation
from eventimport.http.events.documents import CHANGED_DOCUMENTS
from eventimport.http.events.links import created_links, creation_name
from eventimport.http.events.patches import CREATIONS, write_limits
from eventimport.http.events.queries import ResourceQuery, query_of
from eventimport.http.events.requests import (
    CONTENT_TYPE,
    ETAG,
    Endpoint,
    annotate,
    create_router,
    find_to_change,
    viewer_of,
)
from eventimport.http.events.schema import EVENT, TYPES, ResourceType, kebab
from eventimport.http.events.serializer import Answer
from eventimport.http.openapi import LOCATION_HEADER, problems
from eventimport.http.routing import Router

REFUSALS: Final = problems(400, 403, 404, 409, 413, 415, 422)
_EVENT: Final = {"pointer": "/data/relationships/event/data/id"}
CREATED: Final[dict[str, Any]] = {
    "headers": {
        **ETAG["headers"],
        **LOCATION_HEADER,
    }
}


def create_creating_router() -> Router:
    """All routes that make something."""
    router = create_router(tags=())
    _add(router, EVENT.path, "create_event", create_one(EVENT), EVENT)
    for edge in NODES[Kind.EVENT].edges:
        part = TYPES[edge.target]
        path = f"{EVENT.path}/{{resource_id}}/{kebab(edge.name)}"
        _add(router, path, creation_name(edge), create_of_event(part, edge), part)
        _add(router, part.path, f"create_{part.words}", create_one(part), part)
        for other in part.other_paths:
            router.add_api_route(
                other,
                create_one(part),
                methods=["POST"],
                include_in_schema=False,
                dependencies=[CONTENT_TYPE],
            )
    return router


def _add(router: Router, path: str, name: str, endpoint: Endpoint, resource: ResourceType) -> None:
    router.add_api_route(
        path,
        endpoint,
        methods=["POST"],
        tags=[resource.tag],
        name=name,
        status_code=201,
        response_model=CHANGED_DOCUMENTS[resource.kind],
        responses={201: {**CREATED, "links": created_links(resource)}, **REFUSALS},
        dependencies=[CONTENT_TYPE],
    )


def create_one(resource: ResourceType) -> Endpoint:
    """The route that makes an event, or a part of the event that the body names."""

    async def create(
        account: AccountDep, resources: ResourcesDep, query: ResourceQuery, body: Any
    ) -> Response:
        event = None
        if resource is not EVENT:
            event = body.data.relationships.get("event", {}).get("data")
            if event is None:
                raise refuse(
                    422,
                    "invalid-value",
                    "Invalid value",
                    "A new resource needs its event in the relationship `event`.",
                    source={"pointer": "/data/relationships/event"},
                )
        key = None if event is None else event.id
        return await _create(resource, key, account, resources, query, body, source=_EVENT)

    create.__doc__ = f"Create one {resource.type}."
    if resource is EVENT:
        create.__doc__ += " You become its owner."
    else:
        create.__doc__ += " The relationship `event` names its event."
    return annotate(create, query=query_of(resource, ResourceQuery), body=CREATIONS[resource.kind])


def create_of_event(resource: ResourceType, edge: Edge) -> Endpoint:
    """The route that makes a part of the event in the path."""

    async def create(
        resource_id: int | str,
        account: AccountDep,
        resources: ResourcesDep,
        query: ResourceQuery,
        body: Any,
    ) -> Response:
        return await _create(resource, resource_id, account, resources, query, body)

    article = "a" if edge.many else "the"
    create.__doc__ = f"Create {article} {resource.type} of an event."
    return annotate(
        create, EVENT, query=query_of(resource, ResourceQuery), body=CREATIONS[resource.kind]
    )


async def _create(  # noqa: PLR0917 - what the route was given
    resource: ResourceType,
    event_key: int | str | None,
    account: AccountDep,
    resources: ResourcesDep,
    query: ResourceQuery,
    body: Any,
    *,
    source: Mapping[str, str] | None = None,
) -> Response:
    settings = resources.settings
    answer = Answer(resource, query, viewer_of(account), settings.max_response_bytes)
    async with resources.engine.begin() as connection:
        event = None
        if event_key is not None:
            event = await find_to_change(connection, EVENT, event_key, account, source=source)
        written = await apply_creation(
            connection,
            resource,
            event,
            body.data,
            limits=write_limits(settings),
            user_id=account.id,
        )
        row = written.row
        await answer.load_included(connection, [row])
    if written.tasks:
        await resources.wake_worker()
    response = await answer.response(row, written.meta())
    response.status_code = 201
    response.headers["Location"] = resource.self_link(row["id"])
    return response
