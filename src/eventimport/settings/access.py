"""Who may call the service, from where, and how often."""

import re
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, NonNegativeInt, PositiveInt
from pydantic_settings import NoDecode

from eventimport.auth import Limit
from eventimport.database.new_imports import ImportQuota
from eventimport.settings.service import ServiceSettings
from eventimport.settings.values import MIB, words

HOST_NAME = re.compile(r"\*|[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
MINUTE = 60


def _host_names(value: Any) -> Any:
    names = tuple(name.lower() for name in words(value))
    if not all(HOST_NAME.fullmatch(name) for name in names):
        raise ValueError("must be host names without a scheme or port, separated by commas")
    return names


def _contact(value: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+|https://[^\s/]+(/\S*)?", value):
        raise ValueError("must be an e-mail address, or a URL that begins with https://")
    return value


def _origins(value: Any) -> Any:
    origins: tuple[str, ...] = words(value)
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or origin != f"{parts.scheme}://{parts.netloc}":
            raise ValueError("must be origins such as https://example.org, separated by commas")
    return origins


class AccessSettings(ServiceSettings):
    """Access and limits per user."""

    allowed_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_host_names)] = Field(
        (),
        description="Host names that requests may use, separated by commas, or `*` for any."
        " Default: the host of PUBLIC_URL, and this machine.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_origins)] = Field(
        (),
        description="Origins whose pages may call the API from a browser, separated by"
        " commas. Default: none.",
    )
    report_contact: Annotated[str, AfterValidator(_contact)] | None = Field(
        None,
        description="E-mail address or https URL for reports of abuse. The page of each public"
        " event then has a link to it. Default: no link.",
    )
    requests_per_minute: NonNegativeInt = Field(
        3_000,
        description="Maximum number of requests of a user per minute. 0: no limit. Reading a"
        " large event page by page while polling a task stays below the default.",
    )
    sign_ins_per_minute: NonNegativeInt = Field(
        10,
        description="Maximum number of sign-in attempts with one e-mail address per minute."
        " 0: no limit.",
    )
    sign_ins_per_client: NonNegativeInt = Field(
        60,
        description="Maximum number of attempts of one client address to sign in or up per"
        " minute. 0: no limit.",
    )
    max_response_bytes: PositiveInt = Field(
        8 * MIB,
        description="Maximum size of a response with several resources, in bytes. Writing it needs"
        " up to five times as much memory. A larger `include` or page is a 400 that says how to"
        " ask for less.",
    )
    feed_cache_bytes: PositiveInt = Field(
        64 * MIB,
        description="Maximum size of the rendered public feeds that a process keeps, in bytes."
        " Feeds of more than 1 MiB are in temporary files. Older feeds are rendered again.",
    )
    max_list_size: PositiveInt = Field(
        10_000,
        description="Maximum number of resources that a list returns for `page[size]=0`. More"
        " resources come in pages of this size.",
    )
    max_filter_conditions: PositiveInt = Field(
        50, description="Maximum number of conditions in the `filter` of a list."
    )
    max_imports_per_user: PositiveInt = Field(
        20, description="Maximum number of waiting and running imports of one user."
    )
    max_waiting_imports: PositiveInt = Field(
        1000,
        description="Maximum number of imports that wait for a worker. Further imports are"
        " rejected.",
    )
    max_exports_per_user: PositiveInt = Field(
        10, description="Maximum number of waiting and running exports of one user."
    )
    idempotency_key_hours: PositiveInt = Field(
        24, description="Hours for which the response to an `Idempotency-Key` is kept."
    )

    @property
    def host_names(self) -> frozenset[str]:
        """The host names that requests may use, in lower case; `*` stands for any."""
        if self.allowed_hosts:
            return frozenset(self.allowed_hosts)
        own = urlsplit(self.public_url).hostname or "localhost"
        return LOOPBACK_NAMES | {f"[{own}]" if ":" in own else own}

    @property
    def import_quota(self) -> ImportQuota:
        """How many imports may be open at the same time."""
        return ImportQuota(self.max_imports_per_user, self.max_waiting_imports)

    @property
    def idempotency_key_lifetime(self) -> timedelta:
        """How long the response to an `Idempotency-Key` is kept."""
        return timedelta(hours=self.idempotency_key_hours)

    @property
    def request_limit(self) -> Limit:
        """How many requests a user may make."""
        return Limit("requests", self.requests_per_minute, MINUTE, "REQUESTS_PER_MINUTE")

    @property
    def sign_in_limit(self) -> Limit:
        """How many sign-in attempts one account allows."""
        return Limit("sign-ins", self.sign_ins_per_minute, MINUTE, "SIGN_INS_PER_MINUTE")

    @property
    def client_limit(self) -> Limit:
        """How often one client address may try to sign in or up."""
        return Limit("client", self.sign_ins_per_client, MINUTE, "SIGN_INS_PER_CLIENT")
