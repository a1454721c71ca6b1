"""The page of an event: what it shows, to whom, and what it never lets through."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import httpx
import pytest
from sqlalchemy import event as sql_event
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from eventimport.auth import PreviewTokens
from eventimport.database import models
from eventimport.settings import Settings

AddEvent = Callable[..., Awaitable[models.Event]]
PUBLISHED = {"published_at": datetime(2027, 3, 1, tzinfo=UTC)}
MEDIA = "http://localhost:8000/media/events"


class Outline(HTMLParser):
    """What a page consists of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, attribute: str) -> list[str]:
        """The values of an attribute in all such tags."""
        return [
            attrs[attribute] or ""
            for name, attrs in self.tags
            if name == tag and attribute in attrs
        ]

    @property
    def headings(self) -> list[int]:
        """The levels of all headings."""
        return [int(tag[1]) for tag, _ in self.tags if re.fullmatch("h[1-6]", tag)]


@pytest.fixture
def add(session_factory: async_sessionmaker[AsyncSession]) -> Callable[..., Awaitable[None]]:
    """Writes rows, one after the other."""

    async def add(*rows: models.Base) -> None:
        async with session_factory.begin() as session:
            for row in rows:
                session.add(row)
                await session.flush()

    return add


@pytest.fixture
def add_event(add: Any) -> AddEvent:
    """Writes a conference with a bit of everything; keywords change the event."""

    async def add_event(**values: Any) -> models.Event:
        conference = models.Event(
            **{
                "identifier": "ab3de6f0",
                "name": "Tea & Cables",
                "description": "<p>All about <b>tea</b>.</p>",
                "starts_at": datetime(2027, 3, 5, 8, tzinfo=UTC),
                "ends_at": datetime(2027, 3, 7, 17, tzinfo=UTC),
                "timezone": "Asia/Tokyo",
                "location_name": "The Old Kettle",
                "code_of_conduct": "Be kind.",
                **values,
            }
        )
        await add(conference)
        track = models.Track(
            event_id=conference.id, name="Brewing", color="#ff8700", font_color="#OOOOOO"
        )
        room = models.Microlocation(event_id=conference.id, name="Spout")
        kind = models.SessionType(event_id=conference.id, name="Workshop")
        speaker = models.Speaker(
            event_id=conference.id,
            name="Ada Quill",
            email="ada@secret.example",
            mobile="+49 30 1234567",
            organisation="Leaf Ltd",
            short_biography="Pours.",
        )
        await add(track, room, kind, speaker)
        session = models.EventSession(
            event_id=conference.id,
            title="Steeping at night",
            state="accepted",
            # The evening of the 5th in London, the 6th in Tokyo.
            starts_at=datetime(2027, 3, 5, 20, 30, tzinfo=UTC),
            ends_at=datetime(2027, 3, 5, 21, 15, tzinfo=UTC),
            track_id=track.id,
            microlocation_id=room.id,
            session_type_id=kind.id,
        )
        await add(session)
        await add(
            models.SessionSpeaker(session_id=session.id, speaker_id=speaker.id),
            models.Sponsor(event_id=conference.id, name="Pot & Co", level=1, type="Gold"),
            models.SocialLink(
                event_id=conference.id, name="Forum", link="https://forum.example/tea"
            ),
            models.EventCopyright(
                event_id=conference.id,
                holder="Tea Guild",
                licence="CC BY 4.0",
                licence_url="https://licences.example/by",
                year=2027,
            ),
            models.SpeakersCall(event_id=conference.id, announcement="Tell us about tea."),
        )
        return conference

    return add_event


async def test_everything_is_there(client: httpx.AsyncClient, add_event: AddEvent) -> None:
    await add_event(**PUBLISHED)

    response = await client.get("/events/ab3de6f0")
    outline = Outline(response.text)

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    for words in (
        "Tea & Cables",
        "5\N{EN DASH}8 March 2027",
        "The Old Kettle",
        "All about tea.",
        "Asia/Tokyo (UTC+09:00)",
        "Saturday, 6 March 2027",
        "05:30",
        "Spout",
        "Steeping at night",
        "Brewing",
        "Workshop",
        "Ada Quill",
        "Leaf Ltd",
        "Pours.",
        "AQ",
        "Pot & Co",
        "Gold",
        "Tea Guild",
        "CC BY 4.0",
        "Be kind.",
        "Tell us about tea.",
    ):
        assert words in outline.text
    assert {"https://forum.example/tea", "https://licences.example/by"} <= set(
        outline.all("a", "href")
    )


async def test_what_speakers_told_in_confidence_is_not_there(
    client: httpx.AsyncClient, add_event: AddEvent
) -> None:
    await add_event(**PUBLISHED)

    page = await client.get("/events/ab3de6f0")

    assert "Ada Quill" in page.text
    assert "secret.example" not in page.text
    assert "1234567" not in page.text


async def test_headings_and_landmarks_make_sense(
    client: httpx.AsyncClient, add_event: AddEvent
) -> None:
    await add_event(**PUBLISHED, description="<h1>Loud</h1><h3>Less</h3>")

    for path in ("/events/ab3de6f0", "/events/nowhere", "/"):
        outline = Outline((await client.get(path)).text)
        levels = outline.headings
        ids = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
        targets = [href[1:] for href in outline.all("a", "href") if href.startswith("#")]

        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))
        assert [tag for tag, _ in outline.tags].count("main") == 1
        assert outline.all("html", "lang") == ["en"]
        assert outline.all("meta", "name")[0] == "viewport"
        assert len(ids) == len(set(ids))
        assert set(targets) <= set(ids)


async def test_a_track_has_its_colour_and_text_that_can_be_read(
    client: httpx.AsyncClient, add_event: AddEvent
) -> None:
    await add_event(**PUBLISHED)

    page = await client.get("/events/ab3de6f0")
    policy = page.headers["content-security-policy"]

    assert re.search(r"\.track-\d+\{--track:#ff8700;--track-text:#000000\}</style>", page.text)
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert re.search(r"style-src 'self' 'sha256-[\w+/]{43}='", policy)
    assert " style=" not in page.text


@pytest.mark.parametrize("hidden", [{"published_at": None}])
async def test_a_draft_is_seen_by_who_has_a_preview_of_it(
    service: Any, user: models.User, add: Any, add_event: AddEvent, hidden: Any
) -> None:
    conference = await add_event(**{**PUBLISHED, **hidden})
    await add(models.EventRole(event_id=conference.id, user_id=user.id))
    other = models.Event(identifier="other", name="Other")
    await add(other)
    client, owner = await service.client(), await service.client(user)

    preview = (await owner.post("/v1/events/ab3de6f0/preview")).json()
    pages = {
        "stranger": await client.get("/events/ab3de6f0"),
        "owner's header": await owner.get("/events/ab3de6f0"),
        "preview": await client.get(preview["url"]),
        "another's": await client.get(preview["url"].replace("ab3de6f0", "other")),
    }

    assert {name: page.status_code for name, page in pages.items()} == {
        "stranger": 404,
        "owner's header": 404,
        "preview": 200,
        "another's": 404,
    }
    assert preview["expires_in"] == 3600
    assert "Tea" not in pages["stranger"].text
    assert pages["preview"].headers["cache-control"] == "private, no-store"
    assert pages["preview"].headers["referrer-policy"] == "no-referrer"
    assert "Steeping at night" in pages["preview"].text


async def test_previews_are_for_owners_and_admins(
    service: Any, user: models.User, make_user: Any, add: Any, add_event: AddEvent
) -> None:
    conference = await add_event()
    await add(models.EventRole(event_id=conference.id, user_id=user.id))
    statuses = [
        (await (await service.client(who)).post("/v1/events/ab3de6f0/preview")).status_code
        for who in (user, await make_user(is_admin=True), await make_user(), None)
    ]

    assert statuses == [200, 200, 404, 401]


async def test_neither_token_passes_for_the_other(
    service: Any,
    settings: Settings,
    user: models.User,
    client: httpx.AsyncClient,
    add_event: AddEvent,
) -> None:
    conference = await add_event()
    access = service.resources.tokens.issue(conference.id)
    preview = PreviewTokens(settings.auth).issue(user.id)

    page = await client.get(f"/events/ab3de6f0?preview={access}")
    jobs = await client.get("/v1/import-jobs", headers={"Authorization": f"Bearer {preview}"})

    assert page.status_code == 404
    assert jobs.status_code == 401


async def test_a_preview_ends(
    settings: Settings, client: httpx.AsyncClient, add_event: AddEvent
) -> None:
    conference = await add_event()
    config = replace(settings.auth, preview_lifetime=timedelta(hours=-1))
    expired = PreviewTokens(config).issue(conference.id)

    assert (await client.get(f"/events/ab3de6f0?preview={expired}")).status_code == 404


@pytest.mark.parametrize("identifier", ["nowhere", "%00", "a%20b", "%F0%9F%8D%B5", "x" * 300])
async def test_what_is_no_event_is_a_page_too(client: httpx.AsyncClient, identifier: str) -> None:
    response = await client.get(f"/events/{identifier}")

    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html")
    assert "Event not found" in response.text


async def test_a_browser_that_has_it_gets_it_once(
    client: httpx.AsyncClient, add_event: AddEvent, add: Any
) -> None:
    conference = await add_event(**PUBLISHED)
    page = await client.get("/events/ab3de6f0")
    known = {"If-None-Match": page.headers["etag"]}

    again = await client.get("/events/ab3de6f0", headers=known)
    await add(models.Sponsor(event_id=conference.id, name="A new one"))
    changed = await client.get("/events/ab3de6f0", headers=known)

    assert (again.status_code, again.content) == (304, b"")
    assert policies(again) == policies(page), "a browser applies the headers of the 304"
    assert changed.status_code == 200
    assert (await client.head("/events/ab3de6f0")).status_code == 200


CONTENT_HEADERS = {"content-length", "content-type", "x-request-id"}


def policies(answer: httpx.Response) -> dict[str, str]:
    """All headers of an answer but those about its content and the request."""
    return {name: answer.headers[name] for name in answer.headers if name not in CONTENT_HEADERS}


@pytest.mark.parametrize("tag", ["{}", "W/{}", '"another", {}', "*"])
async def test_a_304_has_the_headers_of_the_200(
    client: httpx.AsyncClient, add_event: AddEvent, tag: str
) -> None:
    await add_event(**PUBLISHED)

    for path in ("/events/ab3de6f0", "/static/pages.css", "/static/icon.svg"):
        first = await client.get(path)
        known = {"If-None-Match": tag.format(first.headers["etag"])}
        for again in (
            await client.get(path, headers=known),
            await client.head(path, headers=known),
        ):
            assert (again.status_code, again.content) == (304, b"")
            assert policies(again) == policies(first)


async def test_pages_have_their_policy_whatever_the_status(
    client: httpx.AsyncClient, add_event: AddEvent
) -> None:
    await add_event(published_at=None)

    for path in ("/", "/events/ab3de6f0", "/events/unknown", "/events/%00"):
        page = await client.get(path)
        assert "style-src 'self'" in page.headers["content-security-policy"], page.status_code


HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


async def test_nothing_of_an_archive_becomes_a_program(
    client: httpx.AsyncClient, add_event: AddEvent, add: Any
) -> None:
    rich = f'{HOSTILE}<a href="javascript:alert(1)" onclick="x()">a</a><style>*{{}}</style>'
    conference = await add_event(
        **PUBLISHED, name=HOSTILE, location_name=HOSTILE, owner_name=HOSTILE, description=rich
    )
    script = "javascript:alert(1)"
    speaker = models.Speaker(event_id=conference.id, name=HOSTILE, website=script, photo_url=script)
    await add(
        speaker,
        models.Track(
            event_id=conference.id, name=HOSTILE, color="red}*{color:red", font_color=HOSTILE
        ),
        models.Microlocation(event_id=conference.id, name=HOSTILE),
        models.SocialLink(event_id=conference.id, name=HOSTILE, link=script),
        models.Sponsor(
            event_id=conference.id, name=HOSTILE, type=HOSTILE, url=script, logo_url=script
        ),
        models.EventSession(
            event_id=conference.id,
            title=HOSTILE,
            short_abstract=rich,
            long_abstract=f"{rich} and more",
            slides_url=script,
            level=HOSTILE,
        ),
    )

    outline = Outline((await client.get("/events/ab3de6f0")).text)

    assert not {"script", "iframe", "object", "form"} & {tag for tag, _ in outline.tags}
    assert not [key for _, attrs in outline.tags for key in attrs if key.startswith("on")]
    assert not [link for link in outline.all("a", "href") if link.startswith("javascript")]
    assert outline.all("img", "src") == []
    assert outline.text.count(HOSTILE) >= 8


async def test_links_that_lead_away_say_so(client: httpx.AsyncClient, add_event: AddEvent) -> None:
    await add_event(**PUBLISHED, description='See <a href="https://tea.example">this</a>.')

    outline = Outline((await client.get("/events/ab3de6f0")).text)
    away = [attrs for tag, attrs in outline.tags if tag == "a" and "http" in (attrs["href"] or "")]

    assert len(away) >= 3
    assert all((link["rel"] or "").startswith("noopener nofollow ugc") for link in away)


async def test_stored_pictures_are_shown_and_others_are_not(
    client: httpx.AsyncClient, add_event: AddEvent, add: Any
) -> None:
    conference = await add_event(
        **PUBLISHED,
        logo_url=f"{MEDIA}/1/logo.png",
        large_image_url="https://elsewhere.example/large.jpg",
    )
    await add(
        models.Speaker(event_id=conference.id, name="Stored", photo_url=f"{MEDIA}/1/photo.jpg"),
        models.Speaker(
            event_id=conference.id, name="Far away", photo_url="https://elsewhere.example/p"
        ),
        models.Speaker(
            event_id=conference.id, name="Not moved", photo_url="/images/speakers/a.jpg"
        ),
    )

    page = await client.get("/events/ab3de6f0")
    outline = Outline(page.text)

    assert outline.all("img", "src") == [f"{MEDIA}/1/logo.png", f"{MEDIA}/1/photo.jpg"]
    assert "FA" in outline.text
    assert "NM" in outline.text
    assert (
        "img-src 'self' data: http://localhost:8000/media/;"
        in page.headers["content-security-policy"]
    )


async def test_proposals_that_were_not_accepted_are_not_shown(
    client: httpx.AsyncClient, add_event: AddEvent, add: Any
) -> None:
    conference = await add_event(**PUBLISHED)
    refused = models.EventSession(event_id=conference.id, title="Refused", state="rejected")
    stateless = models.EventSession(event_id=conference.id, title="Of no state")
    author = models.Speaker(event_id=conference.id, name="Hopeful Author")
    await add(refused, stateless, author)
    await add(models.SessionSpeaker(session_id=refused.id, speaker_id=author.id))

    text = Outline((await client.get("/events/ab3de6f0")).text).text

    assert "Refused" not in text
    assert "Hopeful Author" not in text
    assert "Of no state" in text
    assert "Not scheduled yet" in text


async def test_statements_do_not_depend_on_the_size(
    service: Any, client: httpx.AsyncClient, add_event: AddEvent, add: Any
) -> None:
    small = await add_event(**PUBLISHED)
    large = models.Event(identifier="large", name="Large", **PUBLISHED)
    await add(large)
    people = [models.Speaker(event_id=large.id, name=f"Speaker {n}") for n in range(190)]
    start = datetime(2027, 3, 5, tzinfo=UTC)
    talks = [
        models.EventSession(
            event_id=large.id, title=f"Talk {n}", starts_at=start + timedelta(minutes=n)
        )
        for n in range(500)
    ]
    await add(*people, *talks)
    await add(
        *(
            models.SessionSpeaker(session_id=talk.id, speaker_id=people[number % 190].id)
            for number, talk in enumerate(talks)
        )
    )
    statements: list[str] = []
    sql_event.listen(
        service.resources.reader.sync_engine,
        "before_cursor_execute",
        lambda *told: statements.append(told[2]),
    )

    counts = []
    for identifier in (small.identifier, large.identifier):
        statements.clear()
        page = await client.get(f"/events/{identifier}")
        assert page.status_code == 200
        counts.append(len(statements))

    assert page.text.count("<article") == 500
    assert counts[0] == counts[1] <= 14


LIMIT = 60_000


@pytest.fixture
async def small(start_service: Any) -> httpx.AsyncClient:
    """A client of a service whose pages are small."""
    service = await start_service(max_response_bytes=LIMIT)
    client: httpx.AsyncClient = await service.client()
    return client


@pytest.mark.parametrize("text", ["x" * 6_000, "http://a.b " * 500, "&" * 6_000, "<b>a</b>" * 700])
async def test_a_large_event_is_shown_without_its_long_texts(
    small: httpx.AsyncClient, add_event: AddEvent, add: Any, text: str
) -> None:
    """Some are too large as they are, others once they are HTML."""
    conference = await add_event(**PUBLISHED, name="Huge")
    talks = [
        models.EventSession(event_id=conference.id, title=f"Talk {n}", long_abstract=text)
        for n in range(10)
    ]
    await add(*talks)

    page = await small.get("/events/ab3de6f0")

    assert page.status_code == 200
    assert len(page.content) <= LIMIT
    assert "too large for one page" in page.text
    assert f"/v1/events/{conference.id}/sessions" in Outline(page.text).all("a", "href")
    assert [f"Talk {n}" in page.text for n in range(10)] == [True] * 10
    assert "style-src 'self'" in page.headers["content-security-policy"]
    known = {"If-None-Match": page.headers["etag"]}
    assert (await small.get("/events/ab3de6f0", headers=known)).status_code == 304


async def test_an_event_of_very_many_records_leads_to_the_api(
    small: httpx.AsyncClient, add_event: AddEvent, add: Any
) -> None:
    conference = await add_event(**PUBLISHED, name="Huge <b>")
    await add(*(models.Sponsor(event_id=conference.id, name="x" * 50) for _ in range(80)))

    page = await small.get("/events/ab3de6f0")

    assert page.status_code == 200
    assert len(page.content) < 5_000
    assert "Huge &lt;b&gt;" in page.text
    assert f"/v1/events/{conference.id}/sponsors" in Outline(page.text).all("a", "href")


async def test_a_name_that_many_sessions_repeat_is_cut(
    client: httpx.AsyncClient, add_event: AddEvent, add: Any
) -> None:
    conference = await add_event(**PUBLISHED)
    track = models.Track(event_id=conference.id, name="T" * 100_000)
    speaker = models.Speaker(event_id=conference.id, name="S" * 100_000)
    await add(track, speaker)
    talks = [
        models.EventSession(event_id=conference.id, title="A" * 100_000, track_id=track.id)
        for _ in range(20)
    ]
    await add(*talks)
    await add(*(models.SessionSpeaker(session_id=t.id, speaker_id=speaker.id) for t in talks))

    page = await client.get("/events/ab3de6f0")

    assert page.text.count("T" * 300) >= 20
    assert len(page.content) < 200_000
