"""Who gets into which route: a table that knows every route, and fails for one that it misses."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from tests.stored_files import store
from tests.web.conftest import claims_of
from tests.web.events.routes import ROUTES as EVENT_ROUTES

from eventimport.database.models import (
    Event,
    EventRole,
    ImportJob,
    Notification,
    ObjectPurpose,
    ObjectRecord,
    PersonalAccessToken,
    User,
)
from eventimport.main import create_app
from eventimport.settings import Settings

Place = tuple[str, str]

OPEN: set[Place] = {
    ("GET", "/"),
    ("GET", "/static/{name}"),
    ("GET", "/events/{identifier}"),
    ("GET", "/account/confirm"),
    ("GET", "/account/reset"),
    ("GET", "/account/forgot"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/docs/start.js"),
    ("GET", "/docs/{name}"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("POST", "/v1/users"),
    ("POST", "/v1/users/check_email"),
    ("POST", "/v1/users/checkEmail"),
    ("POST", "/auth/session"),
    ("POST", "/v1/auth/session"),
    ("POST", "/v1/auth/login"),
    ("POST", "/v1/auth/refresh"),
    ("POST", "/v1/auth/sign-out"),
    ("POST", "/v1/auth/confirm-email"),
    ("POST", "/v1/auth/forgot-password"),
    ("POST", "/v1/auth/reset-password"),
    ("GET", "/media/{key:path}"),
}
"""For everybody: a token, good or bad, changes nothing."""

OTHERWISE: set[Place] = {
    # These take a refresh token, or are for everybody unless a token is bad.
    ("POST", "/v1/auth/token/refresh"),
    ("GET", "/v1/settings"),
}
"""Tested in test_existing_clients.py and test_service_settings.py."""

GUARDED: dict[Place, tuple[int, int, int]] = {
    # The status for the owner of what is asked for, for an admin, and for another user. The routes
    # that take files answer 415 to a request without one, and PATCH 422: by then it has got in.
    ("GET", "/v1/users/{user_id}"): (200, 200, 404),
    ("PATCH", "/v1/users/{user_id}"): (422, 422, 422),
    ("GET", "/v1/users/{user_id}/events"): (200, 200, 404),
    ("GET", "/v1/users/{user_id}/speakers"): (200, 200, 404),
    ("GET", "/v1/users/{user_id}/sessions"): (200, 200, 404),
    ("GET", "/v1/users/{user_id}/notifications"): (200, 404, 404),
    ("POST", "/v1/events/import/{source_type}"): (415, 415, 415),
    ("GET", "/v1/tasks/{task_id}"): (200, 200, 404),
    ("GET", "/v1/tasks/{task_id}/events"): (200, 200, 404),
    ("POST", "/v1/events/{identifier}/preview"): (200, 200, 404),
    ("GET", "/v1/import-jobs"): (200, 200, 200),
    ("GET", "/v1/import-jobs/{import_job_id}"): (200, 200, 404),
    ("GET", "/v1/import-jobs/{import_job_id}/findings"): (200, 200, 404),
    ("GET", "/v1/uploads"): (200, 200, 200),
    ("GET", "/v1/uploads/{upload_id}"): (200, 200, 404),
    # The owner has deleted it by the time an admin asks.
    ("DELETE", "/v1/uploads/{upload_id}"): (204, 404, 404),
    ("GET", "/v1/notifications"): (200, 200, 200),
    ("GET", "/v1/notifications/{notification_id}"): (200, 404, 404),
    ("PATCH", "/v1/notifications/{notification_id}"): (422, 422, 422),
    ("POST", "/v1/notifications/mark-all-read"): (204, 204, 204),
    ("GET", "/v1/audit-log"): (403, 200, 403),
    ("POST", "/v1/auth/sign-out-everywhere"): (204, 204, 204),
    ("GET", "/v1/account"): (200, 200, 200),
    ("PUT", "/v1/account/password"): (422, 422, 422),
    ("PUT", "/v1/account/email"): (422, 422, 422),
    ("POST", "/v1/account/delete"): (422, 422, 422),
    ("POST", "/v1/account/send-confirmation"): (403, 403, 403),
    ("GET", "/v1/personal-access-tokens"): (200, 200, 200),
    ("POST", "/v1/personal-access-tokens"): (422, 422, 422),
    ("DELETE", "/v1/personal-access-tokens/{token_id}"): (204, 404, 404),
    ("PATCH", "/v1/settings"): (403, 422, 403),
    ("DELETE", "/v1/tasks/{task_id}"): (409, 409, 404),
    ("POST", "/v1/upload/file"): (415, 415, 415),
    ("POST", "/v1/upload/files"): (415, 415, 415),
    ("POST", "/v1/upload/image"): (415, 415, 415),
    ("GET", "/v1/deleted-events"): (200, 200, 200),
    # Nothing is deleted: there is nothing to restore.
    ("POST", "/v1/events/{resource_id}/restore"): (404, 404, 404),
    ("GET", "/v1/events/{event_key}/members"): (200, 200, 404),
    ("PATCH", "/v1/events/{event_key}/members/{user_id}"): (422, 422, 422),
    # The event would have no owner.
    ("DELETE", "/v1/events/{event_key}/members/{user_id}"): (409, 409, 404),
    ("GET", "/v1/events/{event_key}/invitations"): (200, 200, 404),
    ("POST", "/v1/events/{event_key}/invitations"): (422, 422, 422),
    ("DELETE", "/v1/events/{event_key}/invitations/{invitation_id}"): (404, 404, 404),
    ("POST", "/v1/invitations/accept"): (422, 422, 422),
    ("POST", "/v1/events/{event_key}/erase"): (422, 422, 422),
    ("POST", "/v1/events/{event_id}/take-down"): (403, 422, 403),
    ("POST", "/v1/events/{event_id}/reinstate"): (403, 204, 403),
    ("POST", "/v1/users/{user_id}/take-down-files"): (403, 422, 403),
    ("POST", "/v1/users/{user_id}/reinstate-files"): (403, 204, 403),
    ("POST", "/v1/import-jobs/{import_job_id}/fetch-media"): (409, 409, 404),
}

NOW = datetime.now(UTC)
OTHER_KEY = "a key that is as long as ours and another"


def token(user: User, key: str, algorithm: str = "HS256", **changes: Any) -> str:
    """A token like ours, but for the changes."""
    return jwt.encode(claims_of(user) | changes, key, algorithm)


def bad_authorizations(user: User, key: str) -> Iterator[str | None]:
    """Headers that open nothing; the last three are what would open it, damaged."""
    yield None
    yield "Bearer"
    yield "Bearer nonsense"
    yield "Basic YWRhOnNlY3JldA=="
    yield f"Bearer {token(user, key, exp=NOW - timedelta(days=1))}"
    yield f"Bearer {token(user, key, iat=NOW + timedelta(days=1))}"
    yield f"Bearer {token(user, '', 'none')}"
    yield f"Bearer {token(user, OTHER_KEY)}"
    yield f"Bearer {token(user, key, 'HS512')}"
    yield f"Bearer {token(user, key, sub=str(2**63))}"
    yield f"Bearer {token(user, key, sub='-1')}"
    good = token(user, key)
    yield f"Token {good}"
    yield f"Bearer {good[:-4]}"
    yield f"Bearer {good} {good}"


def test_the_table_has_every_route(settings: Settings) -> None:
    app = create_app(settings)
    routes = {
        (method, context.path)
        for context in iter_route_contexts(app.routes)
        for method in context.methods or ()
        if method != "HEAD"
    }

    # Who gets into those of the events API is tested in tests/web/events/test_visibility.py.
    # Those of exports and feeds are tested in tests/web/test_exports.py and test_feeds.py.
    files = re.compile(r"/exports/|/v1/events/[^/]+/export/|/events/\{identifier\}/")
    routes = {(method, path) for method, path in routes if not files.match(path or "")}
    assert routes == OPEN | GUARDED.keys() | OTHERWISE | EVENT_ROUTES


@pytest.fixture
async def ids(
    service: Any, user: User, session_factory: async_sessionmaker[AsyncSession]
) -> dict[str, str]:
    """What stands in the paths: the ids of things that are the user's."""
    # A task that is over: the events of another would not end.
    job = ImportJob(id=uuid4(), user_id=user.id, status="REVOKED")
    conference = Event(identifier="ab3de6f0", name="Conference")
    notification = Notification(user_id=user.id, title="T", message="M")
    async with session_factory.begin() as session:
        made = PersonalAccessToken(
            user_id=user.id, name="T", scopes=["read"], token_hash="h", expires_at=NOW
        )
        session.add_all([job, notification, conference, made])
        await session.flush()
        session.add(EventRole(event_id=conference.id, user_id=user.id))
    key = await store(
        service.resources,
        f"uploads/{user.id}/a/a.txt",
        ObjectPurpose.UPLOAD,
        user_id=user.id,
        used_by={"user_id": user.id},
    )
    async with session_factory() as session:
        upload_id = await session.scalar(select(ObjectRecord.id).where(ObjectRecord.key == key))
    return {
        "token_id": str(made.id),
        "upload_id": str(upload_id),
        "user_id": str(user.id),
        "source_type": "json",
        "task_id": str(job.id),
        "import_job_id": str(job.id),
        "notification_id": str(notification.id),
        "identifier": conference.identifier,
        "event_id": str(conference.id),
        "resource_id": str(conference.id),
        "event_key": str(conference.id),
        "invitation_id": str(uuid4()),
    }


@pytest.mark.parametrize("place", GUARDED)
async def test_who_gets_in(
    service: Any, make_user: Any, user: User, ids: dict[str, str], place: Place
) -> None:
    method, path = place
    admin, other = await make_user(is_admin=True), await make_user()

    statuses = []
    for who in (user, admin, other):
        client = await service.client(who)
        response = await client.request(method, path.format(**ids))
        statuses.append(response.status_code)

    assert tuple(statuses) == GUARDED[place]


@pytest.mark.parametrize("place", GUARDED)
async def test_who_stays_out(
    service: Any, settings: Settings, user: User, ids: dict[str, str], place: Place
) -> None:
    method, path = place
    client = await service.client()
    url = path.format(**ids)

    answers = [
        await client.request(method, url, headers={"Authorization": value} if value else {})
        for value in bad_authorizations(user, settings.secret_key.get_secret_value())
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert {answer.headers["www-authenticate"] for answer in answers} == {
        'Bearer realm="eventimport"'
    }
    assert len({answer.content for answer in answers}) == 1, "the answer tells what was wrong"


@pytest.mark.parametrize("place", sorted(OPEN))
async def test_a_bad_token_changes_nothing_where_none_is_asked_for(
    service: Any, settings: Settings, user: User, ids: dict[str, str], place: Place
) -> None:
    method, path = place
    client = await service.client()
    url = path.replace("{key:path}", "x").format(**ids, name="x")

    without, *others = [
        (await client.request(method, url, headers={"Authorization": value} if value else {}))
        for value in bad_authorizations(user, settings.secret_key.get_secret_value())
    ]

    assert without.status_code not in {401, 403}
    assert {answer.status_code for answer in others} == {without.status_code}
