"""Making the smaller sizes of an image that was changed over the API."""

import logging
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from eventimport.database.endings import fail, succeed
from eventimport.database.image_jobs import (
    ImageOf,
    possible_objects,
    read_image_job,
    settle_sizes,
)
from eventimport.database.media_records import TaskFileRecords
from eventimport.database.tasks import Claim
from eventimport.errors import Problem
from eventimport.imports.attempt import TaskAttempt, fail_attempt, run_attempt
from eventimport.imports.endings import NO_SIZES, SIZES_REASONS, words_of
from eventimport.media.images import ImageRefusedError
from eventimport.media.sources import ImportFetches, NotMovedError, Sources, no_entry
from eventimport.media.storing import MediaStorer, StoredBytes
from eventimport.resources import Resources
from eventimport.storage.protocol import ObjectNotFoundError, Storage
from eventimport.storage.stored_file import PlannedFile, PlannedItem, StoredFile

CHANGED: Final = Problem(
    409,
    "image-changed",
    "Image changed again",
    "The image was changed again, or deleted, before its sizes were made.",
)
NOT_MADE: Final = "The sizes were not made"
TYPES: Final[Mapping[str, str]] = {"events": "event", "speakers": "speaker"}

logger = logging.getLogger(__name__)


async def attempt_image_sizes(resources: Resources, claimed: Claim) -> None:
    """Run the claimed attempt to its end. Cancelled, it hands the task back."""
    attempt = TaskAttempt(claimed, stage="reading", message="Reading the image")
    await run_attempt(resources, attempt, lambda: _run(resources, attempt), SIZES_REASONS)


async def _run(resources: Resources, attempt: TaskAttempt) -> None:
    claimed = attempt.claimed
    async with resources.reader.connect() as connection:
        image = await read_image_job(connection, claimed.task_id)
    if image is None:
        await fail_attempt(resources, attempt, CHANGED, NOT_MADE)
        return
    storage = await resources.active_storage()
    with ThreadPoolExecutor(1, "no-archive") as reader:
        config = resources.settings.transfer
        storer = MediaStorer(
            TaskFileRecords(resources.engine, claimed),
            storage,
            Sources(no_entry, ImportFetches(resources.fetcher, config.fetches), reader),
            resources.images,
            config,
            stored_bytes=StoredBytes(config.max_stored_bytes, 0),
        )
        file = PlannedFile(
            event_id=image.event_id,
            source=image.url,
            origin="remote",
            is_image=True,
            entry=None,
            items=(PlannedItem(0, image.table, image.row_id, image.field),),
            last=False,
        )
        try:
            async with resources.images.turn(claimed.user_id):
                content = await _read(resources, storer, file)
                attempt.enter("sizes", "Making the sizes")
                sizes = await storer.store_sizes(file, content)
        except NotMovedError as error:
            await fail_attempt(resources, attempt, _problem(error), NOT_MADE)
            return
        try:
            taken = await _settle(resources, attempt, image, storage.name, sizes)
        except BaseException:
            # They may be in use after all; then nothing is given up.
            await storer.give_up([size.key for size in sizes.values()])
            raise
        await storer.give_up([size.key for name, size in sizes.items() if name not in taken])


async def _read(resources: Resources, storer: MediaStorer, file: PlannedFile) -> bytes:
    """The image's bytes: from our storage if its URL is that of a stored file, else fetched."""
    async with resources.reader.connect() as connection:
        found = await possible_objects(connection, file.source)
    for name, key in found:
        if name in resources.storages.names:
            storage = resources.storages.get(name)
            if _is_url_of(storage, key, file.source):
                return await _read_own(resources, storage, key)
    content, _ = await storer.read_image(file)
    return content


def _is_url_of(storage: Storage, key: str, url: str) -> bool:
    try:
        return storage.public_url(key) == url.partition("#")[0]
    except ValueError:
        return False


async def _read_own(resources: Resources, storage: Storage, key: str) -> bytes:
    limits = resources.settings.transfer.image_limits
    content = bytearray()
    try:
        async with storage.open(key) as chunks:
            async for chunk in chunks:
                content += chunk
                if len(content) > limits.max_bytes:
                    raise NotMovedError("TOO_LARGE", str(ImageRefusedError.too_large(limits)))
    except ObjectNotFoundError:
        raise NotMovedError("MISSING", "the file is no longer in storage") from None
    return bytes(content)


async def _settle(
    resources: Resources,
    attempt: TaskAttempt,
    image: ImageOf,
    storage: str,
    sizes: Mapping[str, StoredFile],
) -> Collection[str]:
    """Write the URLs of the sizes, and end the task. Returns the fields that took a URL."""
    claimed = attempt.claimed
    words = words_of(resources.settings)
    attempt.is_ending = True
    ending: dict[str, Any] = {"stage_seconds": attempt.times()}
    async with resources.engine.begin() as connection:
        taken = await settle_sizes(connection, claimed, image, storage, sizes)
        if taken is None:
            ending |= {"message": NOT_MADE, "stage": attempt.stage}
            await fail(connection, claimed, words, [CHANGED.as_dict()], **ending)
            return ()
        urls = {name.replace("_", "-"): sizes[name].url for name in taken}
        result = {"id": str(image.row_id), "type": TYPES[image.table], "sizes": urls}
        ending |= {"message": f"Sizes made: {len(urls)}", "stage": "done", "result": result}
        await succeed(connection, claimed, words, **ending)
    logger.info("task %s is done: %d sizes", claimed.task_id, len(urls))
    return taken


def _problem(error: NotMovedError) -> Problem:
    code = error.outcome.lower().replace("_", "-")
    detail = error.detail[:1].upper() + error.detail[1:].rstrip(".")
    return Problem(422, f"image-{code}", "Sizes not made", f"{detail}. {NO_SIZES}")
