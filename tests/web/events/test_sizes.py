"""How large a response may be: bytes count, not records."""

from itertools import product
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, insert, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from eventimport.database import models
from eventimport.database.event_graph import FRAME_BYTES
from eventimport.errors import size_in_words

LIMIT = 40_000
TEXT = 5_000


@pytest.fixture
async def small(start_service: Any) -> Any:
    """A service that writes small responses."""
    return await start_service(max_response_bytes=LIMIT)


@pytest.fixture
async def large_records(
    write_conference: Any, session_factory: async_sessionmaker[AsyncSession]
) -> Any:
    """A conference of five of each kind, with a long text in each session and speaker."""
    conference = await write_conference(5)
    async with session_factory.begin() as session:
        await session.execute(update(models.EventSession).values(long_abstract="é" * TEXT))
        await session.execute(update(models.Speaker).values(long_biography="é" * TEXT))
        await session.execute(update(models.Sponsor).values(description="é" * TEXT))
    return conference


def refusal(response: httpx.Response) -> tuple[int, str, str]:
    (error,) = response.json()["errors"]
    assert f"{size_in_words(LIMIT)} (MAX_RESPONSE_BYTES)" in error["detail"]
    return response.status_code, error["source"]["parameter"], error["detail"]


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("events/{event}?include=sessions", "/v1/events/{event}/sessions"),
        ("events/{event}?include=tracks,sessions", "/v1/events/{event}/sessions"),
        ("events/{event}?include=tracks,sponsors", "/v1/events/{event}/sponsors"),
        ("events/{event}?include=speakers.sessions", "/v1/events/{event}/speakers"),
        ("events?include=sessions", "/v1/events/{event}/sessions"),
        ("events/{event}/tracks?include=sessions", "/v1/tracks/{{id}}/sessions"),
        ("tracks/{track}?include=event.sessions", "/v1/events/{event}/sessions"),
    ],
)
async def test_an_inclusion_that_is_too_large_names_the_route_of_its_pages(
    small: Any, large_records: Any, path: str, route: str
) -> None:
    client = await small.client()
    ids = {"event": large_records.id, "track": large_records.ids["tracks"][0]}

    status, parameter, detail = refusal(await client.get(f"/v1/{path.format(**ids)}"))

    assert (status, parameter) == (400, "include")
    assert route.format(**ids) in detail
    page = route.format(**ids).replace("{id}", str(ids["track"]))
    assert (await client.get(f"{page}?page[size]=2")).status_code == 200


@pytest.mark.parametrize("name", ["sessions", "speakers", "sponsors"])
async def test_a_page_that_is_too_large_asks_for_a_smaller_one(
    small: Any, large_records: Any, name: str
) -> None:
    client = await small.client()
    url = f"/v1/events/{large_records.id}/{name}"

    status, parameter, detail = refusal(await client.get(url))

    assert (status, parameter) == (400, "page[size]")
    assert f"fields[{name.removesuffix('s')}]" in detail
    pages = [await client.get(f"{url}?page[size]=2&page[number]={n}") for n in (1, 2, 3)]
    assert [len(page.json()["data"]) for page in pages] == [2, 2, 1]
    assert all(len(page.content) <= LIMIT for page in pages)
    field = {"sessions": "title"}.get(name, "name")
    fewer = await client.get(f"{url}?fields[{name.removesuffix('s')}]={field}")
    assert len(fewer.json()["data"]) == 5


async def test_no_included_record_is_cut_off(small: Any, large_records: Any) -> None:
    client = await small.client()
    session = large_records.ids["sessions"][0]

    whole = (await client.get(f"/v1/sessions/{session}?include=speakers,track,event")).json()

    assert len(whole["data"]["relationships"]["speakers"]["data"]) == 2
    assert len(whole["included"]) == 4
    assert all(
        len(each["attributes"]["long-biography"]) == TEXT
        for each in whole["included"]
        if each["type"] == "speaker"
    )


async def test_one_record_has_any_size(
    small: Any, large_records: Any, session_factory: async_sessionmaker[AsyncSession]
) -> None:
    async with session_factory.begin() as session:
        await session.execute(update(models.EventSession).values(long_abstract="x" * 2 * LIMIT))
    client = await small.client()
    url = f"/v1/events/{large_records.id}/sessions?page[size]=1"

    for path in (url, f"/v1/sessions/{large_records.ids['sessions'][0]}"):
        assert len((await client.get(path)).content) > 2 * LIMIT
    assert refusal(await client.get(f"{url}&include=speakers"))[:2] == (400, "include")
    track = large_records.url("tracks")
    assert refusal(await client.get(f"{track}?include=sessions"))[:2] == (400, "include")


async def test_what_json_escapes_counts(
    small: Any, large_records: Any, session_factory: async_sessionmaker[AsyncSession]
) -> None:
    """Each of these characters takes six bytes in JSON."""
    async with session_factory.begin() as session:
        await session.execute(update(models.EventSession).values(long_abstract="\x01" * TEXT))
    client = await small.client()

    for path in ("/sessions", "?include=sessions"):
        assert refusal(await client.get(f"/v1/events/{large_records.id}{path}"))[0] == 400


async def test_links_count(
    start_service: Any, write_conference: Any, session_factory: async_sessionmaker[AsyncSession]
) -> None:
    """Forty speakers at forty sessions are small records, and 1,600 links."""
    conference = await write_conference(40)
    pairs = product(conference.ids["sessions"], conference.ids["speakers"])
    rows = [{"session_id": one, "speaker_id": other} for one, other in pairs]
    async with session_factory.begin() as session:
        await session.execute(delete(models.SessionSpeaker))
        await session.execute(insert(models.SessionSpeaker), rows)
    service = await start_service(max_response_bytes=100 * FRAME_BYTES)
    client = await service.client()
    url = f"/v1/events/{conference.id}/sessions?page[size]=40"

    assert (await client.get(f"{url}&fields[session]=title")).status_code == 200
    answer = await client.get(f"{url}&include=speakers&fields[speaker]=name&fields[session]=title")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["source"] == {"parameter": "include"}


async def test_a_large_response_is_whole(client: httpx.AsyncClient, large_records: Any) -> None:
    """It is written in a thread, piece by piece."""
    answer = await client.get(f"/v1/events/{large_records.id}?include=sessions,speakers,sponsors")

    document = answer.json()
    assert len(answer.content) > 64 * 1024
    assert len(document["included"]) == 15
    assert answer.headers["content-type"] == "application/vnd.api+json"
    assert document["jsonapi"] == {"version": "1.1"}
    assert document["links"] == {"self": f"/v1/events/{large_records.id}"}
