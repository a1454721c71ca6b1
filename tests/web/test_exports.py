"""Exports over the API: tasks that are shared, links that expire, and files that import again."""

import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select, text, update
from tests.formats.planning import zip_of
from tests.jobs.test_media_findings import drawn
from tests.stored_files import accept_archive, keys_in
from tests.web.conftest import MakeUser, Service, StartService

from eventimport.database.models import (
    EXPORT_JOBS,
    Base,
    Event,
    EventRole,
    Notification,
    Task,
    User,
)
from eventimport.database.tasks import claim
from eventimport.exports.run import attempt_export
from eventimport.exports.stream import Sink
from eventimport.formats import EXPORTABLE
from eventimport.imports.run import run_import
from eventimport.jobs.clean_up import clean_up
from eventimport.storage.protocol import StorageError

LOGO, PHOTO = drawn(), drawn("JPEG")
DOCUMENTS: dict[str, Any] = {
    "event": {
        "id": 1,
        "name": "Conference",
        "timezone": "Europe/Berlin",
        "logo-url": "logo.png",
        "state": "published",
        "privacy": "public",
        "colour": "red",
        "email": "a@example.org",
    },
    "speakers": [
        {"id": 7, "name": "Ada", "email": "ada@example.org", "photo-url": "ada.jpg"},
        {"id": 8, "name": "Bob"},
    ],
    "sessions": [
        {"id": 1, "title": "Talk", "state": "accepted", "speakers": [7], "comments": "late"},
        {"id": 2, "title": "Draft", "state": "rejected", "speakers": [8]},
    ],
    "tracks": [{"id": 1, "name": "Main"}],
}


@dataclass
class World:
    """A service with an event, and its owner's client."""

    service: Service
    owner: User
    client: httpx.AsyncClient
    event_id: int
    identifier: str

    @property
    def path(self) -> str:
        return f"/v1/events/{self.identifier}/export"

    async def begin(self, format_name: str = "openevent", client: Any = None) -> str:
        answer = await (client or self.client).get(f"{self.path}/{format_name}")
        assert answer.status_code == 202, answer.text
        assert answer.headers["location"] == answer.json()["task_url"]
        assert int(answer.headers["retry-after"]) > 0
        return str(answer.json()["task_url"])

    async def run(self, task_url: str, client: Any = None) -> dict[str, Any]:
        """The task after an attempt by a worker, without a pause before it."""
        async with self.service.resources.engine.begin() as connection:
            await connection.execute(update(Task).values(retry_at=None))
            claimed = await claim(connection, UUID(task_url.rpartition("/")[2]))
        assert claimed is not None
        await attempt_export(self.service.resources, claimed)
        return await self.task(task_url, client)

    async def task(self, task_url: str, client: Any = None) -> dict[str, Any]:
        answer = await (client or self.client).get(task_url)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def exported(self, client: Any = None) -> dict[str, Any]:
        """The documents of an export, and its files by their paths."""
        task = await self.run(await self.begin(client=client), client)
        assert task["state"] == "SUCCESS", task
        answer = await (await self.service.client()).get(task["result"]["download_url"])
        return documents_of(answer.content)


async def imported(service: Service, owner: User, data: bytes) -> Event:
    """The event that an import makes."""
    job_id = await accept_archive(service.resources, owner.id, data)
    await run_import(service.resources, job_id)
    async with service.resources.sessions() as session:
        return (await session.scalars(select(Event).order_by(Event.id.desc()).limit(1))).one()


async def publish(service: Service, event_id: int) -> None:
    """Make an event public."""
    async with service.resources.engine.begin() as connection:
        published = update(Event).where(Event.id == event_id).values(published_at=func.now())
        await connection.execute(published)


@pytest.fixture
async def world(start_service: StartService, user: User) -> World:
    service = await start_service()
    event = await imported(service, user, zip_of(DOCUMENTS, {"logo.png": LOGO, "ada.jpg": PHOTO}))
    await publish(service, event.id)
    client = await service.client(user)
    return World(service, user, client, event.id, event.identifier)


async def test_an_export_imports_as_an_equal_event(world: World) -> None:
    task = await world.run(await world.begin("json"))
    result = task["result"]
    assert (task["kind"], task["state"]) == ("export", "SUCCESS")
    assert (result["format"], result["report"]["total"]) == ("openevent", 0)
    stranger = await world.service.client()
    answer = await stranger.get(result["download_url"])
    assert answer.status_code == 200
    assert len(answer.content) == result["size"]
    assert f'{world.identifier}-openevent.zip"' in answer.headers["content-disposition"]

    again = await imported(world.service, world.owner, answer.content)

    assert again.id != world.event_id
    both = [await rows_of(world.service, number) for number in (world.event_id, again.id)]
    assert both[0] == both[1]
    async with world.service.resources.sessions() as session:
        words = (await session.scalars(select(Notification.message))).all()
    assert any(result["download_url"] in message for message in words)
    # The report of the first import comes along, however often the event goes out and in.
    last = World(world.service, world.owner, world.client, again.id, again.identifier)
    reports = [
        found["meta"]["first-import"]
        for found in (documents_of(answer.content), await last.exported())
    ]
    assert reports[0] == reports[1]
    assert reports[0]["totals"]["warning"] > 0


def documents_of(data: bytes) -> dict[str, Any]:
    """The documents of an archive, and its files by their paths."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    return {name: found if "/" in name else json.loads(found) for name, found in content.items()}


async def rows_of(service: Service, event_id: int) -> dict[str, list[Any]]:
    """All rows of an event, without ids; media files are their bytes."""
    found: dict[str, list[Any]] = {}
    other = {"id", "event_id", "identifier", "version", "revision", "created_at", "updated_at"}
    other.add("published_at")
    async with service.resources.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            if "source_id" not in table.c:
                continue
            own = table.c.id if table.name == "events" else table.c.event_id
            statement = select(table).where(own == event_id).order_by(table.c.id)
            rows = (await connection.execute(statement)).mappings().all()
            found[table.name] = [
                {
                    name: await _plain(service, value)
                    for name, value in row.items()
                    if name not in other and not (name.endswith("_id") and name != "source_id")
                }
                for row in rows
            ]
        links = text(
            "SELECT s.source_id, p.source_id FROM session_speakers JOIN sessions s"
            " ON s.id = session_id JOIN speakers p ON p.id = speaker_id"
            " WHERE s.event_id = :event_id ORDER BY 1, 2"
        )
        found["links"] = list(await connection.execute(links, {"event_id": event_id}))
    return found


async def _plain(service: Service, value: Any) -> Any:
    storage = service.resources.storages.get("local")
    base = storage.public_url("x").removesuffix("x")
    if not isinstance(value, str) or not value.startswith(base):
        return value
    async with storage.open(value.removeprefix(base)) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def test_every_format_is_exported(world: World) -> None:
    stranger = await world.service.client()
    for each in EXPORTABLE:
        task_url = await world.begin(each.name)
        for name in each.names:
            assert await world.begin(name) == task_url
        result = (await world.run(task_url))["result"]
        assert result["download_url"].endswith(
            f"{world.identifier}-{each.name}{each.extensions[0]}"
        )
        answer = await stranger.get(result["download_url"])
        assert answer.headers["content-type"].startswith(each.media_type)
        assert len(answer.content) == result["size"] > 0


async def test_the_public_gets_what_it_may_see(world: World, make_user: MakeUser) -> None:
    reader = await world.service.client(await make_user())
    admin = await world.service.client(await make_user(is_admin=True))

    member = await make_user()
    async with world.service.resources.sessions.begin() as session:
        session.add(EventRole(event_id=world.event_id, user_id=member.id, role="viewer"))

    public, whole = await world.exported(reader), await world.exported(admin)
    records = await world.exported(await world.service.client(member))

    assert [session["title"] for session in records["sessions"]] == ["Talk", "Draft"]
    assert "ada@example.org" not in json.dumps(records["speakers"])
    assert [session["title"] for session in public["sessions"]] == ["Talk"]
    assert [speaker["name"] for speaker in public["speakers"]] == ["Ada"]
    everything = json.dumps({name: found for name, found in public.items() if "/" not in name})
    for private in ("ada@example.org", "a@example.org", "late", "colour", "first-import", "Bob"):
        assert private not in everything
        assert private in json.dumps({n: found for n, found in whole.items() if "/" not in n})
    images = {name: found for name, found in public.items() if name.startswith("images/")}
    assert PHOTO in images.values()
    assert images.items() <= whole.items()


async def test_the_same_export_is_made_once(world: World, make_user: MakeUser) -> None:
    admin = await world.service.client(await make_user(is_admin=True))
    other = await world.service.client(await make_user())
    first = await world.begin()
    assert await world.begin("json") == first
    assert await world.begin(client=admin) == first
    # The public sees another file, and not this task.
    assert await world.begin(client=other) != first
    assert (await other.get(first)).status_code == 404
    result = (await world.run(first))["result"]
    assert await world.begin(client=admin) == first
    assert (await world.task(first, admin))["result"] == result
    # After a change it is another file.
    headers = {"Content-Type": "application/vnd.api+json"}
    for path, kind, attributes in (
        (f"/v1/events/{world.identifier}", "event", {"name": "Other"}),
        (await first_of(world, "tracks"), "track", {"name": "Other"}),
    ):
        row_id = str(world.event_id) if kind == "event" else path.rpartition("/")[2]
        data = {"data": {"type": kind, "id": row_id, "attributes": attributes}}
        answer = await world.client.patch(path, content=json.dumps(data), headers=headers)
        assert answer.status_code == 200, answer.text
        changed = await world.begin()
        assert changed != first
        first = changed


async def first_of(world: World, name: str) -> str:
    found = (await world.client.get(f"/v1/events/{world.identifier}/{name}")).json()["data"][0]
    return f"/v1/{name}/{found['id']}"


async def test_those_who_may_not_see_the_event_get_nothing(
    world: World, make_user: MakeUser
) -> None:
    stranger = await world.service.client()
    assert (await stranger.get(f"{world.path}/json")).status_code == 401
    async with world.service.resources.engine.begin() as connection:
        await connection.execute(update(Event).values(published_at=None))
    other = await world.service.client(await make_user())
    for method in (other.get, other.head):
        assert (await method(f"{world.path}/json")).status_code == 404
    answer = await world.client.get(f"{world.path}/lotus")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "unknown-format")
    for key in ("0", "99999999999999999999", "nothing"):
        answer = await world.client.get(f"/v1/events/{key}/export/json")
        assert answer.status_code == 404


async def test_head_starts_nothing(world: World) -> None:
    assert (await world.client.head(f"{world.path}/json")).status_code == 202
    async with world.service.resources.sessions() as session:
        assert await session.scalar(select(func.count()).where(Task.kind == "export")) == 0


async def test_the_link_supports_ranges_and_expires(world: World) -> None:
    task = await world.run(await world.begin())
    url = task["result"]["download_url"]
    stranger = await world.service.client()
    whole = await stranger.get(url)
    head = await stranger.head(url)
    assert head.headers["content-length"] == str(len(whole.content))
    assert head.content == b""
    part = await stranger.get(url, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    rest = await stranger.get(url, headers={"Range": "bytes=-5", "If-Range": whole.headers["etag"]})
    assert (rest.status_code, rest.content) == (206, whole.content[-5:])
    beyond = await stranger.get(url, headers={"Range": f"bytes={len(whole.content)}-"})
    assert beyond.status_code == 416
    same = await stranger.get(url, headers={"If-None-Match": whole.headers["etag"]})
    assert same.status_code == 304
    assert (await stranger.get("/exports/unknown/x.zip")).status_code == 404
    resources = world.service.resources
    (key,) = [key for key in await stored_keys(world) if "exports" in key]
    async with resources.engine.begin() as connection:
        await connection.execute(update(EXPORT_JOBS).values(expires_at=func.now()))
    answer = await stranger.get(url)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (410, "link-expired")
    removed = await clean_up(resources)
    assert removed["export"] == 1
    assert key not in await stored_keys(world)
    assert (await stranger.get(url)).status_code == 410
    assert await world.begin() != f"/v1/tasks/{task}"


async def stored_keys(world: World) -> list[str]:
    return await keys_in(world.service.resources.storages.get("local"))


async def test_a_deleted_event_is_not_exported_and_its_links_do_not_open(world: World) -> None:
    url = (await world.run(await world.begin()))["result"]["download_url"]
    events = Base.metadata.tables["events"]
    async with world.service.resources.engine.begin() as connection:
        await connection.execute(update(events).values(revision=events.c.revision + 1))
    waiting = await world.begin()
    assert (await world.client.delete(f"/v1/events/{world.identifier}")).status_code == 204
    stranger = await world.service.client()
    assert (await stranger.get(url)).status_code == 404
    failed = await world.run(waiting)
    assert failed["state"] == "FAILURE"
    assert failed["result"]["errors"][0]["code"] == "event-deleted"


async def test_a_user_may_have_only_so_many(start_service: StartService, user: User) -> None:
    service = await start_service(max_exports_per_user=1)
    client = await service.client(user)
    answers = []
    for _ in range(2):
        event = await imported(service, user, zip_of({"event": DOCUMENTS["event"]}))
        answers.append(await client.get(f"/v1/events/{event.id}/export/json"))
    assert [answer.status_code for answer in answers] == [202, 429]
    assert "MAX_EXPORTS_PER_USER" in answers[1].text
    task_url = answers[0].json()["task_url"]
    assert (await client.delete(task_url)).json()["state"] == "REVOKED"
    assert (await client.get(f"/v1/events/{event.id}/export/json")).status_code == 202


async def test_only_who_started_it_cancels_it(world: World, make_user: MakeUser) -> None:
    readers = [await world.service.client(await make_user()) for _ in range(2)]
    urls = [await world.begin(client=reader) for reader in readers]
    assert urls[0] == urls[1]
    assert (await readers[1].delete(urls[0])).status_code == 403
    assert (await readers[0].delete(urls[0])).json()["state"] == "REVOKED"
    assert await world.begin(client=readers[1]) != urls[0]


async def test_what_fails_on_the_way_leaves_no_file(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise StorageError("the disk is full")

    task_url = await world.begin()
    storage = world.service.resources.storages.get("local")
    with monkeypatch.context() as patched:
        patched.setattr(storage, "put", broken)
        assert (await world.run(task_url))["state"] == "PENDING"
    with monkeypatch.context() as patched:
        # In the thread that writes the file.
        patched.setattr(Sink, "write", lambda *_: 1 / 0)
        assert (await world.run(task_url))["state"] == "PENDING"
    assert [key for key in await stored_keys(world) if "exports" in key] == []
    assert (await world.run(task_url))["state"] == "SUCCESS"
    assert len([key for key in await stored_keys(world) if "exports" in key]) == 1
