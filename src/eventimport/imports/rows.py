"""The rows that an import adds to those of its plan: who owns the event, which media to move."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from eventimport.conference.plan import Plan, PlannedMedia, TableRows
from eventimport.database.models import MediaOutcome
from eventimport.database.tasks import Lease
from eventimport.imports.early_media import EarlyItem

OWNER = "owner"

_NOTHING: Final = (None, None, None)


def rows_of_import(plan: Plan, lease: Lease, stored: Sequence[EarlyItem] = ()) -> list[TableRows]:
    """The owner's role, and the media: those that the archive names but does not hold have their
    outcome already. `stored` are the media that a strict import has stored by now."""
    roles = [(plan.event_id, lease.user_id, OWNER)]
    media = [
        (
            lease.job_id,
            plan.event_id,
            item.table,
            item.row_id,
            item.field,
            item.source,
            item.origin,
            item.media_type,
            item.entry,
            *_outcome(item, stored[number] if stored else None),
        )
        for number, item in enumerate(plan.media)
    ]
    columns = (
        "import_job_id",
        "event_id",
        "table_name",
        "row_id",
        "field",
        "source",
        "origin",
        "media_type",
        "entry",
        "outcome",
        "url",
        "size",
        "moved_at",
    )
    return [
        TableRows("event_roles", ("event_id", "user_id", "role"), roles),
        TableRows("media_items", columns, media),
    ]


def _outcome(item: PlannedMedia, stored: EarlyItem | None) -> tuple[Any, ...]:
    if stored is not None and stored.outcome == MediaOutcome.MOVED:
        now = datetime.now(UTC)
        return (MediaOutcome.MOVED.value, stored.url, stored.size, now)
    return ((MediaOutcome.MISSING if item.missing else MediaOutcome.PLANNED).value, *_NOTHING)
