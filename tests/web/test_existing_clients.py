"""What clients of the reference server send, written down from its documented API, and what they
must get. Each line is a request to one service; the lines of a table run in their order."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from tests.web.events import conftest as events
from tests.web.events.routes import EMPTY

from eventimport.auth import Passwords
from eventimport.database import models

write_conference = events.write_conference
Check = Callable[[dict[str, Any]], bool]


def titles(document: dict[str, Any]) -> list[str]:
    return [each["attributes"].get("title", "") for each in document["data"]]


def names(document: dict[str, Any]) -> list[str]:
    return [each["attributes"].get("name", "") for each in document["data"]]


def filtered(*conditions: Any) -> dict[str, str]:
    return {"filter": json.dumps(conditions), "sort": "title"}


def one(name: str, op: str, value: Any) -> dict[str, Any]:
    return {"name": name, "op": op, "val": value}


SESSIONS = "/v1/events/{events}/sessions"
ROOMS, FORMS = "/v1/events/{events}/microlocations", "/v1/events/{events}/custom-forms"
S1, S2, S3 = "Session 1", "Session 2", "Session 3"
"""They begin at 15:00, 14:00 and 13:00; the second has a language."""

LISTS: list[tuple[str, dict[str, str], Check]] = [
    # Pages and counts.
    (SESSIONS, {"page[size]": "0"}, lambda d: d["meta"] == {"total": 3, "count": 3, "pages": 2}),
    (SESSIONS, {"page[size]": "0"}, lambda d: len(d["data"]) == 2),
    (SESSIONS, {"page[size]": "0", "page[number]": "2"}, lambda d: len(d["data"]) == 1),
    ("/v1/events", {"page[size]": "0"}, lambda d: d["meta"]["count"] == 1),
    ("/v1/import-jobs", {"page[size]": "0"}, lambda d: d["meta"]["count"] == 0),
    ("/v1/notifications", {"page[size]": "0"}, lambda d: d["meta"]["count"] == 0),
    (
        "/v1/events/{events}/relationships/tracks",
        {"page[size]": "0"},
        lambda d: len(d["data"]) == 2,
    ),
    # Filters.
    (SESSIONS, filtered(one("title", "eq", S2)), lambda d: titles(d) == [S2]),
    (SESSIONS, filtered(one("title", "ne", S2)), lambda d: titles(d) == [S1, S3]),
    (SESSIONS, filtered(one("title", "ilike", "%SION 3")), lambda d: titles(d) == [S3]),
    (SESSIONS, filtered(one("title", "notilike", "%SION 3")), lambda d: titles(d) == [S1, S2]),
    (SESSIONS, filtered(one("title", "like", "%\\")), lambda d: titles(d) == []),
    (SESSIONS, filtered(one("title", "in_", [S1, S3])), lambda d: titles(d) == [S1, S3]),
    (SESSIONS, filtered(one("title", "notin_", [S1, S3])), lambda d: titles(d) == [S2]),
    (SESSIONS, filtered(one("title", "startswith", "Session")), lambda d: len(titles(d)) == 2),
    (SESSIONS, filtered(one("title", "endswith", "3")), lambda d: titles(d) == [S3]),
    (SESSIONS, filtered(one("deleted-at", "eq", None)), lambda d: d["meta"]["total"] == 3),
    (SESSIONS, filtered(one("language", "is_", None)), lambda d: titles(d) == [S1, S3]),
    (SESSIONS, filtered(one("language", "isnot", None)), lambda d: titles(d) == [S2]),
    (
        SESSIONS,
        filtered(one("starts_at", "ge", "2027-03-19T14:00:00+00:00")),
        lambda d: titles(d) == [S1, S2],
    ),
    (
        SESSIONS,
        filtered(one("starts-at", "between", ["2027-03-19T14:30:00Z", "2027-03-20"])),
        lambda d: titles(d) == [S1],
    ),
    (
        SESSIONS,
        filtered({"name": "starts-at", "op": "lt", "field": "ends-at"}),
        lambda d: d["meta"]["total"] == 3,
    ),
    (
        SESSIONS,
        filtered({"or": [one("title", "eq", S1), one("title", "eq", S3)]}),
        lambda d: titles(d) == [S1, S3],
    ),
    (SESSIONS, filtered({"not": one("title", "eq", S1)}), lambda d: titles(d) == [S2, S3]),
    (
        SESSIONS,
        filtered({"and": [one("title", "ne", S1), {"not": one("language", "eq", "de")}]}),
        lambda d: titles(d) == [],
    ),
    (
        SESSIONS,
        filtered(one("track", "has", one("name", "eq", "Track 3"))),
        lambda d: titles(d) == [S3],
    ),
    (SESSIONS, filtered(one("track__name", "eq", "Track 3")), lambda d: titles(d) == [S3]),
    (SESSIONS, filtered(one("track.name", "eq", "Track 3")), lambda d: titles(d) == [S3]),
    (
        SESSIONS,
        filtered(one("speakers", "any", one("name", "eq", "Speaker 1"))),
        lambda d: titles(d) == [S1, S3],
    ),
    (
        "/v1/speakers/{speakers}/sessions",
        filtered(one("event", "has", one("identifier", "eq", "ab3de6f0"))),
        lambda d: titles(d) == [S1, S3],
    ),
    (
        "/v1/events/{events}/speakers",
        {"filter": json.dumps([one("sessions", "any", one("track.name", "eq", "Track 1"))])},
        lambda d: names(d) == ["Speaker 1", "Speaker 2"],
    ),
    (
        "/v1/events/{events}/microlocations",
        {"filter": '[{"name":"floor","op":"gt","val":"1"}]'},
        lambda d: names(d) == ["Room 2", "Room 3"],
    ),
    (
        "/v1/events",
        {"filter": '[{"name":"sessions","op":"any","val":{"name":"title","op":"eq","val":"no"}}]'},
        lambda d: names(d) == [],
    ),
    (
        "/v1/events",
        {
            "filter": '[{"and":[{"name":"state","op":"eq","val":"published"},'
            '{"name":"privacy","op":"eq","val":"public"}]}]',
            "cache": "true",
            "public": "true",
            "upcoming": "true",
            "get_trashed": "false",
        },
        lambda d: names(d) == ["Conference"],
    ),
    (
        "/v1/events/{events}/sponsors",
        {"filter": '[{"name":"type","op":"eq","val":"Gold"}]'},
        lambda d: d["meta"]["count"] == 3,
    ),
    (SESSIONS, {"filter[title]": S3}, lambda d: titles(d) == [S3]),
    (SESSIONS, {"filter[title]": S3, "filter[language]": "de"}, lambda d: titles(d) == []),
    (SESSIONS, {"filter[track.name]": "Track 3"}, lambda d: titles(d) == [S3]),
    (SESSIONS, {"filter[track]": "{tracks}"}, lambda d: titles(d) == [S1]),
    (SESSIONS, {"filter[speakers]": "{speakers}", "sort": "id"}, lambda d: titles(d) == [S1, S3]),
    (SESSIONS, {"filter[starts_at]": "2027-03-19T13:00:00Z"}, lambda d: titles(d) == [S3]),
    (
        SESSIONS,
        {"filter[title]": S3, "page[size]": "1"},
        lambda d: d["links"]["self"].count("filter%5Btitle%5D=Session+3") == 1,
    ),
    (ROOMS, {"filter[floor]": "2"}, lambda d: names(d) == ["Room 2"]),
    (
        "/v1/events",
        {"filter[identifier]": "ab3de6f0", "filter[name]": "CONF"},
        lambda d: names(d) == ["Conference"],
    ),
    # What only the reference server has is empty here.
    (SESSIONS, filtered(one("is-featured", "eq", True)), lambda d: titles(d) == []),
    (SESSIONS, filtered(one("is-featured", "ne", True)), lambda d: len(titles(d)) == 2),
    (SESSIONS, filtered(one("is-featured", "eq", False)), lambda d: len(titles(d)) == 2),
    (SESSIONS, filtered(one("revenue", "gt", 2)), lambda d: titles(d) == []),
    (SESSIONS, filtered(one("revenue", "is_", None)), lambda d: len(titles(d)) == 2),
    (
        SESSIONS,
        filtered({"or": [one("feedbacks", "any", {}), one("title", "eq", S1)]}),
        lambda d: titles(d) == [S1],
    ),
    # Orders.
    (SESSIONS, {"sort": "starts_at"}, lambda d: titles(d) == [S3, S2]),
    (SESSIONS, {"sort": "-track.name"}, lambda d: titles(d) == [S3, S2]),
    (SESSIONS, {"sort": "microlocation.floor,-title"}, lambda d: titles(d) == [S1, S2]),
    (SESSIONS, {"sort": "-id"}, lambda d: titles(d) == [S3, S2]),
    ("/v1/events", {"sort": "starts-at", "include": "event-topic"}, lambda d: d["included"] == []),
    # Fields and inclusion.
    (SESSIONS, {"fields[session]": "id"}, lambda d: d["data"][0]["attributes"] == {}),
    (
        SESSIONS,
        {"fields[session]": "id,starts_at"},
        lambda d: "starts-at" in d["data"][0]["attributes"],
    ),
    (SESSIONS, {"include": "track", "fields[ticket]": "id"}, lambda d: len(d["included"]) == 2),
    (
        "/v1/events/{events}",
        {"include": "event-topic,event-sub-topic,tickets,tax,social_links,sessions.feedbacks"},
        lambda d: (
            len(d["included"]) == 6
            and [each["source"] for each in d["meta"]["warnings"]] == [{"parameter": "include"}] * 5
        ),
    ),
    (
        "/v1/sessions/{sessions}/track",
        {"include": "event.tax"},
        lambda d: len(d["meta"]["warnings"]) == 1,
    ),
]
"""Lists have at most two resources."""

REFUSED: list[tuple[str, dict[str, str], str]] = [
    (SESSIONS, {"include": "path"}, "Relationships: event, track, microlocation"),
    (SESSIONS, {"sort": "path.name"}, "starts-at"),
    (SESSIONS, {"sort": "speakers.name"}, "track.…"),
    (SESSIONS, {"sort": "comments"}, "starts-at"),
    (SESSIONS, {"fields[session]": "titel"}, "title"),
    (SESSIONS, {"nonsense": "1"}, "nonsense"),
    (SESSIONS, {"filter": "nonsense"}, "not valid JSON"),
    (SESSIONS, {"filter": "[" * 2000}, "not valid JSON"),
    (SESSIONS, {"filter": "7"}, "list of conditions"),
    (SESSIONS, {"filter": "[7]"}, "Expected a condition"),
    (SESSIONS, {"filter": "[{}]"}, "needs `name`, `op` and `val`"),
    (SESSIONS, {"filter": '[{"or":[]}]'}, "list of conditions for 'or'"),
    (SESSIONS, filtered(one("comments", "eq", "x")), "Names of the type 'session'"),
    (SESSIONS, filtered(one("speakers.email", "eq", "x")), "Names of the type 'speaker'"),
    (SESSIONS, filtered(one("title", "near", "x")), "Unknown operator"),
    (SESSIONS, filtered(one("starts-at", "like", "x")), "compares texts"),
    (SESSIONS, filtered(one("starts-at", "gt", "soon")), "date and time"),
    (SESSIONS, filtered(one("title", "eq", {"a": 1})), "Expected a text"),
    (SESSIONS, filtered(one("title", "eq", "a\0b")), "null character"),
    (SESSIONS, filtered(one("title", "eq", "\ud800")), "surrogate"),
    (SESSIONS, filtered(one("title", "in_", ["a", "\udfff"])), "surrogate"),
    (SESSIONS, filtered(one("\ud800", "eq", "a")), "not supported"),
    (SESSIONS, filtered(one("title", "\ud800", "a")), "Unknown operator"),
    (SESSIONS, filtered(one("starts-at", "eq", "\ud800")), "date and time"),
    (SESSIONS, filtered("\ud800"), "Expected a condition"),
    (SESSIONS, filtered(one("title", "like", "%" * 21)), "wildcards"),
    (SESSIONS, filtered(one("title", "gt", None)), "needs a value"),
    (SESSIONS, filtered(one("title", "in_", [])), "list of 1 to 100 values"),
    (SESSIONS, filtered(one("starts-at", "between", ["2027-03-19"])), "list of 2 values"),
    (SESSIONS, filtered({"name": "title", "op": "eq", "field": "starts-at"}), "compared with"),
    (SESSIONS, filtered(one("track", "any", one("name", "eq", "x"))), "is 'has'"),
    (SESSIONS, filtered(one("speakers", "has", one("name", "eq", "x"))), "is 'any'"),
    (SESSIONS, filtered(one("speakers.sessions.title", "eq", "x")), "leads back"),
    (ROOMS, {"filter": f'[{{"name":"floor","op":"gt","val":{2**31}}}]'}, "whole number"),
    (ROOMS, {"filter": '[{"name":"latitude","op":"gt","val":NaN}]'}, "a number"),
    (FORMS, {"filter": '[{"name":"is-fixed","op":"eq","val":2}]'}, "true or false"),
]  # fmt: skip


PASSWORD = "correct horse battery staple"
ROOM = {"type": "microlocation", "attributes": {"name": "New", "is-global-event-room": False}}
WHOLE_SESSION = {
    # What Ember's model of a session holds, and more than ours.
    "title": "Saved",
    "average-rating": 4.25,
    "is-mail-sent": False,
    "favourite-count": 0,
    "created-at": "2017-05-01T01:24:47.500127+00:00",
    "last-modified-at": None,
    "complex-field-values": {},
    "send-email": False,
    "deleted-at": None,
    "is-locked": False,
}


def document(kind: str, row_id: Any, attributes: Any, **members: Any) -> dict[str, Any]:
    return {"data": {"type": kind, "id": str(row_id), "attributes": attributes, **members}}


def attributes(answer: Any) -> Any:
    return answer["data"]["attributes"]


TYPES = ["event", "social-link", "custom-form", "microlocation", "sponsor", "speaker", "track",
         "session-type", "session", "speakers-call"]  # fmt: skip


def requests(ids: dict[str, Any]) -> list[tuple[str, str, Any, int, Check]]:
    """Method, path, body, status and what the answer must have."""
    copyright_url = f"/v1/event-copyrights/{ids['event-copyright']}"
    event, session = f"/v1/events/{ids['events']}", f"/v1/sessions/{ids['sessions']}"
    user = f"/v1/users/{ids['user']}"
    to_event = {"event": {"data": {"type": "event", "id": str(ids["events"])}}}
    speaker = {"type": "speaker", "id": str(ids["speakers"]), "links": {"self": "/v1/speakers/1"},
               "attributes": {"name": "Ada"}, "meta": {}, "relationships": {}}  # fmt: skip
    creator = {"creator": {"data": {"type": "user", "id": "7"}}, "feedbacks": {"data": []}}
    return [
        ("POST", "/v1/auth/login", {"username": "ada@example.org", "password": PASSWORD,
          "remember-me": True, "include-in-response": True}, 200, lambda d: "access_token" in d),
        ("POST", "/auth/session", {"email": "ada@example.org", "password": PASSWORD,
          "remember-me": True}, 200, lambda d: "access_token" in d),
        ("GET", "/v1/settings", None, 200, lambda d: attributes(d)["app-name"] == "eventimport"),
        ("POST", "/v1/users", {"data": {"type": "user", "attributes": {
          "email": "new@example.org", "password": PASSWORD, "first-name": "Ada"}}}, 201,
          lambda d: attributes(d)["email"] == "new@example.org"),
        ("GET", user, None, 200, lambda d: attributes(d)["email"] == "ada@example.org"),
        ("POST", "/v1/users/check_email", {"email": "NEW@example.org"}, 200,
          lambda d: d == {"exists": True}),
        ("POST", "/v1/users/checkEmail", {"email": "newer@example.org", "page": "sign-up"}, 200,
          lambda d: d == {"exists": False}),
        ("POST", "/v1/users/check_email", {"email": "no address"}, 422,
          lambda d: d["errors"][0]["source"] == {"pointer": "/email"}),
        ("PATCH", user, document("user", ids["user"], {"first-name": "Ada", "is-admin": False,
          "email": "ada@example.org"}), 200, lambda d: len(d["meta"]["warnings"]) == 1),
        ("PATCH", user, document("user", ids["user"], {"is-admin": True}), 422, lambda d: True),
        ("PATCH", user, document("user", ids["user"], {"password": "x"}), 422, lambda d: True),
        ("GET", f"{user}/events", None, 200, lambda d: names(d) == ["Conference"]),
        ("GET", f"{user}/events?filter=[]&sort=-starts_at&page[size]=0", None, 200,
          lambda d: d["meta"]["count"] == 1),
        ("GET", f"{user}/notifications", None, 200, lambda d: d["meta"]["count"] == 0),
        ("GET", f"{user}/speakers?include=event,user", None, 200,
          lambda d: names(d) == ["Speaker 1"] and len(d["included"]) == 1),
        ("GET", f"{user}/sessions?include=event&sort=-starts-at&page[size]=10&filter="
          + json.dumps([one("event", "has", one("timezone", "eq", "Asia/Singapore"))]), None, 200,
          lambda d: titles(d) == [S1, S3]),
        ("GET", f"{event}/owner", None, 200, lambda d: attributes(d)["email"] == "ada@example.org"),
        ("GET", f"{event}/relationships/owner", None, 200, lambda d: d["data"]["type"] == "user"),
        ("GET", event, None, 200,
          lambda d: d["data"]["relationships"]["owner"]["links"]["related"] == f"{event}/owner"),
        ("GET", copyright_url, None, 200, lambda d: attributes(d)["holder"] == "Holder"),
        ("PATCH", copyright_url, document("event-copyright", ids["event-copyright"],
          {"holder": "New"}), 200, lambda d: attributes(d)["holder"] == "New"),
        ("DELETE", copyright_url, None, 204, lambda d: True),
        ("POST", "/v1/event-copyrights", {"data": {"type": "event-copyright",
          "attributes": {"holder": "Other", "year": "2027"}, "relationships": to_event}}, 201,
          lambda d: attributes(d)["year"] == 2027),
        ("GET", f"{event}/sessions/dates", None, 200, lambda d: d == ["2027-03-19"]),
        ("GET", f"{event}/sessions/languages", None, 200, lambda d: d == ["de"]),
        ("GET", f"{event}/sessions/states", None, 200, lambda d: d == []),
        ("GET", "/v1/import-jobs?sort=-starts-at", None, 200, lambda d: [
          attributes({"data": each})["result-status"] for each in d["data"]] == ["SUCCESS"]),
        ("GET", f"/v1/import-jobs/{ids['job']}", None, 200, lambda d: (
          attributes(d)["task"] == ids["job"] and attributes(d)["result"] is None)),
        ("GET", "/v1/import-jobs?sort=password", None, 400, lambda d: True),
        ("PATCH", session, document("session", ids["sessions"], WHOLE_SESSION,
          relationships=creator), 200, lambda d: len(d["meta"]["warnings"]) == 2),
        ("POST", "/v1/microlocations", {"data": {**ROOM, "relationships": to_event}}, 201,
          lambda d: attributes(d)["name"] == "New"),
        # What open-event-frontend asks for between sign-in and the pages of an event.
        ("GET", user, None, 200, lambda d: attributes(d)["is-verified"] is True and
          d["data"]["relationships"]["events"]["links"]["related"] == f"{user}/events"),
        ("GET", "/v1/import-jobs?filter=[]&page[number]=1&page[size]=10", None, 200,
          lambda d: d["meta"]["count"] == 1),
        ("GET", "/v1/import-jobs?filter=" + json.dumps([one("result", "ilike", "%a%")]), None,
          200, lambda d: d["meta"]["count"] == 0),
        ("GET", "/v1/import-jobs?filter=" + json.dumps([one("result-status", "eq", "SUCCESS"),
          one("starts_at", "gt", "2020-01-01")]), None, 200, lambda d: d["meta"]["count"] == 1),
        ("GET", "/v1/import-jobs?filter=" + json.dumps([one("password", "eq", "")]), None, 400,
          lambda d: "result-status" in d["errors"][0]["detail"]),
        ("GET", f"{user}/notifications?sort=-created-at&page[size]=10&page[number]=1&filter="
          + json.dumps([one("is-read", "eq", False)]), None, 200, lambda d: d["data"] == []),
        ("GET", "/v1/notifications?sort=created_at", None, 200, lambda d: d["data"] == []),
        # A front end that reads the state offers to unpublish, and saves the other state.
        ("PATCH", event, document("event", ids["events"], {"state": "published"}), 200,
          lambda d: "meta" not in d),
        ("PATCH", event, document("event", ids["events"], {"state": "draft"}), 200,
          lambda d: f"{event}/unpublish" in d["meta"]["warnings"][0]["detail"]
          and d["meta"]["warnings"][0]["source"] == {"pointer": "/data/attributes/state"}
          and attributes(d)["published-at"] is not None),
        ("POST", "/v1/events", {"data": {"type": "event", "attributes": {"name": "New",
          "state": "published"}}}, 201,
          lambda d: "is not public" in d["meta"]["warnings"][0]["detail"]),
        # What only the reference server has is an empty list, with the reason.
        *((("GET", f"{path}/{name}?filter=[]&sort=name&include=x&odd=1&page[size]=0", None, 200,
            lambda d: not d["data"] and len(d["meta"]["warnings"]) == 1)
           for before, words in EMPTY.items() for name in words.split()
           for path in [before.format(resource_id=ids["events"], user_id=ids["user"])])),
        ("GET", "/v1/event-types", None, 200, lambda d: d["meta"]["count"] == 0 and "`topic`" in
          d["meta"]["warnings"][0]["detail"]),
        ("GET", f"{event}/tax", None, 200, lambda d: d["data"] is None),
        ("GET", "/v1/events/7777/tickets", None, 404, lambda d: True),
        ("GET", "/v1/tickets/1", None, 404, lambda d: True),
        ("POST", f"{event}/tickets", {}, 405, lambda d: True),
        # What the Android apps ask for.
        ("GET", f"{user}/notifications?sort=received-at", None, 200, lambda d: d["data"] == []),
        ("GET", f"{event}/event-copyright?include=event&fields[event]=id&page[size]=0", None, 200,
          lambda d: len(d["included"]) == 1),
        ("GET", f"{event}/speakers-call?include=event&fields[event]=id&page[size]=0", None, 200,
          lambda d: "data" in d),
        ("GET", f"/v1/tracks/{ids['tracks']}/sessions?include=track&fields[track]=id&page[size]=0",
          None, 200, lambda d: d["meta"]["count"] >= 1),
        ("GET", f"/v1/speakers/{ids['speakers']}/sessions"
          "?include=session-type,microlocation,track,event", None, 200,
          lambda d: d["meta"]["count"] == 2),
        ("GET", f"{session}?include=track,session-type,event,creator,speakers", None, 200,
          lambda d: len(d["meta"]["warnings"]) == 1),
        ("GET", f"{event}/speakers-call?page[size]=0", None, 200, lambda d: "data" in d),
        ("GET", f"{session}/track?page[size]=0&sort=name", None, 200, lambda d: "data" in d),
        ("GET", "/v1/sessions/states", None, 200,
          lambda d: {"accepted", "rejected"} <= d["organizer"]["confirmed"].keys()
          and "confirmed" not in d["organizer"]["confirmed"]),
        # What libraries for JSON:API make of types, and send back of what they were given.
        *((method, f"/v1/{kind}{rest}", None, 308, lambda d: True)
          for method in ("GET", "POST", "PATCH", "DELETE") for kind in TYPES
          for rest in ("", "/7/relationships/a%2Fb?include=event&x=%C3%A9")),
        ("PATCH", session, document("session", ids["sessions"], {"title": "Of Jsona",
          "links": {"self": session}, "meta": None}), 200,
          lambda d: (attributes(d)["title"], d.get("meta")) == ("Of Jsona", None)),
        ("PATCH", session, document("sessions", ids["sessions"], {"title": "Of Kitsu",
          "links": {"self": session}, "session-type": {"links": {"self": session}}},
          relationships={"speakers": {"data": [speaker, speaker], "links": {"self": session}},
                         "track": {"data": {"type": "tracks", "id": str(ids["tracks"])}}}), 200,
          lambda d: (attributes(d)["title"], d.get("meta")) == ("Of Kitsu", None)),
        ("GET", f"{session}/relationships/speakers", None, 200,
          lambda d: d["data"] == [{"type": "speaker", "id": str(ids["speakers"])}]),
        ("PATCH", f"/v1/session-types/{ids['session-types']}",
          document("sessionTypes", ids["session-types"], {"name": "Kitsu"}), 200,
          lambda d: attributes(d)["name"] == "Kitsu"),
        ("POST", f"{event}/social-links", {"data": {"type": "social_links", "attributes": {
          "name": "Kitsu", "link": "https://example.org/"}}}, 201,
          lambda d: d["data"]["type"] == "social-link"),
        ("PATCH", session, document("speakers", ids["sessions"], {}), 409, lambda d: True),
        ("PATCH", session, document("session", ids["sessions"], {"links": "x"}), 422,
          lambda d: d["errors"][0]["source"]["pointer"] == "/data/attributes/links"),
        ("PATCH", session, document("session", ids["sessions"], {"track": "x"}), 422,
          lambda d: d["errors"][0]["source"]["pointer"] == "/data/attributes/track"),
    ]  # fmt: skip


async def test_requests_answer_as_existing_clients_expect(
    start_service: Any,
    user: models.User,
    write_conference: Any,
    session_factory: async_sessionmaker[AsyncSession],
) -> None:
    password_hash = await Passwords().hash(PASSWORD)
    async with session_factory.begin() as session:
        await session.execute(update(models.User).values(password_hash=password_hash))
    written = await write_conference(3)
    job = models.ImportJob(id=uuid4(), user_id=user.id, status="SUCCESS", report={})
    async with session_factory.begin() as session:
        session.add(job)
        second = models.EventSession.id == written.ids["sessions"][1]
        await session.execute(update(models.EventSession).where(second).values(language="de"))
        first = models.Speaker.id == written.ids["speakers"][0]
        await session.execute(update(models.Speaker).where(first).values(email="Ada@Example.org"))
    ids = {path: ids[0] for path, ids in written.ids.items()}
    ids |= {"events": written.id, "user": user.id, "job": str(job.id)}
    service = await start_service(sign_ins_per_minute=0, sign_ins_per_client=0)
    client = await service.client(user)
    for method, path, body, status, check in requests(ids):
        kind = "application/json" if "auth" in path else "application/vnd.api+json"
        answer = await client.request(method, path, json=body, headers={"Content-Type": kind})

        assert answer.status_code == status, (method, path, answer.text)
        assert check(answer.json() if answer.content else {}), (method, path, answer.text)
        if status == 308:
            assert answer.headers["Location"] == re.sub(r"(?<=^/v1/)[a-z-]+", r"\g<0>s", path)

    anonymous = await service.client()
    hidden = await anonymous.get(f"/v1/events/{written.id}/owner")
    assert (hidden.status_code, hidden.json()["data"]) == (200, None)
    public = attributes((await anonymous.get("/v1/settings")).json())
    assert public.keys() == {"app-name", "frontend-url", "sign-up-enabled"}
    sign_in = {"email": "ada@example.org", "password": PASSWORD}
    tokens = (await anonymous.post("/v1/auth/login", json=sign_in)).json()
    header = {"Authorization": f"JWT {tokens['refresh_token']}"}
    refreshed = await anonymous.post("/v1/auth/token/refresh", headers=header)
    assert refreshed.status_code == 200
    assert (
        jwt.decode(refreshed.json()["access_token"], options={"verify_signature": False})[
            "identity"
        ]
        == user.id
    )
    assert (await anonymous.post("/v1/auth/token/refresh")).status_code == 401


@pytest.fixture
async def conference(
    write_conference: Any, session_factory: async_sessionmaker[AsyncSession]
) -> Any:
    """A published event; the second of its three sessions has a language."""
    written = await write_conference(3, identifier="ab3de6f0")
    async with session_factory.begin() as session:
        second = models.EventSession.id == written.ids["sessions"][1]
        await session.execute(update(models.EventSession).where(second).values(language="de"))
    return written


@pytest.fixture
async def client(start_service: Any, user: models.User) -> httpx.AsyncClient:
    """The owner of the event, at a service with short lists."""
    service = await start_service(max_list_size=2, max_filter_conditions=5)
    client: httpx.AsyncClient = await service.client(user)
    return client


async def test_lists_answer_as_existing_clients_ask(
    client: httpx.AsyncClient, conference: Any
) -> None:
    ids = {path: ids[0] for path, ids in conference.ids.items()} | {"events": conference.id}
    for path, query, check in LISTS:
        size = {"page[size]": "2"} if path.endswith("s") else {}
        given = {n: v.format(**ids) if v[0] == "{" else v for n, v in query.items()}
        response = await client.get(path.format(**ids), params={**size, **given})

        assert response.status_code == 200, (query, response.text)
        assert check(response.json()), (query, response.text)


async def test_refusals_say_what_would_do(client: httpx.AsyncClient, conference: Any) -> None:
    for path, query, words in REFUSED:
        url = path.format(events=conference.id)
        response = await client.get(url, params=query)

        assert response.status_code == 400, (query, response.text)
        (error,) = response.json()["errors"]
        assert error["source"]["parameter"] in query
        assert words in error["detail"], (query, error["detail"])

    many = await client.get(
        SESSIONS.format(events=conference.id), params=filtered(*[one("title", "eq", "x")] * 6)
    )
    assert "more than 5 conditions. The limit is set by MAX_FILTER_CONDITIONS." in many.text


async def test_upcoming_events_are_published_and_have_not_started(
    client: httpx.AsyncClient, write_conference: Any
) -> None:
    soon, later = datetime(2997, 3, 19, tzinfo=UTC), datetime(2998, 3, 19, tzinfo=UTC)
    await write_conference(0, name="Later", starts_at=later)
    await write_conference(0, name="Soon", starts_at=soon)
    await write_conference(0, name="Draft", starts_at=soon, published_at=None)
    await write_conference(0, name="Past", starts_at=datetime(2017, 3, 19, tzinfo=UTC))
    await write_conference(0, name="Undated", starts_at=None)
    asked = {"cache": "true", "public": "true", "upcoming": "true", "page[size]": "12"}
    for query, found in (
        ({}, ["Soon", "Later"]),
        ({"sort": "-starts-at"}, ["Later", "Soon"]),
        ({"filter": '[{"name":"name","op":"eq","val":"Later"}]'}, ["Later"]),
        ({"include": "event-topic,speakers-call"}, ["Soon", "Later"]),
    ):
        response = await client.get("/v1/events/upcoming", params={**asked, **query})

        assert response.status_code == 200, response.text
        assert names(response.json()) == found, query
        assert response.json()["links"]["self"].startswith("/v1/events/upcoming?")


async def test_speakers_are_a_users_own_if_the_address_is_confirmed(
    client: httpx.AsyncClient,
    user: models.User,
    make_user: Any,
    write_conference: Any,
    session_factory: async_sessionmaker[AsyncSession],
) -> None:
    other = await make_user()
    for published_at in (None, events.NOON):
        written = await write_conference(1, owner=other, published_at=published_at)
        async with session_factory.begin() as session:
            mine = models.Speaker.id == written.ids["speakers"][0]
            await session.execute(update(models.Speaker).where(mine).values(email=user.email))
    found = {}
    for is_confirmed in (True, False):
        async with session_factory.begin() as session:
            account = models.User.id == user.id
            changed = update(models.User).where(account).values(is_confirmed=is_confirmed)
            await session.execute(changed)
        answers = [await client.get(f"/v1/users/{user.id}/{n}") for n in ("speakers", "sessions")]
        found[is_confirmed] = [answer.json()["meta"]["total"] for answer in answers]

    # Those of the event that is not published stay hidden.
    assert found == {True: [1, 1], False: [0, 0]}


async def test_addresses_are_not_checked_if_sign_up_is_off(start_service: Any) -> None:
    services = [
        await start_service(sign_up_enabled=False),
        await start_service(sign_ins_per_client=2),
    ]
    for service in services:
        service.stop_clock()
    closed, limited = [await service.client() for service in services]
    new = {"email": "new@example.org", "password": PASSWORD}

    refused = await closed.post("/v1/users/check_email", json={"email": "ada@example.org"})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, "sign-up-disabled")
    # All of these requests count together.
    assert (await limited.post("/v1/users", json=new)).status_code == 201
    refused = await limited.post("/v1/users/check_email", json={"email": "ada@example.org"})
    assert refused.status_code == 429
