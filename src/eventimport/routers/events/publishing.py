"""Publishing events, and taking that back."""

from typing import Annotated

from fastapi import Query, Response

from eventimport.http.dependencies import AccountDep, ClientAddressDep, ResourcesDep
from eventimport.http.events.publication import PublicationDocument, change_publication
from eventimport.http.events.requests import ETAG, IfMatchDep, annotate, create_router
from eventimport.http.events.schema import EVENT
from eventimport.http.openapi import problems
from eventimport.http.routing import Router


def create_publishing_router() -> Router:
    """The routes that decide whether an event is public."""
    router = create_router()
    for verb, endpoint, refusals in (
        ("publish", publish_event, problems(403, 409, 412)),
        ("unpublish", unpublish_event, problems(403, 412)),
    ):
        router.add_api_route(
            f"{EVENT.path}/{{resource_id}}/{verb}",
            annotate(endpoint, EVENT),
            methods=["POST"],
            name=f"{verb}_event",
            response_model=PublicationDocument,
            responses={200: ETAG, **refusals},
        )
    return router


async def publish_event(
    resource_id: str,
    account: AccountDep,
    resources: ResourcesDep,
    client: ClientAddressDep,
    *,
    confirm: Annotated[
        bool,
        Query(
            description="Publish the event even if its source says that it is private or a draft."
        ),
    ] = False,
    if_match: IfMatchDep = None,
) -> Response:
    """Publish an event: all people can see it. `meta` lists the sessions that stay hidden.

    Only the event's owner and admins can do this. If the source says that the event is private or
    a draft, repeat the request with `confirm=true`.
    """
    return await change_publication(
        resources,
        account,
        resource_id,
        published=True,
        confirmed=confirm,
        if_match=if_match,
        client=client,
    )


async def unpublish_event(
    resource_id: str,
    account: AccountDep,
    resources: ResourcesDep,
    client: ClientAddressDep,
    if_match: IfMatchDep = None,
) -> Response:
    """Hide a published event: only its members and admins see it. Any client that knows the random
    URL of a file can still read that file.

    Only the event's owner and admins can do this.
    """
    return await change_publication(
        resources, account, resource_id, published=False, if_match=if_match, client=client
    )
