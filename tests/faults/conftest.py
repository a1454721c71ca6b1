"""Worker processes over the test servers."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.faults.service import Service, running_service
from tests.faults.workers import Workers


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    """Starts worker processes."""
    with Workers() as workers:
        yield workers


@pytest.fixture
async def service(
    workers: Workers, tmp_path: Path, database_url: str, redis_url: str
) -> AsyncIterator[Service]:
    """A service over the test servers, its files on local disk."""
    async with running_service(workers, tmp_path, database_url, redis_url) as service:
        yield service
