"""The findings of imports, in rows of their own: no task or list ever loads all of them."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, bindparam, cast, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.models import ImportFinding, ImportJob


async def add_findings(
    connection: AsyncConnection, job_id: UUID, findings: Sequence[dict[str, Any]]
) -> None:
    """Append findings, each as `Finding.as_dict` gives it, to those that the import has."""
    if not findings:
        return
    before = (
        select(func.coalesce(func.max(ImportFinding.position) + 1, 0))
        .where(ImportFinding.import_job_id == job_id)
        .scalar_subquery()
    )
    content = cast(bindparam("findings", json.dumps(findings, ensure_ascii=False), Text), JSONB)
    elements = func.jsonb_array_elements(content)
    given = elements.table_valued("value", with_ordinality="position").render_derived("given")
    value = cast(given.c.value, JSONB)
    rows = select(
        literal(job_id),
        before + given.c.position - 1,
        value["severity"].astext,
        value,
    )
    columns = ["import_job_id", "position", "severity", "content"]
    await connection.execute(insert(ImportFinding).from_select(columns, rows))


async def list_findings(
    connection: AsyncConnection,
    visible: ColumnElement[bool],
    job_id: UUID,
    severity: str | None,
    *,
    limit: int,
    offset: int,
) -> tuple[int, list[tuple[int, dict[str, Any]]]] | None:
    """How many findings of this severity (of any, if None) the import has, and some of them with
    their positions. None if there is no such import among the visible ones."""
    job = await connection.scalar(select(ImportJob.id).where(ImportJob.id == job_id, visible))
    if job is None:
        return None
    chosen = [ImportFinding.import_job_id == job_id]
    if severity is not None:
        chosen.append(ImportFinding.severity == severity)
    total = await connection.scalar(select(func.count()).select_from(ImportFinding).where(*chosen))
    rows = await connection.execute(
        select(ImportFinding.position, ImportFinding.content)
        .where(*chosen)
        .order_by(ImportFinding.position)
        .limit(limit)
        .offset(offset)
    )
    return total or 0, [(row.position, row.content) for row in rows]
