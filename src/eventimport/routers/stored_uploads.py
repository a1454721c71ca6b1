"""The files that a user has uploaded, as JSON:API resources."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import Path, Query, Response

from eventimport.database.uploads import UploadRow, delete_upload, find_upload, list_uploads
from eventimport.errors import ProblemError, refuse
from eventimport.http.dependencies import AccountDep, ResourcesDep
from eventimport.http.jsonapi import (
    Attributes,
    Collection,
    Document,
    JSONAPIResponse,
    PageQuery,
    Resource,
    SelfLink,
)
from eventimport.http.openapi import problems
from eventimport.http.routing import Router
from eventimport.resources import Resources
from eventimport.storage.content_types import content_type_of
from eventimport.stored_objects import delete_objects

PATH: Final = "/v1/uploads"
MAX_ID: Final = 2**63 - 1

router = Router(prefix=PATH, tags=["files"], default_response_class=JSONAPIResponse)

UploadId = Annotated[int, Path(ge=1, le=MAX_ID)]


class UploadAttributes(Attributes):
    """An uploaded file. `size` is in bytes; `url` is null while its storage is not configured.
    If an operator has taken the file down, it is not served; `taken-down-reason` says why."""

    file_name: str
    content_type: str
    size: int
    storage: str
    url: str | None
    taken_down_reason: str | None
    created_at: datetime


class UploadDocument(Document[UploadAttributes]):
    """One upload."""


class UploadCollection(Collection[UploadAttributes]):
    """One page of uploads, newest first."""


@router.get("", responses=problems(400))
async def list_stored_uploads(
    account: AccountDep, resources: ResourcesDep, query: Annotated[PageQuery, Query()]
) -> UploadCollection:
    """List your uploads, newest first. Admins see those of all users."""
    page = query.page(resources.settings.max_list_size)
    async with resources.reader.connect() as connection:
        rows, total = await list_uploads(
            connection, account.only_of, limit=page.limit, offset=page.offset
        )
    found = (_resource(row, resources) for row in rows)
    return UploadCollection.page(PATH, page, total, found)


@router.get("/{upload_id}", responses=problems(404))
async def get_stored_upload(
    upload_id: UploadId, account: AccountDep, resources: ResourcesDep
) -> UploadDocument:
    """Get one of your uploads."""
    async with resources.reader.connect() as connection:
        row = await find_upload(connection, account.only_of, upload_id)
    if row is None:
        raise _not_found(upload_id)
    return UploadDocument(data=_resource(row, resources))


@router.delete("/{upload_id}", status_code=204, responses=problems(404))
async def delete_stored_upload(
    upload_id: UploadId, account: AccountDep, resources: ResourcesDep
) -> Response:
    """Delete one of your uploads and its file. Its URL stops working, even if an event uses it."""
    async with resources.engine.begin() as connection:
        files = await delete_upload(connection, account.only_of, upload_id)
    if files is None:
        raise _not_found(upload_id)
    await delete_objects(resources.engine, resources.storages, files)
    return Response(status_code=204)


def _resource(row: UploadRow, resources: Resources) -> Resource[UploadAttributes]:
    url = None
    if row.storage in resources.storages.names:
        url = resources.storages.get(row.storage).public_url(row.key)
    return Resource(
        type="upload",
        id=str(row.id),
        attributes=UploadAttributes(
            file_name=row.key.rpartition("/")[2],
            content_type=content_type_of(row.key),
            size=row.size,
            storage=row.storage,
            url=url,
            taken_down_reason=row.taken_down_reason,
            created_at=row.created_at,
        ),
        links=SelfLink(self=f"{PATH}/{row.id}"),
    )


def _not_found(upload_id: int) -> ProblemError:
    return refuse(404, "not-found", "Not Found", f"Unknown upload {upload_id}.")
