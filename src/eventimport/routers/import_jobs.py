"""Earlier and running imports, as JSON:API resources, and fetching what they have not stored."""

from datetime import datetime
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

from fastapi import Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, SerializeAsAny, SkipValidation

from eventimport.conference.report import Severity
from eventimport.database import import_jobs
from eventimport.database.media_fetches import (
    EventDeletedError,
    ImportNotEndedError,
    NothingMissingError,
    UnknownImportError,
    add_media_fetch,
)
from eventimport.database.models import ImportStatus
from eventimport.errors import ProblemError, refuse
from eventimport.http.dependencies import AccountDep, ResourcesDep
from eventimport.http.events.filters import FILTER, filterable, read_filters
from eventimport.http.jsonapi import (
    Attributes,
    Collection,
    Document,
    JSONAPIResponse,
    PageQuery,
    Resource,
    SelfLink,
)
from eventimport.http.openapi import ALL_SENT, POLLED_HEADERS, ErrorObject, problems
from eventimport.http.reports import FindingPlace, Quoted, StoredReport
from eventimport.http.routing import Router

PATH = "/v1/import-jobs"

SORTABLE: Final = {
    **{name: name.replace("-", "_") for name in ("created-at", "started-at", "finished-at")},
    **{name: name.replace("-", "_") for name in ("status", "format", "event-name", "file-name")},
    "starts-at": "created_at",
    "result-status": "status",
    "id": "id",
}
"""The columns that imports can be sorted by, by their names on the wire."""

FILTERABLE: Final = filterable(
    "import-job",
    {
        name: (column, datetime if column.endswith("_at") else str)
        for name, column in SORTABLE.items()
        if name != "id"
    }
    | {"result": ("event_name", str)},
)
"""The columns that imports can be filtered by. Existing clients search the `result` for text."""

router = Router(prefix=PATH, tags=["imports"], default_response_class=JSONAPIResponse)


class ImportJobAttributes(Attributes):
    """The state of an import. Times are in UTC. Poll `task-url` to follow the import."""

    status: ImportStatus
    stage: str | None
    done: int
    total: int
    message: str | None
    file_name: str | None
    archive_size: int | None
    strict: bool
    dry_run: bool
    format: str
    options: dict[str, str]
    event_id: str | None
    event_identifier: str | None
    event_name: str | None
    event_url: str | None
    task_url: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    task: str = Field(description="The id of the task. For existing clients.")
    starts_at: datetime = Field(description="The same as `created-at`. For existing clients.")
    result: str | None = Field(description="The same as `event-id`. For existing clients.")
    result_status: ImportStatus = Field(description="The same as `status`. For existing clients.")


class ImportJobReport(ImportJobAttributes):
    """The state of an import, with its report and, after a failure, the first errors. The report
    has the counts and the first findings; `findings-url` lists all findings."""

    report: StoredReport
    errors: Annotated[SerializeAsAny[list[ErrorObject]] | None, SkipValidation]
    findings_url: str


class FindingAttributes(Attributes):
    """A finding of an import. Findings of one cause are one finding: `count` is their number, and
    `places` has the first ones. `record` counts from 0."""

    model_config = ALL_SENT

    severity: Severity
    code: str
    message: str
    count: int
    value: Quoted | None = Field(None, description="The first value found, or the beginning of it.")
    places: Annotated[SerializeAsAny[list[FindingPlace]], SkipValidation]


class FindingQuery(PageQuery):
    """Which findings a client wants."""

    severity: Severity | None = Field(
        None, alias="filter[severity]", description="Only findings of this severity."
    )


class FindingCollection(Collection[FindingAttributes]):
    """One page of an import's findings: errors, then warnings, then repairs."""


class ImportJobQuery(PageQuery):
    """Which import jobs a client wants."""

    status: ImportStatus | None = Field(
        None, alias="filter[status]", description="Only imports with this status."
    )
    sort: str | None = Field(
        None,
        max_length=1000,
        description=f"Comma-separated attributes; a `-` before one sorts in descending order:"
        f" {', '.join(SORTABLE)}.",
    )

    filter: str | None = FILTER

    def order(self) -> list[tuple[str, bool]]:
        """The columns to sort by, each with whether it is in descending order. Raises 400."""
        terms = []
        for term in filter(None, (self.sort or "").split(",")):
            name = term.removeprefix("-").replace("_", "-")
            if name not in SORTABLE:
                what = f"Sorting by {name!r} is not supported. Names: {', '.join(SORTABLE)}."
                source = {"parameter": "sort"}
                raise refuse(400, "invalid-parameter", "Invalid parameter", what, source=source)
            terms.append((SORTABLE[name], term.startswith("-")))
        return terms


class AcceptedFetch(BaseModel):
    """The URL of the task that fetches the media files."""

    task_url: str


_NO_LINKS: Final = " Linked files are not fetched (FETCH_MEDIA is false)."
AttributesT = TypeVar("AttributesT", bound=ImportJobAttributes)


class ImportJobDocument(Document[ImportJobReport]):
    """One import job."""


class ImportJobCollection(Collection[ImportJobAttributes]):
    """One page of import jobs, newest first."""


@router.get("", responses=problems(400))
async def list_import_jobs(
    account: AccountDep,
    resources: ResourcesDep,
    query: Annotated[ImportJobQuery, Query()],
) -> ImportJobCollection:
    """List your imports, newest first. Admins see the imports of all users."""
    order = query.order()
    limit = resources.settings.max_filter_conditions
    filters = read_filters(query.filter, {}, FILTERABLE, limit)
    page = query.page(resources.settings.max_list_size)
    async with resources.reader.connect() as connection:
        rows, total = await import_jobs.list_import_jobs(
            connection,
            account.only_of,
            query.status and query.status.value,
            order,
            filters=filters,
            limit=page.limit,
            offset=page.offset,
        )
    base = resources.settings.event_base_url
    found = (_resource(row, ImportJobAttributes, base) for row in rows)
    return ImportJobCollection.page(PATH, page, total, found)


@router.get("/{import_job_id}", responses=problems(404))
async def get_import_job(
    import_job_id: UUID, account: AccountDep, resources: ResourcesDep
) -> ImportJobDocument:
    """Get an import with its report."""
    async with resources.reader.connect() as connection:
        row = await import_jobs.find_import_job(connection, account.only_of, import_job_id)
    if row is None:
        raise _not_found(import_job_id)
    base = resources.settings.event_base_url
    return ImportJobDocument(data=_resource(row, ImportJobReport, base))


@router.get("/{import_job_id}/findings", name="list_import_findings", responses=problems(404))
async def list_findings(
    import_job_id: UUID,
    account: AccountDep,
    resources: ResourcesDep,
    query: Annotated[FindingQuery, Query()],
) -> FindingCollection:
    """List all findings of an import, in pages. Only the owner and admins can read them."""
    page = query.page(resources.settings.max_list_size)
    async with resources.reader.connect() as connection:
        found = await import_jobs.list_findings(
            connection,
            account.only_of,
            import_job_id,
            query.severity and query.severity.value,
            limit=page.limit,
            offset=page.offset,
        )
    if found is None:
        raise _not_found(import_job_id)
    rows, total = found
    path = f"{PATH}/{import_job_id}/findings"
    findings = (
        Resource[FindingAttributes](
            type="finding",
            id=f"{import_job_id}-{row.position}",
            attributes=FindingAttributes(**row.content),
            links=SelfLink(self=path),
        )
        for row in rows
    )
    return FindingCollection.page(path, page, total, findings)


@router.post(
    "/{import_job_id}/fetch-media",
    status_code=202,
    response_model=AcceptedFetch,
    response_class=JSONResponse,
    responses={202: {"headers": POLLED_HEADERS}, **problems(404, 409)},
)
async def fetch_media_files(
    import_job_id: UUID, account: AccountDep, resources: ResourcesDep
) -> JSONResponse:
    """Fetch the media files that an import has not stored.

    These are links that were unreachable or rejected. If the import was cancelled, or its storage
    was unavailable, these are also files that it did not reach. The task stores what it can, and
    the report of the import then lists only what is still missing. While such a task waits or runs,
    the response has its URL: repeat the request as often as you like.
    """
    try:
        async with resources.engine.begin() as connection:
            task_id = await add_media_fetch(
                connection,
                import_job_id,
                account.only_of,
                links=resources.settings.fetch_media,
            )
    except UnknownImportError:
        raise _not_found(import_job_id) from None
    except ImportNotEndedError:
        raise refuse(
            409,
            "import-running",
            "Import not ended",
            f"Import job {import_job_id} has not ended, and stores its media files itself. Fetch"
            " what is missing when it has ended.",
        ) from None
    except EventDeletedError:
        raise refuse(
            409,
            "event-deleted",
            "Event deleted",
            f"The event of import job {import_job_id} was deleted. Restore the event, then fetch"
            " its media files.",
        ) from None
    except NothingMissingError:
        raise refuse(
            409,
            "nothing-missing",
            "No media files to fetch",
            f"Import job {import_job_id} has no media files that can be fetched again."
            + ("" if resources.settings.fetch_media else _NO_LINKS),
        ) from None
    await resources.wake_worker()
    task_url = f"/v1/tasks/{task_id}"
    headers = {
        "Location": task_url,
        "Retry-After": str(resources.settings.client_poll_interval),
    }
    return JSONResponse({"task_url": task_url}, 202, headers)


def _not_found(job_id: UUID) -> ProblemError:
    return refuse(404, "not-found", "Not Found", f"Unknown import job {job_id}.")


def _resource(row: Any, kind: type[AttributesT], event_base_url: str) -> Resource[AttributesT]:
    values = dict(row._mapping)
    job_id = values.pop("id")
    event_id, identifier = values["event_id"], values["event_identifier"]
    values["event_id"] = None if event_id is None else str(event_id)
    values["event_url"] = identifier and f"{event_base_url}/events/{identifier}"
    values["task_url"] = f"/v1/tasks/{job_id}"
    values["task"], values["starts_at"] = str(job_id), values["created_at"]
    values["result"], values["result_status"] = values["event_id"], values["status"]
    values["findings_url"] = f"{PATH}/{job_id}/findings"
    return Resource[kind](  # type: ignore[valid-type]
        type="import-job",
        id=str(job_id),
        attributes=kind(**values),
        links=SelfLink(self=f"{PATH}/{job_id}"),
    )
