"""A changed image gets its smaller sizes from a task, which a real worker runs."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from PIL import Image
from sqlalchemy import text
from tests.media.test_fetch import Server, ok, serving

from eventimport.database.models import User
from eventimport.database.tasks import claim
from eventimport.jobs.recovery import Watch, recover
from eventimport.jobs.worker import work
from eventimport.resources import Resources

SPEAKER = {"thumbnail-image-url": 400, "small-image-url": 75, "icon-image-url": 35}
EVENT = {"large-image-url": 400, "thumbnail-image-url": 400, "icon-image-url": 35}
IMAGES = [
    ("speakers", "speaker", "photo-url", SPEAKER),
    ("events", "event", "original-image-url", EVENT),
]
OLD = "https://files.example/old.png"


def drawn(kind: str = "PNG") -> bytes:
    content = io.BytesIO()
    Image.linear_gradient("L").resize((400, 400)).convert("RGB").save(content, kind)
    return content.getvalue()


class World(NamedTuple):
    """The service, its owner's clients, and a server with images."""

    resources: Resources
    client: Any
    editor: Any
    server: Server

    async def task(self, url: str) -> dict[str, Any]:
        """The task as the API shows it."""
        answer = await self.client.get(url)
        assert answer.status_code == 200
        task: dict[str, Any] = answer.json()
        return task

    async def ended(self, url: str) -> dict[str, Any]:
        """The task, once a worker has ended it."""
        async with asyncio.timeout(60), working(self.resources):
            while (task := await self.task(url))["state"] in {"PENDING", "STARTED"}:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return task

    async def attributes(self, url: str) -> dict[str, Any]:
        """The row's attributes."""
        found: dict[str, Any] = (await self.client.get(url)).json()["data"]["attributes"]
        return found

    async def stored(self) -> list[str]:
        """The keys of all media files that are stored for rows."""
        async with self.resources.reader.connect() as connection:
            query = "SELECT key FROM stored_objects WHERE purpose = 'media' AND state = 'KEPT'"
            return [row.key for row in await connection.execute(text(query))]


@asynccontextmanager
async def working(resources: Resources) -> AsyncIterator[None]:
    """A worker runs meanwhile."""
    stopping = asyncio.Event()
    worker = asyncio.create_task(work(resources, stopping))
    try:
        yield
    finally:
        stopping.set()
        await worker


@pytest.fixture
async def world(
    start_service: Callable[..., Awaitable[Any]], user: User, edit_as: Any
) -> AsyncIterator[World]:
    service = await start_service(fetch_media=True, fetch_allowed_hosts=("127.0.0.1",))
    client = await service.client(user)
    editor = await edit_as(user)
    editor.client = client
    async with serving() as server:
        server.answers["/photo.png"] = ok(drawn())
        server.answers["/page"] = ok(b"<html>no image</html>", "Content-Type: text/html")
        yield World(service.resources, client, editor, server)


def task_of(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    (url,) = answer.json()["meta"]["tasks"]
    assert isinstance(url, str)
    return url


def width_of(world: World, url: str) -> int:
    root = world.resources.settings.local_storage_path
    with Image.open(root / url.partition("/media/")[2]) as image:
        return image.width


@pytest.mark.parametrize("images", IMAGES)
async def test_a_new_image_gets_sizes(
    world: World, conference: Any, images: tuple[str, str, str, dict[str, int]]
) -> None:
    path, kind, field, sizes = images
    url = conference.url(path)
    before = await world.editor.patch(url, dict.fromkeys(sizes, OLD))
    assert "meta" not in before.json()

    changed = await world.editor.patch(url, {field: world.server.url("/photo.png")})
    assert [changed.json()["data"]["attributes"][name] for name in sizes] == [None] * 3
    task = await world.ended(task_of(changed))

    assert (task["state"], task["kind"], task["event"]) == ("SUCCESS", "image-sizes", None)
    found = await world.attributes(url)
    assert found[field] == world.server.url("/photo.png")
    made = {name: found[name] for name in sizes}
    assert task["result"] == {"id": url.rpartition("/")[2], "type": kind, "sizes": made}
    widths = {name: width_of(world, made[name]) for name in sizes}
    assert widths == sizes
    assert len(await world.stored()) == 3
    read = await world.client.get(url)
    assert read.headers["etag"] != changed.headers["etag"]

    same = await world.editor.patch(url, {field: world.server.url("/photo.png")})
    assert "meta" not in same.json()


async def test_an_upload_is_read_from_storage(world: World, conference: Any) -> None:
    answer = await world.client.post("/v1/upload/file", files={"file": ("a.png", drawn())})
    uploaded = answer.json()["url"]
    url = conference.url("speakers")

    task = await world.ended(task_of(await world.editor.patch(url, {"photo-url": uploaded})))

    assert task["state"] == "SUCCESS", task
    assert width_of(world, (await world.attributes(url))["icon-image-url"]) == 35
    assert world.server.requests == []


async def test_sizes_of_the_same_request_are_kept(world: World, conference: Any) -> None:
    url, photo = conference.url("speakers"), world.server.url("/photo.png")
    given = {"photo-url": photo, "icon-image-url": OLD}

    task = await world.ended(task_of(await world.editor.patch(url, given)))

    assert sorted(task["result"]["sizes"]) == ["small-image-url", "thumbnail-image-url"]
    assert (await world.attributes(url))["icon-image-url"] == OLD
    new = "https://files.example/new.png"
    all_given = await world.editor.patch(url, {"photo-url": OLD, **dict.fromkeys(SPEAKER, new)})
    assert "meta" not in all_given.json()
    cleared = await world.editor.patch(url, {"photo-url": None})
    assert "meta" not in cleared.json()


@pytest.mark.parametrize("second", ["/other.png", None])
async def test_a_later_change_revokes_a_waiting_task(
    world: World, conference: Any, second: str | None
) -> None:
    url = conference.url("speakers")
    first = task_of(await world.editor.patch(url, {"photo-url": world.server.url("/photo.png")}))

    await world.editor.patch(url, {"photo-url": second and world.server.url(second)})

    assert (await world.task(first))["state"] == "REVOKED"


async def test_a_later_change_wins_against_a_running_task(world: World, conference: Any) -> None:
    url = conference.url("speakers")
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def slow(writer: asyncio.StreamWriter) -> None:
        reached.set()
        await go_on.wait()
        writer.write(ok(drawn()))
        await writer.drain()

    world.server.answers["/slow.png"] = slow
    first = task_of(await world.editor.patch(url, {"photo-url": world.server.url("/slow.png")}))
    async with working(world.resources), asyncio.timeout(60):
        await reached.wait()
        changed = await world.editor.patch(url, {"photo-url": world.server.url("/photo.png")})
        second = task_of(changed)
        go_on.set()
        for task_url in (first, second):
            while (await world.task(task_url))["state"] in {"PENDING", "STARTED"}:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    lost, won = await world.task(first), await world.task(second)
    assert (lost["state"], lost["result"]["errors"][0]["code"]) == ("FAILURE", "image-changed")
    found = await world.attributes(url)
    assert won["result"]["sizes"] == {name: found[name] for name in SPEAKER}
    assert len(await world.stored()) == 3


@pytest.mark.parametrize(
    ("path", "code", "says"),
    [
        ("/gone.png", "image-unreachable", "404"),
        ("/page", "image-not-an-image", "image"),
    ],
)
async def test_an_image_that_cannot_be_read(
    world: World, conference: Any, path: str, code: str, says: str
) -> None:
    url = conference.url("speakers")

    answer = await world.editor.patch(url, {"photo-url": world.server.url(path)})
    task = await world.ended(task_of(answer))

    assert (task["state"], task["progress"]["message"]) == ("FAILURE", "The sizes were not made")
    (error,) = task["result"]["errors"]
    assert error["code"] == code
    assert says in error["detail"]
    assert task["result"]["meta"] == {"total": 1}
    found = await world.attributes(url)
    assert [found[name] for name in SPEAKER] == [None] * 3
    assert (await world.client.get("/v1/notifications")).json()["data"] == []
    assert (await world.client.get("/v1/import-jobs")).json()["data"] == []


async def test_links_are_fetched_only_if_fetch_media_is_set(
    start_service: Callable[..., Awaitable[Any]], user: User, edit_as: Any, conference: Any
) -> None:
    service = await start_service(fetch_media=False)
    editor = await edit_as(user)
    editor.client = await service.client(user)
    world = World(service.resources, editor.client, editor, Server(0))

    answer = await editor.patch(conference.url("speakers"), {"photo-url": OLD})
    task = await world.ended(task_of(answer))

    assert task["state"] == "FAILURE"
    assert "FETCH_MEDIA" in task["result"]["errors"][0]["detail"]


async def test_a_waiting_task_can_be_cancelled(
    world: World, conference: Any, make_user: Any, edit_as: Any
) -> None:
    url = conference.url("speakers")
    answer = await world.editor.patch(url, {"photo-url": world.server.url("/photo.png")})
    task_url = task_of(answer)
    stranger = (await edit_as(await make_user(email="eve@example.org"))).client

    assert (await stranger.get(task_url)).status_code == 404
    assert (await stranger.delete(task_url)).status_code == 404
    cancelled = await world.client.delete(task_url)
    again = await world.client.delete(task_url)

    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "REVOKED")
    assert again.status_code == 409
    async with world.resources.engine.begin() as connection:
        assert await claim(connection, UUID(task_url.rpartition("/")[2])) is None


async def test_a_running_task_that_is_cancelled_stores_nothing(
    world: World, conference: Any
) -> None:
    url = conference.url("speakers")
    reached = asyncio.Event()

    async def endless(_writer: asyncio.StreamWriter) -> None:
        reached.set()
        await world.server.held.wait()

    world.server.answers["/endless.png"] = endless
    answer = await world.editor.patch(url, {"photo-url": world.server.url("/endless.png")})
    async with working(world.resources), asyncio.timeout(60):
        await reached.wait()
        assert (await world.client.delete(task_of(answer))).json()["state"] == "REVOKED"
    # The worker has let go of it, or it would still run.
    assert await world.stored() == []
    assert (await world.attributes(url))["icon-image-url"] is None


async def test_a_task_whose_workers_are_lost_fails(world: World, conference: Any) -> None:
    answer = await world.editor.patch(
        conference.url("speakers"), {"photo-url": world.server.url("/photo.png")}
    )
    task_url = task_of(answer)
    resources = world.resources
    watch, now = Watch(), 1.0
    for _ in range(resources.settings.max_attempts):
        async with resources.engine.begin() as connection:
            assert await claim(connection, UUID(task_url.rpartition("/")[2]))
        for _ in range(2):
            now += resources.settings.heartbeat_timeout + 1
            await recover(resources, watch, now=now)

    task = await world.task(task_url)
    assert (task["state"], task["result"]["errors"][0]["code"]) == ("FAILURE", "worker-lost")


async def test_the_image_of_a_deleted_event_gets_its_sizes(world: World, conference: Any) -> None:
    """The event can be restored."""
    url = conference.url("speakers")
    answer = await world.editor.patch(url, {"photo-url": world.server.url("/photo.png")})
    task_url = task_of(answer)
    assert (await world.client.delete(conference.url("events"))).status_code == 204

    task = await world.ended(task_url)

    assert (task["state"], len(task["result"]["sizes"])) == ("SUCCESS", 3)
