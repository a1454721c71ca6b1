"""The route that accepts imports: a form with a file goes in, the URL of a task comes out."""

import json
import re
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Path, Query, Request
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from eventimport.conference.zones import find_zone
from eventimport.errors import ProblemError, pointer_to, refuse, shown
from eventimport.file_requests import Reply
from eventimport.formats import (
    AUTO,
    IMPORTABLE,
    Format,
    UnknownFormatError,
    detect_beginning,
    format_named,
    names_of,
    other_format,
)
from eventimport.formats.format import text_of
from eventimport.formats.source import HEAD, ZIP_SIGNATURES
from eventimport.http.dependencies import AccountDep, ClientAddressDep, ResourcesDep
from eventimport.http.forms.body import Body
from eventimport.http.forms.multipart import Form, Part, parts
from eventimport.http.idempotency import (
    REFUSALS,
    REPLAYED_HEADER,
    IdempotencyKeyDep,
    identity_of,
    response_to,
)
from eventimport.http.openapi import FILE_SCHEMA, POLLED_HEADERS, problems
from eventimport.http.routing import Router
from eventimport.imports.accept import FIELD, ImportOptions, Upload, accept_import
from eventimport.imports.from_url import fetch_file
from eventimport.resources import Resources
from eventimport.storage.config import UploadLimits
from eventimport.storage.content_types import OCTET_STREAM, ZIP

MAX_URL_LENGTH: Final = 2_000
REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "title": "ArchiveUpload",
                "required": [FIELD],
                "properties": {
                    FIELD: {
                        **FILE_SCHEMA,
                        "description": "The file to import: a file in the format, or a zip that "
                        "holds such a file beside its media files.",
                    }
                },
            }
        },
    },
}
"""The body of JSON is not described here: some generators keep one body, and prefer JSON."""

MAX_ZONE_LENGTH: Final = 100
MAX_LANGUAGE_LENGTH: Final = 35
FORMAT_NAMES: Final = [*names_of(IMPORTABLE), AUTO]
MAX_NAME_LENGTH: Final = 255

_MAX_JSON: Final = 16 * 1024

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8}){0,4}")
_DOCUMENT_BEGINNINGS: Final = (b"{", b"[", b"<", b"BEGIN:")
"""What documents that are not zips begin with, after a byte order mark and blanks."""

_IN_FORM: Final = {"pointer": pointer_to(FIELD)}
_IN_JSON: Final = {"pointer": "/url"}
"""Where a request has the file."""

router = Router(prefix="/v1/events/import", tags=["imports"])


def _zone_name(value: str) -> str:
    found = find_zone(value)
    if found is None or found.doubt is not None:
        raise ValueError(
            f"{shown(value)} is not a known time zone. Use a name such as “Europe/Berlin”."
        )
    return found.name


def _event_name(value: str) -> str:
    name = value.strip()
    if not name or not name.isprintable():
        raise ValueError("The name is empty, or has characters that cannot be printed.")
    return name


def _language_tag(value: str) -> str:
    if not _LANGUAGE.fullmatch(value):
        raise ValueError(
            f"{shown(value)} is not a language tag. Use a tag such as “de” or “en-GB”."
        )
    return value.replace("_", "-")


class ImportQuery(BaseModel):
    """How to import."""

    model_config = ConfigDict(extra="forbid")

    strict: bool = Field(False, description="Fail if there is any finding, not only for errors.")
    dry_run: bool = Field(
        False, description="Only check the archive: return the report, and import nothing."
    )
    publish: bool = Field(
        False,
        description="Publish the event as soon as it is imported. Without it, only you and admins "
        "see the event until you publish it.",
    )
    confirm: bool = Field(
        False,
        description="With `publish`: publish the event even if the file says that it is private or "
        "a draft. Otherwise such an event is imported, but not published.",
    )
    timezone: Annotated[str, AfterValidator(_zone_name)] | None = Field(
        None,
        max_length=MAX_ZONE_LENGTH,
        description="The event's time zone, for example `Europe/Berlin`. Required if the times in "
        "the file have no time zone. It replaces a time zone that the file names.",
        examples=["Europe/Berlin", "America/New_York"],
    )
    name: Annotated[str, AfterValidator(_event_name)] | None = Field(
        None,
        max_length=MAX_NAME_LENGTH,
        description="The event's name. It replaces the name in the file.",
        examples=["Lantern Open 2027"],
    )
    language: Annotated[str, AfterValidator(_language_tag)] | None = Field(
        None,
        max_length=MAX_LANGUAGE_LENGTH,
        description="The event's language, for example `de`. It is the language of sessions that "
        "name none, and is preferred for texts in several languages.",
        examples=["en", "de", "pt-BR"],
    )

    def for_format(self, source_format: str) -> ImportOptions:
        """The options of an import in this format."""
        about_event = self.model_dump(include={"timezone", "name", "language"}, exclude_none=True)
        return ImportOptions(
            source_format=source_format,
            strict=self.strict,
            dry_run=self.dry_run,
            about_event=about_event,
            publish=self.publish,
            confirm=self.confirm,
        )


class AcceptedImport(BaseModel):
    """The URL of the import's task."""

    task_url: str


@router.post(
    "/{source_type}",
    status_code=202,
    response_model=AcceptedImport,
    responses={
        202: {"headers": {**REPLAYED_HEADER["headers"], **POLLED_HEADERS}},
        **problems(400, 401, 404, 408, 413, 415, 429, 503),
        **REFUSALS,
    },
    openapi_extra={"requestBody": REQUEST_BODY},
)
async def import_event(
    source_type: Annotated[
        str,
        Path(
            description="The format of the file. `auto` detects it by its content.",
            json_schema_extra={"enum": FORMAT_NAMES},
        ),
    ],
    request: Request,
    *,
    account: AccountDep,
    resources: ResourcesDep,
    client: ClientAddressDep,
    key: IdempotencyKeyDep,
    query: Annotated[ImportQuery, Query()],
) -> Response:
    """Import a conference.

    Send a file in a form. Or send JSON such as `{"url": "https://example.org/schedule.xml"}`, and
    the service fetches the file.

    The response is sent as soon as the archive is stored. The task shows the progress and the
    result.
    """
    try:
        named = None if source_type == AUTO else format_named(source_type, IMPORTABLE)
    except UnknownFormatError as error:
        raise refuse(404, "unknown-source-type", "Unknown format", str(error)) from None
    limits = resources.settings.archive_upload_limits
    accepted = partial(_accepted, poll_interval=resources.settings.client_poll_interval)

    options = query.model_dump(exclude_none=True)
    url = await _read_url(request, limits) if _is_json(request) else None

    async def work() -> Reply:
        async with AsyncExitStack() as open_files:
            job_id = await accept_import(
                resources,
                account.id,
                partial(_receive, request, named, limits)
                if url is None
                else partial(_fetch, open_files, resources, url, named),
                options=query.for_format(named.name if named is not None else AUTO),
                identity=identity_of(request, key, options | ({"url": url} if url else {})),
                reply=accepted,
                client=client,
                is_fetched=url is not None,
            )
        return accepted(job_id)

    return await response_to(work())


def _accepted(job_id: UUID, *, poll_interval: int) -> Reply:
    task_url = f"/v1/tasks/{job_id}"
    headers = {"Location": task_url, "Retry-After": str(poll_interval)}
    return Reply(202, AcceptedImport(task_url=task_url).model_dump_json(), headers)


async def _receive(request: Request, named: Format | None, limits: UploadLimits) -> Upload:
    """The form's file, to be read in the format that the route names, if it names one. Its chunks
    read the form to its end."""
    form = parts(request, limits, files={FIELD})
    found = await _next_file(form)
    if found is None:
        raise _bad_request("no-file", f"The form has no file in a part named {FIELD!r}.")
    part, head = found
    content_type = _content_type(head, named, _IN_FORM)
    return Upload(part.filename, _only_file(head, part, form), content_type)


def _is_json(request: Request) -> bool:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return content_type == "application/json"


async def _read_url(request: Request, limits: UploadLimits) -> str:
    """The URL of the file, by a body of JSON. Any other body is one that should be a form."""
    no_form = refuse(
        415,
        "unsupported-media-type",
        "Unsupported media type",
        'The body must be multipart/form-data with the file, or JSON such as {"url": "https://…"}.',
        source={"header": "Content-Type"},
    )
    timeout = limits.chunk_timeout_seconds
    body = Body(request, max_bytes=_MAX_JSON, refusal=no_form, chunk_timeout_seconds=timeout)
    try:
        document = json.loads(await body.read())
    except (ValueError, RecursionError):
        raise no_form from None
    if not isinstance(document, dict) or document.keys() != {"url"}:
        raise no_form
    url = document["url"]
    if not isinstance(url, str) or not 0 < len(url) <= MAX_URL_LENGTH:
        raise refuse(
            422,
            "invalid-url",
            "Invalid URL",
            f"`url` must be a text of at most {MAX_URL_LENGTH:,} characters.",
            source=_IN_JSON,
        )
    return url


async def _fetch(
    open_files: AsyncExitStack, resources: Resources, url: str, named: Format | None
) -> Upload:
    """The file at the URL, to be read in the format that the route names, if it names one."""
    found = await open_files.enter_async_context(fetch_file(resources, url))
    head = await _head(found.chunks)
    content_type = _content_type(head, named, _IN_JSON)
    return Upload(found.name, _with_head(head, found.chunks), content_type)


async def _with_head(head: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for chunk in rest:
        yield chunk


async def _only_file(head: bytes, part: Part, form: Form) -> AsyncIterator[bytes]:
    yield head
    async for chunk in part:
        yield chunk
    if await _next_file(form) is not None:
        raise _bad_request("many-files", f"The form has more than one part named {FIELD!r}.")


async def _next_file(form: Form) -> tuple[Part, bytes] | None:
    """The next part that is a file, and its beginning. A part without a file name is a file only if
    it begins as a zip or a document does: it may be a field, or an input without a chosen file."""
    async for part in form:
        if part.name == FIELD and part.filename is not None:
            head = await _head(part)
            if part.filename or _is_file(head):
                return part, head
    return None


def _is_file(head: bytes) -> bool:
    return head.startswith(ZIP_SIGNATURES) or text_of(head).startswith(_DOCUMENT_BEGINNINGS)


async def _head(chunks: AsyncIterable[bytes]) -> bytes:
    """The first bytes of a file: what shows the format of most files, or all there are."""
    head = b""
    async for chunk in chunks:
        head += chunk
        if len(head) >= HEAD or head.startswith(ZIP_SIGNATURES):
            break
    return head


def _content_type(head: bytes, named: Format | None, source: Mapping[str, str]) -> str:
    """The content type of a file that begins so. Raises 400 if it is empty, and 415 if it cannot be
    in the named format, as far as its beginning shows. `source` is where the request has it."""
    if not head:
        raise _bad_request("empty-file", "The file is empty. Choose another file.", source)
    if head.startswith(ZIP_SIGNATURES):
        return ZIP
    found = detect_beginning(head)
    if named is None:
        return found[0].media_type if len(found) == 1 else OCTET_STREAM
    if found and named not in found:
        what = other_format(named, found)
        raise refuse(415, "other-format", "File in another format", what, source=source)
    if not named.may_begin(head):
        raise refuse(
            415,
            "not-a-zip",
            "Not a zip archive",
            f"{named.title} is imported from a zip, or from a single document. The file does not "
            "begin with a zip signature, nor as such a document.",
            source=source,
        )
    # A format of zips whose single document is JSON.
    return named.media_type if named.media_type != ZIP else "application/json"


def _bad_request(code: str, detail: str, source: Mapping[str, str] = _IN_FORM) -> ProblemError:
    return refuse(400, code, "Invalid upload form", detail, source=source)
