"""Who may do what with an event, by role and by the event's state, on every route of events.

The table has a rule for each route, by what the route needs. A route without a rule fails. Which
routes there are besides, and who gets into those, is in test_access.py.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from eventimport.auth.tokens import PERSONAL_PREFIX, hash_of
from eventimport.database import models
from eventimport.main import create_app
from eventimport.settings import Settings

STATES: Final[dict[str, dict[str, Any]]] = {
    "draft": {},
    "published": {"published_at": func.now()},
    "deleted": {"published_at": func.now(), "deleted_at": func.now(), "deleted_here": True},
    "taken down": {"published_at": func.now(), "taken_down_at": func.now()},
}
ROLES: Final = ("stranger", "other", "token", "viewer", "editor", "owner", "admin")
"""`other` has an account that is not confirmed and no role; `token` is a personal access token of
the owner with the scope `read`."""

MEMBERS: Final = {"viewer", "editor", "owner", "admin", "token"}
UNKNOWN: Final = "404"


def sees(role: str, state: str) -> bool:
    """Whether the role sees the event: the rule of all routes."""
    return state != "deleted" and (state == "published" or role in MEMBERS)


def read(role: str, state: str) -> str:
    """What is public once the event is published."""
    return "ok" if sees(role, state) else UNKNOWN


def page(_role: str, state: str) -> str:
    """Pages and feeds: the same for each client."""
    return "ok" if state == "published" else UNKNOWN


def signed_in(role: str, state: str, allowed: set[str]) -> str:
    """What only these roles may do."""
    if role == "stranger":
        return "401"
    if role == "token":
        return "403"
    if not sees(role, state):
        return UNKNOWN
    return "ok" if role in allowed else "403"


def change(role: str, state: str) -> str:
    """What editors may do."""
    return signed_in(role, state, {"editor", "owner", "admin"})


def own(role: str, state: str) -> str:
    """What the owner may do."""
    return signed_in(role, state, {"owner", "admin"})


def members(role: str, state: str) -> str:
    """What members may read; a token can read, too."""
    if role == "stranger":
        return "401"
    if not sees(role, state):
        return UNKNOWN
    return "ok" if role in MEMBERS else "403"


def invitations(role: str, state: str) -> str:
    """What the owner may read."""
    return "ok" if role == "token" and sees(role, state) else _for_owner(role, state)


def _for_owner(role: str, state: str) -> str:
    return UNKNOWN if role == "token" else own(role, state)


def preview(role: str, state: str) -> str:
    """Members see the page, unless it must not be seen; to others the event is not theirs."""
    if role in {"stranger", "token"}:
        return {"stranger": "401", "token": "403"}[role]
    return "ok" if role in MEMBERS and state in {"draft", "published"} else UNKNOWN


def restore(role: str, state: str) -> str:
    """Only the owner of a deleted event finds it."""
    if role in {"stranger", "token"}:
        return {"stranger": "401", "token": "403"}[role]
    return "ok" if role in {"owner", "admin"} and state == "deleted" else UNKNOWN


def admins(role: str, _state: str) -> str:
    """What admins do, whatever the state."""
    if role == "stranger":
        return "401"
    return "ok" if role == "admin" else "403"


Rule = Callable[[str, str], str]

RULES: Final[list[tuple[str, str, Rule]]] = [
    ("GET", r"/events/\{identifier\}(/.*)?", page),
    ("POST", r"/v1/events/\{identifier\}/preview", preview),
    ("POST", r"/v1/events/\{resource_id\}/(publish|unpublish)", own),
    ("POST", r"/v1/events/\{resource_id\}/restore", restore),
    ("DELETE", r"/v1/events/\{resource_id\}", own),
    ("POST", r"/v1/events/\{event_id\}/(take-down|reinstate)", admins),
    ("POST", r"/v1/events/\{event_key\}/erase", own),
    ("GET", r"/v1/events/\{event_key\}/members", members),
    ("GET", r"/v1/events/\{event_key\}/invitations", invitations),
    (
        "POST|PATCH|DELETE",
        r"/v1/events/\{event_key\}/(members/\{user_id\}|invitations.*)",
        own,
    ),
    ("GET", r"/v1/events/\{resource_id\}(/.*)?", read),
    ("GET", r"/v1/[a-z-]+/\{resource_id\}(/.*)?", read),
    ("POST|PATCH|DELETE", r"/v1/[a-z-]+/\{resource_id\}(/.*)?", change),
]

TO_ONE: Final = {
    *("event", "track", "microlocation", "session-type", "event-copyright", "speakers-call"),
}
SOME: Final = ("/sessions", "/speakers-call")

GENERIC: Final = ("stranger", "viewer", "owner")
"""Enough for routes that one function makes for all kinds."""

ELSEWHERE: Final = {
    # A list or a new resource; what belongs to no event; and exports, which have their own test.
    *("/v1/events", "/v1/events/upcoming", "/v1/deleted-events"),
    "/v1/events/import/{source_type}",
    "/v1/events/{event_key}/export/{export_format:path}",
}


def routes(settings: Settings) -> Iterator[tuple[str, str, Rule]]:
    """All routes about an event or a part of it, with their rules."""
    for context in iter_route_contexts(create_app(settings).routes):
        path = context.path or ""
        if path in ELSEWHERE or not re.match(
            r"/events/|/v1/events/|/v1/[a-z-]+/\{resource_id\}", path
        ):
            continue
        for method in sorted((context.methods or set()) - {"HEAD"}):
            found = [
                rule
                for methods, pattern, rule in RULES
                if method in methods.split("|") and re.fullmatch(pattern, path)
            ]
            assert found, f"{method} {path} has no rule"
            yield method, path, found[0]


def outcome(answer: httpx.Response) -> str:
    """What became of a request: kept out, or let in, whatever it did then."""
    if answer.status_code in {401, 403, 404}:
        if "json" not in answer.headers["content-type"]:
            return str(answer.status_code)
        (error,) = answer.json()["errors"]
        is_inside = error["detail"].startswith(("Unknown member", "Unknown invitation"))
        if not is_inside and error["code"] != "mail-disabled":
            return str(answer.status_code)
    return "ok"


BODIES: Final[dict[str, Any]] = {
    "erase": {"email": "nobody@example.org"},
    "invitations": {
        "data": {
            "type": "event-invitation",
            "attributes": {"email": "nobody@example.org", "role": "viewer"},
        }
    },
}


@pytest.fixture
async def clients(
    service: Any, make_user: Any, session_factory: async_sessionmaker[AsyncSession]
) -> dict[str, httpx.AsyncClient]:
    """A client of each role."""
    users = {name: await make_user(is_admin=name == "admin") for name in ROLES[3:]}
    users["other"] = await make_user()
    secret = f"{PERSONAL_PREFIX}secret"
    made = {name: await service.client(user) for name, user in users.items()}
    made["stranger"], made["token"] = await service.client(), await service.client()
    made["token"].headers["Authorization"] = f"Bearer {secret}"
    async with session_factory.begin() as session:
        unconfirmed = update(models.User).where(models.User.id == users["other"].id)
        await session.execute(unconfirmed.values(is_confirmed=False))
        token = models.PersonalAccessToken(
            user_id=users["owner"].id,
            name="T",
            scopes=["read"],
            token_hash=hash_of(secret),
            expires_at=func.now() + func.make_interval(0, 0, 0, 1),
        )
        session.add(token)
        for name, values in STATES.items():
            row = models.Event(identifier=name.replace(" ", "-"), name=name, **values)
            session.add(row)
            await session.flush()
            session.add(models.EventSession(event_id=row.id, title="T"))
            for role in ("viewer", "editor", "owner"):
                session.add(models.EventRole(event_id=row.id, user_id=users[role].id, role=role))
    return made


async def test_roles_and_states_decide_on_every_route(
    settings: Settings,
    clients: dict[str, httpx.AsyncClient],
    session_factory: async_sessionmaker[AsyncSession],
) -> None:
    table = list(routes(settings))
    assert len(table) > 100
    async with session_factory() as session:
        events = {
            row.name: row.id
            for row in await session.execute(select(models.Event.name, models.Event.id))
        }
        sessions = {
            row.event_id: row.id
            for row in await session.execute(
                select(models.EventSession.event_id, models.EventSession.id)
            )
        }
        owner = await session.scalar(
            select(models.EventRole.user_id).where(models.EventRole.role == "owner")
        )
    wrong, seen = [], 0
    for method, path, rule in table:
        part = path.split("/")[2]
        if path.startswith("/v1/") and part not in {"events", "sessions"}:
            continue  # The same functions as for sessions.
        if "/events/{resource_id}/relationships/" in path and not path.endswith(SOME):
            continue  # The same function for all kinds.
        if "{id}" in path or (method == "POST" and path.count("/") > 3 and rule is change):
            continue  # Calendars of a part, and new parts, are tested with their contents.
        changes_state = path.endswith(("/restore", "/reinstate"))
        roles = GENERIC if rule in {read, change} and path != "/v1/events/{resource_id}" else ROLES
        for state, event_id in events.items():
            ids = {
                "identifier": state.replace(" ", "-"),
                "event_id": event_id,
                "event_key": event_id,
                "resource_id": event_id if part == "events" else sessions[event_id],
                "user_id": owner,
                "invitation_id": "00000000-0000-4000-8000-000000000000",
            }
            for role in roles:
                expected = rule(role, state)
                if changes_state and expected == "ok":
                    continue  # Done in test_withdrawal.py.
                body = next((b for end, b in BODIES.items() if path.endswith(end)), None)
                kind = "session" if part == "sessions" else "event"
                media_type = "application/vnd.api+json"
                if "members" in path:
                    attributes = {"role": "editor"}
                    data = {"type": "event-member", "id": str(owner), "attributes": attributes}
                    body, media_type = {"data": data}, "application/json"
                elif body is not None:
                    media_type = "application/json"
                elif "relationships" in path:
                    body = {"data": None if path.rpartition("/")[2] in TO_ONE else []}
                else:
                    body = {"data": {"type": kind, "id": str(ids["resource_id"])}}
                headers = {"If-Match": '"0"', "Content-Type": media_type}
                sent: dict[str, Any] = {} if method == "GET" else {"json": body, "headers": headers}
                answer = await clients[role].request(method, path.format(**ids), **sent)
                seen += 1
                if (got := outcome(answer)) != expected:
                    wrong.append(f"{method} {path} {state} {role}: {got}, not {expected}")
    assert not wrong, "\n".join(wrong[:40])
    assert seen > 500
