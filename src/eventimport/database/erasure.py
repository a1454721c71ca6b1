"""Erasing a person: the rows of a speaker, and the address and name wherever else they are kept.

Texts that people wrote, such as abstracts, lose the address; a name in them stays, because it may
be another person's.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Table,
    Text,
    and_,
    cast,
    delete,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.kinds import Kind
from eventimport.database.event_graph import NODES
from eventimport.database.event_versions import count_change
from eventimport.database.models import (
    IMPORT_JOBS,
    EventInvitation,
    ImportFinding,
    MediaItem,
    Notification,
    OutgoingMail,
    Task,
)
from eventimport.database.objects import (
    Unlinked,
    unlink_archive,
    unlink_exports_of_event,
    unlink_rows,
)

ERASED: Final = "[erased]"
SHORTEST_NAME: Final = 3
"""Shorter names are too common in other texts."""

_TASKS: Final[Table] = Task.__table__  # type: ignore[assignment]  # it is one


@dataclass(slots=True)
class Erased:
    """What was erased, counted by kind, and the files that are to be deleted after the commit."""

    counts: Counter[str] = field(default_factory=Counter)
    files: list[Unlinked] = field(default_factory=list)


async def erase_person(
    connection: AsyncConnection, email: str, *, event_id: int | None = None
) -> Erased:
    """Erase the person with this address from an event, or, without one, from the whole database
    except for an account. Imports and exports of the events lose their files, which have the person
    in them."""
    erased = Erased()
    speakers = NODES[Kind.SPEAKER].table
    of_event = true() if event_id is None else speakers.c.event_id == event_id
    is_person = func.lower(func.btrim(speakers.c.email)) == func.lower(email.strip())
    found = select(speakers.c.id, speakers.c.event_id, speakers.c.name).where(is_person, of_event)
    rows = (await connection.execute(found.order_by(speakers.c.event_id))).all()
    address = _address_pattern(email.strip())
    names = {row.name.strip() for row in rows}
    patterns = [address, *(_name_pattern(n) for n in sorted(names) if len(n) >= SHORTEST_NAME)]
    pattern = "|".join(f"(?:{each})" for each in patterns)
    events = {row.event_id for row in rows} | await _events_with(connection, address, event_id)
    for each in sorted(events):
        await count_change(connection, each)
    ids = [row.id for row in rows]
    erased.files += await unlink_rows(connection, speakers.name, ids)
    of_rows = and_(MediaItem.table_name == speakers.name, MediaItem.row_id.in_(ids))
    await connection.execute(delete(MediaItem).where(of_rows))
    await connection.execute(delete(speakers).where(speakers.c.id.in_(ids)))
    erased.counts["speakers"] = len(ids)
    for each in sorted(events):
        await _erase_from_event(connection, each, address, pattern, erased)
    await _erase_from_imports(connection, events, event_id, pattern, erased)
    invited = func.lower(EventInvitation.address) == func.lower(email.strip())
    if event_id is not None:
        invited = and_(invited, EventInvitation.event_id == event_id)
    erased.counts["invitations"] += (
        await connection.execute(delete(EventInvitation).where(invited))
    ).rowcount
    if event_id is None:
        to_person = func.lower(OutgoingMail.address) == func.lower(email.strip())
        erased.counts["mails"] += (
            await connection.execute(delete(OutgoingMail).where(to_person))
        ).rowcount
    return erased


async def _events_with(connection: AsyncConnection, pattern: str, event_id: int | None) -> set[int]:
    """The events with the address in a text or in `extra`."""
    found: set[int] = set()
    for kind, node in NODES.items():
        key = node.table.c.id if kind is Kind.EVENT else node.table.c.event_id
        of_event = true() if event_id is None else key == event_id
        texts = or_(*(_matches(column, pattern) for column in _texts(node.table)))
        found.update(await connection.scalars(select(key).where(of_event, texts).distinct()))
    return found


async def _erase_from_event(
    connection: AsyncConnection, event_id: int, address: str, pattern: str, erased: Erased
) -> None:
    for kind, node in NODES.items():
        table = node.table
        key = table.c.id if kind is Kind.EVENT else table.c.event_id
        for column in _texts(table):
            is_json = isinstance(column.type, JSONB)
            erased.counts["texts"] += await _replace(
                connection, table, column, pattern if is_json else address, key == event_id
            )
    erased.files += await unlink_exports_of_event(connection, event_id)


async def _erase_from_imports(
    connection: AsyncConnection,
    events: set[int],
    event_id: int | None,
    pattern: str,
    erased: Erased,
) -> None:
    """Archives, reports, findings and notifications: of all imports, or of the event's."""
    jobs = select(IMPORT_JOBS.c.id).where(
        true() if event_id is None else IMPORT_JOBS.c.event_id == event_id
    )
    findings = ImportFinding.__table__
    named = select(ImportFinding.import_job_id).where(
        ImportFinding.import_job_id.in_(jobs), _matches(findings.c.content, pattern)
    )
    chosen = select(IMPORT_JOBS.c.id).where(
        IMPORT_JOBS.c.archive_key.is_not(None),
        or_(
            IMPORT_JOBS.c.event_id.in_(events),
            IMPORT_JOBS.c.id.in_(named),
            and_(IMPORT_JOBS.c.id.in_(jobs), _matches(IMPORT_JOBS.c.report, pattern)),
        ),
    )
    for job_id in (await connection.scalars(chosen)).all():
        files = await unlink_archive(connection, job_id)
        erased.counts["archives"] += len(files)
        erased.files += files
    for table, column, own in (
        (IMPORT_JOBS, IMPORT_JOBS.c.report, IMPORT_JOBS.c.id.in_(jobs)),
        (findings, findings.c.content, findings.c.import_job_id.in_(jobs)),
        (_TASKS, _TASKS.c.errors, _TASKS.c.id.in_(jobs)),
    ):
        erased.counts["reports"] += await _replace(connection, table, column, pattern, own)
    notes = Notification.__table__
    for column in (notes.c.title, notes.c.message):
        own = notes.c.import_job_id.in_(jobs)
        erased.counts["notifications"] += await _replace(connection, notes, column, pattern, own)


def _texts(table: Any) -> Sequence[ColumnElement[Any]]:
    """The columns that may have an address in them; a `jsonb` one is looked through as text."""
    keys = {"identifier", "source_id"}
    return [
        column
        for column in table.c
        if isinstance(column.type, (Text, JSONB)) and column.name not in keys
    ]


def _matches(column: Any, pattern: str) -> ColumnElement[bool]:
    return cast(column, Text).op("~*")(pattern)


async def _replace(
    connection: AsyncConnection, table: Any, column: Any, pattern: str, which: ColumnElement[bool]
) -> int:
    """Replace what matches; returns in how many rows."""
    text = func.regexp_replace(cast(column, Text), pattern, ERASED, "gi")
    value = cast(text, JSONB) if isinstance(column.type, JSONB) else text
    statement = update(table).where(which, _matches(column, pattern)).values({column.name: value})
    return (await connection.execute(statement)).rowcount


def _address_pattern(email: str) -> str:
    """Matches the address, and no longer one that ends or begins with it."""
    return rf"(?<![\w.+-]){_escaped(email)}(?![\w-]|\.\w)"


def _name_pattern(name: str) -> str:
    return rf"(?<!\w){_escaped(name)}(?!\w)"


def _escaped(text: str) -> str:
    """The text as a regular expression of PostgreSQL that matches it inside JSON."""
    inside = json.dumps(text, ensure_ascii=False)[1:-1]
    return re.sub(r"([^\w\s])", r"\\\1", inside)
