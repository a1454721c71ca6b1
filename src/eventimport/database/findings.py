"""The findings of imports, in rows of their own: no task or list ever loads all of them. Each media
file that is not stored is a finding, too.
"""

import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Text,
    bindparam,
    case,
    cast,
    delete,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.kinds import IMPORT_ORDER
from eventimport.conference.report import FIRST_BYTES, FIRST_FINDINGS, Place, Report, Severity
from eventimport.database.media_records import LONGEST_LISTED
from eventimport.database.models import Base, ImportFinding, ImportJob, MediaItem, MediaOutcome


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


@dataclass(frozen=True, slots=True)
class ReportedFile:
    """A media file of a row, what became of it and why. `title` is the row's title or name, and
    `source_id` its id in the archive."""

    table: str
    field: str
    source: str
    origin: str
    media_type: str
    outcome: str
    detail: str | None
    title: str | None
    source_id: str | None


_LABELS: Final = {level.table: level.label for level in IMPORT_ORDER}
"""The column that people know a row by."""


async def files_to_report(connection: AsyncConnection, job_id: UUID) -> AsyncIterator[ReportedFile]:
    """The files that were not stored, and those stored with a detail; by table, then by id.

    Files that the archive lacks are left out: the report has had them since the archive was read.
    """
    item = MediaItem.__table__.c
    reported = (item.import_job_id == job_id) & (
        ((item.outcome != MediaOutcome.MOVED) & (item.outcome != MediaOutcome.PLANNED))
        | item.detail.is_not(None)
    )
    known = (item.outcome == MediaOutcome.MISSING) & item.entry.is_(None)
    tables = await connection.scalars(
        select(item.table_name).where(reported, ~known).distinct().order_by(item.table_name)
    )
    for name in tables.all():
        row = Base.metadata.tables[name].c
        statement = (
            select(
                item.table_name,
                item.field,
                func.left(item.source, LONGEST_LISTED),
                item.origin,
                item.media_type,
                item.outcome,
                item.detail,
                row[_LABELS[name]],
                row["source_id"],
            )
            .join_from(MediaItem, Base.metadata.tables[name], row.id == item.row_id)
            .where(reported, ~known, item.table_name == name)
            .order_by(item.id)
        )
        async for found in await connection.stream(statement):
            yield ReportedFile(*found)


async def report_of(connection: AsyncConnection, job_id: UUID) -> dict[str, Any]:
    """The import's report as it stands."""
    report = await connection.scalar(select(ImportJob.report).where(ImportJob.id == job_id))
    return dict(report or {})


_WHAT: Final = {
    "image": "The image",
    "document": "The document",
    "audio": "The audio file",
    "video": "The video",
}
_GRAVEST_FIRST: Final = (Severity.ERROR, Severity.WARNING, Severity.REPAIR)


_REPAIRED: Final = "media-repaired"


def code_of(outcome: str) -> str:
    """The code of the finding for a file that was not stored."""
    return f"media-{outcome.lower().replace('_', '-')}"


_CODES_OF_FILES: Final = (_REPAIRED, *(code_of(outcome) for outcome in MediaOutcome))


def add_finding(
    report: Report,
    place: Place,
    *,
    source: str,
    origin: str,
    media_type: str,
    outcome: str,
    detail: str | None,
) -> None:
    """Report one file that was not stored, or one that was stored although it is odd."""
    what = _WHAT.get(media_type, "The file")
    reason = (detail or outcome.lower()).rstrip(".")
    if outcome == "MOVED":
        report.repair(_REPAIRED, f"{what} was stored as it is: {reason}.", place, source)
        return
    code = code_of(outcome)
    kept = " The link is kept." if origin == "remote" else " The event has no file there."
    report.warning(code, f"{what} was not stored: {reason}.{kept}", place, source)


async def with_media_findings(
    connection: AsyncConnection, job_id: UUID, media: Mapping[str, Any], report: Report
) -> dict[str, Any]:
    """The import's report with what became of its media, each file that was not stored as a
    finding. `report` is empty, with the limits of findings; its findings are written down."""
    async for file in files_to_report(connection, job_id):
        place = Place(source_id=file.source_id, field=file.field, title=file.title)
        add_finding(
            report,
            place,
            source=file.source,
            origin=file.origin,
            media_type=file.media_type,
            outcome=file.outcome,
            detail=file.detail,
        )
    if report.findings:
        await add_findings(connection, job_id, report.as_rows())
        await sort_findings(connection, job_id)
    summary = await report_of(connection, job_id)
    summary["media"] = {**summary.get("media", {}), **media}
    more = report.as_dict()
    summary["totals"] = {
        name: summary.get("totals", {}).get(name, 0) + count
        for name, count in more["totals"].items()
    }
    for name in ("total", "omitted"):
        summary[name] = summary.get(name, 0) + more[name]
    summary["findings"] = _first([*summary.get("findings", []), *more["findings"]])
    return summary


async def take_media_findings_back(connection: AsyncConnection, job_id: UUID) -> dict[str, Any]:
    """Delete the findings that `with_media_findings` has added; returns the report without them.
    Findings of the reading of the archive name a record or an entry, and stay."""
    table = ImportFinding.__table__
    content = table.c.content
    where = [~content.has_key(name) for name in ("entry", "record", "line")]
    gone = await connection.execute(
        delete(ImportFinding)
        .where(table.c.import_job_id == job_id, content["code"].astext.in_(_CODES_OF_FILES), *where)
        .returning(table.c.severity, content["count"].as_integer())
    )
    counts: Counter[str] = Counter()
    causes = 0
    for severity, count in gone:
        counts[severity] += count
        causes += 1
    first = (
        select(content)
        .where(table.c.import_job_id == job_id)
        .order_by(table.c.position)
        .limit(FIRST_FINDINGS)
    )
    summary = await report_of(connection, job_id)
    summary["totals"] = {
        name: count - counts[name] for name, count in summary.get("totals", {}).items()
    }
    summary["total"] = summary.get("total", 0) - causes
    summary["findings"] = _first(list(await connection.scalars(first)))
    return summary


def _first(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many findings as a task shows, the gravest first."""
    first: list[dict[str, Any]] = []
    size = 0
    gravest_first = sorted(findings, key=lambda one: _GRAVEST_FIRST.index(one["severity"]))
    for finding in gravest_first[:FIRST_FINDINGS]:
        size += len(json.dumps(finding, ensure_ascii=False).encode())
        if first and size > FIRST_BYTES:
            break
        first.append(finding)
    return first
