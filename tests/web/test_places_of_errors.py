"""Errors and findings say where in the request they are: a pointer, a parameter or a header."""

from typing import Any

import httpx
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from tests.web.events import conftest as events
from tests.web.raised_problems import literals, raised_problems

from eventimport.database.models import User

write_conference = events.write_conference

NOWHERE = {
    # The request as a whole: how it arrived, who sent it, or when.
    *("address-not-confirmed", "body-timed-out", "body-too-complex", "content-too-large"),
    *("forbidden", "headers-timed-out", "headers-too-large", "invalid-json", "invalid-request"),
    *("mail-disabled", "sign-up-disabled", "too-many-event-streams", "too-many-exports"),
    *("too-many-imports", "too-many-mails", "too-many-requests", "too-many-tokens"),
    *("upload-expired", "upload-quota-exceeded", "upload-stalled", "url-too-long"),
    # The response must not say which of two members is wrong.
    "wrong-credentials",
    # What the path names, for which JSON:API has no place.
    *("link-expired", "not-found", "unknown-format", "unknown-source-type"),
    # The state of what the path names, or of the service.
    *("already-confirmed", "event-deleted", "event-taken-down", "import-running"),
    *("nothing-missing", "task-ended", "database-unavailable", "internal-error", "not-ready"),
    *("queue-full", "schema-outdated", "storage-unavailable", "too-many-connections"),
    "too-many-fetches",
    # How a task ended, after its request.
    *("archive-gone", "image-changed", "media-gone", "worker-lost"),
}
"""Codes of errors that no part of a request causes."""


def test_other_errors_have_a_place() -> None:
    calls = list(raised_problems())
    without = {
        literals(call)[1]
        for call in calls
        if len(literals(call)) == 3
        and len(call.args) < 5
        and "source" not in {each.arg for each in call.keywords}
    }

    assert len(calls) > 100
    assert without == NOWHERE


FORM = "multipart/form-data; boundary=x"
CALENDAR = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"


def part(name: str, content: bytes, file_name: str = "a.bin") -> bytes:
    """A form with this file."""
    head = f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="{file_name}"\r\n\r\n'
    return head.encode() + content + b"\r\n--x--\r\n"


def document(kind: str, attributes: Any, **members: Any) -> Any:
    """The body of a write."""
    return {"data": {"type": kind, "attributes": attributes, **members}}


async def test_places(
    start_service: Any,
    user: User,
    write_conference: Any,
    session_factory: async_sessionmaker[AsyncSession],
) -> None:
    service = await start_service(sign_ins_per_client=0, max_image_bytes=1000)
    client: httpx.AsyncClient = await service.client(user)
    written = await write_conference(1)
    event = f"/v1/events/{written.id}"
    copyright_notice = document("event-copyright", {"holder": "Other"})
    of_unknown = {"event": {"data": {"type": "event", "id": "7777"}}}
    known = {"email": user.email, "password": "a new horse, a new staple"}
    weak = {"email": "new@example.org", "password": "password"}
    member = {
        "data": {"type": "event-member", "id": str(user.id), "attributes": {"role": "viewer"}}
    }
    for method, path, body, status, code, place in (
        ("POST", f"{event}/event-copyright", copyright_notice, 409, "already-exists", "/data"),
        ("POST", "/v1/tracks", document("track", {"name": "A"}, relationships=of_unknown), 404,
         "not-found", "/data/relationships/event/data/id"),
        ("PATCH", f"{event}/members/{user.id}", member, 409, "last-owner",
         "/data/attributes/role"),
        ("POST", "/v1/users", known, 409, "email-taken", "/email"),
        ("POST", "/v1/users", document("user", known), 409, "email-taken",
         "/data/attributes/email"),
        ("POST", "/v1/users", weak, 422, "weak-password", "/password"),
        ("POST", "/v1/users", document("user", weak), 422, "weak-password",
         "/data/attributes/password"),
        ("POST", "/v1/users", document("user", {"email": "x", "password": "{}"}), 422,
         "invalid-value", "/data/attributes/email /data/attributes/password"),
        ("POST", "/v1/users", {"email": "x", "password": ""}, 422, "invalid-value",
         "/email /password"),
        ("POST", "/v1/auth/refresh", {"refresh_token": "x"}, 401, "invalid-refresh-token",
         "/refresh_token"),
        ("POST", "/v1/auth/token/refresh", None, 401, "invalid-refresh-token", "Authorization"),
        ("POST", "/v1/events/import/json", part("file", CALENDAR), 415, "other-format", "/file"),
        ("POST", "/v1/events/import/json", part("file", b"?"), 415, "not-a-zip", "/file"),
        ("POST", "/v1/events/import/auto", part("file", b""), 400, "empty-file", "/file"),
        ("POST", "/v1/events/import/auto", part("other", CALENDAR), 400, "no-file", "/file"),
        ("POST", "/v1/upload/file", part("other", CALENDAR), 400, "no-file", "/file"),
        ("POST", "/v1/upload/image", part("other", CALENDAR), 400, "no-file", "/file"),
        ("POST", "/v1/upload/image", part("file", b"?"), 415, "not-an-image", "/file"),
        ("POST", "/v1/upload/image", part("file", b"?" * 1001), 413, "limit-exceeded", "/file"),
        ("POST", "/v1/upload/image", {"data": "data:image/png;base64,AAAA"}, 415, "not-an-image",
         "/data"),
        ("POST", "/v1/upload/image", {"data": "?" * 70_000}, 413, "limit-exceeded", "/data"),
    ):  # fmt: skip
        kind = "application/json" if "data" not in path else "application/vnd.api+json"
        given: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
        headers = {"Content-Type": FORM if isinstance(body, bytes) else kind}
        response = await client.request(method, path, headers=headers, **given)

        case = (method, path, response.text)
        assert response.status_code == status, case
        errors = response.json()["errors"]
        assert {error["code"] for error in errors} == {code}, case
        found = [" ".join(error["source"].values()) for error in errors]
        assert " ".join(sorted(found)) == place, case


async def test_each_finding_of_a_write_has_a_place(
    user_client: httpx.AsyncClient, write_conference: Any
) -> None:
    written = await write_conference(1)
    url, codes = written.url("sessions"), set()
    for attributes in (
        {"starts-at": "2027-03-19T10:00:00", "ends-at": "2027-03-19T11:00:00Z"},
        {"ends-at": "2027-03-19 09:00"},
        {"short-abstract": "<script>x</script>y"},
        {"state": "odd"},
    ):
        body = document("session", attributes, id=url.rpartition("/")[2])
        response = await user_client.patch(url, json=body)
        assert response.status_code == 200, response.text
        for finding in response.json()["meta"]["findings"]:
            assert finding["source"]["pointer"].removeprefix("/data/attributes/") in {
                *attributes,
                "starts-at",
            }, finding
            codes.add(finding["code"])
    nameless = document("track", {}, relationships={
        "event": {"data": {"type": "event", "id": str(written.id)}}})  # fmt: skip
    response = await user_client.post("/v1/tracks", json=nameless)
    (finding,) = response.json()["meta"]["findings"]

    assert finding["source"] == {"pointer": "/data/attributes/name"}
    assert "no-offset" in codes
    assert len(codes) > 2
