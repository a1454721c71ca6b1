"""A running service that is told to stop while somebody watches an import."""

import json
from typing import Any

import httpx


def test_a_watched_task_ends_as_an_answer_should(
    service: Any, api: httpx.Client, task_url: str
) -> None:
    with api.stream("GET", f"{task_url}/events") as events:
        lines = events.iter_lines()
        first = json.loads(next(lines).removeprefix("data: "))
        service.stop()
        # An answer that the server had cut off would raise here.
        rest = [line for line in lines if line]

    assert first["state"] == "PENDING"
    assert rest == []
