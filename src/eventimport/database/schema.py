"""Whether the database has the tables that this version of the code needs."""

from functools import cache

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from eventimport.errors import EventImportError

_OUTDATED = frozenset({"42P01", "42703"})
"""SQLSTATEs of a table and of a column that do not exist."""


class SchemaMismatchError(EventImportError):
    """The database's tables are not those of this version; the message says what to run."""


@cache
def expected_revision() -> str:
    """The revision that this version's migrations lead to."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - slow to import

    from eventimport.database.migrations import alembic_config  # noqa: PLC0415

    head = ScriptDirectory.from_config(alembic_config("")).get_current_head()
    return head or ""


async def check_schema(engine: AsyncEngine) -> None:
    """Compare the database's revision with the expected one. Raises SchemaMismatchError, and what
    the driver raises."""
    async with engine.connect() as connection:
        found = await _revision(connection)
    expected = expected_revision()
    if found is None:
        raise SchemaMismatchError("The database has no tables yet. Run `eventimport migrate`.")
    if found != expected:
        raise SchemaMismatchError(
            f"The database schema has revision {found}, but this version needs {expected}."
            " Run `eventimport migrate` with the newest version of eventimport that uses this"
            " database."
        )


def is_mismatch(error: DBAPIError) -> bool:
    """Whether a statement failed because a table or a column does not exist."""
    return getattr(error.orig, "sqlstate", None) in _OUTDATED


async def _revision(connection: AsyncConnection) -> str | None:
    if await connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return None
    revision: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision
