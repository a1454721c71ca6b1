"""How much a client may send in one request."""

from dataclasses import dataclass

from eventimport.storage.config import MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """Sizes are in bytes; `chunk_timeout_seconds` is how long a client may send nothing at all."""

    max_file_bytes: int = 2048 * MIB
    max_files: int = 1000
    max_request_bytes: int = 4096 * MIB
    max_fields: int = 100
    max_field_bytes: int = 64 * 1024
    max_header_bytes: int = 64 * 1024
    max_headers: int = 16
    max_image_bytes: int = 32 * MIB
    chunk_timeout_seconds: float = 30.0
