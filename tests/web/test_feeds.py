"""Public feeds: for whom, what is in them, and what polling them costs."""

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx
import pytest
from icalendar import Calendar
from lxml import etree
from sqlalchemy import event as sql_event
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from tests.formats import consumers
from tests.web.conftest import Service, StartService

from eventimport.database import models

PUBLISHED = datetime(2027, 3, 1, tzinfo=UTC)
SUFFIXES = ("xml", "json", "ics", "xcal")
NAMES = {"xml": "schedule-xml", "json": "schedule-json", "ics": "ical", "xcal": "xcal"}
SECRETS = ("ada@secret.example", "+49 30 99", "for the team only", "Hidden talk", "secret-key")
GUID = str(uuid5(NAMESPACE_URL, "acct:ada@secret.example"))

AddRows = Callable[..., Awaitable[None]]


@pytest.fixture
def add(session_factory: async_sessionmaker[AsyncSession]) -> AddRows:
    async def add(*rows: models.Base) -> None:
        async with session_factory.begin() as session:
            for row in rows:
                session.add(row)
                await session.flush()

    return add


@pytest.fixture
async def conference(add: AddRows) -> dict[str, int]:
    """A published event with a public and a hidden session. Returns ids."""
    event = models.Event(
        identifier="ab3de6f0",
        name="Tea & Cables",
        timezone="Asia/Tokyo",
        email="ada@secret.example",
        published_at=PUBLISHED,
        extra={"acronym": "teac", "note": "secret-key"},
    )
    await add(event)
    track = models.Track(event_id=event.id, name="Brewing", color="#ff8700")
    speaker = models.Speaker(
        event_id=event.id,
        name="Ada Quill",
        source_id=GUID,
        email="ada@secret.example",
        mobile="+49 30 99",
        extra={"note": "secret-key", "texts": {"speaking_experience": {"source": "secret-key"}}},
    )
    quiet = models.Speaker(event_id=event.id, name="Hidden talker")
    await add(track, speaker, quiet)
    times = {
        "starts_at": datetime(2027, 3, 5, 1, tzinfo=UTC),
        "ends_at": datetime(2027, 3, 5, 2, tzinfo=UTC),
        "event_id": event.id,
    }
    shown = models.EventSession(
        title="Steeping",
        state="accepted",
        comments="for the team only",
        track_id=track.id,
        source_id="7",
        extra={"slug": "teac-7-steeping", "note": "secret-key"},
        **times,
    )
    other = models.EventSession(title="Pouring", state="confirmed", **times)
    hidden = models.EventSession(title="Hidden talk", state="draft", **times)
    await add(shown, other, hidden)
    await add(
        models.SessionSpeaker(session_id=shown.id, speaker_id=speaker.id),
        models.SessionSpeaker(session_id=hidden.id, speaker_id=quiet.id),
    )
    return {
        "event": event.id,
        "track": track.id,
        "speaker": speaker.id,
        "quiet": quiet.id,
        "shown": shown.id,
        "other": other.id,
        "hidden": hidden.id,
    }


@pytest.fixture
async def service(start_service: StartService) -> Service:
    return await start_service()


@pytest.fixture
async def client(service: Service) -> httpx.AsyncClient:
    return await service.client()


@contextmanager
def counted(service: Service) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    engines = (service.resources.engine.sync_engine, service.resources.reader.sync_engine)
    for engine in engines:
        sql_event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        for engine in engines:
            sql_event.remove(engine, "before_cursor_execute", note)


def titles(data: bytes) -> list[str]:
    return sorted(str(event["SUMMARY"]) for event in Calendar.from_ical(data).walk("VEVENT"))


async def test_feeds_hold_what_is_public(
    client: httpx.AsyncClient, conference: dict[str, int]
) -> None:
    for suffix in SUFFIXES:
        answer = await client.get(f"/events/ab3de6f0/schedule.{suffix}")
        assert answer.status_code == 200, suffix
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cache-control"].startswith("public")
        assert all(secret not in answer.text for secret in (*SECRETS, GUID, "Hidden talker"))
        assert "Steeping" in answer.text
        assert "Ada Quill" in answer.text
        consumers.check(NAMES[suffix], answer.content)
    assert conference
    found = await client.get("/events/ab3de6f0/schedule.xml")
    event = etree.fromstring(found.content).find(".//event[@id='7']")
    assert event is not None
    assert event.findtext("slug") == "teac-7-steeping"
    assert event.findtext("date") == "2027-03-05T10:00:00+09:00"


async def test_a_feed_that_has_not_changed_costs_one_statement(
    service: Service,
    client: httpx.AsyncClient,
    conference: dict[str, int],
    session_factory: async_sessionmaker[AsyncSession],
) -> None:
    url = "/events/ab3de6f0/schedule.json"
    plain = await client.get(url, headers={"Accept-Encoding": "identity"})
    packed = await client.get(url)
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json() == plain.json()
    assert packed.headers["etag"] != plain.headers["etag"]
    assert "Accept-Encoding" in packed.headers["vary"]
    with counted(service) as statements:
        for headers in (
            {"If-None-Match": plain.headers["etag"]},
            {"If-None-Match": f'"x", W/{packed.headers["etag"]}'},
            {"If-Modified-Since": plain.headers["last-modified"]},
        ):
            statements.clear()
            answer = await client.get(url, headers=headers)
            assert answer.status_code == 304
            assert answer.content == b""
            assert answer.headers["access-control-allow-origin"] == "*"
            assert len(statements) == 1
    assert service.resources.feeds.rendered == 1

    async with session_factory.begin() as session:
        await session.execute(
            update(models.Event)
            .where(models.Event.id == conference["event"])
            .values(revision=models.Event.revision + 1, name="Coffee")
        )
    changed = await client.get(url, headers={"If-None-Match": plain.headers["etag"]})
    assert changed.status_code == 200
    assert changed.json()["schedule"]["conference"]["title"] == "Coffee"
    assert service.resources.feeds.rendered == 2


async def test_feeds_of_some_sessions(
    client: httpx.AsyncClient, conference: dict[str, int]
) -> None:
    base = "/events/ab3de6f0"
    for path, expected in {
        "schedule.ics": ["Pouring", "Steeping"],
        f"schedule.ics?sessions={conference['other']}, {conference['hidden']},999": ["Pouring"],
        f"schedule.ics?track={conference['track']}": ["Steeping"],
        f"schedule.ics?speaker={conference['speaker']}": ["Steeping"],
        "schedule.ics?sessions=": [],
        f"sessions/{conference['shown']}.ics": ["Steeping"],
        f"speakers/{conference['speaker']}.ics": ["Steeping"],
        f"tracks/{conference['track']}.ics": ["Steeping"],
    }.items():
        answer = await client.get(f"{base}/{path}")
        assert answer.status_code == 200, path
        assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
        assert titles(answer.content) == expected, path
    for path in (
        f"sessions/{conference['hidden']}.ics",
        f"speakers/{conference['quiet']}.ics",
        "sessions/999999.ics",
        "tracks/9.ics",
        "schedule.pdf",
    ):
        assert (await client.get(f"{base}/{path}")).status_code == 404, path
    for path in ("schedule.ics?sessions=1;2", "schedule.ics?track=0", "schedule.ics?track=x"):
        assert (await client.get(f"{base}/{path}")).status_code == 400, path


@pytest.mark.parametrize(
    "values", [{"published_at": None}, {"deleted_at": PUBLISHED}], ids=["draft", "deleted"]
)
async def test_only_published_events_have_feeds(
    client: httpx.AsyncClient,
    conference: dict[str, int],
    session_factory: async_sessionmaker[AsyncSession],
    values: dict[str, Any],
) -> None:
    async with session_factory.begin() as session:
        await session.execute(
            update(models.Event).where(models.Event.id == conference["event"]).values(**values)
        )
    for suffix in SUFFIXES:
        answer = await client.get(f"/events/ab3de6f0/schedule.{suffix}")
        assert answer.status_code == 404
        assert answer.json()["errors"][0]["code"] == "not-found"
    assert (await client.get("/events/unknown/schedule.xml")).status_code == 404


async def test_a_head_and_the_page_link_to_the_feeds(
    client: httpx.AsyncClient, conference: dict[str, int]
) -> None:
    head = await client.head("/events/ab3de6f0/schedule.xml")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["etag"]
    page = (await client.get("/events/ab3de6f0")).text
    for suffix in SUFFIXES:
        assert page.count(f'href="/events/ab3de6f0/schedule.{suffix}"') == 2
    assert conference


async def test_a_large_feed_is_kept_in_a_file(
    client: httpx.AsyncClient, conference: dict[str, int], add: AddRows
) -> None:
    await add(
        models.EventSession(
            event_id=conference["event"],
            title="Long",
            state="accepted",
            long_abstract="tea " * 600_000,
            starts_at=datetime(2027, 3, 5, 3, tzinfo=UTC),
        )
    )
    answer = await client.get(
        "/events/ab3de6f0/schedule.json", headers={"Accept-Encoding": "identity"}
    )
    assert int(answer.headers["content-length"]) == len(answer.content) > 1024 * 1024
    packed = await client.get("/events/ab3de6f0/schedule.json")
    assert json.loads(packed.content) == answer.json()
