"""A running service that is told to stop while somebody watches an import."""

import json
from pathlib import Path
from typing import Any

import httpx

ACCOUNT = {"email": "ada@example.org", "password": "tea and cables"}
PATIENCE = 30.0


def test_a_watched_task_ends_as_an_answer_should(service: Any, example: Path) -> None:
    with httpx.Client(base_url=service.url, trust_env=False, timeout=PATIENCE) as client:
        client.post("/v1/users", json=ACCOUNT).raise_for_status()
        token = client.post("/v1/auth/session", json=ACCOUNT).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        with example.open("rb") as file:
            accepted = client.post("/v1/events/import/json", files={"file": file}).json()

        with client.stream("GET", f"{accepted['task_url']}/events") as events:
            lines = events.iter_lines()
            first = json.loads(next(lines).removeprefix("data: "))
            service.stop()
            # An answer that the server had cut off would raise here.
            rest = [line for line in lines if line]

    assert first["state"] == "PENDING"
    assert rest == []
