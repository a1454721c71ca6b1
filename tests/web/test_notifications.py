"""Notifications over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from eventimport.database.models import ImportJob, Notification, User

PATH = "/v1/notifications"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def add_notifications(session_factory: async_sessionmaker[AsyncSession]) -> Any:
    """Writes notifications of a user, one an hour, and gives back their ids, newest first."""

    async def add(user: User, *read: bool, **values: Any) -> list[str]:
        notifications = [
            Notification(
                user_id=user.id,
                title=f"Title {hours}",
                message="Message",
                is_read=is_read,
                created_at=NOW - timedelta(hours=hours),
                **values,
            )
            for hours, is_read in enumerate(read)
        ]
        async with session_factory.begin() as session:
            session.add_all(notifications)
        return [str(notification.id) for notification in notifications]

    return add


def patch_of(notification_id: str, **attributes: Any) -> dict[str, Any]:
    """The document that changes a notification."""
    return {
        "data": {"type": "notification", "id": notification_id, "attributes": attributes},
    }


async def listed(client: httpx.AsyncClient, query: str = "") -> tuple[list[str], dict[str, int]]:
    """The ids of a page, and its `meta`."""
    response = await client.get(f"{PATH}{query}")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/vnd.api+json"
    document = response.json()
    return [resource["id"] for resource in document["data"]], document["meta"]


async def test_there_may_be_none(user_client: httpx.AsyncClient) -> None:
    assert await listed(user_client) == (
        [],
        {"total": 0, "count": 0, "pages": 0, "unread-count": 0},
    )


async def test_the_newest_comes_first_page_by_page(
    user_client: httpx.AsyncClient, user: User, add_notifications: Any
) -> None:
    ids = await add_notifications(user, False, True, False)

    first = await user_client.get(f"{PATH}?page[size]=2")
    second = await user_client.get(first.json()["links"]["next"])

    seen = [resource["id"] for page in (first, second) for resource in page.json()["data"]]
    assert seen == ids
    assert first.json()["meta"] == {"total": 3, "count": 3, "pages": 2, "unread-count": 2}


async def test_read_ones_and_unread_ones_can_be_asked_for(
    user_client: httpx.AsyncClient, user: User, add_notifications: Any
) -> None:
    ids = await add_notifications(user, False, True, False)

    unread = await listed(user_client, "?filter[is-read]=false")
    read = await listed(user_client, "?filter[is-read]=true")

    assert unread == ([ids[0], ids[2]], {"total": 2, "count": 2, "pages": 1, "unread-count": 2})
    assert read == ([ids[1]], {"total": 1, "count": 1, "pages": 1, "unread-count": 2})


@pytest.mark.parametrize("query", ["filter[is-read]=perhaps", "filter[read]=true", "sort=title"])
async def test_a_query_that_cannot_be_met_is_refused(
    user_client: httpx.AsyncClient, query: str
) -> None:
    response = await user_client.get(f"{PATH}?{query}")

    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["source"] == {"parameter": query.partition("=")[0]}


@pytest.mark.parametrize(
    ("status", "url"),
    [("SUCCESS", "https://events.example/events/abc"), ("FAILURE", None)],
)
async def test_a_notification_leads_to_the_event(
    *,
    user_client: httpx.AsyncClient,
    user: User,
    add_notifications: Any,
    session_factory: async_sessionmaker[AsyncSession],
    status: str,
    url: str | None,
) -> None:
    job = ImportJob(id=uuid4(), user_id=user.id, status=status, event_identifier="abc")
    async with session_factory.begin() as session:
        session.add(job)
    (notification_id,) = await add_notifications(user, False, import_job_id=job.id)

    response = await user_client.get(f"{PATH}/{notification_id}")

    assert response.json()["data"] == {
        "type": "notification",
        "id": notification_id,
        "attributes": {
            "title": "Title 0",
            "message": "Message",
            "is-read": False,
            "created-at": "2026-03-01T00:00:00Z",
            "import-job-id": str(job.id),
            "event-url": url,
        },
        "links": {"self": f"{PATH}/{notification_id}"},
    }


async def test_it_can_be_marked_read_and_unread(
    user_client: httpx.AsyncClient, user: User, add_notifications: Any
) -> None:
    changed, other = await add_notifications(user, False, False)
    url = f"{PATH}/{changed}"

    for is_read, unread_count in ((True, 1), (True, 1), (False, 2)):
        response = await user_client.patch(url, json=patch_of(changed, **{"is-read": is_read}))

        assert response.status_code == 200
        assert response.json()["data"]["attributes"]["is-read"] is is_read
        assert (await user_client.get(url)).json() == response.json()
        assert (await listed(user_client))[1]["unread-count"] == unread_count
    assert (await user_client.get(f"{PATH}/{other}")).json()["data"]["attributes"][
        "is-read"
    ] is False


async def test_jsonapi_may_be_the_type_of_the_body(
    user_client: httpx.AsyncClient, user: User, add_notifications: Any
) -> None:
    (notification_id,) = await add_notifications(user, False)

    response = await user_client.patch(
        f"{PATH}/{notification_id}",
        json=patch_of(notification_id, **{"is-read": True}),
        headers={"Content-Type": "application/vnd.api+json"},
    )

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "pointer"),
    [
        ({"type": "message"}, 409, "/data/type"),
        ({"id": "0"}, 409, "/data/id"),
        ({"attributes": {"is-read": "yes"}}, 422, "/data/attributes/is-read"),
        ({"attributes": {"is-read": None}}, 422, "/data/attributes/is-read"),
        ({"attributes": {}}, 422, "/data/attributes/is-read"),
        ({"attributes": {"is-read": True, "title": "T"}}, 422, "/data/attributes/title"),
    ],
)
async def test_a_wrong_change_changes_nothing(
    *,
    user_client: httpx.AsyncClient,
    user: User,
    add_notifications: Any,
    change: dict[str, Any],
    status: int,
    pointer: str,
) -> None:
    (notification_id,) = await add_notifications(user, False)
    data = patch_of(notification_id, **{"is-read": True})["data"] | change

    response = await user_client.patch(f"{PATH}/{notification_id}", json={"data": data})

    assert response.status_code == status
    (error,) = response.json()["errors"]
    assert error["source"] == {"pointer": pointer}
    assert (await listed(user_client))[1]["unread-count"] == 1


async def test_nobody_changes_those_of_others(
    service: Any, user: User, make_user: Any, add_notifications: Any
) -> None:
    (notification_id,) = await add_notifications(user, False)
    owner = await service.client(user)

    for stranger in (await make_user(), await make_user(is_admin=True)):
        client = await service.client(stranger)
        url = f"{PATH}/{notification_id}"
        patched = await client.patch(url, json=patch_of(notification_id, **{"is-read": True}))
        read_all = await client.post(f"{PATH}/mark-all-read")

        assert (patched.status_code, read_all.status_code) == (404, 204)
        assert (await client.get(url)).status_code == 404
        assert await listed(client) == ([], {"total": 0, "count": 0, "pages": 0, "unread-count": 0})
    assert (await listed(owner))[1]["unread-count"] == 1


async def test_all_can_be_marked_read_at_once(
    user_client: httpx.AsyncClient, user: User, add_notifications: Any
) -> None:
    await add_notifications(user, False, True, False)

    response = await user_client.post(f"{PATH}/mark-all-read")

    assert (response.status_code, response.content) == (204, b"")
    assert (await listed(user_client))[1] == {"total": 3, "count": 3, "pages": 1, "unread-count": 0}


@pytest.mark.parametrize("notification_id", ["0", "x", "99999999999999999999", "mark-all-read"])
async def test_there_is_no_such_notification(
    user_client: httpx.AsyncClient, notification_id: str
) -> None:
    assert (await user_client.get(f"{PATH}/{notification_id}")).status_code == 404
