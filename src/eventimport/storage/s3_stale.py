"""Multipart uploads that nobody will complete any more."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any

from eventimport.storage.protocol import StorageError
from eventimport.storage.s3_errors import is_not_found, storage_errors


async def abort_stale_uploads(
    client: Any, bucket: str, prefixes: Iterable[str], before: datetime
) -> int:
    """Abort the uploads to keys of these prefixes that were initiated before; how many they were.
    One that still runs fails then. Raises StorageError."""
    aborted = 0
    for prefix in prefixes:
        async for upload in _unfinished(client, bucket, prefix):
            if upload["Initiated"] < before:
                aborted += await _abort(client, bucket, upload)
    return aborted


async def _unfinished(client: Any, bucket: str, prefix: str) -> AsyncIterator[dict[str, Any]]:
    more: dict[str, str] = {}
    while True:
        with storage_errors(f"list_multipart_uploads {prefix!r}"):
            page = await client.list_multipart_uploads(Bucket=bucket, Prefix=prefix, **more)
        for upload in page.get("Uploads", ()):
            yield upload
        following = page.get("NextKeyMarker")
        # Some servers say that there is more, and not from where on.
        if not page.get("IsTruncated") or not following:
            return
        more = {"KeyMarker": following, "UploadIdMarker": page.get("NextUploadIdMarker", "")}


async def _abort(client: Any, bucket: str, upload: dict[str, Any]) -> bool:
    """Whether it was there to be aborted."""
    try:
        with storage_errors(f"abort_multipart_upload {upload['Key']!r}"):
            await client.abort_multipart_upload(
                Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
            )
    except StorageError as error:
        if not is_not_found(error.__cause__):
            raise
        return False
    return True
