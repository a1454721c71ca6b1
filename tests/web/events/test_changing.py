"""PATCH and DELETE."""

import asyncio
import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from tests.storage_doubles import MemoryStorage
from tests.stored_files import keys_in, store
from tests.web.events.conftest import EXTRA, MEDIA_TYPE, Editor
from tests.web.events.routes import LISTS, RELATIONSHIPS, SINGLE

from eventimport.database import models
from eventimport.database.models import Base, ImportJob, ObjectPurpose, User
from eventimport.http.events.documents import CHANGED_DOCUMENTS
from eventimport.http.events.schema import BY_NAME
from eventimport.jobs.clean_up import clean_up
from eventimport.storage.factory import StorageSet
from eventimport.storage.keys import visibility_of
from eventimport.storage.protocol import StorageError, Visibility

PATHS = ["events", *LISTS, *SINGLE.values()]
COUNTED = ("updated-at", "schedule-version", "last-modified-at")
"""Attributes that say that something has changed."""

READ_ONLY = {
    "identifier": "x",
    "source-id": "1",
    "created-at": "2027-03-19T12:00:00Z",
    "updated-at": "2027-03-19T12:00:00Z",
    "extra": {},
    "version": 7,
    "id": 3,
    "nonsense": 1,
}


def attribute_of(path: str) -> str:
    return {
        "sessions": "title",
        "custom-forms": "field-identifier",
        "event-copyright": "holder",
        "speakers-calls": "announcement",
    }.get(path, "name")


def error_of(response: httpx.Response) -> tuple[int, str, str | None]:
    (error,) = response.json()["errors"]
    return response.status_code, error["code"], (error.get("source") or {}).get("pointer")


@pytest.mark.parametrize("path", PATHS)
async def test_each_kind_can_be_changed(editor: Any, conference: Any, path: str) -> None:
    url, attribute = conference.url(path), attribute_of(path)
    before = (await editor.client.get(url)).json()["data"]

    response = await editor.patch(url, {attribute: "New"})

    assert response.status_code == 200
    changed = response.json()["data"]
    assert changed == (await editor.client.get(url)).json()["data"]
    before["attributes"][attribute] = "New"
    for document in (before, changed):
        for counted in COUNTED:
            document["attributes"].pop(counted, None)
    assert changed == before


async def test_an_event_can_be_changed_by_its_identifier(editor: Any, conference: Any) -> None:
    before = (await editor.client.get("/v1/events/ab3de6f0")).json()["data"]["attributes"]
    response = await editor.patch("/v1/events/ab3de6f0", {"name": "New"}, id=str(conference.id))

    attributes = response.json()["data"]["attributes"]
    assert attributes["name"] == "New"
    assert attributes["updated-at"] > before["updated-at"]


@pytest.mark.parametrize(
    ("path", "attributes", "stored"),
    [
        ("events", {"starts-at": "2027-03-19T20:00:00+08:00"}, "2027-03-19T12:00:00Z"),
        ("events", {"starts-at": None}, None),
        ("events", {"timezone": "asia / tokyo"}, "Asia/Tokyo"),
        ("events", {"privacy": "Private"}, "private"),
        ("events", {"state": " Published "}, "published"),
        ("events", {"latitude": 1}, 1.0),
        ("events", {"description": "<p onclick='x()'>a</p><script>b</script>"}, "<p>a</p>"),
        ("events", {"external-event-url": "https://a.example"}, "https://a.example"),
        ("events", {"event-type": "Conference"}, "Conference"),
        ("sessions", {"short-abstract": "a < b"}, "a &lt; b"),
        ("session-types", {"length": "01:30"}, "01:30"),
        ("sponsors", {"level": 3}, 3),
        ("sponsors", {"sponsor-type": None}, None),
        ("custom-forms", {"is-required": True}, True),
        ("speakers", {"email": "ada@example.org"}, "ada@example.org"),
        ("speakers", {"photo-url": "https://a.example/a.png"}, "https://a.example/a.png"),
    ],
)
async def test_what_is_taken(
    editor: Any, conference: Any, path: str, attributes: dict[str, Any], stored: Any
) -> None:
    response = await editor.patch(conference.url(path), attributes)

    assert response.status_code == 200, response.text
    (name,) = attributes
    assert response.json()["data"]["attributes"][name] == stored


FOUND: list[tuple[str, dict[str, Any], Any, list[str]]] = [
    # What an import repairs or warns of: the stored value, and the codes.
    ("events", {"starts-at": "2027-03-19T20:00:00"}, "2027-03-19T12:00:00Z", ["no-offset"]),
    ("events", {"starts-at": "2027-03-19"}, "2027-03-18T16:00:00Z",
     ["date-without-time", "no-offset"]),
    ("events", {"ends-at": "2027-03-19"}, "2027-03-19T15:59:00Z",
     ["date-without-time", "no-offset"]),
    ("events", {"starts-at": 1805457600}, "2027-03-19T12:00:00Z", ["time"]),
    ("events", {"timezone": "asia / singapore"}, "Asia/Singapore", ["timezone"]),
    ("sponsors", {"name": 3}, "3", []),
    ("events", {"longitude": "1.5"}, 1.5, []),
    ("events", {"is-sessions-speakers-enabled": "yes"}, True, []),
    ("events", {"description": "<script>x</script>a"}, "a", ["html-removed"]),
    ("events", {"topic": "R&amp;D"}, "R&D", ["character-references"]),
    ("session-types", {"length": "90 min"}, "01:30", ["length"]),
    ("speakers", {"website": "https:/a.example"}, "https://a.example", ["link"]),
    ("speakers", {"website": "n/a"}, None, ["no-link"]),
    ("sessions", {"state": "Approved"}, "accepted", ["state"]),
    ("sessions", {"state": "rejected"}, "rejected", ["hidden-session"]),
    ("sessions", {"starts-at": "2027-03-20T12:00:00Z"}, "2027-03-20T12:00:00Z",
     ["ends-before-start"]),
    ("sessions", {"title": {"en": "Hello", "de": "Hallo"}}, "Hello", ["translated"]),
    ("sessions", {"starts-at": None}, None, ["end-without-start"]),
    ("sessions", {"ends-at": ""}, None, []),
    ("events", {"ends-at": "2020-01-01T00:00:00Z"}, "2020-01-01T00:00:00Z", ["ends-before-start"]),
    ("events", {"starts-at": None}, None, []),
    ("speakers", {"email": ""}, None, []),
    ("speakers", {"photo-url": ""}, None, []),
    ("sessions", {"slides-url": ""}, None, []),
    ("events", {"original-image-url": ""}, None, []),
]  # fmt: skip


async def test_what_an_import_would_report_is_accepted_and_reported(
    editor: Any, conference: Any
) -> None:
    for path, attributes, stored, codes in FOUND:
        response = await editor.patch(conference.url(path), attributes)

        assert response.status_code == 200, response.text
        (name,) = attributes
        document = response.json()
        assert document["data"]["attributes"][name] == stored, attributes
        findings = document.get("meta", {}).get("findings", [])
        assert [finding["code"] for finding in findings] == codes, (attributes, findings)
        CHANGED_DOCUMENTS[BY_NAME[document["data"]["type"]].kind].model_validate(document)


async def test_the_original_of_a_text_is_kept_while_the_text_stays(
    editor: Any, conference: Any
) -> None:
    url = conference.url("sessions")
    original = "<p onclick='x()'>a</p><script>b</script> if a<b"

    first = (await editor.patch(url, {"long-abstract": original})).json()["data"]["attributes"]
    assert first["long-abstract"] == "<p>a</p> if a&lt;b"
    assert first["extra"] == {**EXTRA, "long_abstract": original}

    second = (await editor.patch(url, {"title": "New"})).json()["data"]["attributes"]
    assert second["extra"] == first["extra"]

    last = (await editor.patch(url, {"long-abstract": "List<String>"})).json()["data"]["attributes"]
    assert last["long-abstract"] == "List&lt;String>"
    assert last["extra"] == EXTRA


async def test_a_text_with_too_much_markup_is_rejected(editor: Any, conference: Any) -> None:
    text = "<div>" * 200 + "deep" + "</div>" * 200
    response = await editor.patch(conference.url("sessions"), {"long-abstract": text})
    assert response.status_code == 422
    assert "100 deep" in response.text


@pytest.mark.parametrize(
    ("setting", "fits", "too_much"),
    [
        ("max_text_depth", "<p><b>x</b></p>", "<ul><li><b>x</b></li></ul>"),
        ("max_text_tags", "<p>x</p>", "<p>x</p><p>y</p>"),
    ],
)
@pytest.mark.parametrize(
    ("path", "attribute"), [("sessions", "long-abstract"), ("events", "description")]
)
async def test_the_settings_limit_the_markup(
    start_service: Any,
    user: User,
    conference: Any,
    *,
    setting: str,
    fits: str,
    too_much: str,
    path: str,
    attribute: str,
) -> None:
    service = await start_service(**{setting: 2})
    editor = Editor(await service.client(user))
    accepted = await editor.patch(conference.url(path), {attribute: fits})
    assert accepted.json()["data"]["attributes"][attribute] == fits

    rejected = await editor.patch(conference.url(path), {attribute: too_much})
    assert error_of(rejected) == (422, "invalid-value", f"/data/attributes/{attribute}")
    assert setting.upper() in rejected.json()["errors"][0]["detail"]


async def test_a_setting_allows_deeper_markup(
    start_service: Any, user: User, conference: Any
) -> None:
    service = await start_service(max_text_depth=300)
    editor = Editor(await service.client(user))
    text = "<em>" * 150 + "deep" + "</em>" * 150
    response = await editor.patch(conference.url("sessions"), {"long-abstract": text})
    assert response.status_code == 200
    assert response.json()["data"]["attributes"]["long-abstract"] == text


@pytest.mark.parametrize(
    ("path", "attributes"),
    [
        ("events", {"name": None}),
        ("events", {"name": " "}),
        ("events", {"name": "a\x00b"}),
        ("events", {"starts-at": "tomorrow"}),
        ("events", {"starts-at": "0001-01-01T00:00:00+14:00"}),
        ("events", {"timezone": "Mars/Olympus"}),
        ("events", {"timezone": None}),
        ("events", {"privacy": "secret"}),
        ("events", {"state": ""}),
        ("events", {"latitude": 91}),
        ("events", {"external-event-url": "javascript:alert(1)"}),
        ("events", {"external-event-url": "java\nscript:alert(1)"}),
        ("events", {"logo-url": "images/logo.png"}),
        ("sponsors", {"level": 2**31}),
        ("sponsors", {"level": 1.5}),
        ("sponsors", {"level": True}),
        ("sponsors", {"url": "data:text/html,x"}),
        ("session-types", {"length": "01:60"}),
        ("speakers", {"email": "nobody"}),
        ("speakers", {"is-featured": None}),
        ("speakers", {"photo-url": "javascript:x"}),
        ("sessions", {"title": None}),
        ("sessions", {"short_abstract": "x"}),
        *(("events", {name: value}) for name, value in READ_ONLY.items()),
    ],
    ids=repr,
)
async def test_what_is_not_taken(
    editor: Any, conference: Any, path: str, attributes: dict[str, Any]
) -> None:
    url = conference.url(path)
    before = (await editor.client.get(url)).json()
    response = await editor.patch(url, {**attributes, attribute_of(path): "x", **attributes})

    (name,) = attributes
    assert error_of(response) == (422, "invalid-value", f"/data/attributes/{name}")
    assert (await editor.client.get(url)).json() == before


async def test_all_errors_at_once(editor: Any, conference: Any) -> None:
    response = await editor.patch(
        conference.url("events"), {"timezone": "x", "latitude": 100, "extra": {}}
    )

    assert response.status_code == 422
    assert {error["source"]["pointer"] for error in response.json()["errors"]} == {
        f"/data/attributes/{name}" for name in ("timezone", "latitude", "extra")
    }


async def test_another_type_or_id(editor: Any, conference: Any) -> None:
    url = conference.url("sessions")
    other = str(conference.ids["sessions"][1])

    assert error_of(await editor.patch(url, {"name": "x"}, type="speaker")) == (
        409,
        "type-mismatch",
        "/data/type",
    )
    assert error_of(await editor.patch(url, {"title": "x"}, id=other)) == (
        409,
        "id-mismatch",
        "/data/id",
    )


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/data"),
        ({"data": None}, "/data"),
        ({"data": []}, "/data"),
        ({"data": {"id": "1"}}, "/data/type"),
        ({"data": {"type": "session"}}, "/data/id"),
        ({"data": {"type": "session", "id": 1}}, "/data/id"),
        ({"data": {"type": 1, "id": "1"}}, "/data/type"),
        ({"data": {"type": "session", "id": "1", "attributes": []}}, "/data/attributes"),
        ({"data": {"type": "session", "id": "1", "colour": 1}}, "/data/colour"),
        ([], ""),
        (None, ""),
    ],
)
async def test_what_is_no_document(editor: Any, conference: Any, body: Any, pointer: str) -> None:
    response = await editor.send("PATCH", conference.url("sessions"), body)

    assert error_of(response) == (422, "invalid-value", pointer)


@pytest.mark.parametrize(
    ("value", "status"),
    [("", 400), ('"a\\ud800b"', 422), ("NaN", 422), ("1e999", 422), ("1" * 400, 422)],
)
async def test_what_json_can_hardly_say(
    editor: Any, conference: Any, value: str, status: int
) -> None:
    for name in ("name", "latitude"):
        body = '{"data": {"type": "event", "id": "%d", "attributes": {"%s": %s}}}'
        response = await editor.client.patch(
            conference.url("events"),
            content=(body % (conference.id, name, value)).encode(),
            headers={"Content-Type": MEDIA_TYPE},
        )
        assert response.status_code == status


async def test_a_document_that_is_too_large(editor: Any, conference: Any) -> None:
    response = await editor.patch(conference.url("sessions"), {"long-abstract": "x" * 2**20})

    assert response.status_code == 413


async def test_a_document_that_was_read_can_be_sent_back(editor: Any, conference: Any) -> None:
    """Clients send the whole resource, but for what is read-only."""
    url = conference.url("sessions")
    data = (await editor.client.get(url, params={"include": "speakers"})).json()["data"]
    for name in READ_ONLY:
        data["attributes"].pop(name, None)

    response = await editor.send("PATCH", url, {"data": data, "jsonapi": {"version": "1.1"}})

    assert response.status_code == 200


async def test_nothing_to_change_is_no_change(editor: Any, conference: Any) -> None:
    url = conference.url("tracks")
    before = await editor.client.get(url)

    response = await editor.patch(url)

    assert (response.status_code, response.json()) == (200, before.json())
    assert response.headers["etag"] == before.headers["etag"]


async def test_two_editors(editor: Any, conference: Any) -> None:
    """The one who comes second is told, and nothing of the first one's is lost."""
    url = conference.url("sessions")
    tag = (await editor.client.get(url)).headers["etag"]

    first = await editor.patch(url, {"title": "First"}, {"If-Match": tag})
    second = await editor.patch(url, {"title": "Second"}, {"If-Match": tag})
    again = await editor.patch(url, {"title": "Second"}, {"If-Match": first.headers["etag"]})

    assert [answer.status_code for answer in (first, second, again)] == [200, 412, 200]
    assert error_of(second)[1] == "changed-meanwhile"
    assert first.headers["etag"] != tag


async def test_many_editors_at_once(editor: Any, conference: Any) -> None:
    url = conference.url("events")
    tag = (await editor.client.get(url)).headers["etag"]
    answers = await asyncio.gather(
        *(editor.patch(url, {"name": f"{n}"}, {"If-Match": tag}) for n in range(8))
    )

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200, *[412] * 7]
    (winner,) = (answer for answer in answers if answer.status_code == 200)
    assert (await editor.client.get(url)).json()["data"] == winner.json()["data"]


async def test_many_changes_at_once_are_all_made(editor: Any, conference: Any) -> None:
    url = conference.url("speakers")
    names = ("city", "country", "gender", "organisation", "position", "heard-from")
    await asyncio.gather(*(editor.patch(url, {name: name}) for name in names))

    response = await editor.client.get(url)
    attributes = response.json()["data"]["attributes"]
    assert [attributes[name] for name in names] == list(names)
    assert response.headers["etag"] == f'"{1 + len(names)}"'


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("{tag}", 200),
        ("*", 200),
        ('"0", {tag}', 200),
        ('"0,{tag}"', 412),
        ("W/{tag}", 412),
        ('"0"', 412),
        ("nonsense", 412),
        ("", 412),
    ],
)
async def test_if_match(editor: Any, conference: Any, header: str, status: int) -> None:
    url = conference.url("sessions")
    tag = (await editor.client.get(url)).headers["etag"]

    response = await editor.patch(url, {"title": "x"}, {"If-Match": header.format(tag=tag)})

    assert response.status_code == status


@pytest.mark.parametrize(
    ("header", "status"),
    [("{tag}", 304), ("W/{tag}", 304), ("*", 304), ('"0", {tag}', 304), ('"0"', 200), ("", 200)],
)
async def test_if_none_match(editor: Any, conference: Any, header: str, status: int) -> None:
    url = conference.url("sessions")
    tag = (await editor.client.get(url)).headers["etag"]
    headers = {"If-None-Match": header.format(tag=tag)}

    response = await editor.client.get(url, headers=headers)
    with_inclusion = await editor.client.get(url, params={"include": "track"}, headers=headers)

    assert (response.status_code, response.headers["etag"]) == (status, tag)
    assert (response.content == b"") == (status == 304)
    # What is included may have changed although the session has not.
    assert with_inclusion.status_code == 200
    assert "etag" not in with_inclusion.headers


async def test_the_publics_tag_is_another(
    client: httpx.AsyncClient, editor: Any, conference: Any
) -> None:
    url = conference.url("speakers")
    tags = [(await who.get(url)).headers["etag"] for who in (client, editor.client)]

    assert len(set(tags)) == 2


async def rows_left(session_factory: async_sessionmaker[AsyncSession]) -> set[str]:
    """The tables that have rows, but for the users'."""
    async with session_factory() as session:
        counts = {
            table.name: await session.scalar(select(func.count()).select_from(table))
            for table in Base.metadata.sorted_tables
        }
    return {name for name, count in counts.items() if count} - {"users"}


@pytest.mark.parametrize("key", ["id", "identifier"])
async def test_deleting_an_event(
    editor: Any,
    conference: Any,
    session_factory: async_sessionmaker[AsyncSession],
    key: str,
) -> None:
    url = f"/v1/events/{getattr(conference, key)}"
    assert "sessions" in await rows_left(session_factory)

    response = await editor.client.delete(url)

    assert (response.status_code, response.content) == (204, b"")
    # Its owner can restore it.
    assert "sessions" in await rows_left(session_factory)
    assert (await editor.client.get(url)).status_code == 404
    assert (await editor.client.delete(url)).status_code == 404


async def test_only_the_version_that_was_seen_is_deleted(editor: Any, conference: Any) -> None:
    url = conference.url("events")
    tag = (await editor.client.get(url)).headers["etag"]
    await editor.patch(url, {"name": "Changed"})

    refused = await editor.client.delete(url, headers={"If-Match": tag})

    assert (refused.status_code, error_of(refused)[1]) == (412, "changed-meanwhile")
    assert (await editor.client.get(url)).status_code == 200


@pytest.fixture
async def storages(service: Any, user: User, edit_as: Any) -> Any:
    """A service with two backends; a test makes the second one fail."""
    backends = {
        "local": service.resources.storages.get("local"),
        "memory": MemoryStorage("https://two.example"),
    }
    changed = StorageSet(backends, active_name="local")
    replaced = replace(service, resources=replace(service.resources, storages=changed))
    return await replaced.client(user), replaced


async def store_files(service: Any, event_id: int) -> set[str]:
    """Store a file of the event in each backend, and one of another use; returns the latter."""
    others = set()
    for storage in service.resources.storages:
        for key, used_by in (
            (f"events/{event_id}/a/1/b/x/a.png", {"event_id": event_id}),
            (f"uploads/1/{storage.name}/a.png", None),
        ):
            await store(
                service.resources, key, ObjectPurpose.MEDIA, storage=storage, used_by=used_by
            )
        others.add(f"uploads/1/{storage.name}/a.png")
    return others


async def keys(storages: StorageSet) -> set[str]:
    return {key for storage in storages for key in await keys_in(storage)}


async def test_its_files_are_deleted_with_it(storages: Any, conference: Any) -> None:
    client, service = storages
    others = await store_files(service, conference.id)

    assert (await client.delete(conference.url("events"))).status_code == 204
    left = await keys(service.resources.storages)
    assert {visibility_of(key) for key in left - others} == {Visibility.PRIVATE}

    await remove_deleted(service)
    assert await keys(service.resources.storages) == others


async def remove_deleted(service: Any) -> dict[str, int]:
    """The clean-up, when what was deleted can no longer be restored."""
    settings = service.resources.settings.model_copy(update={"deleted_retention_days": 0})
    return await clean_up(replace(service.resources, settings=settings))


async def test_files_that_cannot_be_deleted_now_are_left_to_the_clean_up(
    storages: Any, conference: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, service = storages
    others = await store_files(service, conference.id)

    async def fail(_key: str) -> None:
        raise StorageError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(service.resources.storages.get("memory"), "delete", fail)
        assert (await client.delete(conference.url("events"))).status_code == 204

    public = f"events/{conference.id}/a/1/b/x/a.png"
    assert public in await keys(service.resources.storages)
    await clean_up(service.resources)
    assert public not in await keys(service.resources.storages)
    assert await remove_deleted(service) == {"deleted_event": 1, "media": 2}
    assert await keys(service.resources.storages) == others


async def test_what_is_being_imported_is_not_deleted(
    editor: Any, conference: Any, user: User, session_factory: async_sessionmaker[AsyncSession]
) -> None:
    job = ImportJob(id=uuid4(), user_id=user.id, status="STARTED", event_id=conference.id)
    async with session_factory.begin() as session:
        session.add(job)

    refused = await editor.client.delete(conference.url("events"))

    assert (refused.status_code, error_of(refused)[1]) == (409, "import-running")
    assert (await editor.client.get(conference.url("events"))).status_code == 200


@pytest.mark.parametrize("path", PATHS)
async def test_what_was_read_can_be_sent_back(editor: Any, conference: Any, path: str) -> None:
    url = conference.url(path)
    for query in ("", "?include=event" if path != "events" else "?include=sessions,speakers-call"):
        read = await editor.client.get(url + query)
        tag = (await editor.client.get(url)).headers["etag"]

        answer = await editor.send("PATCH", url, read.json(), {"If-Match": tag})

        assert answer.status_code == 200, answer.text
        assert answer.json()["data"]["attributes"] == read.json()["data"]["attributes"]
        assert answer.headers["etag"] == tag, "nothing has changed"
        assert "meta" not in answer.json(), "nothing was ignored"


@pytest.mark.parametrize("path", ["sessions", "speakers", "tracks", "microlocations"])
async def test_what_was_read_with_its_links_can_be_sent_back(
    editor: Any, conference: Any, path: str
) -> None:
    names = ",".join(RELATIONSHIPS[path])
    read = (await editor.client.get(f"{conference.url(path)}?include={names}")).json()
    title = "title" if path == "sessions" else "name"
    read["data"]["attributes"][title] = "Another"

    answer = await editor.send("PATCH", conference.url(path), read)

    assert answer.status_code == 200, answer.text
    after = (await editor.client.get(f"{conference.url(path)}?include={names}")).json()["data"]
    for counted in COUNTED:
        after["attributes"].pop(counted, None)
        read["data"]["attributes"].pop(counted, None)
    assert after == read["data"]


@pytest.mark.parametrize("path", PATHS)
async def test_no_relationships_change_nothing(editor: Any, conference: Any, path: str) -> None:
    answer = await editor.patch(conference.url(path), relationships={})

    assert answer.status_code == 200, answer.text


async def test_a_value_that_no_rule_allows_may_stay_as_it_is(
    editor: Any, conference: Any, session_factory: async_sessionmaker[AsyncSession]
) -> None:
    """An import keeps what could not be moved; a PATCH takes only links for it."""
    url = conference.url("speakers")
    async with session_factory.begin() as session:
        values = {"photo_url": "/images/a.png", "website": "javascript:x", "email": "odd"}
        await session.execute(update(models.Speaker).values(**values))
    read = (await editor.client.get(url)).json()["data"]["attributes"]

    answer = await editor.patch(url, {**read, "name": "New"})
    refused = await editor.patch(url, {"photo-url": "/images/b.png"})

    assert (answer.status_code, refused.status_code) == (200, 422)
    after = answer.json()["data"]["attributes"]
    assert after == {**read, "name": "New"}


@pytest.mark.parametrize("given", [[], "x", None, {"nothing": 1}])
async def test_attributes_that_cannot_be(editor: Any, conference: Any, given: Any) -> None:
    data = {"type": "track", "id": str(conference.ids["tracks"][0]), "attributes": given}

    answer = await editor.send("PATCH", conference.url("tracks"), {"data": data})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["source"]["pointer"].startswith("/data/attributes")


IMAGES = [
    ("speakers", "photo-url", ["thumbnail-image-url", "small-image-url", "icon-image-url"]),
    ("events", "original-image-url", ["large-image-url", "thumbnail-image-url", "icon-image-url"]),
]


@pytest.mark.parametrize("images", IMAGES)
@pytest.mark.parametrize("value", ["https://files.example/new.png", None])
async def test_a_new_image_has_no_old_sizes(
    editor: Any, conference: Any, images: tuple[str, str, list[str]], value: str | None
) -> None:
    path, image, sizes = images
    url, old = conference.url(path), "https://files.example/old.png"
    await editor.patch(url, {image: old})
    before = await editor.patch(url, dict.fromkeys(sizes, old))
    everything = before.json()["data"]["attributes"]
    assert [everything[name] for name in sizes] == [old] * 3

    same = await editor.patch(url, {image: old})
    changed = await editor.patch(url, {**everything, image: value})
    own = await editor.patch(url, {image: old, sizes[0]: "https://files.example/own.png"})

    assert [same.json()["data"]["attributes"][name] for name in sizes] == [old] * 3
    assert [changed.json()["data"]["attributes"][name] for name in sizes] == [None] * 3
    told = own.json()["data"]["attributes"]
    assert [told[name] for name in sizes] == ["https://files.example/own.png", None, None]


async def test_very_many_unknown_attributes(editor: Any, conference: Any) -> None:
    given = {f"{'x' * 1000}{number}"[-1000:]: 1 for number in range(900)}

    answer = await editor.patch(conference.url("tracks"), {"name": "New", **given})

    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 20
    assert len(answer.content) < 10_000


async def test_a_name_that_is_no_text(editor: Any, conference: Any) -> None:
    url = conference.url("tracks")
    data = {"type": "track", "id": url.rpartition("/")[2]}

    async def pointers(**members: Any) -> list[str]:
        body = json.dumps({"data": {**data, **members}})
        headers = {"Content-Type": "application/vnd.api+json"}
        answer = await editor.client.patch(url, content=body, headers=headers)
        assert answer.status_code == 422
        return [each["source"]["pointer"] for each in answer.json()["errors"]]

    attributes = await pointers(attributes={"name": "New", "a\ud800": 1, "\0": 2})
    assert attributes == ["/data/attributes/a\ufffd", "/data/attributes/\ufffd"]
    assert len(await pointers(relationships={"\ud800": {"data": None}})) == 1
