"""Public libraries for JSON:API save whole models, follow relationships, make and delete.

The programs in `json_api` check what they do, and fail if anything else changes."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonapi_client
import pytest
import requests
from tests.clients.conftest import NODE, install, run

FOLDER = Path(__file__).parent / "json_api"
TASK_SECONDS = 120
ENDED = {"SUCCESS", "FAILURE", "REVOKED"}
SCHEMA = {
    "session": {
        "properties": {
            "title": {"type": ["string", "null"]},
            "event": {"relation": "to-one", "resource": ["event"]},
            "speakers": {"relation": "to-many", "resource": ["speaker"]},
        }
    }
}


@pytest.fixture(scope="module")
def client(service: str, account: dict[str, str]) -> Iterator[httpx.Client]:
    """A client of the API, signed in."""
    with httpx.Client(base_url=service, trust_env=False, timeout=60) as client:
        body = {"email": account["EVENTIMPORT_EMAIL"], "password": account["EVENTIMPORT_PASSWORD"]}
        token = client.post("/v1/auth/session", json=body).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture(scope="module")
def event(client: httpx.Client, archive: Path) -> Iterator[str]:
    """The id of the example conference, imported; it has a copyright notice, too."""
    with archive.open("rb") as file:
        accepted = client.post("/v1/events/import/json", files={"file": file}).raise_for_status()
    deadline = time.monotonic() + TASK_SECONDS
    task: dict[str, Any] = {"state": "PENDING"}
    while task["state"] not in ENDED and time.monotonic() < deadline:
        task = client.get(accepted.json()["task_url"]).raise_for_status().json()
        time.sleep(0.1)
    assert task["state"] == "SUCCESS", task
    event_id = str(task["result"]["id"])
    if client.get(f"/v1/events/{event_id}/event-copyright").json()["data"] is None:
        body = {"data": {"type": "event-copyright", "attributes": {"holder": "Lantern"}}}
        client.post(
            f"/v1/events/{event_id}/event-copyright",
            content=json.dumps(body),
            headers={"Content-Type": "application/vnd.api+json"},
        ).raise_for_status()
    yield event_id
    client.delete(f"/v1/events/{event_id}").raise_for_status()


@pytest.fixture(scope="module")
def programs(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the programs, and the packages that they import."""
    folder = tmp_path_factory.mktemp("json-api")
    for program in FOLDER.glob("*.mjs"):
        (folder / program.name).write_text(program.read_text())
    (folder / "node_modules").symlink_to(install(FOLDER, pytestconfig, "json-api-libraries"))
    return folder


@pytest.mark.parametrize("name", ["jsona", "kitsu", "devour"])
def test_javascript(
    programs: Path, service: str, client: httpx.Client, event: str, name: str
) -> None:
    token = client.headers["Authorization"].removeprefix("Bearer ")
    printed = run(NODE / "bin" / "node", f"{name}.mjs", service, token, event, folder=programs)
    assert printed.startswith("saved with "), printed


def test_jsonapi_client(service: str, client: httpx.Client, event: str) -> None:
    headers = {"Authorization": client.headers["Authorization"]}
    session = jsonapi_client.Session(f"{service}/v1", request_kwargs={"headers": headers})
    sessions = list(
        session.iterate(f"events/{event}/sessions", jsonapi_client.Modifier("page[size]=5"))
    )
    assert len(sessions) == session.get(f"events/{event}/sessions").meta.total > 5
    talk = next(each for each in sessions if each.track is not None)
    assert talk.event.id == event
    assert {each.type for each in talk.speakers} <= {"speaker"}
    by_title = session.get(f"events/{event}/sessions", jsonapi_client.Filter(title=talk.title))
    assert talk.id in {each.id for each in by_title.resources}

    talk.title = "Saved with jsonapi-client"
    talk.commit()
    whole = jsonapi_client.Session(f"{service}/v1", request_kwargs={"headers": headers})
    read = whole.get(f"sessions/{talk.id}", jsonapi_client.Inclusion("speakers", "track")).resource
    assert read.title == "Saved with jsonapi-client"
    saved = requests.patch(
        read.url,
        json={"data": read.json},
        headers={**headers, "Content-Type": "application/vnd.api+json"},
        timeout=60,
    )
    assert saved.status_code == 200, saved.text
    assert "meta" not in saved.json()


async def test_jsonapi_client_makes_and_deletes(
    service: str, client: httpx.Client, event: str
) -> None:
    # Its own delete without asyncio fails at the empty body of a 204.
    headers = {"Authorization": client.headers["Authorization"]}
    session = jsonapi_client.Session(
        f"{service}/v1", enable_async=True, request_kwargs={"headers": headers}, schema=SCHEMA
    )
    try:
        speaker = (await session.get(f"events/{event}/speakers")).resources[0].id
        resource = await session.create_and_commit(
            "session", {"title": "Made", "event": event, "speakers": [speaker]}
        )
        linked = await session.get(f"sessions/{resource.id}/speakers")
        assert [each.id for each in linked.resources] == [speaker]
        resource.delete()
        await resource.commit()
        gone = await session.get("sessions", resource.id)
        assert gone.resource["deleted-at"] is not None
    finally:
        await session.close()
