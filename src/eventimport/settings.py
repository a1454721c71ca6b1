"""The environment, read once, at the edge. Each setting is an environment variable of its name."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, SettingsConfigDict

from eventimport.auth import AuthConfig
from eventimport.database.engine import DatabaseConfig
from eventimport.openevent.limits import ArchiveLimits
from eventimport.queue import QueueConfig
from eventimport.storage.config import GCSConfig, LocalConfig, S3Config, StorageConfig
from eventimport.storage.limits import UploadLimits

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError("must begin with http:// or https:// and name a host")
    return value.rstrip("/")


def _long_enough(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < 32:
        raise ValueError("must have at least 32 characters")
    return value


def _scheme(*schemes: str) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        if urlsplit(value.get_secret_value()).scheme not in schemes:
            raise ValueError("must begin with " + " or ".join(f"{name}://" for name in schemes))
        return value

    return AfterValidator(check)


def _revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


WebAddress = Annotated[str, AfterValidator(_web_address)]


class Settings(BaseSettings):
    """All that can be set. Byte limits are in bytes, durations in seconds."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    # Servers and secrets: no default, outside `eventimport dev`.
    database_url: Annotated[SecretStr, _scheme("postgresql", "postgres", "postgresql+asyncpg")] = (
        Field(description="PostgreSQL, as `postgresql://user:password@host/database`.")
    )
    redis_url: Annotated[SecretStr, _scheme("redis", "rediss", "unix")] = Field(
        description="Valkey or Redis, as `redis://host:6379/0` or `unix:///path?db=0`."
    )
    secret_key: Annotated[SecretStr, AfterValidator(_long_enough)] = Field(
        description="Signs the access tokens; at least 32 random characters."
    )
    database_pool_size: PositiveInt = Field(
        10, description="Connections to PostgreSQL that a process keeps open."
    )
    queue_name: str = Field("eventimport", description="The name of the job queue in Redis.")

    # Addresses.
    public_url: WebAddress = Field(
        "http://localhost:8000", description="Where clients reach this service."
    )
    frontend_url: WebAddress | None = Field(
        None,
        description="Where people see events, as `<FRONTEND_URL>/events/<identifier>`."
        " Default: PUBLIC_URL.",
    )

    # Accounts.
    sign_up_enabled: bool = Field(True, description="Whether anyone may create an account.")
    access_token_lifetime: PositiveInt = Field(
        24 * 3600, description="How long an access token is valid, in seconds."
    )

    # Limits of an archive.
    max_archive_bytes: PositiveInt = Field(
        512 * MIB, description="The largest zip that is accepted, in bytes."
    )
    max_archive_entries: PositiveInt = Field(10_000, description="Entries in a zip.")
    max_entry_bytes: PositiveInt = Field(256 * MIB, description="One entry, inflated, in bytes.")
    max_inflated_bytes: PositiveInt = Field(
        2 * GIB, description="All entries of a zip, inflated, in bytes."
    )
    max_inflation_ratio: PositiveInt = Field(
        200, description="How many times its compressed size an entry may have inflated."
    )
    max_document_bytes: PositiveInt = Field(
        128 * MIB, description="One JSON document of an archive, in bytes."
    )
    max_record_bytes: PositiveInt = Field(
        4 * MIB, description="One record of a JSON document, in bytes."
    )
    max_records: PositiveInt = Field(200_000, description="Records in all documents of an archive.")
    max_text_length: PositiveInt = Field(1_000_000, description="One text value, in characters.")
    max_json_depth: PositiveInt = Field(32, description="How deep a JSON document may be nested.")

    max_findings: PositiveInt = Field(
        10_000, description="Findings that a report lists; more are only counted."
    )

    # Workers.
    worker_jobs: PositiveInt = Field(2, description="Imports that one worker runs at once.")
    import_timeout: PositiveInt = Field(
        3600, description="How long one attempt at an import may take, in seconds."
    )
    heartbeat_interval: PositiveFloat = Field(
        5.0, description="How often a worker shows that it is alive, in seconds."
    )
    heartbeat_timeout: PositiveFloat = Field(
        30.0, description="After how long without a heartbeat an import is run again, in seconds."
    )
    recovery_interval: PositiveFloat = Field(
        10.0, description="How often lost imports are looked for, in seconds."
    )
    max_attempts: PositiveInt = Field(
        5, description="How often an import is begun before it is given up."
    )
    storage_patience: PositiveFloat = Field(
        60.0, description="How long an import waits for a storage that is away, in seconds."
    )
    shutdown_grace: float = Field(
        20.0,
        ge=0,
        description="How long a worker that is told to stop may finish its imports, in seconds.",
    )

    # Limits of an upload.
    max_file_bytes: PositiveInt = Field(2 * GIB, description="One uploaded file, in bytes.")
    max_request_bytes: PositiveInt = Field(
        4 * GIB, description="All files of one upload request, in bytes."
    )
    max_files: PositiveInt = Field(1000, description="Files in one upload request.")
    max_image_bytes: PositiveInt = Field(
        32 * MIB, description="One picture for `/v1/upload/image`, in bytes."
    )
    receive_timeout: PositiveFloat = Field(
        30.0, description="How long a client may send nothing during an upload, in seconds."
    )

    # Storage.
    storage_place: Literal["local", "s3", "gcs"] = Field(
        "local", description="Which storage takes new files: `local`, `s3` or `gcs`."
    )
    local_storage_path: Path = Field(
        Path("storage"), description="The folder of the `local` storage."
    )
    static_domain: WebAddress | None = Field(
        None,
        description="Scheme and host before the `/media/…` of local files. Default: PUBLIC_URL.",
    )
    s3_bucket: str | None = Field(None, description="The bucket; setting it configures `s3`.")
    s3_region: str = Field("us-east-1", description="The bucket's region.")
    s3_endpoint_url: WebAddress | None = Field(
        None, description="A server other than AWS that speaks S3, such as MinIO."
    )
    s3_access_key: str | None = Field(
        None, description="The access key. Default: the AWS SDK's own search for credentials."
    )
    s3_secret_key: SecretStr | None = Field(None, description="The secret of the access key.")
    s3_path_style: bool = Field(
        False, description="Whether the bucket stands in the path, as MinIO wants it."
    )
    s3_public_url: WebAddress | None = Field(
        None, description="What stands before a key in public URLs. Default: the endpoint's own."
    )
    gcs_bucket: str | None = Field(None, description="The bucket; setting it configures `gcs`.")
    gcs_access_key: str | None = Field(None, description="The HMAC key's access id.")
    gcs_secret_key: SecretStr | None = Field(None, description="The HMAC key's secret.")
    gcs_endpoint_url: WebAddress = Field(
        "https://storage.googleapis.com", description="Google's XML API, or an emulator of it."
    )
    gcs_public_url: WebAddress | None = Field(
        None, description="What stands before a key in public URLs. Default: the endpoint's own."
    )
    storage_part_bytes: int = Field(
        8 * MIB,
        ge=5 * MIB,
        description="The size of one part of a multipart upload to `s3` or `gcs`, in bytes.",
    )
    storage_parts_in_flight: PositiveInt = Field(
        4, description="How many parts of one upload are sent at once."
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
    def heartbeat_stale_after(self) -> timedelta:
        """After how long without a heartbeat an attempt counts as dead."""
        return timedelta(seconds=self.heartbeat_timeout)

    @property
    def event_base_url(self) -> str:
        """The address before `/events/<identifier>`, without a slash at its end."""
        return self.frontend_url or self.public_url

    @property
    def auth(self) -> AuthConfig:
        """What signs the access tokens."""
        return AuthConfig(
            secret_key=self.secret_key.get_secret_value(),
            token_lifetime=timedelta(seconds=self.access_token_lifetime),
        )

    @property
    def database(self) -> DatabaseConfig:
        """What the engine needs."""
        return DatabaseConfig(
            url=self.database_url.get_secret_value(), pool_size=self.database_pool_size
        )

    @property
    def queue(self) -> QueueConfig:
        """What the queue needs."""
        return QueueConfig(url=self.redis_url.get_secret_value(), name=self.queue_name)

    @property
    def storages(self) -> tuple[StorageConfig, ...]:
        """Each storage that is configured; local disk always is."""
        configs: list[StorageConfig] = [
            LocalConfig(
                root=self.local_storage_path, base_url=self.static_domain or self.public_url
            )
        ]
        if self.s3_bucket:
            configs.append(
                S3Config(
                    bucket=self.s3_bucket,
                    region=self.s3_region,
                    endpoint_url=self.s3_endpoint_url,
                    access_key=self.s3_access_key,
                    secret_key=_revealed(self.s3_secret_key),
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
                    secret_key=_revealed(self.gcs_secret_key) or "",
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
        """What a request that brings an archive may hold: one file, and the form around it."""
        return UploadLimits(
            max_file_bytes=self.max_archive_bytes,
            max_files=1,
            max_request_bytes=self.max_archive_bytes + MIB,
            chunk_timeout_seconds=self.receive_timeout,
        )

    @property
    def archive_limits(self) -> ArchiveLimits:
        """What the reader of archives holds to."""
        return ArchiveLimits(
            max_entries=self.max_archive_entries,
            max_entry_bytes=self.max_entry_bytes,
            max_total_bytes=self.max_inflated_bytes,
            max_ratio=self.max_inflation_ratio,
            max_document_bytes=self.max_document_bytes,
            max_record_bytes=self.max_record_bytes,
            max_string_length=self.max_text_length,
            max_depth=self.max_json_depth,
            max_records=self.max_records,
        )


@dataclass(frozen=True, slots=True)
class SettingDescription:
    """One line of the table in the README; `default` is None where the setting is required."""

    variable: str
    default: str | None
    description: str


def describe_settings() -> Iterator[SettingDescription]:
    """All settings in the order of their declaration."""
    for name, field in Settings.model_fields.items():
        required = field.default is PydanticUndefined
        default = "" if field.default is None else str(field.default)
        yield SettingDescription(
            name.upper(), None if required else default, field.description or ""
        )


def problems_of(error: ValidationError) -> list[str]:
    """One sentence for each variable that is missing or wrong; values are not repeated."""
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        reason = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "missing":
            reason = "is not set"
        name = str(problem["loc"][0]).upper() + ": " if problem["loc"] else ""
        lines.append(name + reason)
    return lines


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process; overrides win over the environment.

    Exits with status 2, and one line per wrong variable on stderr, when they are not valid.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        sys.stderr.write("The service cannot start:\n")
        sys.stderr.writelines(f"  {line}\n" for line in problems_of(error))
        raise SystemExit(2) from None
