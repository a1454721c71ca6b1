"""The settings that every process needs: servers, secrets, addresses, accounts."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    SecretStr,
)
from pydantic_settings import BaseSettings, NoDecode

from eventimport.auth import MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH, AuthConfig
from eventimport.auth.keys import weakness_of_key
from eventimport.database.engine import DatabaseConfig
from eventimport.queue import QueueConfig
from eventimport.settings.values import WebAddress, scheme


def _strong(value: SecretStr) -> SecretStr:
    weakness = weakness_of_key(value.get_secret_value())
    if weakness:
        raise ValueError(weakness)
    return value


def _all_strong(values: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    return tuple(map(_strong, values))


def _keys(value: Any) -> Any:
    """The keys of a list in JSON, or of a text that separates them by commas."""
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return tuple(key.strip() for key in value.split(",") if key.strip())
    try:
        return tuple(json.loads(value))
    except ValueError:
        raise ValueError("must be keys separated by commas, or a JSON list of texts") from None


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
    secret_key: Annotated[SecretStr, AfterValidator(_strong)] = Field(
        description="Secret that signs tokens and links: at least 32 random characters. To replace"
        " it, move the old one to PREVIOUS_SECRET_KEYS."
    )
    previous_secret_keys: Annotated[
        tuple[SecretStr, ...], NoDecode, BeforeValidator(_keys), AfterValidator(_all_strong)
    ] = Field(
        (),
        description="Earlier values of SECRET_KEY, separated by commas, or as a JSON list. They"
        " sign nothing, but what they have signed stays valid. Remove one when its tokens have"
        " expired, after ACCESS_TOKEN_LIFETIME.",
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

    refresh_token_days: PositiveInt = Field(
        30,
        le=3650,
        description="Days after which a refresh token that was not used expires.",
    )
    min_password_length: PositiveInt = Field(
        MIN_PASSWORD_LENGTH,
        ge=MIN_PASSWORD_LENGTH,
        le=MAX_PASSWORD_LENGTH,
        description="Minimum number of characters of a new password.",
    )
    confirmation_link_hours: PositiveInt = Field(
        72, le=24 * 365, description="Hours after which a link that confirms an address expires."
    )
    invitation_days: PositiveInt = Field(
        7, le=365, description="Days after which an invitation to work on an event expires."
    )
    reset_link_minutes: PositiveInt = Field(
        60, le=60 * 24 * 365, description="Minutes after which a link to reset a password expires."
    )
    max_personal_access_tokens: PositiveInt = Field(
        50, description="Maximum number of personal access tokens of one user."
    )
    personal_access_token_days: PositiveInt = Field(
        365, le=3650, description="Maximum lifetime of a personal access token, in days."
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
        """What signs tokens and links."""
        return AuthConfig(
            secret_key=self.secret_key.get_secret_value(),
            previous_keys=tuple(key.get_secret_value() for key in self.previous_secret_keys),
            refresh_lifetime=timedelta(days=self.refresh_token_days),
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
