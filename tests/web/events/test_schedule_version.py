"""The schedule's version counts each change that visitors can see, and no other."""

from typing import Any

import httpx
from tests.web.events.conftest import Editor

VISITORS_SEE: list[tuple[str, str, str, Any, bool]] = [
    # What is changed, the request, and whether visitors see it.
    ("a title", "PATCH", "/v1/sessions/{sessions}", {"title": "New"}, True),
    ("nothing", "PATCH", "/v1/sessions/{sessions}", {"title": "New"}, False),
    ("a comment", "PATCH", "/v1/sessions/{sessions}", {"comments": "internal"}, False),
    ("an address", "PATCH", "/v1/speakers/{speakers}", {"email": "a@example.org"}, False),
    ("a name", "PATCH", "/v1/speakers/{speakers}", {"name": "Ada"}, True),
    ("a room", "PATCH", "/v1/microlocations/{microlocations}", {"floor": 3}, True),
    ("the event", "PATCH", "/v1/events/{events}", {"is-map-shown": True}, True),
    ("its address", "PATCH", "/v1/events/{events}", {"email": "b@example.org"}, False),
    ("hidden", "PATCH", "/v1/sessions/{sessions}", {"state": "draft"}, True),
    ("a draft", "PATCH", "/v1/sessions/{sessions}", {"title": "Newer"}, False),
    ("its track", "PATCH", "/v1/sessions/{sessions}/relationships/track", None, False),
    ("accepted", "PATCH", "/v1/sessions/{sessions}", {"state": "accepted"}, True),
    ("no track", "PATCH", "/v1/sessions/{sessions}/relationships/track", "track", True),
    ("that track", "PATCH", "/v1/sessions/{sessions}/relationships/track", "track", False),
    ("no speakers", "PATCH", "/v1/sessions/{sessions}/relationships/speakers", [], True),
    ("again", "PATCH", "/v1/sessions/{sessions}/relationships/speakers", [], False),
    ("no other", "POST", "/v1/sessions/{sessions}/relationships/speakers", [], False),
    ("unlinked", "DELETE", "/v1/sessions/{sessions}/relationships/speakers", [], False),
    ("a track", "POST", "/v1/events/{events}/tracks", {"name": "New"}, True),
    ("a talk", "POST", "/v1/events/{events}/sessions", {"title": "New"}, True),
    ("a proposal", "POST", "/v1/events/{events}/sessions", {"state": "pending"}, False),
    ("a speaker", "POST", "/v1/events/{events}/speakers", {"name": "New"}, True),
    ("a field", "POST", "/v1/events/{events}/custom-forms", {"is-public": False}, False),
    ("no room", "DELETE", "/v1/microlocations/{microlocations}", None, True),
    ("again", "DELETE", "/v1/microlocations/{microlocations}", None, False),
    ("a room", "PATCH", "/v1/microlocations/{microlocations}", {"deleted-at": None}, True),
    ("no call", "DELETE", "/v1/speakers-calls/{speakers-calls}", None, True),
]


async def test_each_visible_change_counts(
    editor: Editor, client: httpx.AsyncClient, write_conference: Any
) -> None:
    conference = await write_conference(2)
    ids = {path: of_path[0] for path, of_path in conference.ids.items()}
    ids["events"] = conference.id

    async def version(reader: httpx.AsyncClient = client) -> tuple[int, str]:
        answer = await reader.get(f"/v1/events/{conference.id}")
        return answer.json()["data"]["attributes"]["schedule-version"], answer.headers["etag"]

    before, tag = await version()
    found = []
    for what, method, path, content, _ in VISITORS_SEE:
        data: Any = content
        if content == "track":
            data = {"type": "track", "id": str(conference.ids["tracks"][1])}
        elif isinstance(content, dict):
            kind = path.split("/")[4 if method == "POST" else 2].removesuffix("s")
            data = {"type": kind, "attributes": content}
            if method == "PATCH":
                data["id"] = str(ids[path.split("/")[2]])
        answer = await editor.send(method, path.format(**ids), {"data": data})
        assert answer.is_success, (what, answer.text)
        now, tag_now = await version()
        assert (now != before) <= (tag_now != tag), what
        found.append((what, now - before))
        before, tag = now, tag_now
    assert found == [(what, int(seen)) for what, *_, seen in VISITORS_SEE]

    for verb in ("unpublish", "publish"):
        url = f"/v1/events/{conference.id}/{verb}"
        assert (await editor.client.post(url)).status_code == 200
    assert (await version())[0] == before + 2
    await editor.client.post(f"/v1/events/{conference.id}/unpublish")
    before = (await version(editor.client))[0]
    assert (await editor.patch(conference.url("tracks"), {"name": "Unseen"})).is_success
    assert (await version(editor.client))[0] == before


async def test_a_change_of_a_part_makes_no_change_of_the_event_fail(
    editor: Editor, conference: Any
) -> None:
    url = conference.url("events")
    tag = (await editor.client.get(url)).headers["etag"]
    assert (await editor.patch(conference.url("tracks"), {"name": "New"})).is_success
    unchanged = await editor.client.get(url, headers={"If-None-Match": tag})

    first = await editor.patch(url, {"name": "One"}, {"If-Match": tag})
    second = await editor.patch(url, {"name": "Two"}, {"If-Match": tag})

    assert (unchanged.status_code, first.status_code, second.status_code) == (200, 200, 412)
