"""Deleting an account: what goes with it, and what other users keep."""

from typing import Any
from uuid import uuid4

from sqlalchemy import func, select
from tests.stored_files import keys_in, store
from tests.web.conftest import MakeUser, Service

from eventimport.auth import Passwords
from eventimport.database.models import (
    AuditEntry,
    Event,
    EventRole,
    ImportJob,
    Notification,
    ObjectPurpose,
    ObjectRecord,
    User,
)

PASSWORD = "tea and cables"


async def test_all_that_only_its_user_owns_goes_with_an_account(
    service: Service, make_user: MakeUser
) -> None:
    ada = await make_user(email="ada@example.org", password_hash=await Passwords().hash(PASSWORD))
    grace = await make_user(email="grace@example.org")
    job = ImportJob(id=uuid4(), user_id=ada.id, status="SUCCESS", archive_storage="local")
    own, shared = (
        Event(identifier="aaaaaaaa", name="Own"),
        Event(identifier="bbbbbbbb", name="Both"),
    )
    async with service.resources.sessions.begin() as session:
        session.add_all([own, shared, job, Notification(user_id=ada.id, title="T", message="M")])
        await session.flush()
        roles = [(own, ada, "owner"), (own, grace, "viewer"), (shared, ada, "owner")]
        for event, user, role in [*roles, (shared, grace, "owner")]:
            session.add(EventRole(event_id=event.id, user_id=user.id, role=role))
    link = {"table_name": "events", "field": "logo_url"}
    files: list[tuple[str, ObjectPurpose, dict[str, Any]]] = [
        ("uploads/1/a/a.txt", ObjectPurpose.UPLOAD, {"user_id": ada.id}),
        ("archives/a.zip", ObjectPurpose.ARCHIVE, {"import_job_id": job.id}),
        ("own/a.png", ObjectPurpose.MEDIA, {"event_id": own.id, "row_id": own.id, **link}),
        ("shared/a.png", ObjectPurpose.MEDIA, {"event_id": shared.id, "row_id": shared.id, **link}),
        ("uploads/2/a/a.txt", ObjectPurpose.UPLOAD, {"user_id": grace.id}),
    ]
    for key, purpose, used_by in files:
        owner = used_by.get("user_id", ada.id)
        await store(service.resources, key, purpose, user_id=owner, used_by=used_by)
    client = await service.client(ada)

    wrong = await client.post("/v1/account/delete", json={"password": "not this one"})
    assert (wrong.status_code, len(await keys_in(service.resources.storages.active))) == (403, 5)
    gone = await client.post("/v1/account/delete", json={"password": PASSWORD})
    assert gone.status_code == 204

    assert (await client.get("/v1/account")).status_code == 401
    async with service.resources.sessions() as session:
        assert list(await session.scalars(select(User.email))) == ["grace@example.org"]
        assert list(await session.scalars(select(Event.name))) == ["Both"]
        assert await session.scalar(select(func.count()).select_from(Notification)) == 0
        assert await session.scalar(select(func.count()).select_from(ImportJob)) == 0
        kept = ["shared/a.png", "uploads/2/a/a.txt"]
        assert sorted(await session.scalars(select(ObjectRecord.key))) == kept
        actions = list(await session.scalars(select(AuditEntry.action)))
    assert await keys_in(service.resources.storages.active) == kept
    assert actions == ["account-delete"]
