"""The settings that an admin changes while the service runs."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from eventimport.errors import ProblemError, refuse
from eventimport.http.dependencies import AdminDep, OptionalAccountDep, ResourcesDep
from eventimport.http.forms.body import SmallBodyRoute
from eventimport.http.jsonapi import Attributes, Document, JSONAPIResponse, Resource, SelfLink
from eventimport.http.openapi import problems
from eventimport.http.routing import Router
from eventimport.resources import Resources
from eventimport.storage.protocol import StorageError

PATH = "/v1/settings"
TYPE: Final = "setting"
ID: Final = "1"
"""There is one resource of this type."""

router = Router(
    prefix=PATH,
    tags=["settings"],
    default_response_class=JSONAPIResponse,
    route_class=SmallBodyRoute,
)


class SettingAttributes(Attributes):
    """The current settings and their possible values. The storages are only for admins."""

    app_name: str = Field(description="The name of the service.")
    frontend_url: str = Field(description="The base URL of event pages.")
    sign_up_enabled: bool = Field(description="Whether visitors may create an account.")
    storage_place: str | None = Field(None, description="The storage for new files.")
    storage_places: tuple[str, ...] | None = Field(None, description="The configured storages.")


class SettingDocument(Document[SettingAttributes]):
    """The settings."""


class SettingChanges(Attributes):
    """The settings to change. Settings that you leave out do not change."""

    model_config = ConfigDict(extra="forbid")

    storage_place: str | None = Field(None, description="One of `storage-places`.")


class ChangedSetting(BaseModel):
    """The settings as a client changes them."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["setting"]
    id: Literal["1"] = ID
    attributes: SettingChanges


class SettingPatch(BaseModel):
    """The document of a change."""

    data: ChangedSetting


@router.get("", openapi_extra={"security": [{}]}, response_model_exclude_none=True)
async def get_settings(account: OptionalAccountDep, resources: ResourcesDep) -> SettingDocument:
    """Get the settings: the public ones, and for admins also those that they can change."""
    return await _document(resources, for_admin=account is not None and account.is_admin)


@router.patch("", responses=problems(400, 403, 413, 422))
async def update_settings(
    patch: SettingPatch, _admin: AdminDep, resources: ResourcesDep
) -> SettingDocument:
    """Change the settings. All processes apply them within two seconds.

    A storage is accepted only if the service can write, read and delete an object in it. Files that
    are already stored stay where they are, and their URLs stay valid.
    """
    place = patch.data.attributes.storage_place
    if place is not None:
        await _choose(resources, place)
    return await _document(resources, for_admin=True)


async def _choose(resources: Resources, place: str) -> None:
    names = resources.storages.names
    if place not in names:
        raise _refused(
            "storage-not-configured",
            f"The storage {place!r} is not configured. Configured storages: {', '.join(names)}.",
        )
    try:
        await resources.choose_storage(place)
    except StorageError as error:
        raise _refused(
            "storage-unusable", f"The storage {place!r} failed its probe. {error}"
        ) from error


def _refused(code: str, detail: str) -> ProblemError:
    return refuse(
        422,
        code,
        "Storage unusable",
        detail,
        source={"pointer": "/data/attributes/storage-place"},
    )


async def _document(resources: Resources, *, for_admin: bool) -> SettingDocument:
    settings = resources.settings
    attributes = SettingAttributes(
        app_name="eventimport",
        frontend_url=settings.event_base_url,
        sign_up_enabled=settings.sign_up_enabled,
    )
    if for_admin:
        attributes.storage_place = (await resources.active_storage()).name
        attributes.storage_places = tuple(resources.storages.names)
    return SettingDocument(
        data=Resource(
            type=TYPE,
            id=ID,
            attributes=attributes,
            links=SelfLink(self=PATH),
        )
    )
