"""Checks that commands run before they use the database."""

import asyncio

from sqlalchemy.exc import SQLAlchemyError

from eventimport.cli.console import fail
from eventimport.database.engine import (
    DatabaseConfig,
    DatabaseConfigError,
    create_engine,
    explain,
    needs_pooler,
)
from eventimport.database.migrations import SchemaMismatchError, check_schema

UNREACHABLE = (SQLAlchemyError, DatabaseConfigError, OSError)


def require_schema(config: DatabaseConfig, *, must_answer: bool = True) -> None:
    """End the command unless the database has the tables that this version needs.

    Without `must_answer`, a database that cannot be reached is none of this command's business:
    the service starts, and waits for it.
    """
    try:
        asyncio.run(_check(config))
    except SchemaMismatchError as error:
        fail(str(error))
    except UNREACHABLE as error:
        if must_answer or needs_pooler(error):
            fail(unreachable(error))


def unreachable(error: BaseException) -> str:
    """The message if the database does not answer. The error itself may contain its password,
    unless it is ours."""
    if isinstance(error, DatabaseConfigError):
        return str(error)
    if isinstance(error, SQLAlchemyError):
        return f"The database cannot be used. {explain(error)}"
    return f"The database cannot be used ({type(error).__name__}). Check DATABASE_URL."


async def _check(config: DatabaseConfig) -> None:
    engine = create_engine(config)
    try:
        await check_schema(engine)
    finally:
        await engine.dispose()
