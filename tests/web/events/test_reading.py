"""What the events API shows, and how it is asked."""

from typing import Any

import httpx
import pytest
from tests.web.events.routes import LISTS, RELATIONSHIPS, SINGLE

from eventimport.http.events.documents import COLLECTIONS, DOCUMENTS
from eventimport.http.events.schema import TYPES

PATHS = [*LISTS, *SINGLE.values()]


def ids_of(document: dict[str, Any]) -> list[int]:
    return [int(resource["id"]) for resource in document["data"]]


def problem(response: httpx.Response) -> tuple[int, dict[str, str]]:
    (error,) = response.json()["errors"]
    return response.status_code, error["source"]


async def test_an_event(client: httpx.AsyncClient, conference: Any) -> None:
    response = await client.get(f"/v1/events/{conference.identifier}")

    document = response.json()
    assert response.headers["content-type"] == "application/vnd.api+json"
    assert document["jsonapi"] == {"version": "1.1"}
    assert document["links"] == {"self": f"/v1/events/{conference.id}"}
    event = document["data"]
    assert (event["type"], event["id"]) == ("event", str(conference.id))
    assert event["attributes"]["name"] == "Conference"
    assert event["attributes"]["identifier"] == "ab3de6f0"
    assert event["attributes"]["timezone"] == "Asia/Singapore"
    assert event["relationships"].keys() == {*LISTS, *SINGLE, "owner"}
    assert event["relationships"]["sessions"] == {
        "links": {
            "self": f"/v1/events/{conference.id}/relationships/sessions",
            "related": f"/v1/events/{conference.id}/sessions",
        }
    }


async def test_id_and_identifier_lead_to_the_same(
    client: httpx.AsyncClient, conference: Any
) -> None:
    for rest in ("", "/sessions", "/event-copyright", "/relationships/tracks"):
        by_id = await client.get(f"/v1/events/{conference.id}{rest}")
        by_identifier = await client.get(f"/v1/events/ab3de6f0{rest}")
        assert by_id.json()["data"] == by_identifier.json()["data"] != []


async def test_a_session(client: httpx.AsyncClient, conference: Any) -> None:
    session = (await client.get(conference.url("sessions"))).json()["data"]

    assert session["attributes"]["title"] == "Session 1"
    assert session["attributes"]["short-abstract"] == "<p>What it is about</p>"
    assert session["attributes"]["starts-at"] == "2027-03-19T15:00:00Z"
    assert session["relationships"]["track"]["data"] == {
        "type": "track",
        "id": str(conference.ids["tracks"][0]),
    }
    assert "data" not in session["relationships"]["speakers"]


@pytest.mark.parametrize("path", PATHS)
async def test_each_kind(client: httpx.AsyncClient, conference: Any, path: str) -> None:
    name = {value: key for key, value in SINGLE.items()}.get(path, path)
    under_event = (await client.get(f"/v1/events/{conference.id}/{name}")).json()["data"]
    single = (await client.get(conference.url(path))).json()["data"]

    if path in LISTS:
        assert ids_of({"data": under_event}) == conference.ids[path]
        assert under_event[0] == single
    else:
        assert under_event == single
    assert single["relationships"].keys() == set(RELATIONSHIPS[path])


async def test_every_link_works(user_client: httpx.AsyncClient, conference: Any) -> None:
    """Each resource's links are followed, and the relationship tells the ids of what is related."""
    followed = 0
    for path, names in RELATIONSHIPS.items():
        resource = (await user_client.get(conference.url(path))).json()["data"]
        again = (await user_client.get(resource["links"]["self"])).json()["data"]
        assert again == resource
        for name in names:
            links = resource["relationships"][name]["links"]
            related = (await user_client.get(links["related"])).json()
            linkage = (await user_client.get(links["self"])).json()
            assert linkage["links"]["related"] == links["related"]
            assert linkage["links"]["self"].partition("?")[0] == links["self"]
            found = related["data"] if isinstance(related["data"], list) else [related["data"]]
            told = linkage["data"] if isinstance(linkage["data"], list) else [linkage["data"]]
            assert [(r["type"], r["id"]) for r in found] == [(r["type"], r["id"]) for r in told]
            assert found
            followed += 1
    assert followed == sum(map(len, RELATIONSHIPS.values()))


async def test_an_empty_relationship_to_one(editor: Any, conference: Any) -> None:
    url = conference.url("sessions")
    await editor.patch(url, relationships={"track": {"data": None}})

    related = (await editor.client.get(f"{url}/track")).json()
    linkage = (await editor.client.get(f"{url}/relationships/track")).json()

    assert (related["data"], linkage["data"]) == (None, None)
    assert related["links"] == {"self": f"{url}/track"}


async def test_back_relationships(client: httpx.AsyncClient, conference: Any) -> None:
    sessions = conference.ids["sessions"]
    of_track = (await client.get(f"{conference.url('tracks', 1)}/sessions")).json()
    of_speaker = (await client.get(f"{conference.url('speakers', 1)}/sessions")).json()
    event = (await client.get(f"{conference.url('speakers', 1)}/event")).json()

    assert ids_of(of_track) == [sessions[1]]
    assert ids_of(of_speaker) == sessions[:2]
    assert event["data"]["id"] == str(conference.id)


async def test_inclusion(client: httpx.AsyncClient, conference: Any) -> None:
    response = await client.get(
        conference.url("sessions"), params={"include": "speakers.event,track"}
    )

    document = response.json()
    linked = document["data"]["relationships"]["speakers"]["data"]
    assert [int(speaker["id"]) for speaker in linked] == conference.ids["speakers"][:2]
    included = {(r["type"], r["id"]) for r in document["included"]}
    assert len(included) == len(document["included"])
    assert included == {
        *((speaker["type"], speaker["id"]) for speaker in linked),
        ("event", str(conference.id)),
        ("track", str(conference.ids["tracks"][0])),
    }


async def test_inclusion_of_everything(user_client: httpx.AsyncClient, conference: Any) -> None:
    names = ",".join(RELATIONSHIPS["events"])
    response = await user_client.get(
        conference.url("events"), params={"include": f"{names},sessions.speakers"}
    )

    document = response.json()
    DOCUMENTS[next(iter(TYPES))].model_validate(document)
    assert len(document["included"]) == 3 * len(LISTS) + len(SINGLE)
    linkage = document["data"]["relationships"]
    assert all(linkage[name]["data"] for name in RELATIONSHIPS["events"])
    sessions = [r for r in document["included"] if r["type"] == "session"]
    assert all(len(r["relationships"]["speakers"]["data"]) == 2 for r in sessions)


async def test_what_is_asked_for_is_not_included_again(
    client: httpx.AsyncClient, conference: Any
) -> None:
    url = f"/v1/events/{conference.id}/speakers"
    document = (await client.get(url, params={"include": "sessions.speakers"})).json()

    assert {resource["type"] for resource in document["included"]} == {"session"}
    linked = document["data"][0]["relationships"]["sessions"]["data"]
    assert len(linked) == 2


async def test_an_empty_inclusion(client: httpx.AsyncClient, conference: Any) -> None:
    document = (await client.get(conference.url("sessions"), params={"include": ""})).json()

    assert document["included"] == []


async def test_sparse_fieldsets(client: httpx.AsyncClient, conference: Any) -> None:
    params = {
        "include": "speakers",
        "fields[session]": "title,track",
        "fields[speaker]": "name",
    }
    document = (await client.get(conference.url("sessions"), params=params)).json()

    assert document["data"]["attributes"] == {"title": "Session 1"}
    # What was included is linked all the same.
    assert document["data"]["relationships"].keys() == {"track", "speakers"}
    assert [r["attributes"].keys() for r in document["included"]] == [{"name"}, {"name"}]
    assert [r["relationships"] for r in document["included"]] == [{}, {}]


async def test_no_fields_at_all(client: httpx.AsyncClient, conference: Any) -> None:
    url = conference.url("tracks")
    track = (await client.get(url, params={"fields[track]": ""})).json()["data"]

    assert (track["attributes"], track["relationships"]) == ({}, {})


@pytest.mark.parametrize(
    ("rest", "parameter"),
    [
        ("?include=nobody", "include"),
        ("?include=speakers.sessions.speakers", "include"),
        ("?include=" + ",".join(["track"] * 31), "include"),
        ("?fields[session]=titel", "fields[session]"),
        ("?fields[nothing]=name", "fields[nothing]"),
        ("?page[size]=1", "page[size]"),
        ("?filter[title]=x", "filter[title]"),
        ("?nonsense=1", "nonsense"),
    ],
)
async def test_parameters_that_a_session_does_not_take(
    client: httpx.AsyncClient, conference: Any, rest: str, parameter: str
) -> None:
    response = await client.get(conference.url("sessions") + rest)

    assert problem(response) == (400, {"parameter": parameter})


@pytest.mark.parametrize(
    ("rest", "parameter"),
    [
        ("page[size]=101", "page[size]"),
        ("page[size]=-1", "page[size]"),
        ("page[number]=0", "page[number]"),
        ("page[number]=x", "page[number]"),
        ("sort=nonsense", "sort"),
        ("sort=email", "sort"),
        ("sort=-mobile", "sort"),
        ("sort=extra", "sort"),
        ("filter[email]=x", "filter[email]"),
        ("filter[nothing]=x", "filter[nothing]"),
        ("filter[sessions]=x", "filter[sessions]"),
        ("filter=x&filter[name]=x", "filter"),
        ("filter[", "filter["),
        ("include=friends", "include"),
    ],
)
async def test_parameters_that_a_list_does_not_take(
    user_client: httpx.AsyncClient, conference: Any, rest: str, parameter: str
) -> None:
    response = await user_client.get(f"/v1/events/{conference.id}/speakers?{rest}")

    assert problem(response) == (400, {"parameter": parameter})


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("starts-at", [2, 1, 0]),
        ("-starts-at", [0, 1, 2]),
        ("-title", [2, 1, 0]),
        ("language,-starts-at", [0, 1, 2]),
        ("", [0, 1, 2]),
    ],
)
async def test_sorting(
    client: httpx.AsyncClient, conference: Any, sort: str, order: list[int]
) -> None:
    url = f"/v1/events/{conference.id}/sessions"
    document = (await client.get(url, params={"sort": sort})).json()

    assert ids_of(document) == [conference.ids["sessions"][number] for number in order]


async def test_pages(client: httpx.AsyncClient, write_conference: Any) -> None:
    conference = await write_conference(7)
    url: str | None = f"/v1/events/{conference.identifier}/sessions?page[size]=3&sort=starts-at"
    pages = []
    while url:
        document = (await client.get(url)).json()
        pages.append(ids_of(document))
        assert document["meta"] == {"total": 7, "count": 7, "pages": 3}
        url = document["links"]["next"]

    assert [len(page) for page in pages] == [3, 3, 1]
    assert [row_id for page in pages for row_id in page] == conference.ids["sessions"][::-1]
    beyond = await client.get(f"/v1/events/{conference.id}/sessions?page[size]=3&page[number]=9")
    assert (beyond.json()["data"], beyond.json()["meta"]["total"]) == ([], 7)


async def test_ids_come_in_pages_too(client: httpx.AsyncClient, write_conference: Any) -> None:
    conference = await write_conference(5)
    url = f"/v1/events/{conference.id}/relationships/sessions?page[size]=3&page[number]=2"
    document = (await client.get(url)).json()

    assert ids_of(document) == conference.ids["sessions"][3:]
    assert document["meta"] == {"total": 5, "count": 5, "pages": 2}


async def test_events_are_filtered_and_sorted(
    user_client: httpx.AsyncClient, write_conference: Any
) -> None:
    async def names(query: str) -> list[str]:
        document = (await user_client.get(f"/v1/events?{query}")).json()
        COLLECTIONS[next(iter(TYPES))].model_validate(document)
        assert document["meta"]["total"] == len(document["data"])
        return [event["attributes"]["name"] for event in document["data"]]

    for number, name in enumerate(["FOSSASIA Summit", "100% Python", "Summit of ASIA", "a_b"]):
        state = "published" if number % 2 else "draft"
        await write_conference(1, name=name, state=state, identifier=f"e{number}")

    assert await names("filter[name]=asia&sort=name") == ["FOSSASIA Summit", "Summit of ASIA"]
    assert await names("filter[name]=asia&sort=-name") == ["Summit of ASIA", "FOSSASIA Summit"]
    assert await names("filter[name]=0%25") == ["100% Python"]
    assert await names("filter[name]=_") == ["a_b"]
    assert await names("filter[state]=published") == ["100% Python", "a_b"]
    assert await names("filter[state]=Draft&filter[name]=of") == ["Summit of ASIA"]
    assert await names("filter[name]=") == [
        "FOSSASIA Summit",
        "100% Python",
        "Summit of ASIA",
        "a_b",
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/sessions/0",
        "/v1/sessions/x",
        "/v1/sessions/9223372036854775808",
        "/v1/sessions/9223372036854775807",
        "/v1/events/9223372036854775808",
        "/v1/events/99999999999999999999999999",
        "/v1/events/%00",
        "/v1/events/never",
        "/v1/events/never/sessions",
        "/v1/sessions/1/nothing",
        "/v1/events/1/relationships/nothing",
    ],
)
async def test_what_is_not_there(client: httpx.AsyncClient, database_url: str, path: str) -> None:
    response = await client.get(path)

    assert response.status_code == 404
    assert response.json()["errors"][0]["code"] == "not-found"
