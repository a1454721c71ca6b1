"""The settings that every process needs: servers, secrets, addresses, accounts."""

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt, SecretStr
from pydantic_settings import BaseSettings

from eventimport.auth import AuthConfig
from eventimport.database.engine import DatabaseConfig
from eventimport.queue import QueueConfig
from eventimport.settings.values import WebAddress, long_enough, scheme


class ServiceSettings(BaseSettings):
    """Servers, addresses and accounts."""

    # Servers and secrets: no default, outside `eventimport dev`.
    database_url: Annotated[SecretStr, scheme("postgresql", "postgres", "postgresql+asyncpg")] = (
        Field(
            description="URL of the PostgreSQL database, as"
            " `postgresql://user:password@host/database`."
        )
    )
    redis_url: Annotated[SecretStr, scheme("redis", "rediss", "unix")] = Field(
        description="URL of Valkey or Redis, as `redis://host:6379/0` or `unix:///path?db=0`."
    )
    secret_key: Annotated[SecretStr, AfterValidator(long_enough)] = Field(
        description="Secret that signs the access tokens: at least 32 random characters."
    )
    database_pool_size: int = Field(
        10,
        ge=4,
        description="Maximum number of connections to PostgreSQL per process, in both of its"
        " pools together. A worker needs two for each of its WORKER_JOBS, and four more.",
    )
    database_pooler: Literal["none", "transaction"] = Field(
        "none",
        description="`transaction` if DATABASE_URL leads to PgBouncer in transaction mode, or to"
        " another such pooler.",
    )
    database_idle_timeout: PositiveFloat = Field(
        20.0,
        description="Seconds before PostgreSQL ends an idle transaction. Prevents a hung"
        " process from holding row locks.",
    )
    queue_name: str = Field("eventimport", description="Name of the job queue in Redis.")

    # Addresses.
    public_url: WebAddress = Field(
        "http://localhost:8000", description="Base URL at which clients reach this service."
    )
    frontend_url: WebAddress | None = Field(
        None,
        description="Base URL of event pages: `<FRONTEND_URL>/events/<identifier>`. Default:"
        " PUBLIC_URL.",
    )

    # Accounts.
    sign_up_enabled: bool = Field(True, description="Whether visitors may create an account.")
    access_token_lifetime: PositiveInt = Field(
        24 * 3600, description="Lifetime of an access token, in seconds."
    )

    token_leeway: NonNegativeFloat = Field(
        30.0,
        description="Seconds by which the clocks of two API processes may differ. A token is"
        " accepted this long before its start and after its end.",
    )

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
            leeway=timedelta(seconds=self.token_leeway),
        )

    @property
    def _readers(self) -> int:
        return self.database_pool_size * 2 // 5

    @property
    def reader_database(self) -> DatabaseConfig:
        """What the engine without transactions needs."""
        return replace(self.database, pool_size=self._readers)

    @property
    def database(self) -> DatabaseConfig:
        """What the engine needs."""
        return DatabaseConfig(
            url=self.database_url.get_secret_value(),
            pool_size=self.database_pool_size - self._readers,
            idle_timeout=self.database_idle_timeout,
            pooled=self.database_pooler == "transaction",
        )

    @property
    def queue(self) -> QueueConfig:
        """What the queue needs."""
        return QueueConfig(url=self.redis_url.get_secret_value(), name=self.queue_name)
