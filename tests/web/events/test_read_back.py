"""Each shared archive, imported and then read back over the API alone, says what its JSON says."""

import datetime as dt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from tests.formats.test_nothing_lost import mended
from tests.jobs.conftest import Imports
from tests.jobs.test_real_archives import TABLES, Json, title

from eventimport.database.models import User

Record = dict[str, Any]
TIMES = (("starts_at", "start_time", "starts-at"), ("ends_at", "end_time", "ends-at"))
"""The spellings of two times in the archives, and the API's."""


async def read_all(client: httpx.AsyncClient, url: str | None) -> list[Record]:
    """All resources of a collection, page by page."""
    found: list[Record] = []
    while url is not None:
        response = await client.get(url)
        assert response.status_code == 200, response.text
        found += response.json()["data"]
        url = response.json()["links"]["next"]
    return found


def moment(text: Any, zone: ZoneInfo) -> dt.datetime | None:
    """The time that the text says, local to the zone where it has no offset."""
    if not text:
        return None
    time = dt.datetime.fromisoformat(text.strip())
    return time if time.tzinfo else time.replace(tzinfo=zone)


def of_either(record: Record, *names: str) -> Any:
    """The value under the first of these names that has one."""
    return next((record[name] for name in names if record.get(name)), None)


def zone_of(event: Record) -> ZoneInfo:
    """The event's time zone; in the archives there are two spellings that are not IANA's."""
    name = event.get("timezone") or "UTC"
    return ZoneInfo("Pacific/Honolulu" if name == "Hawaii-Aleutian" else name.replace(" / ", "/"))


def linked(resource: Record, name: str) -> Any:
    """The id that a relationship to one names."""
    data = resource["relationships"][name]["data"]
    return data and data["id"]


class ReadBack:
    """An event, as the API tells it: the resources of each kind by id."""

    def __init__(self, event: Record, parts: dict[str, list[Record]]) -> None:
        self.event = event
        self.parts = {
            name: {r["id"]: r["attributes"] for r in all_} for name, all_ in parts.items()
        }
        self.sessions = parts["sessions"]

    def names(self, kind: str) -> list[str]:
        return sorted(attributes["name"] for attributes in self.parts[kind].values())

    def name(self, kind: str, resource_id: str | None) -> str | None:
        return None if resource_id is None else self.parts[kind][resource_id]["name"]


async def read_back(client: httpx.AsyncClient, identifier: str) -> ReadBack:
    """Read everything, as a client that knows nothing but the event's URL would: along links."""
    event = (await client.get(f"/v1/events/{identifier}")).json()["data"]
    parts = {}
    for name in TABLES:
        url = event["relationships"][name.replace("_", "-")]["links"]["related"]
        query = "?page[size]=100" + ("&include=speakers" if name == "sessions" else "")
        parts[name] = await read_all(client, url + query)
    return ReadBack(event, parts)


def expected_session(source: Json, session: Record, zone: ZoneInfo) -> tuple[Any, ...]:
    """What the JSON says of a session."""
    targets = []
    for name in ("track", "microlocation", "session_type"):
        reference = of_either(session, name, f"{name}_id")
        target = source.find(f"{name}s", reference) if reference else None
        targets.append(target["name"] if target else None)
    times = [moment(of_either(session, *names[:2]), zone) for names in TIMES]
    return title(session), *times, *targets


def told_session(event: ReadBack, session: Record) -> tuple[Any, ...]:
    """What the API says of a session."""
    attributes = session["attributes"]
    times = [moment(attributes[names[2]], ZoneInfo("UTC")) for names in TIMES]
    kinds = {"track": "tracks", "microlocation": "microlocations", "session-type": "session_types"}
    targets = [event.name(kind, linked(session, name)) for name, kind in kinds.items()]
    return attributes["title"], *times, *targets


@pytest.mark.without_coverage
async def test_what_was_imported_is_read_back(
    start_service: Any, user: User, archives: list[Path]
) -> None:
    service = await start_service(fetch_media=False)
    client = await service.client(user)
    imports = Imports(service.resources, user)
    for path in archives:
        data = mended(path)
        source = Json(data)
        job = await imports.run(data)
        assert job.status == "SUCCESS", (path.stem, job.errors)
        assert job.event_identifier is not None
        event = await read_back(client, job.event_identifier)
        check(source, event, path.stem)


def check(source: Json, event: ReadBack, stem: str) -> None:
    """What the API tells equals the JSON."""
    zone = zone_of(source.event)
    attributes = event.event["attributes"]
    assert attributes["name"] == of_either(source.event, "name", "title"), stem
    assert attributes["timezone"] == zone.key, stem
    for names in TIMES:
        told = moment(attributes[names[2]], ZoneInfo("UTC"))
        assert told == moment(of_either(source.event, *names[:2]), zone), (stem, names)
    for kind in ("microlocations", "speakers", "tracks", "session_types", "sponsors"):
        assert event.names(kind) == sorted(
            of_either(record, "name", "title") or "" for record in source.records(kind)
        ), (stem, kind)
    told_sessions = sorted((told_session(event, session) for session in event.sessions), key=repr)
    expected = (expected_session(source, session, zone) for session in source.records("sessions"))
    assert told_sessions == sorted(expected, key=lambda session: repr(in_utc(session))), stem
    links = {
        (session["attributes"]["title"], event.name("speakers", speaker["id"]))
        for session in event.sessions
        for speaker in session["relationships"]["speakers"]["data"]
    }
    assert links == source.links(), stem


def in_utc(session: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same, its times in UTC, as the API's are."""
    utc = ZoneInfo("UTC")
    return tuple(v.astimezone(utc) if isinstance(v, dt.datetime) else v for v in session)
