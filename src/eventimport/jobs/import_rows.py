"""The rows that an import adds to those of its plan: who owns the event, which media to move."""

from eventimport.database.leases import Lease
from eventimport.database.models import MediaOutcome
from eventimport.openevent.plan import Plan, TableRows

OWNER = "owner"


def rows_of_import(plan: Plan, lease: Lease) -> list[TableRows]:
    """The owner's role, and the media: those that the archive names but does not hold have their
    outcome already."""
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
            (MediaOutcome.MISSING if item.missing else MediaOutcome.PLANNED).value,
        )
        for item in plan.media
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
    )
    return [
        TableRows("event_roles", ("event_id", "user_id", "role"), roles),
        TableRows("media_items", columns, media),
    ]
