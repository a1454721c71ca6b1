"""`eventimport clean-up`: runs the clean-up of the workers now."""

import asyncio
import json
from dataclasses import replace
from pkgutil import resolve_name
from typing import Annotated, Final

import typer

from eventimport.cli.console import fail, out

CLEAN_UP_ONCE: Final = "eventimport.jobs.clean_up:clean_up_once"
FAILED: Final = "failed"
INCOMPLETE: Final = 1

WORDS: Final = {
    "archive": "archives of imports",
    "export": "expired exports",
    "media": "media files that no event uses",
    "upload": "uploads that were deleted or never completed",
    "probe": "files that storages were tested with",
    "deleted_event": "events that were deleted DELETED_RETENTION_DAYS ago",
    "deleted_part": "parts of events that were deleted DELETED_RETENTION_DAYS ago",
    "old_mail": "records of old mails",
    "old_audit_entry": "entries of the audit log",
    "expired_sign_in": "expired sign-ins",
    "expired_link": "expired links in mails",
    "expired_idempotency_key": "idempotency keys",
    FAILED: "not removed; the next clean-up tries again",
}


def clean_up(
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Run the clean-up now. The workers run it every CLEAN_UP_INTERVAL.

    Shows what was removed. Exit status: 0 if all was removed, 1 if a storage could not remove some
    files, 2 if the database cannot be used.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from eventimport.cli.schema import require_schema
    from eventimport.observability import logs
    from eventimport.settings import load_settings

    settings = load_settings()
    require_schema(settings.database)
    logs.configure(replace(settings.logging, level="warning"))
    try:
        removed: dict[str, int] = asyncio.run(resolve_name(CLEAN_UP_ONCE)(settings))
    except (SQLAlchemyError, OSError) as error:
        fail(f"The database cannot be used ({type(error).__name__}). Check DATABASE_URL.")
    if as_json:
        out.print(json.dumps(removed), markup=False)
    else:
        for reason, count in removed.items():
            out.print(f"{count:>8,}  {WORDS[reason]}", markup=False)
        if not removed:
            out.print("There was nothing to remove.")
    if removed.get(FAILED):
        raise typer.Exit(INCOMPLETE)
