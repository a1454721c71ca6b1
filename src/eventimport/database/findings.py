"""The findings of imports, in rows of their own: no task or list ever loads all of them."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Text,
    bindparam,
    case,
    cast,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.models import ImportFinding


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


async def sort_findings(connection: AsyncConnection, job_id: UUID) -> None:
    """Number an import's findings anew: errors, then warnings, then repairs; otherwise as added."""
    table = ImportFinding.__table__
    own = table.c.import_job_id == job_id
    gravest_first = case({"error": 0, "warning": 1}, value=table.c.severity, else_=2)
    number = func.row_number().over(order_by=(gravest_first, table.c.position))
    ranked = select(table.c.position, number.label("number")).where(own).subquery()
    # By way of negative numbers, so that no two rows have the same one in between.
    await connection.execute(
        update(ImportFinding)
        .where(own, table.c.position == ranked.c.position)
        .values(position=-ranked.c.number)
    )
    await connection.execute(
        update(ImportFinding).where(own).values(position=-1 - table.c.position)
    )
