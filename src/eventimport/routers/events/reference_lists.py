"""Lists of what only the reference server has: empty, so that pages that need them go on.

They are not in the OpenAPI document, because no new client needs them.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Final

from fastapi import Depends, Query, Request
from pydantic import ConfigDict

from eventimport.http import reference_api
from eventimport.http.dependencies import (
    OptionalAccountDep,
    ResourcesDep,
    get_optional_account,
    get_own_user_id,
)
from eventimport.http.events.requests import HEADERS, annotate, create_router, find_visible
from eventimport.http.events.schema import EVENT, PREFIX
from eventimport.http.events.serializer import JSONAPI
from eventimport.http.jsonapi import JSONAPIResponse, PageQuery
from eventimport.http.routing import Router
from eventimport.resources import Resources

TYPED: Final = (
    "An event has them as texts, in its attributes `event-type`, `topic` and `sub-topic`."
)


class AnyQuery(PageQuery):
    """A page; other parameters are ignored, because the list is empty whatever they are."""

    model_config = ConfigDict(extra="ignore")

    @classmethod
    def accepts(cls, _parameter: str) -> bool:
        """All parameters."""
        return True


def create_reference_router() -> Router:
    """The routes."""
    router = create_router()
    one, user = f"{EVENT.path}/{{resource_id}}", "/v1/users/{user_id}"
    may_be_signed_in, is_own = Depends(get_optional_account), Depends(get_own_user_id)
    _add(router, PREFIX, reference_api.LISTS, dependencies=[may_be_signed_in])
    _add(router, one, reference_api.EVENT_LISTS, of_event=True)
    _add(router, one, reference_api.EVENT_SINGLES, of_event=True, many=False)
    _add(router, user, reference_api.USER_LISTS, dependencies=[is_own])
    return router


def _add(
    router: Router,
    path: str,
    names: Iterable[str],
    *,
    of_event: bool = False,
    many: bool = True,
    **given: Any,
) -> None:
    for name in names:
        endpoint = empty_of_event(name, many=many) if of_event else empty_list(name)
        router.add_api_route(f"{path}/{name}", endpoint, include_in_schema=False, **given)


def empty_list(name: str) -> Any:
    """The route of a list."""

    async def get(
        request: Request, resources: ResourcesDep, query: Annotated[AnyQuery, Query()]
    ) -> JSONAPIResponse:
        return _empty(name, request.url.path, query, resources, many=True)

    return get


def empty_of_event(name: str, *, many: bool) -> Any:
    """The route of a list of an event, or of what an event may have one of."""

    async def get(
        resource_id: str,
        account: OptionalAccountDep,
        request: Request,
        resources: ResourcesDep,
        query: Annotated[AnyQuery, Query()],
    ) -> JSONAPIResponse:
        async with resources.reader.connect() as connection:
            await find_visible(connection, EVENT, resource_id, account, keys_only=True)
        return _empty(name, request.url.path, query, resources, many=many)

    return annotate(get, EVENT)


def _empty(
    name: str, path: str, query: AnyQuery, resources: Resources, *, many: bool
) -> JSONAPIResponse:
    what = f"This service has no {name.replace('-', ' ')}."
    if name.startswith(("event-type", "event-topic", "event-sub-topic")):
        what += f" {TYPED}"
    warnings = [{"code": "not-supported", "detail": what}]
    document: dict[str, Any] = {"data": None, "meta": {"warnings": warnings}}
    document["links"] = {"self": path}
    if many:
        page = query.page(resources.settings.max_list_size)
        document["data"] = []
        document["meta"] |= page.meta(0).model_dump()
        document["links"] = page.links(path, 0).model_dump()
    return JSONAPIResponse({**document, "jsonapi": JSONAPI}, headers=HEADERS)
