"""Thousands of mutated archives: each ends as a plan, or as errors that explain why there is none.

FUZZ_CASES says how many there are; they are the same ones each time.
"""

import json
import os
import resource
from typing import Any, Final
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.conftest import MakeUser
from tests.fuzz.mutations import KINDS, mutant
from tests.fuzz.reading import check_told, outcome_of

from eventimport.conference.plan import TableRows
from eventimport.database.conference_writer import draw_ids, write_plan
from eventimport.database.tasks import Lease
from eventimport.imports.run import rows_of_import

CASES: Final = int(os.environ.get("FUZZ_CASES", "2000"))
BATCH: Final = 100
WRITTEN: Final = CASES // 13
MEMORY: Final = 512 * 1024
"""KiB by which a batch may raise the most that the process ever held."""

BATCHES: Final = [
    (kind, start) for kind in KINDS for start in range(0, max(1, CASES // len(KINDS)), BATCH)
]


@pytest.mark.without_coverage
@pytest.mark.parametrize(("kind", "start"), BATCHES)
def test_every_mutant_ends_as_a_plan_or_as_errors(kind: str, start: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(start, start + BATCH):
        try:
            outcome = outcome_of(mutant(kind, seed))
            check_told(outcome.report)
        except Exception as error:  # noqa: BLE001 - told with its seed
            pytest.fail(f"mutant({kind!r}, {seed}): {error!r}")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY


@pytest.mark.parametrize("kind", KINDS)
def test_mutants_are_neither_all_good_nor_all_bad(kind: str) -> None:
    """Else one half of the reader would never be reached."""
    good = sum(outcome_of(mutant(kind, seed)).plan is not None for seed in range(BATCH))
    assert 0 < good < BATCH


async def test_the_database_takes_whatever_was_planned(
    engine: AsyncEngine, make_user: MakeUser
) -> None:
    user = await make_user()
    written = seed = 0
    while written < WRITTEN:
        outcome = outcome_of(mutant("values", seed))
        seed += 1
        if outcome.plan is None:
            continue
        written += 1
        job_id = uuid4()
        lease = Lease(
            task_id=job_id,
            attempt=1,
            user_id=user.id,
            format="openevent",
            strict=False,
            dry_run=False,
            archive_storage="local",
            archive_key="",
            event_id=None,
        )
        plan = outcome.plan
        told = {"media": plan.media_report(), **outcome.report.as_dict()}
        async with engine.connect() as connection:
            for statement in (
                "INSERT INTO tasks (id, kind, user_id) VALUES (:id, 'import', :user)",
                "INSERT INTO import_jobs (id, report) VALUES (:id, :report)",
            ):
                named = {"id": job_id, "user": user.id, "report": json.dumps(told)}
                await connection.execute(text(statement), named)
            try:
                await write_plan(connection, [*plan.tables, *rows_of_import(plan, lease)])
            except Exception as error:  # noqa: BLE001 - told with its seed
                pytest.fail(f"mutant('values', {seed - 1}): {error!r}")
            await connection.rollback()


async def test_rows_that_are_written_are_read_again(engine: AsyncEngine) -> None:
    """That the sample above writes at all."""
    outcome = next(
        found for seed in range(BATCH) if (found := outcome_of(mutant("values", seed))).plan
    )
    assert outcome.plan is not None
    tables: list[TableRows] = outcome.plan.tables
    async with engine.connect() as connection:
        await write_plan(connection, tables)
        for rows in tables:
            count: Any = await connection.scalar(text(f"SELECT count(*) FROM {rows.table}"))
            assert count == len(rows.rows)
        await connection.rollback()
    async with engine.begin() as connection:
        assert len((await draw_ids(connection, {"events": 2}))["events"]) == 2
