"""Runs the migrations, over asyncpg.

The URL comes from who calls (`eventimport.database.migrations`) or from DATABASE_URL.
"""

import asyncio
import logging
import os

from alembic import context
from sqlalchemy import Connection, text

from eventimport.database.engine import DatabaseConfig, create_engine, driver_url
from eventimport.database.models import Base

# Two processes that migrate at once (replicas that start together) take turns by this lock.
ADVISORY_LOCK = 6_383_361_072

config = context.config


def database_url() -> str:
    url = config.attributes.get("url") or os.environ.get("DATABASE_URL")
    if not url:
        raise SystemExit("DATABASE_URL is not set")
    return str(url)


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection, target_metadata=Base.metadata, compare_server_default=True
    )
    with context.begin_transaction():
        connection.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
        context.run_migrations()


async def migrate_online() -> None:
    # PgBouncer or not: a migration runs few statements.
    engine = create_engine(
        DatabaseConfig(url=database_url(), application_name="alembic", pooled=True)
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()


if config.config_file_name is not None:
    logging.basicConfig(format="%(levelname)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.INFO)

if context.is_offline_mode():
    context.configure(
        url=driver_url(database_url()),
        target_metadata=Base.metadata,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
    )
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(migrate_online())
