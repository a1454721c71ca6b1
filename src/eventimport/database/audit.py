"""The audit log: an entry is written in the transaction of the act that it records.

Actions are kebab-case words, such as `sign-in`, `import`, `publish`, `delete`, `admin-take-down`.
An entry has no secret and no e-mail address: subjects are named by their kind and id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from eventimport.database.models import AuditEntry


async def record_act(
    connection: AsyncConnection | AsyncSession,
    action: str,
    *,
    actor: int | None,
    subject: tuple[str, object] | None = None,
    client: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry. `actor` is the id of the user who acted, None for the operator or a stranger;
    `subject` is the kind and id of what was acted on; `client` is the address of the client."""
    kind, key = subject or (None, None)
    await connection.execute(
        insert(AuditEntry).values(
            action=action,
            actor_id=actor,
            subject_kind=kind,
            subject_id=None if key is None else str(key),
            client=client,
            detail=dict(detail or {}),
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries are wanted; None is any. `since` and `until` are inclusive."""

    action: str | None = None
    actor: int | None = None
    subject_kind: str | None = None
    subject_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """The filter as conditions."""
        wanted: list[tuple[Any, Any]] = [
            (AuditEntry.action, self.action),
            (AuditEntry.actor_id, self.actor),
            (AuditEntry.subject_kind, self.subject_kind),
            (AuditEntry.subject_id, self.subject_id),
        ]
        conditions = [column == value for column, value in wanted if value is not None]
        if self.since is not None:
            conditions.append(AuditEntry.created_at >= self.since)
        if self.until is not None:
            conditions.append(AuditEntry.created_at <= self.until)
        return conditions


async def list_acts(
    connection: AsyncConnection, wanted: AuditFilter, *, limit: int, offset: int = 0
) -> tuple[Sequence[Row[*tuple[Any, ...]]], int]:
    """A page of entries, newest first, and how many there are in all."""
    chosen = wanted.conditions
    page = (
        select(*AuditEntry.__table__.c)
        .where(*chosen)
        .order_by(AuditEntry.created_at.desc(), AuditEntry.id.desc())
        .limit(limit)
        .offset(offset)
    )
    rows = (await connection.execute(page)).all()
    total = await connection.scalar(select(func.count()).select_from(AuditEntry).where(*chosen))
    return rows, total or 0


async def delete_old_acts(connection: AsyncConnection, older_than: timedelta) -> int:
    """Delete the entries that are older than this, and return how many."""
    result = await connection.execute(
        delete(AuditEntry).where(AuditEntry.created_at < func.now() - older_than)
    )
    return result.rowcount
