"""Exports: the route that starts one, and the links to the files that were made."""

from typing import Annotated, Final

from fastapi import Path, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel

from eventimport.database.export_jobs import find_download, find_view
from eventimport.errors import ProblemError, refuse
from eventimport.exports.accept import accept_export
from eventimport.formats import (
    EXPORTABLE,
    Format,
    UnknownFormatError,
    format_named,
    names_of,
)
from eventimport.http.dependencies import AccountDep, ResourcesDep
from eventimport.http.events.requests import EVENT_KEY, not_found, parse_id, viewer_of
from eventimport.http.events.schema import EVENT
from eventimport.http.files import SANDBOX, stored_response
from eventimport.http.openapi import FILE_CONTENT, POLLED_HEADERS, problems
from eventimport.http.routing import Router
from eventimport.imports.endings import file_name_of
from eventimport.storage.protocol import ObjectNotFoundError

NAMES: Final = names_of(EXPORTABLE)
DOWNLOAD_HEADERS: Final = {"Cache-Control": "private, no-cache", **SANDBOX}

router = Router(tags=["exports"])


class AcceptedExport(BaseModel):
    """The URL of the export's task."""

    task_url: str


FormatName = Annotated[
    str, Path(description="The format of the file.", json_schema_extra={"enum": NAMES})
]


@router.get(
    "/v1/events/{event_key}/export/{export_format:path}",
    status_code=202,
    response_model=AcceptedExport,
    responses={
        202: {"headers": POLLED_HEADERS},
        **problems(401, 404, 429),
    },
)
async def export_event(
    event_key: EVENT_KEY, export_format: FormatName, account: AccountDep, resources: ResourcesDep
) -> Response:
    """Export an event as you may see it.

    The task's result has a `download_url`, which needs no access token and expires. Requests for
    the same revision of the event, in the same format, share one task. `HEAD` starts no export.
    """
    exported = _format(export_format)
    key = _key(event_key)
    task_id = await accept_export(resources, viewer_of(account), account.id, key, exported)
    if task_id is None:
        raise not_found(EVENT, event_key)
    task_url = f"/v1/tasks/{task_id}"
    headers = {
        "Location": task_url,
        "Retry-After": str(resources.settings.client_poll_interval),
        "Cache-Control": "no-store",
    }
    content = AcceptedExport(task_url=task_url).model_dump_json()
    return Response(content, 202, headers, "application/json")


@router.head("/v1/events/{event_key}/export/{export_format:path}", include_in_schema=False)
async def head_export(
    event_key: EVENT_KEY, export_format: FormatName, account: AccountDep, resources: ResourcesDep
) -> Response:
    """Whether `GET` would start an export; it is not started."""
    _format(export_format)
    async with resources.reader.connect() as connection:
        if await find_view(connection, _key(event_key), viewer_of(account)) is None:
            raise not_found(EVENT, event_key)
    return Response(status_code=202, headers={"Cache-Control": "no-store"})


@router.head("/exports/{token}/{file_name}", include_in_schema=False)
@router.get(
    "/exports/{token}/{file_name}",
    summary="Download Export",
    response_class=FileResponse,
    responses={
        200: {"description": "The file.", "content": FILE_CONTENT},
        206: {"description": "The requested range of the file."},
        304: {"description": "The client has the current version."},
        416: {"description": "The requested range is outside of the file."},
        **problems(404, 410),
    },
)
async def download_export(
    token: Annotated[str, Path(max_length=64, description="The secret part of the link.")],
    file_name: Annotated[  # noqa: ARG001 - for those who save it
        str, Path(max_length=255, description="The name of the file.")
    ],
    request: Request,
    resources: ResourcesDep,
) -> Response:
    """Download an exported file. The link is the `download_url` of an export's task."""
    async with resources.reader.connect() as connection:
        found = await find_download(connection, token)
    if found is None:
        raise _unknown_link()
    if found.is_expired or found.storage not in resources.storages.names:
        raise _expired()
    exported = format_named(found.format)
    try:
        return await stored_response(
            request,
            resources.storages.get(found.storage),
            found.key,
            headers=DOWNLOAD_HEADERS,
            content_type=exported.media_type,
            file_name=file_name_of(found.identifier, exported),
        )
    except (ObjectNotFoundError, FileNotFoundError):
        raise _expired() from None


def _format(name: str) -> Format:
    try:
        return format_named(name, EXPORTABLE)
    except UnknownFormatError:
        raise refuse(
            404,
            "unknown-format",
            "Unknown format",
            f"Events are not exported as {name[:50]!r}. The formats are: {', '.join(NAMES)}.",
        ) from None


def _key(event_key: str) -> int | str:
    if not event_key.isdecimal():
        return event_key
    number = parse_id(event_key)
    if number is None:
        raise not_found(EVENT, event_key)
    return number


def _unknown_link() -> ProblemError:
    return refuse(404, "not-found", "Not Found", "Unknown link to an exported file.")


def _expired() -> ProblemError:
    return refuse(
        410,
        "link-expired",
        "Link expired",
        "The link to this file has expired. EXPORT_HOURS sets how long links work."
        " Export the event again.",
    )
