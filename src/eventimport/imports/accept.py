"""Accepting an import: check the quota, store the archive, add the row, wake a worker."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.audit import record_act
from eventimport.database.new_imports import (
    ImportQuota,
    NewImport,
    QueueFullError,
    TooManyImportsError,
    add_import,
    check_quota,
)
from eventimport.errors import ProblemError, refuse
from eventimport.file_requests import FileRequest, Reply, RequestIdentity
from eventimport.formats import OPENEVENT
from eventimport.observability import logs
from eventimport.observability.tracing import current_parent
from eventimport.resources import Resources
from eventimport.storage.keys import archive_key

FIELD: Final = "file"
"""The archive's name in the request's fingerprint."""

MAX_FILE_NAME_LENGTH: Final = 255

RETRY_AFTER: Final = {"Retry-After": "30"}
"""Seconds; about as long as an import runs."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded source: its file name, if it has one, its bytes, and what its content is."""

    file_name: str | None
    chunks: AsyncIterator[bytes]
    content_type: str = OPENEVENT.media_type


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How to import a source. `source_format` is the name of a format, or AUTO; `about_event` is
    what the user says about the event, by the names of `EventChoices`. `publish` publishes it, and
    `confirm` does so even if the source says that it is private or a draft."""

    source_format: str = OPENEVENT.name
    strict: bool = False
    dry_run: bool = False
    about_event: Mapping[str, str] = field(default_factory=dict)
    publish: bool = False
    confirm: bool = False


async def accept_import(
    resources: Resources,
    user_id: int,
    receive: Callable[[], Awaitable[Upload]],
    *,
    options: ImportOptions = ImportOptions(),
    identity: RequestIdentity = RequestIdentity(),  # noqa: B008 - frozen
    reply: Callable[[UUID], Reply] | None = None,
    client: str | None = None,
    is_fetched: bool = False,
) -> UUID:
    """Accept the import of an archive; returns the id of its task.

    `receive` is called once the quota permits the import. `is_fetched` says that it does not read
    the request: then `identity` says all that the request asks for. A request whose `identity` has
    a key needs a `reply` for the new task.

    Raises 429 or 503 for the quota, RepeatedRequestError for the repetition of a request, and what
    the chunks and the storage raise: nothing is accepted then.
    """
    job_id = uuid4()
    quota = resources.settings.import_quota
    storage = await resources.active_storage()
    async with FileRequest(resources, storage, user_id, identity) as request:
        await _check_quota(resources, request, user_id, quota)
        if not request.is_repetition:
            logs.bind(task_id=str(job_id))
        if is_fetched and request.is_repetition:
            request.repeat()
        upload = await receive()
        key = archive_key(job_id)
        chunks = upload.chunks
        if not is_fetched:
            chunks = request.reading(FIELD, upload.file_name, chunks)
        size = await request.store_archive(key, chunks, content_type=upload.content_type)
        new = NewImport(
            id=job_id,
            user_id=user_id,
            format=options.source_format,
            strict=options.strict,
            dry_run=options.dry_run,
            options=dict(options.about_event),
            publish=options.publish,
            confirm=options.confirm,
            archive_storage=storage.name,
            archive_key=key,
            archive_size=size,
            file_name=_printable(upload.file_name),
            trace_parent=current_parent(),
            request_id=logs.request_id(),
        )

        async def add(connection: AsyncConnection) -> None:
            # Others may have come since the quota was checked.
            with _quota_problems(quota):
                await add_import(connection, new, quota)
            await record_act(
                connection,
                "import",
                actor=user_id,
                subject=("task", job_id),
                client=client,
                detail={"dry_run": True} if options.dry_run else None,
            )

        await request.accept(reply(job_id) if reply else None, add, import_job_id=job_id)
    await resources.wake_worker()
    return job_id


async def _check_quota(
    resources: Resources, request: FileRequest, user_id: int, quota: ImportQuota
) -> None:
    """Reject the import before any of its archive is received. A repetition needs no quota."""
    if request.is_repetition:
        return
    try:
        with _quota_problems(quota):
            async with resources.reader.connect() as connection:
                await check_quota(connection, user_id, quota)
    except ProblemError:
        # The last free place may be that of a request with the same key.
        await request.find_earlier()
        if not request.is_repetition:
            raise


@contextmanager
def _quota_problems(quota: ImportQuota) -> Iterator[None]:
    try:
        yield
    except TooManyImportsError:
        raise refuse(
            429,
            "too-many-imports",
            "Too many imports",
            f"At most {quota.per_user:,} of your imports can wait or run at the same time."
            " The limit is set by MAX_IMPORTS_PER_USER. Wait until an import has ended.",
            headers=RETRY_AFTER,
        ) from None
    except QueueFullError:
        raise refuse(
            503,
            "queue-full",
            "Import queue full",
            f"At most {quota.waiting:,} imports can wait for a worker. The limit is set by"
            " MAX_WAITING_IMPORTS. Try again later.",
            headers=RETRY_AFTER,
        ) from None


def _printable(name: str | None) -> str | None:
    if name is None:
        return None
    return "".join(filter(str.isprintable, name))[:MAX_FILE_NAME_LENGTH]
