"""Creating and deleting: what an import got wrong can be put right by hand."""

from typing import Any

import httpx
from tests.web.events.routes import LISTS, SINGLE
from tests.web.events.test_changing import attribute_of, error_of

from eventimport.http.events.documents import CHANGED_DOCUMENTS
from eventimport.http.events.schema import BY_NAME

EVENT = {
    "name": "By hand",
    "timezone": "Asia/Singapore",
    "starts-at": "2027-03-19T09:00:00",
    "ends-at": "2027-03-21T18:00:00+08:00",
}


def type_of(path: str) -> str:
    return path if path == "event-copyright" else path.removesuffix("s")


async def create(editor: Any, url: str, kind: str, attributes: Any, **members: Any) -> Any:
    data = {"type": kind, "attributes": attributes, **members}
    return await editor.send("POST", url, {"data": data})


def checked(response: httpx.Response) -> dict[str, Any]:
    """The document of a new resource."""
    assert response.status_code == 201, response.text
    document: dict[str, Any] = response.json()
    data = document["data"]
    CHANGED_DOCUMENTS[BY_NAME[data["type"]].kind].model_validate(document)
    assert response.headers["location"] == data["links"]["self"]
    return document


async def test_an_event_is_made_by_hand_with_parts_of_each_kind(
    editor: Any, client: httpx.AsyncClient
) -> None:
    document = checked(await create(editor, "/v1/events", "event", EVENT))
    event = document["data"]
    assert event["attributes"]["starts-at"] == "2027-03-19T01:00:00Z"
    assert [finding["code"] for finding in document["meta"]["findings"]] == ["no-offset"]
    assert (await client.get(f"/v1/events/{event['id']}")).status_code == 404
    to_event = {"event": {"data": {"type": "event", "id": event["id"]}}}
    for name, path in {**{name: name for name in LISTS}, **SINGLE}.items():
        kind, attributes = type_of(path), {attribute_of(path): "New"}
        below = f"/v1/events/{event['id']}/{name}"
        made = checked(await create(editor, below, kind, attributes))["data"]
        assert made["attributes"][attribute_of(path)] == "New"
        again = await create(editor, f"/v1/{path}", kind, attributes, relationships=to_event)
        if name in SINGLE:
            assert (again.status_code, again.json()["errors"][0]["code"]) == (409, "already-exists")
        else:
            checked(again)

        url = made["links"]["self"]
        assert (await editor.client.delete(url)).status_code == 204
        assert (await editor.client.delete(url)).status_code == 204
        assert (await editor.client.get(url)).json()["data"]["attributes"]["deleted-at"]
        if name in SINGLE:
            checked(await create(editor, below, kind, attributes))
            continue
        data = {"type": kind, "id": made["id"], "attributes": {"deleted-at": None}}
        restored = await editor.send("PATCH", url, {"data": data})
        assert restored.json()["data"]["attributes"]["deleted-at"] is None


async def test_a_session_is_made_with_its_links(editor: Any, conference: Any) -> None:
    links = {
        "track": {"data": {"type": "track", "id": str(conference.ids["tracks"][0])}},
        "speakers": {
            "data": [{"type": "speaker", "id": str(each)} for each in conference.ids["speakers"]]
        },
        "tickets": {"data": []},
    }
    given = {
        "title": None,
        "starts-at": "2027-03-19 09:00",
        "created-at": "2027-01-01T00:00:00Z",
        "average-rating": 4.5,
        "is-mail-sent": False,
        "source-id": "7",
        "deleted-at": None,
    }
    url = f"/v1/events/{conference.identifier}/sessions?include=track,speakers"
    document = checked(await create(editor, url, "session", given, relationships=links))

    assert len(document["included"]) == 4
    assert document["data"]["attributes"]["starts-at"] == "2027-03-19T01:00:00Z"
    assert {finding["code"] for finding in document["meta"]["findings"]} == {"no-name", "no-offset"}
    ignored = [(each["code"], each["detail"]) for each in document["meta"]["warnings"]]
    assert [code for code, _ in ignored] == ["ignored-attributes", "ignored-relationships"]
    assert all(name in ignored[0][1] for name in ("created-at", "average-rating", "source-id"))


async def test_what_cannot_be_made(
    editor: Any, conference: Any, write_conference: Any, edit_as: Any, make_user: Any
) -> None:
    other = await write_conference(1, identifier="other", owner=await make_user())
    url = f"/v1/events/{conference.id}/tracks"
    track = {"name": "New"}
    sessions = {"sessions": {"data": [{"type": "session", "id": str(other.ids["sessions"][0])}]}}
    nowhere = {"event": {"data": {"type": "event", "id": "a\0b"}}}
    elsewhere = {"event": {"data": {"type": "event", "id": str(other.id)}}}
    answers = {
        "type": await create(editor, url, "session", track),
        "id": await create(editor, url, "track", track, id="7"),
        "unknown": await create(editor, url, "track", {"nonsense": 1}),
        "nothing": await create(editor, "/v1/tracks", "track", track),
        "away": await create(editor, url, "track", track, relationships=elsewhere),
        "nowhere": await create(editor, "/v1/tracks", "track", track, relationships=nowhere),
        "theirs": await create(editor, f"/v1/events/{other.id}/tracks", "track", track),
        "links": await create(editor, url, "track", track, relationships=sessions),
        "gone": await create(editor, "/v1/events/0/tracks", "track", track),
        "nameless": await create(editor, "/v1/events", "event", {"name": None}),
        "zone": await create(editor, "/v1/events", "event", {**EVENT, "timezone": "Mars"}),
        "parts": await create(
            editor,
            "/v1/events",
            "event",
            EVENT,
            relationships={
                "tracks": {"data": [{"type": "track", "id": str(conference.ids["tracks"][0])}]}
            },
        ),
    }

    assert {name: error_of(answer)[::2] for name, answer in answers.items()} == {
        "type": (409, "/data/type"),
        "id": (422, "/data/id"),
        "unknown": (422, "/data/attributes/nonsense"),
        "nothing": (422, "/data/relationships/event"),
        "away": (403, "/data/relationships/event/data"),
        "nowhere": (404, "/data/relationships/event/data/id"),
        "theirs": (403, None),
        "links": (404, "/data/relationships/sessions/data/0"),
        "gone": (404, None),
        "nameless": (422, "/data/attributes/name"),
        "zone": (422, "/data/attributes/timezone"),
        "parts": (403, "/data/relationships/tracks/data"),
    }
    # Nothing of what failed was written.
    tracks = (await editor.client.get(f"/v1/events/{conference.id}/tracks")).json()
    assert tracks["meta"]["total"] == 3
    stranger = await edit_as(None)
    assert (await create(stranger, "/v1/events", "event", EVENT)).status_code == 401
