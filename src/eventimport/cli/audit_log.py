"""`eventimport audit`: shows the audit log."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eventimport.cli.console import fail, out, plain

if TYPE_CHECKING:
    from eventimport.database.audit import AuditFilter
    from eventimport.database.engine import DatabaseConfig


def show_audit_log(
    action: Annotated[str | None, typer.Option(help="Only this action, such as `sign-in`.")] = None,
    user: Annotated[int | None, typer.Option(help="Only acts of the user with this id.")] = None,
    days: Annotated[int, typer.Option(help="Only the last days.", min=1, max=36_500)] = 30,
    limit: Annotated[int, typer.Option(help="Maximum number of entries.", min=1)] = 100,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line.")
    ] = False,
) -> None:
    """Show who did what, newest first. The clean-up deletes entries that are older than
    AUDIT_RETENTION_DAYS."""
    from eventimport.cli.schema import UNREACHABLE, require_schema, unreachable
    from eventimport.database.audit import AuditFilter
    from eventimport.settings import load_settings

    settings = load_settings()
    require_schema(settings.database)
    since = datetime.now(UTC) - timedelta(days=days)
    wanted = AuditFilter(action=action, actor=user, since=since)
    try:
        rows, total = asyncio.run(_read(settings.database, wanted, limit))
    except UNREACHABLE as error:
        fail(unreachable(error))
    for row in rows:
        entry = row._asdict()
        out.print(json.dumps(entry, default=str) if as_json else _line(row), markup=False)
    if not as_json and total > len(rows):
        out.print(f"{total - len(rows):,} more; --limit sets how many are shown.")


async def _read(
    config: "DatabaseConfig", wanted: "AuditFilter", limit: int
) -> tuple[Sequence[Any], int]:
    from eventimport.database.audit import list_acts
    from eventimport.database.engine import create_engine

    engine = create_engine(config)
    try:
        async with engine.connect() as connection:
            return await list_acts(connection, wanted, limit=limit)
    finally:
        await engine.dispose()


def _line(row: Any) -> str:
    nameless = "stranger" if row.client else "command line"
    actor = nameless if row.actor_id is None else f"user {row.actor_id}"
    subject = "" if row.subject_kind is None else f"{row.subject_kind} {row.subject_id}"
    detail = json.dumps(row.detail) if row.detail else ""
    parts = [f"{row.created_at:%Y-%m-%d %H:%M:%S}Z", row.action, actor, subject]
    return plain("  ".join(part for part in [*parts, row.client or "", detail] if part))
