"""What is deleted is for the event's owner, who can restore it."""

from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from tests.web.events.conftest import MEDIA_TYPE, NOON, Conference

from eventimport.database import models
from eventimport.database.models import User

MODELS: dict[str, Any] = {
    "sessions": models.EventSession,
    "speakers": models.Speaker,
    "sponsors": models.Sponsor,
    "tracks": models.Track,
    "microlocations": models.Microlocation,
    "session-types": models.SessionType,
    "social-links": models.SocialLink,
}


@pytest.mark.parametrize("path", MODELS)
async def test_a_deleted_record_is_for_the_owner_who_restores_it(
    service: Any,
    make_user: Any,
    user: User,
    write_conference: Any,
    *,
    session_factory: async_sessionmaker[AsyncSession],
    path: str,
) -> None:
    conference: Conference = await write_conference(2, identifier="with-deleted")
    async with session_factory.begin() as session:
        model = MODELS[path]
        await session.execute(
            update(model).where(model.id == conference.ids[path][0]).values(deleted_at=NOON)
        )
    owner, other = await service.client(user), await service.client(await make_user())
    url, list_url = conference.url(path), f"/v1/events/{conference.id}/{path}"

    assert (await other.get(url)).status_code == 404
    assert len((await other.get(list_url)).json()["data"]) == 1
    assert len((await owner.get(list_url)).json()["data"]) == 2
    resource = (await owner.get(url)).json()["data"]
    assert resource["attributes"]["deleted-at"] == "2027-03-19T12:00:00Z"

    body = {
        "data": {
            "type": resource["type"],
            "id": resource["id"],
            "attributes": {"deleted-at": None},
        }
    }
    answer = await owner.patch(url, json=body, headers={"Content-Type": MEDIA_TYPE})
    assert answer.status_code == 200, answer.text
    assert (await other.get(url)).status_code == 200


async def test_a_deleted_event_is_for_the_owner(
    service: Any,
    make_user: Any,
    user: User,
    write_conference: Any,
    session_factory: async_sessionmaker[AsyncSession],
) -> None:
    conference: Conference = await write_conference(1, identifier="deleted")
    async with session_factory.begin() as session:
        event = update(models.Event).where(models.Event.id == conference.id)
        await session.execute(event.values(deleted_at=NOON))
    owner, other = await service.client(user), await service.client(await make_user())

    for url in (conference.url("events"), conference.url("sessions"), "/events/deleted"):
        assert (await other.get(url)).status_code == 404, url
    assert (await owner.get(conference.url("sessions"))).status_code == 200
