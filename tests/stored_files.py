"""What storages hold, which they do not list themselves, and archives as the web server accepts
them."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from eventimport.database.models import ObjectPurpose
from eventimport.database.objects import Use, record_objects, use_objects
from eventimport.formats import OPENEVENT, Format
from eventimport.imports.accept import ImportOptions, Upload, accept_import
from eventimport.resources import Resources
from eventimport.storage.protocol import Storage


async def keys_in(storage: Any, prefix: str = "") -> list[str]:
    """The keys of all objects of a storage."""
    while hasattr(storage, "_inner"):
        storage = storage._inner
    match storage.name:
        case "local":
            root = storage._root
            paths = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
            found = [path.as_posix() for path in paths if not path.parts[0].startswith(".")]
        case "memory":
            found = list(storage._objects)
        case _:
            client = await storage._connected()
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=storage._config.bucket)
            found = [one["Key"] async for page in pages for one in page.get("Contents", ())]
    return sorted(key for key in found if key.startswith(prefix))


async def chunks_of(content: bytes) -> AsyncIterator[bytes]:
    """The content as a storage is given it."""
    yield content


async def store(
    resources: Resources,
    key: str,
    purpose: ObjectPurpose,
    *,
    content: bytes = b"x",
    storage: Storage | None = None,
    user_id: int | None = None,
    used_by: dict[str, Any] | None = None,
) -> str:
    """Store a file as the service does, its row first; links it with `used_by`. Returns the key."""
    place = storage or resources.storages.active
    async with resources.engine.begin() as connection:
        await record_objects(connection, place.name, [key], purpose, user_id=user_id)
    stored = await place.put(key, chunks_of(content), content_type="text/plain")
    if used_by is not None:
        async with resources.engine.begin() as connection:
            await use_objects(connection, place.name, [Use(key=key, size=stored.size, **used_by)])
    return key


async def accept_archive(
    resources: Resources,
    user_id: int,
    data: bytes,
    *,
    file_name: str | None = None,
    source_format: Format | str = OPENEVENT,
    strict: bool = False,
    dry_run: bool = False,
    **about_event: str,
) -> UUID:
    """Accept an import as the web server does."""

    async def receive() -> Upload:
        return Upload(file_name, chunks_of(data))

    options = ImportOptions(
        source_format=source_format if isinstance(source_format, str) else source_format.name,
        strict=strict,
        dry_run=dry_run,
        about_event=about_event,
    )
    return await accept_import(resources, user_id, receive, options=options)
