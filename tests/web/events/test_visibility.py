"""Who sees what of which event, and who may change it."""

import re
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from tests.web.events.conftest import EXTRA, MEDIA_TYPE, NOON, Conference
from tests.web.events.routes import CHANGED, LISTS, READ, SINGLE

from eventimport.database import models
from eventimport.database.models import EventRole, User

HIDDEN = [
    {"published_at": None, "state": "published", "privacy": "public"},
    {"published_at": None, "state": None, "privacy": "private"},
    {"published_at": NOON, "deleted_at": NOON},
]
READ_OF_ONE = sorted(READ - {"/v1/events"})
SINGLE_PATHS = {path: name for name, path in SINGLE.items()}


def url_of(path: str, conference: Any) -> str:
    """The path, with the id of something of the conference's."""
    return path.replace(
        f"/v1/{path.split('/')[2]}/{{resource_id}}", conference.url(path.split("/")[2])
    )


@pytest.mark.parametrize("values", HIDDEN, ids=lambda v: "-".join(map(str, v.values())))
async def test_no_part_of_a_hidden_event_is_seen(
    service: Any, make_user: Any, user: User, write_conference: Any, values: dict[str, Any]
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
    await write_conference(1, name="own draft", identifier="e2", published_at=None)
    await write_conference(1, name="other's draft", identifier="e3", published_at=None, owner=other)
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
    conference = await write_conference(1, published_at=None, owner=other)
    async with session_factory.begin() as session:
        await session.execute(update(EventRole).values(role="attendee"))

    answer = await (await service.client(other)).get(f"/v1/events/{conference.id}")

    assert answer.status_code == 404


async def test_who_may_change_what(service: Any, make_user: Any, write_conference: Any) -> None:
    conference = await write_conference(identifier="published")
    hidden = await write_conference(identifier="hidden", published_at=None)
    clients = [await service.client(who) for who in (None, await make_user())]
    for method, path in sorted(CHANGED):
        statuses = []
        for client in clients:
            for of in (conference, hidden):
                answer = await client.request(
                    method,
                    url_of(path, of),
                    json={"data": data_for(method, path, of)},
                    headers={"Content-Type": MEDIA_TYPE},
                )
                statuses.append(answer.status_code)

        assert statuses == [401, 401, 403, 404], (method, path)


OWNERS_ONLY = {
    ("DELETE", "/v1/events/{resource_id}"),
    ("POST", "/v1/events/{resource_id}/publish"),
    ("POST", "/v1/events/{resource_id}/unpublish"),
}


async def test_members_change_what_their_role_allows(
    service: Any,
    make_user: Any,
    write_conference: Any,
    session_factory: async_sessionmaker[AsyncSession],
) -> None:
    conference = await write_conference(identifier="ours", published_at=None)
    clients = {}
    for role in ("viewer", "editor"):
        member = await make_user()
        clients[role] = await service.client(member)
        async with session_factory.begin() as session:
            session.add(EventRole(event_id=conference.id, user_id=member.id, role=role))
    for method, path in sorted(CHANGED):
        refused = {}
        for role, client in clients.items():
            answer = await client.request(
                method,
                url_of(path, conference),
                json={"data": data_for(method, path, conference)},
                headers={"Content-Type": MEDIA_TYPE},
            )
            assert answer.status_code not in {401, 404}, (method, path, answer.text)
            # Another 403 is that of a resource that would move to another event.
            refused[role] = answer.status_code == 403 and "Only the event's owner" in answer.text

        assert refused == {"viewer": True, "editor": (method, path) in OWNERS_ONLY}, (method, path)


def data_for(method: str, path: str, of: Any) -> Any:
    """A body that the route accepts from one who may send it."""
    parts = path.split("/")
    if "relationships" in parts:
        return [] if parts[-1] in LISTS else None
    name = SINGLE.get(parts[-1], parts[-1]) if method == "POST" else parts[2]
    data: Any = {"type": name if name == "event-copyright" else name.removesuffix("s")}
    if method == "POST":
        data["relationships"] = {"event": {"data": {"type": "event", "id": str(of.id)}}}
    else:
        data["id"] = str(of.id)
    return data


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


STATES = {
    "accepted": True,
    "confirmed": True,
    "Accepted": True,
    " confirmed ": True,
    None: True,
    "": True,
    "draft": False,
    "pending": False,
    "rejected": False,
    "withdrawn": False,
    "canceled": False,
    "deleted": False,
    "unheard-of": False,
}
"""Whether the public sees a session of this state, and its speakers, if they have no other."""

CALLS = {None: True, "public": True, "Public ": True, "private": False, "hidden": False}
FIELDS: dict[Any, bool] = {None: True, True: True, False: False, "false": False, "No": False}
"""Whether a field is seen of which `is_public` says this."""


@dataclass
class Program:
    """One session, with a speaker of its own, of each state; calls and form fields likewise."""

    event: Conference
    sessions: dict[Any, int]
    speakers: dict[Any, int]
    fields: dict[Any, int]
    idle_speaker: int

    def ids(self, path: str) -> dict[Any, int]:
        return {"sessions": self.sessions, "speakers": self.speakers, "custom-forms": self.fields}[
            path
        ]

    def seen(self, path: str) -> set[int]:
        """What everyone may see."""
        shown: dict[Any, bool] = FIELDS if path == "custom-forms" else STATES
        found = {row_id for key, row_id in self.ids(path).items() if shown[key]}
        return found | {self.idle_speaker} if path == "speakers" else found

    def all(self, path: str) -> set[int]:
        """What there is."""
        found = set(self.ids(path).values())
        return found | {self.idle_speaker} if path == "speakers" else found


@pytest.fixture
async def program(
    write_conference: Any, session_factory: async_sessionmaker[AsyncSession]
) -> Program:
    """A published event with records of every state; all sessions are in one track, room, type."""
    event = await write_conference(1)
    async with session_factory.begin() as session:
        for model in (
            models.SessionSpeaker,
            models.CustomForm,
            models.EventSession,
            models.Speaker,
        ):
            await session.execute(delete(model))

        async def add(row: Any) -> Any:
            session.add(row)
            await session.flush()
            return row.id

        sessions, speakers = {}, {}
        for state in STATES:
            sessions[state] = await add(
                models.EventSession(
                    event_id=event.id,
                    title=f"{state} session",
                    state=state,
                    comments="internal",
                    track_id=event.ids["tracks"][0],
                    microlocation_id=event.ids["microlocations"][0],
                    session_type_id=event.ids["session-types"][0],
                )
            )
            speakers[state] = await add(
                models.Speaker(event_id=event.id, name=f"{state} speaker", email="a@example.org")
            )
            session.add(
                models.SessionSpeaker(session_id=sessions[state], speaker_id=speakers[state])
            )
        fields = {
            said: await add(
                models.CustomForm(
                    event_id=event.id,
                    form="session",
                    field_identifier=str(said),
                    extra={} if said is None else {"is_public": said},
                )
            )
            for said in FIELDS
        }
        idle = await add(models.Speaker(event_id=event.id, name="Idle", is_featured=True))
    return Program(event, sessions, speakers, fields, idle)


def found_ids(document: dict[str, Any], kind: str) -> set[int]:
    """The ids of this type anywhere in the document: data, included, and linkage."""
    found: set[int] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("type") == kind and "id" in value:
                found.add(int(value["id"]))
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    walk(document)
    return found


WAYS = {
    "sessions": [
        "/v1/events/{event}/sessions",
        "/v1/events/{event}/relationships/sessions",
        "/v1/events/{event}?include=sessions",
        "/v1/events?include=sessions",
        "/v1/events/{event}/tracks?include=sessions",
        "/v1/tracks/{track}/sessions",
        "/v1/tracks/{track}/relationships/sessions",
        "/v1/tracks/{track}?include=sessions",
        "/v1/tracks/{track}?include=event.sessions",
        "/v1/microlocations/{room}/sessions",
        "/v1/microlocations/{room}/relationships/sessions",
        "/v1/microlocations/{room}?include=sessions",
        "/v1/session-types/{type}/sessions",
        "/v1/session-types/{type}/relationships/sessions",
        "/v1/session-types/{type}?include=sessions",
        "/v1/events/{event}/sessions?sort=-state,title&fields[session]=title",
        "/v1/events/{event}/speakers?include=sessions",
    ],
    "speakers": [
        "/v1/events/{event}/speakers",
        "/v1/events/{event}/relationships/speakers",
        "/v1/events/{event}?include=speakers",
        "/v1/events?include=speakers",
        "/v1/events/{event}/speakers?sort=-name",
        "/v1/events/{event}/speakers?include=sessions",
        "/v1/tracks/{track}?include=event.speakers",
    ],
    "custom-forms": [
        "/v1/events/{event}/custom-forms",
        "/v1/events/{event}/relationships/custom-forms",
        "/v1/events/{event}?include=custom-forms",
        "/v1/events?include=custom-forms",
    ],
}


@pytest.mark.parametrize("path", WAYS)
async def test_records_are_seen_by_their_state_on_every_way(
    service: Any, make_user: Any, user: User, program: Program, path: str
) -> None:
    viewers = {
        "nobody": None,
        "other": await make_user(),
        "owner": user,
        "admin": await make_user(is_admin=True),
    }
    ids = {
        "event": program.event.id,
        "track": program.event.ids["tracks"][0],
        "room": program.event.ids["microlocations"][0],
        "type": program.event.ids["session-types"][0],
    }
    for name, who in viewers.items():
        client = await service.client(who)
        expected = program.all(path) if name in {"owner", "admin"} else program.seen(path)
        for way in WAYS[path]:
            document = (await client.get(way.format(**ids))).json()
            assert found_ids(document, path.removesuffix("s")) == expected, (name, way)
            if "total" in document.get("meta", {}) and way.startswith(
                f"/v1/events/{{event}}/{path}"
            ):
                assert document["meta"]["total"] == len(expected)
            if "relationships/" in way or way.endswith(f"/{path}"):
                paged = await client.get(f"{way.format(**ids)}?page[size]=1")
                assert paged.json()["meta"]["total"] == len(expected), (name, way)
        for state, row_id in program.ids(path).items():
            answer = await client.get(f"/v1/{path}/{row_id}")
            assert (answer.status_code == 200) == (row_id in expected), (name, state)
            rests = {"sessions": ["/speakers", "/track", "/event"], "speakers": ["/sessions"]}
            for rest in rests.get(path, ["/event"]):
                for between in ("", "/relationships"):
                    answer = await client.get(f"/v1/{path}/{row_id}{between}{rest}")
                    assert (answer.status_code == 200) == (row_id in expected), (name, state, rest)


@pytest.mark.parametrize("privacy", CALLS)
async def test_a_call_is_seen_by_its_privacy(
    service: Any,
    user: User,
    conference: Conference,
    session_factory: async_sessionmaker[AsyncSession],
    privacy: str | None,
) -> None:
    async with session_factory.begin() as session:
        await session.execute(update(models.SpeakersCall).values(privacy=privacy))
    url, event = conference.url("speakers-calls"), f"/v1/events/{conference.id}"
    for who in (None, user):
        client, seen = await service.client(who), CALLS[privacy] or who is user
        assert (await client.get(url)).status_code == (200 if seen else 404)
        for way in ("/speakers-call", "/relationships/speakers-call", "?include=speakers-call"):
            document = (await client.get(event + way)).json()
            assert bool(found_ids(document, "speakers-call")) is seen, way
        page = await client.get(f"/events/{conference.identifier}")
        assert ("Call for speakers" in page.text) is CALLS[privacy]


async def test_the_page_shows_what_the_api_shows(
    client: httpx.AsyncClient, program: Program
) -> None:
    page = (await client.get(f"/events/{program.event.identifier}")).text

    shown = {int(each) for each in re.findall(r'id="session-(\d+)"', page)}
    assert shown == program.seen("sessions")
    assert {int(each) for each in re.findall(r'id="speaker-(\d+)"', page)} == program.seen(
        "speakers"
    )
    assert "internal" not in page


async def test_a_speaker_with_one_session_that_is_seen_is_seen(
    client: httpx.AsyncClient,
    program: Program,
    session_factory: async_sessionmaker[AsyncSession],
) -> None:
    both = program.speakers["rejected"]
    async with session_factory.begin() as session:
        linked = models.SessionSpeaker(session_id=program.sessions["accepted"], speaker_id=both)
        session.add(linked)

    document = (await client.get(f"/v1/speakers/{both}?include=sessions")).json()

    assert found_ids(document, "session") == {program.sessions["accepted"]}
    listed = (await client.get(f"/v1/speakers/{both}/sessions")).json()
    assert (found_ids(listed, "session"), listed["meta"]["total"]) == (
        {program.sessions["accepted"]},
        1,
    )


PRIVATE = {
    "event": {"email"},
    "session": {"comments"},
    "speaker": {
        *("email", "mobile", "gender", "heard-from"),
        *("speaking-experience", "sponsorship-required"),
    },
}


async def test_nobody_orders_or_filters_by_what_is_private(
    service: Any, user: User, program: Program
) -> None:
    for who in (None, user):
        client = await service.client(who)
        for kind, names in PRIVATE.items():
            url = "/v1/events" if kind == "event" else f"/v1/events/{program.event.id}/{kind}s"
            for name in {*names, "extra"}:
                for query in (f"sort={name}", f"sort=-{name}", f"filter[{name}]=a", f"{name}=a"):
                    assert (await client.get(f"{url}?{query}")).status_code == 400, query
            document = (await client.get(url)).json()
            shown = document["data"][0]["attributes"].keys()
            assert names & shown == (set() if who is None else names)


@pytest.mark.parametrize("name", ["track", "microlocation", "session-type"])
async def test_a_session_does_not_name_what_is_deleted(
    service: Any,
    user: User,
    conference: Conference,
    session_factory: async_sessionmaker[AsyncSession],
    name: str,
) -> None:
    model = {"track": models.Track, "microlocation": models.Microlocation}.get(name)
    async with session_factory.begin() as session:
        await session.execute(update(model or models.SessionType).values(deleted_at=NOON))
    url, row_id = conference.url("sessions"), str(conference.ids[f"{name}s"][0])
    for who in (None, user):
        client, expected = await service.client(who), {row_id} if who else set()
        for way in ("", f"?include={name}", f"/{name}", f"/relationships/{name}"):
            document = (await client.get(url + way)).json()
            assert {str(each) for each in found_ids(document, name)} == expected, way
        listed = (await client.get(f"/v1/events/{conference.id}/sessions")).json()
        linked = [each["relationships"][name]["data"] for each in listed["data"]]
        assert [each is not None for each in linked] == [who is not None] * 3
        part = await client.get(f"/v1/{name}s/{row_id}")
        assert part.status_code == (200 if who else 404)
