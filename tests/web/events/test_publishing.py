"""An event is public when its owner publishes it, whatever its source says."""

import json
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from tests.web.events.conftest import NOON, Conference

from eventimport.database import models
from eventimport.database.audit import AuditFilter, list_acts
from eventimport.database.models import EventRole, User
from eventimport.http.events.publication import PublicationDocument
from eventimport.imports.run import run_import


async def statuses(client: httpx.AsyncClient, conference: Conference) -> set[int]:
    """How a client sees an event: itself, a part, and its page."""
    urls = (
        f"/v1/events/{conference.id}",
        conference.url("sessions"),
        f"/events/{conference.identifier}",
    )
    return {(await client.get(url)).status_code for url in urls}


async def test_the_owner_publishes_and_takes_it_back(
    service: Any,
    user: User,
    write_conference: Any,
    session_factory: async_sessionmaker[AsyncSession],
) -> None:
    conference = await write_conference(3, identifier="news", published_at=None)
    sessions = conference.ids["sessions"]
    table = models.EventSession
    async with session_factory.begin() as session:
        changes: list[dict[str, Any]]
        changes = [{"state": "submitted"}, {"deleted_at": NOON}, {"state": "accepted"}]
        for row_id, values in zip(sessions, changes, strict=True):
            await session.execute(update(table).where(table.id == row_id).values(**values))
    owner, stranger = await service.client(user), await service.client()
    url = f"/v1/events/{conference.id}"
    before = (await owner.get(url)).headers["etag"]
    assert await statuses(stranger, conference) == {404}

    answer = await owner.post(f"{url}/publish", headers={"If-Match": before})
    document = answer.json()
    PublicationDocument.model_validate(document)
    assert document["data"]["attributes"]["published-at"] is not None
    assert document["meta"] == {
        "url": "https://events.example/events/news",
        "hidden": [
            {"reason": "state", "state": "submitted", "sessions": 1},
            {"reason": "deleted", "state": "", "sessions": 1},
        ],
    }
    assert (await stranger.get(url)).json()["data"]["attributes"]["published-at"]
    assert (await owner.post(f"{url}/unpublish", headers={"If-Match": before})).status_code == 412
    again = await owner.post(f"{url}/publish", headers={"If-Match": answer.headers["etag"]})
    assert again.json()["data"] == document["data"]

    taken_back = await owner.post(f"{url}/unpublish")
    assert taken_back.json()["data"]["attributes"]["published-at"] is None
    async with service.resources.engine.connect() as connection:
        acts, _ = await list_acts(connection, AuditFilter(subject_kind="event"), limit=10)
    assert [(act.action, act.actor_id) for act in acts] == [
        ("unpublish", user.id),
        ("publish", user.id),
    ]
    assert await statuses(stranger, conference) == {404}


CASES: list[tuple[dict[str, Any], int]] = [
    ({"state": None}, 200),
    ({"state": "published"}, 200),
    ({"state": "cancelled"}, 200),
    ({"state": "draft"}, 409),
    ({"privacy": "private"}, 409),
    ({"privacy": "members", "state": "published"}, 409),
    ({"deleted_at": NOON}, 409),
]


async def test_what_the_source_marks_needs_a_confirmation(
    service: Any, user: User, make_user: Any, write_conference: Any
) -> None:
    owner, admin = await service.client(user), await service.client(await make_user(is_admin=True))
    for values, status in CASES:
        conference = await write_conference(1, **{"published_at": None, "state": None, **values})
        url = f"/v1/events/{conference.id}"
        answer = await owner.post(f"{url}/publish")
        assert answer.status_code == status, (values, answer.text)
        if status == 200:
            continue
        (error,) = answer.json()["errors"]
        is_deleted = "deleted_at" in values
        assert error["code"] == ("event-deleted" if is_deleted else "confirmation-required")
        assert is_deleted or "confirm=true" in error["detail"]
        confirmed = await admin.post(f"{url}/publish?confirm=true")
        assert confirmed.status_code == (409 if is_deleted else 200), values
        if not is_deleted:
            attributes = confirmed.json()["data"]["attributes"]
            assert attributes["state"] == values.get("state")
            assert attributes["privacy"] == values.get("privacy", "public")
            # What is published stays so: the owner has confirmed it.
            assert (await owner.post(f"{url}/publish")).status_code == 200


@pytest.mark.parametrize("role", ["editor", "viewer"])
async def test_other_members_see_but_do_not_publish(
    service: Any,
    make_user: Any,
    write_conference: Any,
    session_factory: async_sessionmaker[AsyncSession],
    role: str,
) -> None:
    other = await make_user()
    conference = await write_conference(1, identifier="team", published_at=None)
    async with session_factory.begin() as session:
        session.add(EventRole(event_id=conference.id, user_id=other.id, role=role))
    member = await service.client(other)
    url = f"/v1/events/{conference.id}"

    speaker = (await member.get(conference.url("speakers"))).json()["data"]["attributes"]
    assert ("email" in speaker) is (role == "editor")
    preview = (await member.post("/v1/events/team/preview")).json()["url"]
    assert (await member.get(preview)).status_code == 200
    for method, path in (("POST", "/publish"), ("POST", "/unpublish"), ("DELETE", "")):
        assert (await member.request(method, url + path)).status_code == 403, path
    body = {"data": {"type": "event", "id": str(conference.id), "attributes": {"name": "New"}}}
    headers = {"Content-Type": "application/vnd.api+json"}
    changed = await member.patch(url, json=body, headers=headers)
    assert changed.status_code == (200 if role == "editor" else 403)


IMPORTS: list[tuple[dict[str, Any], str, bool]] = [
    ({}, "", False),
    ({"state": "published", "privacy": "public"}, "", False),
    ({}, "?publish=true", True),
    ({"state": "draft"}, "?publish=true", False),
    ({"privacy": "private"}, "?publish=true", False),
    ({"state": "draft", "privacy": "private"}, "?publish=true&confirm=true", True),
]


async def test_an_import_publishes_if_it_is_asked_to(
    service: Any, user_client: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    for values, query, published in IMPORTS:
        event = {"id": 1, "name": "Tea", "timezone": "UTC", **values}
        data = json.dumps({"event": event}).encode()
        accepted = await user_client.post(
            f"/v1/events/import/json{query}", files={"file": ("event.json", data)}
        )
        task_url = accepted.json()["task_url"]
        await run_import(service.resources, UUID(task_url.rpartition("/")[2]))
        result = (await user_client.get(task_url)).json()["result"]

        assert result["report"]["total"] == 0, (values, result["report"])
        access = result["access"]
        assert access["published"] is published, (values, query)
        seen = await client.get(f"/events/{result['identifier']}")
        assert seen.status_code == (200 if published else 404)
        own = (await user_client.get(f"/v1/events/{result['id']}")).json()["data"]["attributes"]
        assert (own["state"], own["privacy"]) == (
            values.get("state"),
            values.get("privacy", "public"),
        )
        if not published:
            assert "signed in" in access["detail"]
            assert ("?confirm=true" in access["detail"]) is bool(
                values and values.get("state") != "published"
            )
            preview = (await user_client.post(access["preview"])).json()["url"]
            assert (await client.get(preview)).status_code == 200
            notes = (await user_client.get("/v1/notifications")).json()["data"]
            assert "not published yet" in notes[0]["attributes"]["message"]
            published_now = await user_client.post(f"{access['publish']}?confirm=true")
            assert published_now.status_code == 200
            assert (await user_client.get(task_url)).json()["result"]["access"]["published"] is True
