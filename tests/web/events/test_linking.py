"""What sessions are linked with, and how that changes."""

from typing import Any

import httpx
import pytest

SINGULAR = {"tracks": "track", "microlocations": "microlocation", "session-types": "session-type"}


def target(kind: str, row_id: Any) -> dict[str, str]:
    return {"type": kind, "id": str(row_id)}


def errors_of(response: httpx.Response) -> tuple[int, list[str]]:
    return response.status_code, [e["source"]["pointer"] for e in response.json()["errors"]]


async def speakers_of(editor: Any, url: str) -> list[int]:
    document = (await editor.client.get(f"{url}/relationships/speakers")).json()
    return [int(speaker["id"]) for speaker in document["data"]]


@pytest.mark.parametrize("path", SINGULAR)
@pytest.mark.parametrize("at_resource", [True, False])
async def test_to_one(editor: Any, conference: Any, path: str, at_resource: bool) -> None:
    url, name, other = conference.url("sessions"), SINGULAR[path], conference.ids[path][2]
    for data in (target(name, other), None):
        before = (await editor.client.get(url)).headers["etag"]
        if at_resource:
            response = await editor.patch(url, relationships={name: {"data": data}})
            assert response.json()["data"]["relationships"][name]["data"] == data
        else:
            response = await editor.send("PATCH", f"{url}/relationships/{name}", {"data": data})
            assert response.status_code == 204
        after = await editor.client.get(url)
        assert after.json()["data"]["relationships"][name]["data"] == data
        assert (await editor.client.get(f"{url}/relationships/{name}")).json()["data"] == data
        assert after.headers["etag"] != before


async def test_to_many(editor: Any, conference: Any) -> None:
    url = conference.url("sessions")
    path, ids = f"{url}/relationships/speakers", conference.ids["speakers"]
    tags = {(await editor.client.get(url)).headers["etag"]}

    async def after(method: str, *numbers: int) -> list[int]:
        data = [target("speaker", ids[number]) for number in numbers]
        response = await editor.send(method, path, {"data": data})
        assert (response.status_code, response.content) == (204, b"")
        tags.add((await editor.client.get(url)).headers["etag"])
        return [ids.index(speaker) for speaker in await speakers_of(editor, url)]

    assert await after("PATCH", 2, 0, 2) == [0, 2]
    assert await after("POST", 1, 2) == [0, 1, 2]
    assert await after("DELETE", 0, 0) == [1, 2]
    assert await after("DELETE", 0) == [1, 2]
    assert await after("POST") == [1, 2]
    assert await after("PATCH") == []
    assert len(tags) == 5, "two of the six requests change nothing"


async def test_to_many_with_the_resource(editor: Any, conference: Any) -> None:
    url, speaker = conference.url("sessions"), conference.ids["speakers"][2]
    response = await editor.send(
        "PATCH",
        f"{url}?include=speakers",
        {
            "data": {
                "type": "session",
                "id": url.rpartition("/")[2],
                "attributes": {"title": "New"},
                "relationships": {"speakers": {"data": [target("speaker", speaker)]}},
            }
        },
    )

    document = response.json()
    assert document["data"]["attributes"]["title"] == "New"
    assert document["data"]["relationships"]["speakers"]["data"] == [target("speaker", speaker)]
    assert [resource["id"] for resource in document["included"]] == [str(speaker)]
    assert await speakers_of(editor, url) == [speaker]


async def test_targets_of_another_event(
    editor: Any, conference: Any, write_conference: Any
) -> None:
    other = await write_conference(identifier="other")
    url = conference.url("sessions")
    own = target("speaker", conference.ids["speakers"][2])
    before = (await editor.client.get(f"{url}?include=speakers")).json()
    for path, name in SINGULAR.items():
        data = target(name, other.ids[path][0])
        answers = [
            await editor.patch(url, {"title": "x"}, relationships={name: {"data": data}}),
            await editor.send("PATCH", f"{url}/relationships/{name}", {"data": data}),
        ]
        assert [errors_of(answer) for answer in answers] == [
            (404, [f"/data/relationships/{name}/data"]),
            (404, ["/data"]),
        ]
    many: Any = [own, target("speaker", other.ids["speakers"][0]), target("speaker", 10**30)]
    answers = [
        await editor.patch(url, relationships={"speakers": {"data": many}}),
        await editor.send("PATCH", f"{url}/relationships/speakers", {"data": many}),
        await editor.send("POST", f"{url}/relationships/speakers", {"data": many}),
    ]
    assert [errors_of(answer) for answer in answers] == [
        (404, [f"/data/relationships/speakers/data/{n}" for n in (1, 2)]),
        (404, ["/data/1", "/data/2"]),
        (404, ["/data/1", "/data/2"]),
    ]
    assert (await editor.client.get(f"{url}?include=speakers")).json() == before


async def test_the_event_stays(editor: Any, conference: Any, write_conference: Any) -> None:
    other = await write_conference(identifier="other")
    for path in ("sessions", "tracks", "event-copyright"):
        url = conference.url(path)
        same, moved = [
            await editor.patch(url, relationships={"event": {"data": target("event", event.id)}})
            for event in (conference, other)
        ]
        assert same.status_code == 200
        assert errors_of(moved) == (403, ["/data/relationships/event/data"])


@pytest.mark.parametrize(
    ("name", "data", "pointer"),
    [
        ("track", {"type": "speaker", "id": "1"}, "/data/type"),
        ("track", {"type": "track"}, "/data/id"),
        ("track", {"type": "track", "id": 1}, "/data/id"),
        ("track", [], "/data"),
        ("speakers", None, "/data"),
        ("speakers", {"type": "speaker", "id": "1"}, "/data"),
        ("speakers", [{"type": "track", "id": "1"}], "/data/0/type"),
    ],
)
async def test_linkage_of_another_form(
    editor: Any, conference: Any, name: str, data: Any, pointer: str
) -> None:
    url = f"{conference.url('sessions')}/relationships/{name}"

    assert errors_of(await editor.send("PATCH", url, {"data": data})) == (422, [pointer])


async def test_each_relationship_can_be_changed_from_its_other_side(
    editor: Any, conference: Any
) -> None:
    for path in ("speakers", *SINGULAR):
        url, ids = f"{conference.url(path)}/relationships/sessions", conference.ids["sessions"]

        async def after(method: str, *numbers: int) -> list[int]:
            data = [target("session", ids[number]) for number in numbers]  # noqa: B023
            response = await editor.send(method, url, {"data": data})  # noqa: B023
            assert (response.status_code, response.content) == (204, b"")
            linked = (await editor.client.get(url)).json()["data"]  # noqa: B023
            return [ids.index(int(session["id"])) for session in linked]  # noqa: B023

        assert await after("PATCH", 2, 1) == [1, 2]
        assert await after("POST", 0, 1) == [0, 1, 2]
        assert await after("DELETE", 0, 2) == [1]
        assert await after("PATCH") == []
        whole: Any = {"sessions": {"data": [target("session", ids[0])]}}
        response = await editor.patch(conference.url(path), relationships=whole)
        assert response.status_code == 200
        sessions = (await editor.client.get(f"{conference.url(path)}/sessions")).json()["data"]
        assert [int(session["id"]) for session in sessions] == [ids[0]]


async def test_parts_stay_in_their_event(editor: Any, conference: Any) -> None:
    url = f"{conference.url('events')}/relationships/tracks"
    for method in ("PATCH", "POST", "DELETE"):
        data = [target("track", conference.ids["tracks"][0])]
        answer = await editor.send(method, url, {"data": data})
        assert errors_of(answer) == (403, ["/data"])
    answer = await editor.patch(conference.url("events"), relationships={"tracks": {"data": []}})
    assert errors_of(answer) == (403, ["/data/relationships/tracks/data"])
    ignored: Any = {"owner": 0, "tickets": 0}
    answer = await editor.patch(conference.url("events"), relationships=ignored)
    assert answer.json()["meta"]["warnings"][0]["code"] == "ignored-relationships"
    unknown: Any = {"tickets": {"data": []}, "friends": {"data": []}}
    answer = await editor.patch(conference.url("events"), relationships=unknown)
    assert errors_of(answer) == (422, ["/data/relationships/friends"])


async def test_if_match_holds_for_relationships_too(editor: Any, conference: Any) -> None:
    url = conference.url("sessions")
    tag = (await editor.client.get(url)).headers["etag"]
    path = f"{url}/relationships/track"
    statuses = [
        (await editor.send("PATCH", path, {"data": None}, {"If-Match": tag})).status_code
        for _ in range(2)
    ]

    assert statuses == [204, 412]
