"""Writing to the rows of imports, past the service."""

from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from eventimport.database.models import IMPORT_JOBS, Task


async def change_imports(engine: AsyncEngine, job_id: UUID | None = None, **values: Any) -> None:
    """Write to the rows of an import, or of all: each value to the table that has its column."""
    own = {name: value for name, value in values.items() if name in IMPORT_JOBS.c}
    others = {name: value for name, value in values.items() if name not in own}
    async with engine.begin() as connection:
        for table, changed in ((IMPORT_JOBS, own), (Task.__table__, others)):
            if changed:
                statement = update(table).values(**changed)  # type: ignore[arg-type]
                if job_id is not None:
                    statement = statement.where(table.c.id == job_id)
                await connection.execute(statement)
