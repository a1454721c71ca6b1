"""Every answer that is an error, and the headers of every answer."""

from typing import Any, Literal

import httpx
import pytest
from fastapi import HTTPException
from pydantic import BaseModel, EmailStr, Field, ValidationError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError

from eventimport.database.models import User
from eventimport.errors import Problem, ProblemError, refuse
from eventimport.http.problems import BODY, validation_problems
from eventimport.storage.protocol import StorageError

SECRET = "secret detail"


def errors_of(response: httpx.Response) -> list[dict[str, Any]]:
    """The answer's error objects, once it is shown to be a JSON:API document."""
    assert response.headers["content-type"] == "application/vnd.api+json"
    body = response.json()
    assert set(body) == {"errors", "jsonapi"}
    assert body["jsonapi"] == {"version": "1.1"}
    errors: list[dict[str, Any]] = body["errors"]
    for error in errors:
        assert set(error) <= {"status", "code", "title", "detail", "source", "meta"}
        assert error["status"].isdecimal()
    return errors


async def test_an_unknown_route(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/nothing")

    assert response.status_code == 404
    (error,) = errors_of(response)
    assert (error["status"], error["code"]) == ("404", "not-found")
    assert "/v1/nothing" in error["detail"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/users", "POST"),
        ("/v1/events", "GET, HEAD, POST"),
        ("/v1/sessions/5", "DELETE, GET, HEAD, PATCH"),
        ("/v1/sessions/5/relationships/speakers", "DELETE, GET, HEAD, PATCH, POST"),
        ("/events/ab3de6f0", "GET, HEAD"),
    ],
)
async def test_a_method_that_a_route_does_not_take(
    client: httpx.AsyncClient, path: str, allowed: str
) -> None:
    response = await client.put(path)

    assert response.status_code == 405
    (error,) = errors_of(response)
    assert error["code"] == "method-not-allowed"
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (RuntimeError(SECRET), 500, "internal-error"),
        (StorageError(SECRET), 503, "storage-unavailable"),
        (ConnectionRefusedError(SECRET), 503, "database-unavailable"),
        (OperationalError("SELECT", {}, Exception(SECRET)), 503, "database-unavailable"),
        (InterfaceError("SELECT", {}, Exception(SECRET)), 503, "database-unavailable"),
        (
            DBAPIError("SELECT", {}, Exception(SECRET), connection_invalidated=True),
            503,
            "database-unavailable",
        ),
        (ProgrammingError("SELECT", {}, Exception(SECRET)), 500, "internal-error"),
        (HTTPException(418, "short and stout"), 418, "im-a-teapot"),
        (refuse(409, "taken", "Taken", "It is taken."), 409, "taken"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_what_a_route_raises(service: Any, raised: Exception, status: int, code: str) -> None:
    async def fail() -> None:
        raise raised

    service.app.add_api_route("/fail", fail)
    client = await service.client(raises=False)

    response = await client.get("/fail")

    assert response.status_code == status
    (error,) = errors_of(response)
    assert (error["status"], error["code"]) == (str(status), code)
    assert SECRET not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"
    assert ("retry-after" in response.headers) == (status == 503)


async def test_problems_of_different_statuses_come_as_400(service: Any) -> None:
    async def fail() -> None:
        problems = (Problem(409, "a", "A", "…"), Problem(422, "b", "B", "…"))
        raise ProblemError(problems, {"X-Reason": "two"})

    service.app.add_api_route("/fail", fail)

    response = await (await service.client()).get("/fail")

    assert response.status_code == 400
    assert response.headers["x-reason"] == "two"
    assert [error["status"] for error in errors_of(response)] == ["409", "422"]


async def test_pointers_are_json_pointers(service: Any) -> None:
    async def take(body: dict[str, int]) -> None:
        return

    service.app.add_api_route("/take", take, methods=["POST"])

    response = await (await service.client()).post("/take", json={"a/b~c": "x"})

    (error,) = errors_of(response)
    assert error["source"] == {"pointer": "/a~1b~0c"}


class Body(BaseModel, extra="forbid"):
    flag: bool = True
    count: int = Field(1, ge=0, le=9)
    name: str = Field("ab", min_length=2, max_length=3)
    names: list[str] = Field([], max_length=1)
    state: Literal["on", "off"] = "on"
    email: EmailStr = "a@example.org"
    options: dict[str, int] = {}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "Expected a JSON object. Send it with the Content-Type application/json."),
        ({"flag": "perhaps"}, "Expected true or false."),
        ({"count": "x"}, "Expected a whole number."),
        ({"count": 1.5}, "Expected a whole number."),
        ({"count": -1}, "The value must be at least 0."),
        ({"count": 10}, "The value must be at most 9."),
        ({"name": 5}, "Expected a text."),
        ({"name": "a"}, "The text must have at least 2 characters."),
        ({"name": "abcd"}, "The text must have at most 3 characters."),
        ({"name": "a\ud800"}, "The text has half of a surrogate pair."),
        ({"names": "a"}, "Expected a list."),
        ({"names": ["a", "b"]}, "At most 1 entries are allowed."),
        ({"state": "x"}, "Expected 'on' or 'off'."),
        ({"options": []}, "Expected an object."),
        ({"flags": True}, "Unknown member."),
        ({"email": "a"}, "The value is not a valid email address"),
    ],
)
def test_invalid_values_are_described_in_plain_words(body: Any, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Body.model_validate(body)
    errors = [{**each, "loc": (BODY, *each["loc"])} for each in caught.value.errors()]
    (problem,) = validation_problems(errors)
    assert problem.detail.startswith(words)


async def test_an_error_quotes_half_of_a_surrogate_pair(service: Any) -> None:
    async def fail() -> None:
        raise refuse(422, "unknown", "Unknown", "Unknown \ud800 \\ \N{SNOWMAN}.")

    service.app.add_api_route("/fail", fail)

    response = await (await service.client()).get("/fail")

    assert response.status_code == 422
    (error,) = errors_of(response)
    assert error["detail"] == "Unknown \\ud800 \\ \N{SNOWMAN}."


@pytest.mark.parametrize("path", ["/healthz", "/v1/nothing", "/v1/import-jobs", "/openapi.json"])
async def test_every_answer_has_security_headers(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]


async def test_alive(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}


async def test_without_its_database_the_service_is_alive_and_not_ready(
    start_service: Any, settings: Any
) -> None:
    url = "postgresql://nobody@127.0.0.1:1/nothing"
    service = await start_service(database_url=type(settings.database_url)(url))
    client = await service.client()

    alive, ready = await client.get("/healthz"), await client.get("/readyz")

    assert alive.status_code == 200
    assert ready.status_code == 503
    assert ready.headers["retry-after"]
    assert errors_of(ready)[0]["meta"]["checks"]["database"] == "failed"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://nobody@/nothing?host=/no/such/folder",
        "postgresql://nobody@no-such-host.invalid/nothing",
    ],
)
async def test_a_database_whose_address_leads_nowhere_is_away(
    start_service: Any, settings: Any, user: User, url: str
) -> None:
    service = await start_service(database_url=type(settings.database_url)(url))
    client = await service.client(user)

    for path in ("/v1/import-jobs", f"/v1/users/{user.id}"):
        answer = await client.get(path)

        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert errors_of(answer)[0]["code"] == "database-unavailable"
