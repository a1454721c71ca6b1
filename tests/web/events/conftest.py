"""Events of any size, written straight into the database."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from eventimport.database import models

NOON = datetime(2027, 3, 19, 12, tzinfo=UTC)
EXTRA = {"kept": "for the owner"}


@dataclass
class Conference:
    """A written event. `ids` has the ids of its parts, by the path of their kind."""

    id: int
    identifier: str
    ids: dict[str, list[int]] = field(default_factory=dict)

    def url(self, path: str, index: int = 0) -> str:
        """Where a part is, or the event."""
        return f"/v1/{path}/{self.id if path == 'events' else self.ids[path][index]}"


WriteConference = Callable[..., Awaitable[Conference]]


def parts(event: models.Event, size: int) -> dict[str, list[Any]]:
    """The parts of an event, `size` of each kind, by the path of the kind."""
    numbers = range(1, size + 1)
    common: dict[str, Any] = {"event_id": event.id, "extra": EXTRA}
    tracks = [models.Track(name=f"Track {n}", color="#ff0000", **common) for n in numbers]
    rooms = [models.Microlocation(name=f"Room {n}", floor=n, **common) for n in numbers]
    types = [models.SessionType(name=f"Type {n}", length="00:30", **common) for n in numbers]
    return {
        "social-links": [models.SocialLink(name=f"Link {n}", **common) for n in numbers],
        "custom-forms": [
            models.CustomForm(form="session", field_identifier=f"field-{n}", type="text", **common)
            for n in numbers
        ],
        "microlocations": rooms,
        "sponsors": [
            models.Sponsor(name=f"Sponsor {n}", level=n, type="Gold", **common) for n in numbers
        ],
        "speakers": [
            models.Speaker(name=f"Speaker {n}", email=f"s{n}@example.org", mobile="+65 1", **common)
            for n in numbers
        ],
        "tracks": tracks,
        "session-types": types,
        "event-copyright": [models.EventCopyright(holder="Holder", year=2027, **common)],
        "speakers-calls": [models.SpeakersCall(announcement="Come", starts_at=NOON, **common)],
    }


@pytest.fixture
def write_conference(
    session_factory: async_sessionmaker[AsyncSession], user: models.User
) -> WriteConference:
    """Writes an event that `user` owns, with `size` parts of each kind; each session has the
    track, room and type of its number, and two speakers."""

    async def write(
        size: int = 3, *, owner: models.User | None = None, **values: Any
    ) -> Conference:
        given: dict[str, Any] = {"name": "Conference", "timezone": "Asia/Singapore"}
        given |= {"state": "published", "published_at": NOON}
        given |= {"identifier": f"e{id(values):x}", "extra": EXTRA} | values
        async with session_factory.begin() as session:
            event = models.Event(**given)
            session.add(event)
            await session.flush()
            session.add(models.EventRole(event_id=event.id, user_id=(owner or user).id))
            rows = parts(event, size)
            session.add_all([row for of_kind in rows.values() for row in of_kind])
            await session.flush()
            rows["sessions"] = [
                models.EventSession(
                    event_id=event.id,
                    title=f"Session {n + 1}",
                    short_abstract="<p>What it is about</p>",
                    starts_at=NOON + timedelta(hours=size - n),
                    ends_at=NOON + timedelta(hours=size - n + 1),
                    track_id=rows["tracks"][n].id,
                    microlocation_id=rows["microlocations"][n].id,
                    session_type_id=rows["session-types"][n].id,
                    extra=EXTRA,
                )
                for n in range(size)
            ]
            session.add_all(rows["sessions"])
            await session.flush()
            for n, of_event in enumerate(rows["sessions"]):
                for speaker in {rows["speakers"][n].id, rows["speakers"][(n + 1) % size].id}:
                    session.add(models.SessionSpeaker(session_id=of_event.id, speaker_id=speaker))
        ids = {path: [row.id for row in of_kind] for path, of_kind in rows.items()}
        return Conference(event.id, event.identifier, ids)

    return write


@pytest.fixture
async def conference(write_conference: WriteConference) -> Conference:
    """A published event that `user` owns, with three of everything."""
    return await write_conference(identifier="ab3de6f0")


MEDIA_TYPE = "application/vnd.api+json"


@dataclass
class Editor:
    """A client that changes things as JSON:API wants it."""

    client: httpx.AsyncClient

    async def patch(
        self,
        url: str,
        attributes: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        **members: Any,
    ) -> httpx.Response:
        """Change the resource at the URL; its type is what the path says."""
        path, row_id = url.split("/")[2:4]
        kind = {"event-copyright": path}.get(path, path.removesuffix("s"))
        data = {"type": kind, "id": row_id, "attributes": attributes or {}, **members}
        return await self.send("PATCH", url, {"data": data}, headers)

    async def send(
        self, method: str, url: str, body: Any, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Send a document."""
        headers = {"Content-Type": MEDIA_TYPE, **(headers or {})}
        return await self.client.request(method, url, json=body, headers=headers)


@pytest.fixture
def editor(user_client: httpx.AsyncClient) -> Editor:
    """`user`, changing things."""
    return Editor(user_client)


@pytest.fixture
def edit_as(service: Any) -> Callable[..., Awaitable[Editor]]:
    """Another user, changing things."""

    async def make(who: models.User | None) -> Editor:
        return Editor(await service.client(who))

    return make
