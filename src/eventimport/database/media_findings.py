"""Findings about media files: whatever is not stored is a warning, with its record's title."""

import json
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.report import FIRST_BYTES, FIRST_FINDINGS, Place, Report, Severity
from eventimport.database.findings import add_findings, sort_findings
from eventimport.database.media_report import files_to_report, report_of

_WHAT: Final = {
    "image": "The image",
    "document": "The document",
    "audio": "The audio file",
    "video": "The video",
}
_GRAVEST_FIRST: Final = (Severity.ERROR, Severity.WARNING, Severity.REPAIR)


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
        report.repair("media-repaired", f"{what} was stored as it is: {reason}.", place, source)
        return
    code = f"media-{outcome.lower().replace('_', '-')}"
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
    told = await report_of(connection, job_id)
    told["media"] = {**told.get("media", {}), **media}
    more = report.as_dict()
    told["totals"] = {
        name: told.get("totals", {}).get(name, 0) + count for name, count in more["totals"].items()
    }
    for name in ("total", "omitted"):
        told[name] = told.get(name, 0) + more[name]
    told["findings"] = _first([*told.get("findings", []), *more["findings"]])
    return told


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
