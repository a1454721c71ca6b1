"""Imports side by side, from archives whose ids overlap: nothing of one gets into another."""

import pytest
from tests.faults.service import Service

from eventimport.database.models import ImportStatus


@pytest.mark.parametrize("count", [2, 8])
async def test_imports_at_once_by_two_workers(service: Service, count: int) -> None:
    jobs = {await service.accept(number): number for number in range(count)}
    for _ in range(2):
        await service.worker(WORKER_JOBS="4")
    for job_id in jobs:
        assert (await service.ended(job_id)).status == ImportStatus.SUCCESS
    assert await service.violations(jobs) == []
