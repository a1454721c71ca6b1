"""The JSON:API document of an account."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field, with_config
from typing_extensions import TypedDict

from eventimport.http.jsonapi import Attributes, Document, Resource, SelfLink
from eventimport.http.openapi import ALL_SENT, IgnoredPart
from eventimport.http.reports import FORBID
from eventimport.settings import Settings


class UserAttributes(Attributes):
    """The visible attributes of an account."""

    model_config = ALL_SENT

    email: str
    is_admin: bool
    is_confirmed: bool = Field(
        description="Whether the address is confirmed. An account that is not gets no mail but the"
        " one with the link."
    )
    is_verified: bool = Field(
        False, description="The same as `is-confirmed`. For existing clients."
    )
    created_at: datetime


class RelatedLink(BaseModel):
    """The URL of the related resources."""

    related: str


class RelatedLinks(BaseModel):
    """A relationship to resources that have a list of their own."""

    links: RelatedLink


class UserRelationships(BaseModel):
    """What an account has: events, notifications, and what it speaks at."""

    events: RelatedLinks
    notifications: RelatedLinks
    speakers: RelatedLinks
    sessions: RelatedLinks


class UserResource(Resource[UserAttributes]):
    """An account."""

    relationships: UserRelationships


class UserDocument(Document[UserAttributes]):
    """One account."""

    data: UserResource


@with_config(FORBID)
class IgnoredMeta(TypedDict):
    """What of a request was ignored."""

    warnings: list[IgnoredPart]


class ChangedUserDocument(UserDocument):
    """One account, as it is after a save."""

    meta: IgnoredMeta | None = Field(None, description="Null if there is nothing to say.")


def user_document(user_id: int, user: Any, settings: Settings) -> UserDocument:
    """The document of an account."""
    attributes = UserAttributes.model_validate(user)
    # Without mail, no address can be confirmed.
    attributes.is_confirmed |= settings.mail is None
    attributes.is_verified = attributes.is_confirmed
    url = f"/v1/users/{user_id}"

    def related(name: str) -> RelatedLinks:
        return RelatedLinks(links=RelatedLink(related=f"{url}/{name}"))

    return UserDocument(
        data=UserResource(
            type="user",
            id=str(user_id),
            attributes=attributes,
            relationships=UserRelationships(
                **{name: related(name) for name in UserRelationships.model_fields}
            ),
            links=SelfLink(self=url),
        )
    )
