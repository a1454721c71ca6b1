"""What existing clients ask of events besides: their owner, a user's events, speakers and sessions,
upcoming events, and the values of their sessions."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, Literal

from fastapi import Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel

from eventimport.conference.fields import USUAL_STATES
from eventimport.conference.kinds import Kind
from eventimport.database.event_queries import (
    EDITABLE,
    Order,
    SessionValues,
    find_event_ids,
    find_own_ids,
    find_owner,
    find_session_values,
)
from eventimport.http.dependencies import (
    AccountDep,
    OptionalAccountDep,
    OwnUserIdDep,
    ResourcesDep,
)
from eventimport.http.events.documents import COLLECTIONS, RelationshipLinks
from eventimport.http.events.queries import CollectionQuery, query_of
from eventimport.http.events.requests import (
    HEADERS,
    OPEN,
    annotate,
    create_router,
    find_visible,
    viewer_of,
)
from eventimport.http.events.schema import EVENT, PREFIX, TYPES, ResourceType
from eventimport.http.events.serializer import list_page, relationship_links
from eventimport.http.openapi import ALL_SENT, JsonapiVersion, problems
from eventimport.http.routing import Router
from eventimport.http.user_documents import UserDocument, UserResource, user_document

SOON: Final = (Order("starts_at"),)
"""The order of upcoming events, if the request names none."""

METHODS: Final = ["GET", "HEAD", "POST", "PATCH", "DELETE"]


class OwnerDocument(BaseModel):
    """The account that owns an event; null for those who may not change the event."""

    model_config = ALL_SENT

    data: UserResource | None
    jsonapi: JsonapiVersion = JsonapiVersion()


class StateChanges(BaseModel):
    """For each state of a session, the states that it can be changed to: by those who may change
    the event, and by speakers, who have no accounts."""

    organizer: dict[str, dict[str, dict[str, bool]]]
    speaker: dict[str, dict[str, dict[str, bool]]]


class UserIdentifier(BaseModel):
    """Names one account."""

    model_config = ALL_SENT

    type: Literal["user"] = "user"
    id: str


class OwnerLinkage(BaseModel):
    """The id of the account that owns an event; null for those who may not change the event."""

    model_config = ALL_SENT

    data: UserIdentifier | None
    links: RelationshipLinks
    jsonapi: JsonapiVersion = JsonapiVersion()


def create_client_router() -> Router:
    """The routes."""
    router = create_router()
    one = f"{EVENT.path}/{{resource_id}}"
    for path, endpoint, model in (
        (f"{one}/owner", get_event_owner, OwnerDocument),
        (f"{one}/relationships/owner", get_event_owner_relationship, OwnerLinkage),
    ):
        router.add_api_route(
            path, annotate(endpoint, EVENT), response_model=model, openapi_extra=OPEN
        )
    router.add_api_route(
        f"{PREFIX}/sessions/states",
        get_session_states,
        tags=[TYPES[Kind.SESSION].tag],
        response_model=StateChanges,
        response_class=JSONResponse,
        openapi_extra=OPEN,
    )
    for values in SessionValues:
        router.add_api_route(
            f"{one}/sessions/{values}",
            list_session_values(values),
            name=f"list_session_{values}",
            response_model=list[str],
            response_class=JSONResponse,
            openapi_extra=OPEN,
        )
    router.add_api_route(
        f"{EVENT.path}/upcoming",
        annotate(list_upcoming_events, query=query_of(EVENT, CollectionQuery)),
        response_model=COLLECTIONS[Kind.EVENT],
        openapi_extra=OPEN,
    )
    for kind in (Kind.SPEAKER, Kind.SESSION):
        resource = TYPES[kind]
        name = resource.path.removeprefix(f"{PREFIX}/")
        router.add_api_route(
            f"/v1/users/{{user_id}}/{name}",
            list_own(resource),
            name=f"list_user_{name}",
            tags=[resource.tag],
            response_model=COLLECTIONS[kind],
            responses=problems(400, 404),
        )
    router.add_api_route(
        "/v1/users/{user_id}/events",
        annotate(list_user_events, query=query_of(EVENT, CollectionQuery)),
        name="list_user_events",
        response_model=COLLECTIONS[Kind.EVENT],
        responses=problems(400, 404),
    )
    for resource in TYPES.values():
        of_type = f"{PREFIX}/{resource.type}"
        if of_type != resource.path:
            for path in (of_type, f"{of_type}/{{rest:path}}"):
                router.add_route(path, redirect(resource), METHODS, include_in_schema=False)
    return router


def redirect(resource: ResourceType) -> Callable[[Request], Awaitable[Response]]:
    """The route of libraries that make URLs of types, such as `/v1/session/12`."""

    async def redirect_to_path(request: Request) -> Response:
        rest = request.scope["raw_path"].decode("latin-1").removeprefix(f"{PREFIX}/{resource.type}")
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{resource.path}{rest}{query}", status_code=308)

    return redirect_to_path


async def get_event_owner(
    resource_id: str, account: OptionalAccountDep, resources: ResourcesDep
) -> Any:
    """Get the account that owns an event. Only those who may change the event see it."""
    async with resources.reader.connect() as connection:
        event = await find_visible(connection, EVENT, resource_id, account, keys_only=True)
        owner = await find_owner(connection, event["id"]) if event[EDITABLE] else None
    if owner is None:
        return OwnerDocument(data=None)
    document: UserDocument = user_document(owner.id, owner, resources.settings)
    return OwnerDocument(data=document.data)


async def get_event_owner_relationship(
    resource_id: str, account: OptionalAccountDep, resources: ResourcesDep
) -> Any:
    """Get the id of the account that owns an event."""
    async with resources.reader.connect() as connection:
        event = await find_visible(connection, EVENT, resource_id, account, keys_only=True)
        owner = await find_owner(connection, event["id"]) if event[EDITABLE] else None
    links = RelationshipLinks(**relationship_links(EVENT, event["id"], "owner"))
    data = None if owner is None else UserIdentifier(id=str(owner.id))
    return OwnerLinkage(data=data, links=links)


async def get_session_states() -> StateChanges:
    """Get the usual states of sessions, and those that each can be changed to, as existing clients
    ask for them."""
    states = sorted({"draft", "pending", *USUAL_STATES})
    return StateChanges(
        organizer={each: {other: {} for other in states if other != each} for each in states},
        speaker={each: {} for each in states},
    )


def list_session_values(values: SessionValues) -> Any:
    """The route of one sort of values."""

    async def get(
        resource_id: str, account: OptionalAccountDep, resources: ResourcesDep
    ) -> Response:
        async with resources.reader.connect() as connection:
            event = await find_visible(connection, EVENT, resource_id, account, keys_only=True)
            found = await find_session_values(connection, event["id"], values, viewer_of(account))
        return JSONResponse(found, headers=HEADERS)

    get.__doc__ = f"List the {values} of an event's sessions, each once."
    if values is SessionValues.DATES:
        get.__doc__ += " They are local to the event's time zone."
    return annotate(get, EVENT)


async def list_upcoming_events(
    account: OptionalAccountDep, resources: ResourcesDep, query: CollectionQuery
) -> Response:
    """List published events that have not started, the next one first."""
    find = partial(find_event_ids, upcoming=True)
    path, viewer = f"{EVENT.path}/upcoming", viewer_of(account)
    return await list_page(resources, EVENT, query, viewer, path, find, usual_order=SOON)


async def list_user_events(
    user_id: OwnUserIdDep,
    account: AccountDep,
    resources: ResourcesDep,
    query: CollectionQuery,
) -> Response:
    """List the events that you own, or may edit or view. Admins can list those of any user."""
    find = partial(find_event_ids, member=user_id)
    path = f"/v1/users/{user_id}/events"
    return await list_page(resources, EVENT, query, viewer_of(account), path, find)


def list_own(resource: ResourceType) -> Any:
    """The route of a user's own resources of this type."""

    async def get(
        user_id: OwnUserIdDep,
        account: AccountDep,
        resources: ResourcesDep,
        request: Request,
        query: CollectionQuery,
    ) -> Response:
        find = partial(find_own_ids, kind=resource.kind, user_id=user_id)
        path = request.url.path
        return await list_page(resources, resource, query, viewer_of(account), path, find)

    who = "speakers with the e-mail address of your account"
    if resource.kind is Kind.SESSION:
        who = f"sessions of the {who}"
    get.__doc__ = (
        f"List the {who}, as far as you may see them. The list is empty until you have confirmed"
        " the address. Admins can list those of any user."
    )
    return annotate(get, query=query_of(resource, CollectionQuery))
