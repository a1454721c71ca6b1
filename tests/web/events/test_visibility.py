"""Who sees what of which event, and who may change it."""

from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from tests.web.events.conftest import EXTRA, MEDIA_TYPE
from tests.web.events.routes import CHANGED, LISTS, READ, SINGLE

from eventimport.database.models import EventRole, User

HIDDEN = [
    {"state": "published", "privacy": "private"},
    {"state": "draft", "privacy": "public"},
    {"state": "draft", "privacy": "private"},
]
READ_OF_ONE = sorted(READ - {"/v1/events"})
SINGLE_PATHS = {path: name for name, path in SINGLE.items()}


def url_of(path: str, conference: Any) -> str:
    """The path, with the id of something of the conference's."""
    return path.replace(
        f"/v1/{path.split('/')[2]}/{{resource_id}}", conference.url(path.split("/")[2])
    )


@pytest.mark.parametrize("values", HIDDEN, ids=lambda v: "-".join(v.values()))
async def test_no_part_of_a_hidden_event_is_seen(
    service: Any, make_user: Any, user: User, write_conference: Any, values: dict[str, str]
) -> None:
    conference = await write_conference(identifier="hidden", **values)
    seen: dict[str, set[int]] = {}
    for name, who in {
        "nobody": None,
        "other": await make_user(),
        "owner": user,
        "admin": await make_user(is_admin=True),
    }.items():
        client = await service.client(who)
        answers = [await client.get(url_of(path, conference)) for path in READ_OF_ONE]
        answers.append(await client.get("/v1/events/hidden"))
        seen[name] = {answer.status_code for answer in answers}

    assert seen == {"nobody": {404}, "other": {404}, "owner": {200}, "admin": {200}}


async def test_all_parts_of_a_published_event_are_seen_by_all(
    client: httpx.AsyncClient, conference: Any
) -> None:
    answers = {path: await client.get(url_of(path, conference)) for path in sorted(READ)}

    assert {path for path, answer in answers.items() if answer.status_code != 200} == set()


async def test_the_list_has_what_one_may_see(
    service: Any, make_user: Any, user: User, write_conference: Any
) -> None:
    other = await make_user()
    await write_conference(1, name="public", identifier="e1")
    await write_conference(1, name="own draft", identifier="e2", state="draft")
    await write_conference(1, name="other's draft", identifier="e3", state="draft", owner=other)
    lists = {}
    for name, who in {
        "nobody": None,
        "user": user,
        "other": other,
        "admin": await make_user(is_admin=True),
    }.items():
        document = (await (await service.client(who)).get("/v1/events?sort=name")).json()
        lists[name] = [event["attributes"]["name"] for event in document["data"]]
        assert document["meta"]["total"] == len(lists[name])

    assert lists == {
        "nobody": ["public"],
        "user": ["own draft", "public"],
        "other": ["other's draft", "public"],
        "admin": ["other's draft", "own draft", "public"],
    }


def private_parts(document: Any) -> set[str]:
    """The private attributes that are somewhere in a document."""
    if isinstance(document, dict):
        here = {"email", "mobile", "extra"} & document.keys()
        return here.union(*map(private_parts, document.values()))
    if isinstance(document, list):
        return set().union(*map(private_parts, document))
    return set()


SPEAKERS = [
    "/v1/speakers/{speaker}",
    "/v1/events/{event}/speakers",
    "/v1/sessions/{session}/speakers",
    "/v1/sessions/{session}?include=speakers",
    "/v1/events/{event}?include=sessions.speakers&fields[event]=name",
    "/v1/events?include=speakers&fields[event]=name",
    "/v1/speakers/{speaker}?fields[speaker]=email,mobile,extra,name",
]


@pytest.mark.parametrize("path", SPEAKERS)
async def test_private_attributes_are_for_the_owner_and_admins(
    service: Any, make_user: Any, user: User, conference: Any, path: str
) -> None:
    url = path.format(
        event=conference.id,
        speaker=conference.ids["speakers"][0],
        session=conference.ids["sessions"][0],
    )
    told = {}
    for name, who in {
        "nobody": None,
        "other": await make_user(),
        "owner": user,
        "admin": await make_user(is_admin=True),
    }.items():
        document = (await (await service.client(who)).get(url)).json()
        speakers = [
            resource
            for resource in [document["data"], *document.get("included", [])]
            for resource in (resource if isinstance(resource, list) else [resource])
            if resource["type"] == "speaker"
        ]
        assert speakers
        told[name] = private_parts(speakers)

    everything = {"email", "mobile", "extra"}
    assert told == {"nobody": set(), "other": set(), "owner": everything, "admin": everything}


async def test_extra_is_private_everywhere(
    client: httpx.AsyncClient, user_client: httpx.AsyncClient, conference: Any
) -> None:
    for path in ("events", *LISTS, *SINGLE.values()):
        url = conference.url(path)
        assert "extra" not in (await client.get(url)).json()["data"]["attributes"]
        assert (await user_client.get(url)).json()["data"]["attributes"]["extra"] == EXTRA


async def test_another_role_than_the_owners_is_no_key(
    service: Any,
    make_user: Any,
    write_conference: Any,
    session_factory: async_sessionmaker[AsyncSession],
) -> None:
    other = await make_user()
    conference = await write_conference(1, state="draft", owner=other)
    async with session_factory.begin() as session:
        await session.execute(update(EventRole).values(role="attendee"))

    answer = await (await service.client(other)).get(f"/v1/events/{conference.id}")

    assert answer.status_code == 404


@pytest.mark.parametrize("place", sorted(CHANGED), ids=" ".join)
async def test_who_may_change_what(
    service: Any, make_user: Any, write_conference: Any, place: tuple[str, str]
) -> None:
    method, path = place
    conference = await write_conference(identifier="published")
    hidden = await write_conference(identifier="hidden", state="draft")
    parts = path.split("/")
    kind = {"event-copyright": "event-copyright"}.get(parts[2], parts[2].removesuffix("s"))
    statuses = {}
    for name, who in {"nobody": None, "other": await make_user()}.items():
        client = await service.client(who)
        for of in (conference, hidden):
            data: Any = {"type": kind, "id": str(of.id)}
            if parts[-1] == "speakers":
                data = []
            elif "relationships" in parts:
                data = None
            answer = await client.request(
                method,
                url_of(path, of),
                json={"data": data},
                headers={"Content-Type": MEDIA_TYPE},
            )
            statuses[name, of.identifier] = answer.status_code

    assert statuses == {
        ("nobody", "published"): 401,
        ("nobody", "hidden"): 401,
        ("other", "published"): 403,
        ("other", "hidden"): 404,
    }


@pytest.mark.parametrize("value", ["Bearer nonsense", "Bearer", "Basic YTpi", "", "JWT x.y.z"])
async def test_a_bad_token_is_not_taken_for_none(
    client: httpx.AsyncClient, conference: Any, value: str
) -> None:
    for path in ("/v1/events", conference.url("events"), conference.url("sessions")):
        answer = await client.get(path, headers={"Authorization": value})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="eventimport"'


async def test_a_deleted_users_token_is_bad(service: Any, conference: Any) -> None:
    client = await service.client(User(id=2**40))

    assert (await client.get(conference.url("events"))).status_code == 401


async def test_caches_keep_views_apart(client: httpx.AsyncClient, conference: Any) -> None:
    for path in ("events", "sessions"):
        headers = (await client.get(conference.url(path))).headers
        assert headers["cache-control"] == "private, no-cache"
        assert headers["vary"] == "Authorization, Accept"
