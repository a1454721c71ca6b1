"""Publishing an event and taking that back: the checks, the change and the response."""

from typing import Any

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func

from eventimport.conference.kinds import Kind
from eventimport.database.audit import record_act
from eventimport.database.event_queries import Row
from eventimport.database.publication import HiddenSessions, hidden_sessions, reservations
from eventimport.errors import refuse
from eventimport.http.dependencies import Account
from eventimport.http.events.changes import write
from eventimport.http.events.documents import RESOURCES
from eventimport.http.events.queries import ResourceQuery
from eventimport.http.events.requests import find_to_change, viewer_of
from eventimport.http.events.schema import EVENT
from eventimport.http.events.serializer import Answer
from eventimport.http.jsonapi import SelfLink
from eventimport.http.openapi import JsonapiVersion
from eventimport.resources import Resources


class HiddenSessionsMeta(BaseModel):
    """Sessions that the public does not see, and why."""

    reason: str = Field(description="`deleted` or `state`.", examples=["state"])
    state: str = Field(description="The state of these sessions.", examples=["submitted"])
    sessions: int = Field(description="The number of these sessions.")


class PublicationMeta(BaseModel):
    """The event's page, and what is not on it."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(description="The event's page.")
    hidden: list[HiddenSessionsMeta] = Field(
        description="The sessions that stay hidden, by the reason: the public sees only sessions"
        " that are accepted or confirmed, or that have no state."
    )


class PublicationDocument(BaseModel):
    """The event as it is now, and which of its sessions the public does not see."""

    data: RESOURCES[Kind.EVENT]  # type: ignore[valid-type]  # made from the schema
    meta: PublicationMeta
    links: SelfLink
    jsonapi: JsonapiVersion


async def change_publication(
    resources: Resources,
    account: Account,
    key: str,
    *,
    published: bool,
    confirmed: bool = False,
    if_match: str | None,
    client: str | None,
) -> Response:
    """Publish the event, or hide it. An event that is so already does not change. Raises 403, 404,
    409 and 412."""
    async with resources.engine.begin() as connection:
        row = await find_to_change(
            connection, EVENT, key, account, if_match=if_match, by_owner=True
        )
        if published:
            _check_publishable(row, confirmed=confirmed)
        if published is (row["published_at"] is None):
            at = func.now() if published else None
            row = await write(connection, EVENT, row, {"published_at": at})
            act, event = "publish" if published else "unpublish", ("event", row["id"])
            await record_act(connection, act, actor=account.id, subject=event, client=client)
        limit = resources.settings.max_response_bytes
        answer = Answer(EVENT, ResourceQuery(include=None), viewer_of(account), limit)
        await answer.load_included(connection, [row])
        hidden = await hidden_sessions(connection, row["id"])
    url = f"{resources.settings.event_base_url}/events/{row['identifier']}"
    return await answer.response(row, {"url": url, "hidden": list(map(_described, hidden))})


def _check_publishable(row: Row, *, confirmed: bool) -> None:
    if row["deleted_at"] is not None:
        raise refuse(
            409,
            "event-deleted",
            "Event deleted",
            "The event is deleted, so it cannot be published. Restore it first.",
        )
    if row["taken_down_at"] is not None:
        raise refuse(
            409,
            "event-taken-down",
            "Event taken down",
            "An operator has taken the event down, so it cannot be published. The reason is in its"
            " attribute taken-down-reason.",
        )
    found = reservations(row)
    if found and not confirmed and row["published_at"] is None:
        raise refuse(
            409,
            "confirmation-required",
            "Confirmation required",
            f"The source of the event says that {' and '.join(found)}. To publish the event"
            " anyway, repeat the request with confirm=true.",
            source={"parameter": "confirm"},
        )


def _described(hidden: HiddenSessions) -> dict[str, Any]:
    reason = "deleted" if hidden.is_deleted else "state"
    return {"reason": reason, "state": hidden.state, "sessions": hidden.count}
