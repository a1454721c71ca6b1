"""Reading: single resources, what is related to them, and their relationships."""

from functools import partial
from typing import Annotated, Any

from fastapi import Query, Request, Response

from eventimport.conference.kinds import Kind
from eventimport.database.event_graph import Edge
from eventimport.database.event_queries import (
    Wanted,
    find_event_ids,
    find_one_related_id,
    find_related_ids,
)
from eventimport.http.dependencies import OptionalAccountDep, ResourcesDep
from eventimport.http.events.documents import (
    COLLECTIONS,
    DOCUMENTS,
    NULLABLE_DOCUMENTS,
    linkage,
)
from eventimport.http.events.queries import (
    CollectionQuery,
    EventFilter,
    LinkageQuery,
    RelatedQuery,
    ResourceQuery,
    query_of,
)
from eventimport.http.events.requests import (
    ETAG,
    HEADERS,
    OPEN,
    Endpoint,
    IfNoneMatchDep,
    annotate,
    create_router,
    etag,
    find_visible,
    related_to,
    viewer_of,
)
from eventimport.http.events.schema import EVENT, TYPES, ResourceType, kebab
from eventimport.http.events.serializer import (
    JSONAPI,
    Answer,
    identifier,
    list_page,
    relationship_links,
)
from eventimport.http.headers import names_etag
from eventimport.http.jsonapi import JSONAPIResponse
from eventimport.http.routing import Router


def create_reading_router() -> Router:
    """All routes that only read."""
    router = create_router(tags=())
    _add(router, EVENT, EVENT.path, "list_events", list_events, COLLECTIONS[Kind.EVENT])
    for resource in TYPES.values():
        single = f"{resource.path}/{{resource_id}}"
        one = get_one(resource)
        name, model = f"get_{resource.words}", DOCUMENTS[resource.kind]
        _add(router, resource, single, name, one, model, etags=True)
        for other in resource.other_paths:
            # The reference's documentation has both.
            path = f"{other}/{{resource_id}}"
            router.add_api_route(path, one, include_in_schema=False)
        for name, edge in resource.edges.items():
            verb = "list" if edge.many else "get"
            words, target = resource.words_of(edge), TYPES[edge.target]
            documents = COLLECTIONS if edge.many else NULLABLE_DOCUMENTS
            related = (list_related if edge.many else get_related)(resource, edge)
            links = (list_linkage if edge.many else get_linkage)(resource, edge)
            path, model = f"{single}/{name}", documents[edge.target]
            _add(router, target, path, f"{verb}_{words}", related, model)
            path = f"{single}/relationships/{name}"
            model = linkage(edge.target, many=edge.many)
            _add(router, resource, path, f"{verb}_{words}_relationship", links, model)
    return router


def _add(  # noqa: PLR0917 - what a route has
    router: Router,
    resource: ResourceType,
    path: str,
    name: str,
    endpoint: Endpoint,
    model: Any,
    *,
    etags: bool = False,
) -> None:
    responses: dict[int | str, Any] = {}
    if etags:
        responses = {200: ETAG, 304: {"description": "Not Modified"}}
    router.add_api_route(
        path,
        endpoint,
        tags=[resource.tag],
        name=name,
        response_model=model,
        responses=responses,
        openapi_extra=OPEN,
    )


async def list_events(
    account: OptionalAccountDep,
    resources: ResourcesDep,
    query: EventFilter,
) -> Response:
    """List the events that you may see: published ones and your own. Admins see all."""
    find = partial(find_event_ids, name=query.name, state=query.state)
    return await list_page(resources, EVENT, query, viewer_of(account), EVENT.path, find)


annotate(list_events, query=query_of(EVENT, EventFilter))


def get_one(resource: ResourceType) -> Endpoint:
    """The route of a single resource."""

    async def get(
        resource_id: int | str,
        account: OptionalAccountDep,
        resources: ResourcesDep,
        query: ResourceQuery,
        if_none_match: IfNoneMatchDep = None,
    ) -> Response:
        limit = resources.settings.max_response_bytes
        answer = Answer(resource, query, viewer_of(account), limit)
        async with resources.reader.connect() as connection:
            row = await find_visible(connection, resource, resource_id, account)
            await answer.load_included(connection, [row])
        if query.include is None and if_none_match and names_etag(if_none_match, etag(row)):
            return Response(status_code=304, headers={**HEADERS, "ETag": etag(row)})
        return await answer.response(row)

    get.__doc__ = f"Get one {resource.type}."
    return annotate(get, resource, query=query_of(resource, ResourceQuery))


def list_related(resource: ResourceType, edge: Edge) -> Endpoint:
    """The route of the resources that a relationship to many leads to."""
    target = TYPES[edge.target]

    async def get(
        resource_id: int | str,
        account: OptionalAccountDep,
        resources: ResourcesDep,
        request: Request,
        query: CollectionQuery,
    ) -> Response:
        find = related_to(resource, resource_id, account, edge)
        path = request.url.path
        return await list_page(resources, target, query, viewer_of(account), path, find)

    get.__doc__ = f"List the {kebab(edge.name)} of one {resource.type}."
    return annotate(get, resource, query=query_of(target, CollectionQuery))


def get_related(resource: ResourceType, edge: Edge) -> Endpoint:
    """The route of the resource that a relationship to one leads to."""
    target = TYPES[edge.target]

    async def get(
        resource_id: int | str,
        account: OptionalAccountDep,
        resources: ResourcesDep,
        request: Request,
        query: RelatedQuery,
    ) -> Response:
        viewer = viewer_of(account)
        answer = Answer(target, query, viewer, resources.settings.max_response_bytes)
        async with resources.reader.connect() as connection:
            owner = await find_visible(connection, resource, resource_id, account, keys_only=True)
            found = await find_one_related_id(connection, edge, owner, viewer)
            await answer.load(connection, [] if found is None else [found])
        return await answer.related(request.url.path)

    get.__doc__ = f"Get the {kebab(edge.name)} of one {resource.type}; null if it has none."
    return annotate(get, resource, query=query_of(target, RelatedQuery))


def get_linkage(resource: ResourceType, edge: Edge) -> Endpoint:
    """The route of a relationship to one."""

    async def get(
        resource_id: int | str,
        account: OptionalAccountDep,
        resources: ResourcesDep,
    ) -> Response:
        async with resources.reader.connect() as connection:
            owner = await find_visible(connection, resource, resource_id, account, keys_only=True)
            found = await find_one_related_id(connection, edge, owner, viewer_of(account))
        data = None if found is None else identifier(edge.target, found)
        links = relationship_links(resource, owner["id"], kebab(edge.name))
        document = {"data": data, "links": links, "jsonapi": JSONAPI}
        return JSONAPIResponse(document, headers=HEADERS)

    get.__doc__ = f"Get the id of the {kebab(edge.name)} of one {resource.type}."
    return annotate(get, resource)


def list_linkage(resource: ResourceType, edge: Edge) -> Endpoint:
    """The route of a relationship to many."""

    async def get(
        resource_id: int | str,
        account: OptionalAccountDep,
        resources: ResourcesDep,
        query: Annotated[LinkageQuery, Query()],
    ) -> Response:
        page = query.page(resources.settings.max_list_size)
        async with resources.reader.connect() as connection:
            owner = await find_visible(connection, resource, resource_id, account, keys_only=True)
            viewer = viewer_of(account)
            wanted = Wanted(viewer=viewer, limit=page.limit, offset=page.offset)
            ids, total = await find_related_ids(connection, wanted, edge, owner)
        links = relationship_links(resource, owner["id"], kebab(edge.name))
        pages = page.links(links["self"], total).model_dump()
        document = {
            "data": [identifier(edge.target, each) for each in ids],
            "meta": page.meta(total).model_dump(),
            "links": {"related": links["related"], **pages},
            "jsonapi": JSONAPI,
        }
        return JSONAPIResponse(document, headers=HEADERS)

    get.__doc__ = f"List the ids of the {kebab(edge.name)} of one {resource.type}."
    return annotate(get, resource)
