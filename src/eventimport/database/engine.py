"""The engine: how the service reaches PostgreSQL."""

from dataclasses import dataclass

from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from eventimport.errors import EventImportError


class DatabaseConfigError(EventImportError):
    """The database's URL can't be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseConfig:
    """Where the database is, and how many connections a process may hold.

    At most `pool_size` + `max_overflow` connections; who waits longer than `pool_timeout` seconds
    for one gets SQLAlchemy's `TimeoutError`. `connect_timeout` is in seconds, too.
    """

    url: str
    pool_size: int = 5
    max_overflow: int = 5
    pool_timeout: float = 10.0
    connect_timeout: float = 5.0
    application_name: str = "eventimport"


def driver_url(url: str) -> URL:
    """The URL as SQLAlchemy wants it, from what `DATABASE_URL` usually holds.

    Takes `postgres://`, `postgresql://` and `postgresql+asyncpg://`, and libpq's `sslmode`.
    Raises DatabaseConfigError for anything else; the message doesn't repeat the URL, which may
    hold a password.
    """
    try:
        parsed = make_url(url)
    except Exception:  # noqa: BLE001 - the cause is left out: it quotes the URL, password and all
        raise DatabaseConfigError("DATABASE_URL is not a URL") from None
    if parsed.drivername not in {"postgres", "postgresql", "postgresql+asyncpg"}:
        raise DatabaseConfigError(
            f"DATABASE_URL begins with {parsed.drivername}://; only postgresql:// is supported"
        )
    query = dict(parsed.query)
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    return parsed.set(drivername="postgresql+asyncpg", query=query)


def create_engine(config: DatabaseConfig) -> AsyncEngine:
    """An engine with a pool. It connects on first use; `await engine.dispose()` closes it.

    Raises DatabaseConfigError. Errors of statements come without their parameters, which may be
    personal data.
    """
    return create_async_engine(
        driver_url(config.url),
        pool_size=config.pool_size,
        max_overflow=config.max_overflow,
        pool_timeout=config.pool_timeout,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "timeout": config.connect_timeout,
            "server_settings": {
                "application_name": config.application_name,
                "timezone": "UTC",
            },
        },
    )


def session_factory(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """Makes sessions whose objects stay readable after the commit."""
    return async_sessionmaker(engine, expire_on_commit=False)
