"""Deleting for a while and take-down: who sees what, and where the files are."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from tests.stored_files import store

from eventimport.database import models
from eventimport.database.models import ObjectPurpose, User
from eventimport.jobs.clean_up import clean_up
from eventimport.settings import Settings
from eventimport.storage.keys import withdrawn_key

NAME = "Tea"


@pytest.fixture
async def event(user: User, session_factory: async_sessionmaker[AsyncSession]) -> models.Event:
    """A published event of the user's."""
    row = models.Event(identifier="ab3de6f0", name=NAME, published_at=func.now())
    async with session_factory.begin() as session:
        session.add(row)
        await session.flush()
        session.add(models.EventRole(event_id=row.id, user_id=user.id))
    return row


class Files:
    """A media file of an event and an upload of a user, as strangers get them."""

    def __init__(self, root: Path, stranger: httpx.AsyncClient, media: str, upload: str) -> None:
        self.root, self.stranger, self.media, self.upload = root, stranger, media, upload

    async def served(self, key: str) -> bool:
        """Whether a stranger gets the file; it lies where its address says, or only privately."""
        status = (await self.stranger.get(f"/media/{key}")).status_code
        assert (self.root / key).exists() is (status == 200), status
        return status == 200

    def stored(self) -> set[str]:
        """All files of the storage."""
        files = (path for path in self.root.rglob("*") if path.is_file())
        return {str(path.relative_to(self.root)) for path in files}


@pytest.fixture
async def files(service: Any, settings: Settings, user: User, event: models.Event) -> Files:
    use = {"event_id": event.id, "table_name": "events", "row_id": event.id, "field": "logo_url"}
    media = await store(
        service.resources, f"events/{event.id}/x/a.txt", ObjectPurpose.MEDIA, used_by=use
    )
    upload = await store(
        service.resources,
        f"uploads/{user.id}/x/b.txt",
        ObjectPurpose.UPLOAD,
        user_id=user.id,
        used_by={"user_id": user.id},
    )
    return Files(settings.local_storage_path, await service.client(), media, upload)


async def sees(client: httpx.AsyncClient, event: models.Event) -> set[int]:
    """How a client sees the event and its page."""
    urls = (f"/v1/events/{event.id}", f"/events/{event.identifier}")
    return {(await client.get(url)).status_code for url in urls}


async def test_a_deleted_event_can_be_restored_for_a_while(
    service: Any,
    user: User,
    make_user: Any,
    *,
    event: models.Event,
    files: Files,
    session_factory: async_sessionmaker[AsyncSession],
) -> None:
    owner, other = await service.client(user), await service.client(await make_user())
    url = f"/v1/events/{event.id}"
    preview = (await owner.post(f"/v1/events/{event.identifier}/preview")).json()["url"]

    assert (await owner.delete(url)).status_code == 204
    for client in (owner, other, files.stranger):
        assert await sees(client, event) == {404}
        assert event.name not in (await client.get("/v1/events")).text
        assert (await client.get(preview)).status_code == 404
    assert not await files.served(files.media)
    assert await files.served(files.upload)
    assert [len((await c.get("/v1/deleted-events")).json()["data"]) for c in (owner, other)] == [
        *(1, 0)
    ]
    assert (await other.post(f"{url}/restore")).status_code == 404
    await clean_up(service.resources)

    assert (await owner.post(f"{url}/restore")).status_code == 204
    assert await sees(files.stranger, event) == {200}
    assert await files.served(files.media)
    assert (await owner.post(f"{url}/restore")).status_code == 404

    assert (await owner.delete(url)).status_code == 204
    async with session_factory.begin() as session:
        past = func.now() - timedelta(days=31)
        await session.execute(update(models.Event).values(deleted_at=past))
    counts = await clean_up(service.resources)
    assert counts["deleted_event"] == 1
    assert files.stored() == {files.upload}
    assert (await owner.post(f"{url}/restore")).status_code == 404
    async with session_factory() as session:
        assert await session.scalar(select(func.count()).select_from(models.Event)) == 0


async def test_only_what_was_deleted_here_is_removed_after_a_while(
    service: Any, event: models.Event, session_factory: async_sessionmaker[AsyncSession]
) -> None:
    past = func.now() - timedelta(days=31)
    async with session_factory.begin() as session:
        for title, here in (("in the source", False), ("here", True), ("lately", True)):
            at = func.now() if title == "lately" else past
            row = models.EventSession(
                event_id=event.id, title=title, deleted_at=at, deleted_here=here
            )
            session.add(row)
    counts = await clean_up(service.resources)
    assert counts["deleted_part"] == 1
    async with session_factory() as session:
        titles = await session.scalars(select(models.EventSession.title))
        assert set(titles) == {"in the source", "lately"}


async def test_the_files_of_a_deleted_part_are_not_served(
    service: Any,
    user: User,
    make_user: Any,
    *,
    event: models.Event,
    files: Files,
    session_factory: async_sessionmaker[AsyncSession],
) -> None:
    owner, editor = await service.client(user), await service.client(helper := await make_user())
    async with session_factory.begin() as session:
        session.add(models.EventRole(event_id=event.id, user_id=helper.id, role="editor"))
        speaker = models.Speaker(event_id=event.id, name="Ada")
        session.add(speaker)
    use = {"event_id": event.id, "table_name": "speakers", "field": "photo_url"}
    photo = await store(
        service.resources,
        f"events/{event.id}/s/c.txt",
        ObjectPurpose.MEDIA,
        used_by={**use, "row_id": speaker.id},
    )
    headers = {"Content-Type": "application/vnd.api+json"}

    async def restore(client: httpx.AsyncClient, kind: str, row_id: int, at: Any = None) -> int:
        data = {"type": kind, "id": str(row_id), "attributes": {"deleted-at": at}}
        url = f"/v1/{kind}s/{row_id}"
        return (await client.patch(url, json={"data": data}, headers=headers)).status_code

    assert (await editor.delete(f"/v1/speakers/{speaker.id}")).status_code == 204
    assert [await files.served(key) for key in (photo, files.media)] == [False, True]
    await clean_up(service.resources)
    assert not await files.served(photo)
    assert await restore(editor, "speaker", speaker.id) == 200
    assert await files.served(photo)

    # Deleting the whole event is for its owner.
    assert await restore(editor, "event", event.id, "2027-01-01T00:00:00Z") == 403
    assert await sees(files.stranger, event) == {200}
    assert await restore(owner, "event", event.id, "2027-01-01T00:00:00Z") == 200
    assert not await files.served(files.media)


async def test_a_take_down_hides_the_event_and_its_files(
    service: Any, user: User, make_user: Any, event: models.Event, files: Files
) -> None:
    owner, admin = await service.client(user), await service.client(await make_user(is_admin=True))
    url = f"/v1/events/{event.id}"
    preview = (await owner.post(f"/v1/events/{event.identifier}/preview")).json()["url"]
    body = {"reason": "Copied photos"}
    for client, status in ((owner, 403), (files.stranger, 401), (admin, 204)):
        assert (await client.post(f"{url}/take-down", json=body)).status_code == status
    assert (await admin.post(f"/v1/events/{2**62}/take-down", json=body)).status_code == 404
    assert (await admin.post(f"{url}/take-down", json={"reason": " "})).status_code == 422

    assert await sees(files.stranger, event) == {404}
    assert (await files.stranger.get(preview)).status_code == 404
    assert not await files.served(files.media)
    assert files.stored() == {files.upload, withdrawn_key(files.media)}
    own = (await owner.get(url)).json()["data"]["attributes"]
    assert own["taken-down-reason"] == "Copied photos"
    notes = (await owner.get("/v1/notifications")).json()["data"]
    assert "Copied photos" in notes[0]["attributes"]["message"]
    answer = await owner.post(f"{url}/publish")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "event-taken-down")

    assert (await owner.post(f"{url}/reinstate")).status_code == 403
    assert (await admin.post(f"{url}/reinstate")).status_code == 204
    assert await sees(files.stranger, event) == {200}
    assert await files.served(files.media)
    assert "taken-down-reason" not in (await files.stranger.get(url)).text


async def test_a_take_down_of_a_user_hides_all_uploads(
    service: Any, user: User, make_user: Any, event: models.Event, files: Files
) -> None:
    owner, admin = await service.client(user), await service.client(await make_user(is_admin=True))
    url = f"/v1/users/{user.id}"
    body = {"reason": "Malware"}
    assert (await owner.post(f"{url}/take-down-files", json=body)).status_code == 403
    assert (await admin.post(f"{url}/take-down-files", json=body)).status_code == 204
    assert not await files.served(files.upload)
    assert await files.served(files.media)
    (upload,) = (await owner.get("/v1/uploads")).json()["data"]
    assert upload["attributes"]["taken-down-reason"] == "Malware"

    assert (await admin.post(f"{url}/reinstate-files")).status_code == 204
    assert await files.served(files.upload)
    await admin.post(f"{url}/take-down-files", json=body)
    assert (await owner.delete(f"/v1/uploads/{upload['id']}")).status_code == 204
    assert files.stored() == {files.media}
    assert await sees(files.stranger, event) == {200}


async def test_a_move_that_was_cut_off_is_done_by_the_clean_up(
    service: Any,
    event: models.Event,
    files: Files,
    session_factory: async_sessionmaker[AsyncSession],
) -> None:
    async with session_factory.begin() as session:
        await session.execute(update(models.Event).values(taken_down_at=func.now()))
    assert await files.served(files.media)
    await clean_up(service.resources)
    assert not await files.served(files.media)
