"""The engine: how the service reaches PostgreSQL."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import asyncpg
from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InterfaceError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.pool import QueuePool
from tenacity import AsyncRetrying, before_sleep_log, retry_if_exception, wait_random_exponential

from eventimport.errors import EventImportError

LONGEST_WAIT: Final = 10.0
"""Seconds between two trials of a step while the database is unavailable."""

_Result = TypeVar("_Result")
logger = logging.getLogger(__name__)

KEEPALIVE: Final = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
"""In seconds: how the server notices that a client's machine is gone. Until then it keeps locked
what that client has locked: for hours, by its own defaults."""

NEEDS_POOLER: Final = (
    "DATABASE_URL leads to PgBouncer, which rejects the service's connection settings."
    " Set DATABASE_POOLER=transaction."
)

UNNAMED_STATEMENTS: Final = {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
"""For the driver and for SQLAlchemy. The driver parses, describes and runs an unnamed statement
before PostgreSQL is ready for the next, so that PgBouncer gives the connection to no other client
meanwhile. It needs no transaction for that."""

_UNAVAILABLE: Final = frozenset({"08", "28", "3D", "40", "53", "57", "58"})
"""Classes of SQLSTATE about the server, not about what it was asked: the connection, who may
connect and to what, a transaction to be tried again, resources, an operator's intervention, a
failing disk."""

_READ_ONLY: Final = "25006"
"""A server that has become, or is still, the copy of another."""


_ADVICE: Final = {
    "08": "PostgreSQL cannot be reached, or the connection was lost.",
    "25006": "PostgreSQL is read-only. DATABASE_URL must lead to the primary server.",
    "28": "PostgreSQL rejects the sign-in. Check the user and the password in DATABASE_URL.",
    "3D": "The database does not exist. Check its name in DATABASE_URL.",
    "42501": "The user in DATABASE_URL lacks a privilege.",
    "53100": "The disk of PostgreSQL is full. Enlarge it, or free space on it.",
    "53300": "PostgreSQL has no free connection. Lower DATABASE_POOL_SIZE or the number of"
    " processes, raise `max_connections`, or use PgBouncer.",
    "57014": "A statement took too long.",
    "57P": "PostgreSQL cannot be reached, or it is starting or shutting down. Check DATABASE_URL,"
    " and PostgreSQL's log.",
    "58": "PostgreSQL cannot read or write its files. Check its disk and its log.",
    "XX": "PostgreSQL reports damaged data. Check its disk and its log.",
}
"""What to do, by SQLSTATE, or by its beginning."""


class DatabaseConfigError(EventImportError):
    """The database's URL can't be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseConfig:
    """Where the database is, and how many connections a process may hold.

    A caller that waits longer than `pool_timeout` seconds for one of the `pool_size` connections
    gets SQLAlchemy's `TimeoutError`. `connect_timeout` is in seconds, too, and so is
    `idle_timeout`: after so long without a statement, a transaction's connection is ended, for a
    client that has stopped must not keep rows locked.

    `pooled`: PgBouncer may run each transaction on another of its connections to PostgreSQL. Then
    statements have no names, and the connection has no settings of its own but `timezone` and
    `application_name`, which PgBouncer carries along. This works without PgBouncer, too, but costs
    a round trip for each statement, and another for each transaction.
    """

    url: str
    pool_size: int = 5
    pool_timeout: float = 10.0
    connect_timeout: float = 5.0
    idle_timeout: float = 20.0
    application_name: str = "eventimport"
    pooled: bool = False


def driver_url(url: str) -> URL:
    """The URL as SQLAlchemy wants it, from what `DATABASE_URL` usually holds.

    Takes `postgres://`, `postgresql://` and `postgresql+asyncpg://`, and libpq's `sslmode`.
    Raises DatabaseConfigError for anything else; the message doesn't repeat the URL, which may
    hold a password.
    """
    try:
        parsed = make_url(url)
    except Exception:  # noqa: BLE001 - the cause is left out: it quotes the URL, password and all
        raise DatabaseConfigError("DATABASE_URL is not a valid URL") from None
    if parsed.drivername not in {"postgres", "postgresql", "postgresql+asyncpg"}:
        raise DatabaseConfigError(
            f"DATABASE_URL begins with {parsed.drivername}://; only postgresql:// is supported"
        )
    query = dict(parsed.query)
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    return parsed.set(drivername="postgresql+asyncpg", query=query)


def create_reader(config: DatabaseConfig) -> AsyncEngine:
    """An engine without transactions, for single SELECTs, with a pool of its own: its connections
    never change their mode, which would take longer than the SELECT."""
    return create_engine(config, isolation_level="AUTOCOMMIT")


def _renew_closed(connection: DBAPIConnection, *_record: object) -> None:
    """Have the pool connect anew, if need be all of it, since a server rarely closes just one."""
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError


def create_engine(config: DatabaseConfig, **options: Any) -> AsyncEngine:
    """An engine with a pool. It connects on first use; `await engine.dispose()` closes it.

    Raises DatabaseConfigError. Errors of statements come without their parameters, which may be
    personal data. A connection that the server has closed is replaced when it is checked out; the
    driver knows of it without the three round trips of SQLAlchemy's `pool_pre_ping`.
    """
    idle_timeout = f"{config.idle_timeout * 1000:.0f}"
    of_the_session = {"application_name": config.application_name, "timezone": "UTC"}
    if not config.pooled:
        of_the_session |= {"idle_in_transaction_session_timeout": idle_timeout, **KEEPALIVE}
    engine = create_async_engine(
        driver_url(config.url),
        pool_size=config.pool_size,
        max_overflow=0,
        pool_timeout=config.pool_timeout,
        hide_parameters=True,
        connect_args={
            "async_creator_fn": _connect,
            "timeout": config.connect_timeout,
            "server_settings": of_the_session,
            **(UNNAMED_STATEMENTS if config.pooled else {}),
        },
        **options,
    )
    event.listen(engine.sync_engine, "checkout", _renew_closed)
    if config.pooled and options.get("isolation_level") != "AUTOCOMMIT":

        def limit_idle_time(connection: Connection) -> None:
            with closing(connection.connection.cursor()) as cursor:
                cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = {idle_timeout}")

        event.listen(engine.sync_engine, "begin", limit_idle_time)
    return engine


async def _connect(*args: Any, **kwargs: Any) -> Any:
    """The driver's own, but what the network says becomes an error of the database, too, and so
    does a pooler that DATABASE_POOLER does not announce."""
    try:
        return await asyncpg.connect(*args, **kwargs)
    except asyncpg.ProtocolViolationError as error:
        if "unsupported startup parameter" not in str(error):
            raise
        raise asyncpg.CannotConnectNowError(NEEDS_POOLER) from None
    except (OSError, asyncpg.InterfaceError) as error:
        raise asyncpg.CannotConnectNowError(f"no connection: {error!r}") from error


def connections_in_use(engine: AsyncEngine) -> int:
    """How many of the pool's connections are in use now."""
    pool = engine.pool
    return pool.checkedout() if isinstance(pool, QueuePool) else 0


def is_unavailable(error: BaseException) -> bool:
    """Whether the database could not be reached, was lost, or is short of something, so that the
    same may be tried later: nothing is wrong with what it was asked."""
    if isinstance(error, PoolTimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if isinstance(error, InterfaceError) and "connection" in str(error.orig):
        # Lost right after it was made, which the driver notices at the first statement.
        return True
    state = str(getattr(error.orig, "sqlstate", None) or "")
    return error.connection_invalidated or state[:2] in _UNAVAILABLE or state == _READ_ONLY


def needs_pooler(error: BaseException) -> bool:
    """Whether a connection failed because DATABASE_POOLER is not set."""
    return isinstance(error, DBAPIError) and NEEDS_POOLER in str(error.orig)


def explain(error: BaseException) -> str:
    """What an operator can do about an error of the database, and its SQLSTATE. Contains neither
    an address nor a value."""
    if needs_pooler(error):
        return NEEDS_POOLER
    if isinstance(error, PoolTimeoutError):
        return "All connections of this process are busy. DATABASE_POOL_SIZE limits them."
    state = str(getattr(getattr(error, "orig", error), "sqlstate", None) or "")
    advice = next((_ADVICE[state[:size]] for size in (5, 3, 2) if state[:size] in _ADVICE), None)
    if advice is None:
        return f"SQLSTATE {state}." if state else f"{type(error).__name__}."
    return f"SQLSTATE {state}: {advice}"


def session_factory(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """Makes sessions whose objects stay readable after the commit."""
    return async_sessionmaker(engine, expire_on_commit=False)


async def when_available(step: Callable[[], Awaitable[_Result]]) -> _Result:
    """Run a step in the database; while that is unavailable, run it again after growing pauses,
    until the caller is cancelled. Raises what else the step raises."""
    retrying = AsyncRetrying(
        retry=retry_if_exception(is_unavailable),
        wait=wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT),
        before_sleep=before_sleep_log(logger, logging.WARNING),
        reraise=True,
    )

    # tenacity awaits what a coroutine function gives, and only that.
    async def attempt() -> _Result:
        return await step()

    return await retrying(attempt)
