"""A running service that is told to stop while somebody watches an import."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.browser.conftest import Processes, running_api


@pytest.fixture
def service(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Processes]:
    """An API that the test can stop."""
    with running_api(database_url, redis_url, tmp_path) as processes:
        yield processes


def test_a_watched_task_ends_as_an_answer_should(
    service: Processes, api: httpx.Client, task_url: str
) -> None:
    with api.stream("GET", f"{task_url}/events") as events:
        lines = events.iter_lines()
        first = json.loads(next(lines).removeprefix("data: "))
        service.stop()
        # An answer that the server had cut off would raise here.
        rest = [line for line in lines if line]

    assert first["state"] == "PENDING"
    assert rest == []
