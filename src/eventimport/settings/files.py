"""Where files are stored, and how much a request may upload."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, model_validator

from eventimport.settings.archives import ArchiveSettings
from eventimport.settings.service import ServiceSettings
from eventimport.settings.values import GIB, MIB, WebAddress, revealed
from eventimport.storage.config import (
    GCSConfig,
    LocalConfig,
    S3Config,
    StorageConfig,
    UploadLimits,
)


class FileSettings(ArchiveSettings, ServiceSettings):
    """Uploads and storage."""

    # Limits of an upload.
    max_file_bytes: PositiveInt = Field(
        2 * GIB, description="Maximum size of one uploaded file, in bytes."
    )
    max_request_bytes: PositiveInt = Field(
        4 * GIB, description="Maximum size of one upload request with all its files, in bytes."
    )
    max_files: PositiveInt = Field(
        1000, description="Maximum number of files in one upload request."
    )
    max_image_bytes: PositiveInt = Field(
        32 * MIB, description="Maximum size of an image, uploaded or imported, in bytes."
    )
    max_uploaded_bytes_per_user: PositiveInt = Field(
        10 * GIB,
        description="Upload quota: the maximum size of all files that one user has uploaded"
        " and not deleted, in bytes.",
    )
    receive_timeout: PositiveFloat = Field(
        30.0, description="Seconds after which an upload ends if the client sends nothing."
    )

    # Storage.
    storage_place: Literal["local", "s3", "gcs"] = Field(
        "local",
        description="Storage for new files: `local`, `s3` or `gcs`. An admin can change it"
        " while the service runs.",
    )
    local_storage_path: Path = Field(Path("storage"), description="Folder of the `local` storage.")
    local_direct_io: bool = Field(
        True,
        description="Whether large local files are written past the page cache (`O_DIRECT`), if"
        " the file system supports it.",
    )
    static_domain: WebAddress | None = Field(
        None,
        description="Scheme and host of the `/media/…` URLs of local files. Default: PUBLIC_URL.",
    )
    s3_bucket: str | None = Field(
        None, description="Name of the S3 bucket. Setting it configures the storage `s3`."
    )
    s3_region: str = Field("us-east-1", description="Region of the S3 bucket.")
    s3_endpoint_url: WebAddress | None = Field(
        None, description="URL of an S3-compatible server other than AWS, such as MinIO."
    )
    s3_access_key: str | None = Field(
        None, description="Access key for S3. Default: the credentials that the AWS SDK finds."
    )
    s3_secret_key: SecretStr | None = Field(None, description="Secret key for S3.")
    s3_path_style: bool = Field(
        False, description="Whether URLs have the bucket in their path. MinIO needs this."
    )
    s3_public_url: WebAddress | None = Field(
        None, description="Base of the public URLs of stored files. Default: the URL of the bucket."
    )
    gcs_bucket: str | None = Field(
        None,
        description="Name of the Google Cloud Storage bucket. Setting it configures the storage"
        " `gcs`.",
    )
    gcs_access_key: str | None = Field(
        None, description="Access id of the HMAC key for Google Cloud Storage."
    )
    gcs_secret_key: SecretStr | None = Field(
        None, description="Secret of the HMAC key for Google Cloud Storage."
    )
    gcs_endpoint_url: WebAddress = Field(
        "https://storage.googleapis.com", description="URL of Google's XML API, or of an emulator."
    )
    gcs_public_url: WebAddress | None = Field(
        None, description="Base of the public URLs of stored files. Default: the URL of the bucket."
    )
    storage_part_bytes: int = Field(
        8 * MIB,
        ge=5 * MIB,
        description="Size of one part of a multipart upload to `s3` or `gcs`, in bytes.",
    )
    storage_parts_in_flight: PositiveInt = Field(
        4, description="Number of parts of one upload that are sent at the same time."
    )

    @model_validator(mode="after")
    def _storage_is_configured(self) -> Self:
        if self.gcs_bucket and not (self.gcs_access_key and self.gcs_secret_key):
            raise ValueError("GCS_BUCKET needs GCS_ACCESS_KEY and GCS_SECRET_KEY")
        if bool(self.s3_access_key) != bool(self.s3_secret_key):
            raise ValueError("S3_ACCESS_KEY and S3_SECRET_KEY belong together")
        if self.storage_place not in {storage.kind for storage in self.storages}:
            raise ValueError(
                f"STORAGE_PLACE is {self.storage_place}, but {self.storage_place.upper()}_BUCKET"
                " is not set"
            )
        return self

    @property
    def storages(self) -> tuple[StorageConfig, ...]:
        """The configured storages. Local disk is always one of them."""
        configs: list[StorageConfig] = [
            LocalConfig(
                root=self.local_storage_path,
                base_url=self.static_domain or self.public_url,
                direct_io=self.local_direct_io,
            )
        ]
        if self.s3_bucket:
            configs.append(
                S3Config(
                    bucket=self.s3_bucket,
                    region=self.s3_region,
                    endpoint_url=self.s3_endpoint_url,
                    access_key=self.s3_access_key,
                    secret_key=revealed(self.s3_secret_key),
                    path_style=self.s3_path_style,
                    part_size=self.storage_part_bytes,
                    parts_in_flight=self.storage_parts_in_flight,
                    public_base_url=self.s3_public_url,
                )
            )
        if self.gcs_bucket:
            configs.append(
                GCSConfig(
                    bucket=self.gcs_bucket,
                    access_key=self.gcs_access_key or "",
                    secret_key=revealed(self.gcs_secret_key) or "",
                    endpoint_url=self.gcs_endpoint_url,
                    part_size=self.storage_part_bytes,
                    parts_in_flight=self.storage_parts_in_flight,
                    public_base_url=self.gcs_public_url,
                )
            )
        return tuple(configs)

    @property
    def upload_limits(self) -> UploadLimits:
        """What a request to the upload routes may hold."""
        return UploadLimits(
            max_file_bytes=self.max_file_bytes,
            max_files=self.max_files,
            max_request_bytes=self.max_request_bytes,
            max_image_bytes=self.max_image_bytes,
            chunk_timeout_seconds=self.receive_timeout,
        )

    @property
    def archive_upload_limits(self) -> UploadLimits:
        """What a request with an archive may hold: one file, and the form around it."""
        return UploadLimits(
            max_file_bytes=self.max_archive_bytes,
            max_files=1,
            max_request_bytes=self.max_archive_bytes + MIB,
            chunk_timeout_seconds=self.receive_timeout,
            file_setting="MAX_ARCHIVE_BYTES",
            request_setting="MAX_ARCHIVE_BYTES",
            files_setting="max_files",
        )
