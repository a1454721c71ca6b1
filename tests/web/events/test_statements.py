"""How many SQL statements each route costs: a fixed number, whatever the number of rows.

Each number is made up of one statement for the account, where one is signed in, one for the row
that the path names, one for the ids that are asked for, one to count them, one for their rows, and
for each step of a path of `include` one for ids that no row knows, and one for rows that are new.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import event
from tests.web.events.routes import LISTS, RELATIONSHIPS, SINGLE

from eventimport.resources import Resources

ALL = ",".join(RELATIONSHIPS["events"])

READING = {
    "/v1/events": 3,
    "/v1/events?include=sessions": 5,
    f"/v1/events?include={ALL}": 23,
    "/v1/events?filter[name]=conf&filter[state]=published&sort=-name&fields[event]=name": 3,
    "/v1/events/{events}": 1,
    f"/v1/events/{{events}}?include={ALL}": 21,
    "/v1/events/{events}?include=sessions.speakers": 5,
    **{f"/v1/events/{{events}}/{name}": 4 for name in LISTS},
    **{f"/v1/events/{{events}}/{name}": 3 for name in SINGLE},
    **{f"/v1/events/{{events}}/relationships/{name}": 3 for name in LISTS},
    **{f"/v1/events/{{events}}/relationships/{name}": 2 for name in SINGLE},
    "/v1/events/{events}/sessions?page[size]=100&include=speakers,track,microlocation": 8,
    "/v1/events/{events}/sessions?page[size]=100&include=track.sessions,speakers.sessions": 9,
    **{f"/v1/{path}/{{{path}}}": 1 for path in (*LISTS, *SINGLE.values())},
    **{f"/v1/{path}/{{{path}}}/event": 2 for path in (*LISTS, *SINGLE.values())},
    **{f"/v1/{path}/{{{path}}}/relationships/event": 1 for path in (*LISTS, *SINGLE.values())},
    **{f"/v1/sessions/{{sessions}}/{name}": 2 for name in ("track", "microlocation")},
    "/v1/sessions/{sessions}/session-type": 2,
    "/v1/sessions/{sessions}/speakers": 4,
    "/v1/sessions/{sessions}/relationships/track": 1,
    "/v1/sessions/{sessions}/relationships/microlocation": 1,
    "/v1/sessions/{sessions}/relationships/session-type": 1,
    "/v1/sessions/{sessions}/relationships/speakers": 3,
    "/v1/sessions/{sessions}?include=speakers,track,event": 5,
    **{
        f"/v1/{path}/{{{path}}}/{rest}sessions": 3 if rest else 4
        for path in ("speakers", "tracks", "microlocations", "session-types")
        for rest in ("", "relationships/")
    },
}
"""The number for one who is not signed in; for others it is one more."""


@contextmanager
def counted(resources: Resources) -> Iterator[list[str]]:
    """The statements that are run meanwhile, over either engine."""
    statements: list[str] = []

    def note(*told: Any) -> None:
        statements.append(told[2])

    engines = [engine.sync_engine for engine in (resources.engine, resources.reader)]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("size", [3, 60])
async def test_reading(
    service: Any,
    client: httpx.AsyncClient,
    user_client: httpx.AsyncClient,
    write_conference: Any,
    size: int,
) -> None:
    conference = await write_conference(size)
    ids = {path: ids[0] for path, ids in conference.ids.items()} | {"events": conference.id}
    numbers: dict[str, tuple[int, int]] = {}
    for path in READING:
        url = path.format(**ids)
        await client.get(url)
        with counted(service.resources) as statements:
            assert (await client.get(url)).status_code == 200
        with counted(service.resources) as signed_in:
            assert (await user_client.get(url)).status_code == 200
        numbers[path] = (len(statements), len(signed_in))

    assert numbers == {path: (number, number + 1) for path, number in READING.items()}


def test_the_table_has_every_route() -> None:
    paths = {path.partition("?")[0] for path in READING}

    assert len(paths) == 1 + len(RELATIONSHIPS) + 2 * sum(map(len, RELATIONSHIPS.values()))


CHANGING: dict[str, tuple[str, str, Any, int]] = {
    # Account, row, the event's revision, UPDATE; for links the check of what is named, and the
    # links themselves.
    "attributes": ("PATCH", "/v1/sessions/{}", {"attributes": {"title": "New"}}, 4),
    # The event's zone and times decide how the time is read.
    "a time": ("PATCH", "/v1/sessions/{}", {"attributes": {"ends-at": "2027-03-20T12:00:00Z"}}, 5),
    "new": ("POST", "/v1/events/{event}/tracks", {"attributes": {"name": "New"}}, 4),
    "its event": ("POST", "/v1/tracks", {"attributes": {"name": "New"}}, 4),
    # Account, row, the owner's role.
    "an event": ("POST", "/v1/events", {"attributes": {"name": "New"}}, 3),
    # Whether the event is hidden, and which files are no longer served.
    "gone": ("DELETE", "/v1/sessions/{}", None, 6),
    "to one": ("PATCH", "/v1/sessions/{}/relationships/track", "tracks", 5),
    "to none": ("PATCH", "/v1/sessions/{}/relationships/track", None, 4),
    "to many": ("PATCH", "/v1/sessions/{}/relationships/speakers", "speakers", 7),
    "more": ("POST", "/v1/sessions/{}/relationships/speakers", "speakers", 6),
    "fewer": ("DELETE", "/v1/sessions/{}/relationships/speakers", "speakers", 5),
}


@pytest.mark.parametrize("size", [3, 60])
@pytest.mark.parametrize("what", CHANGING)
async def test_changing(
    service: Any, editor: Any, write_conference: Any, what: str, size: int
) -> None:
    conference = await write_conference(size)
    method, path, content, number = CHANGING[what]
    session = conference.ids["sessions"][0]
    data: Any = content
    if isinstance(content, dict):
        data = {"type": "session", "id": str(session), **content}
        if method == "POST":
            data = {"type": "event" if path == "/v1/events" else "track", **content}
            if path == "/v1/tracks":
                of = {"type": "event", "id": str(conference.id)}
                data["relationships"] = {"event": {"data": of}}
    elif content is not None:
        named = [{"type": content.removesuffix("s"), "id": str(n)} for n in conference.ids[content]]
        data = named if content == "speakers" else named[1]
    with counted(service.resources) as statements:
        response = await editor.send(
            method, path.format(session, event=conference.id), {"data": data}
        )

    assert response.is_success, response.text
    assert len(statements) == number, statements


@pytest.mark.parametrize("size", [3, 60])
async def test_deleting(service: Any, editor: Any, write_conference: Any, size: int) -> None:
    conference = await write_conference(size)
    with counted(service.resources) as statements:
        response = await editor.client.delete(conference.url("events"))

    # Account, row, whether it is being imported, UPDATE, whether it is hidden, the end of its
    # exports, its files, the audit log.
    assert (response.status_code, len(statements)) == (204, 8)
