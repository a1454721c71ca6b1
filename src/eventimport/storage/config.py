"""The configuration of each backend, and the limits of an upload. The settings compose these."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalConfig:
    """Local disk. `base_url` goes before `/media/…` in URLs: scheme and host, or empty.

    `direct_io`: large files are written past the page cache, if the file system supports it.
    """

    root: Path
    base_url: str = ""
    direct_io: bool = True
    kind: Literal["local"] = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Config:
    """S3 or a server that speaks its API.

    `endpoint_url` None means AWS itself; without keys the SDK's own chain of credentials holds.
    `public_base_url` is what stands before a key in URLs (a CDN, say); without it the URL is the
    endpoint's. `part_size` is in bytes, 5 MiB at least; memory for one upload is bounded by
    (2 * parts_in_flight + 4) * part_size. A request is sent at most `attempts` times.
    """

    bucket: str
    region: str = "us-east-1"
    endpoint_url: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    path_style: bool = False
    part_size: int = 8 * MIB
    parts_in_flight: int = 4
    attempts: int = 4
    public_base_url: str | None = None
    kind: Literal["s3"] = "s3"


@dataclass(frozen=True, slots=True, kw_only=True)
class GCSConfig:
    """Google Cloud Storage through its S3-interoperable XML API, with HMAC keys."""

    bucket: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = "auto"
    endpoint_url: str = "https://storage.googleapis.com"
    part_size: int = 8 * MIB
    parts_in_flight: int = 4
    public_base_url: str | None = None
    kind: Literal["gcs"] = "gcs"


StorageConfig = LocalConfig | S3Config | GCSConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """Sizes are in bytes. `chunk_timeout_seconds` is how long a client may send nothing at all.

    The last three are the names of the settings that errors name. In lower case, a limit is fixed.
    """

    max_file_bytes: int = 2048 * MIB
    max_files: int = 1000
    max_request_bytes: int = 4096 * MIB
    max_fields: int = 100
    max_field_bytes: int = 64 * 1024
    max_header_bytes: int = 64 * 1024
    max_headers: int = 16
    max_image_bytes: int = 32 * MIB
    chunk_timeout_seconds: float = 30.0
    file_setting: str = "MAX_FILE_BYTES"
    request_setting: str = "MAX_REQUEST_BYTES"
    files_setting: str = "MAX_FILES"
