"""Requests that are too large, and answers that never repeat them in full."""

import base64
import json
from typing import Any

import httpx
import pytest

from eventimport.database.models import User
from eventimport.http.forms.body import TooComplexError, check_shape
from eventimport.http.headers import parse_content_disposition, split

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        (" , ,", []),
        ("a, b,c", ["a", "b", "c"]),
        ('a;b="x, y", c', ['a;b="x, y"', "c"]),
        (r'"a\",b", c', [r'"a\",b"', "c"]),
        (r'a, "b\", c', ["a", r'"b\", c']),
        ('a, "b', ["a", '"b']),
        ('a, "b\\', ["a", '"b\\']),
    ],
)
def test_lists_in_headers(text: str, parts: list[str]) -> None:
    assert split(text, ",") == parts


@pytest.mark.parametrize("unit", ['"\\', '"', "\\", '";', '\\"', '",', ";", "=", '=";', " ", "\t,"])
def test_no_header_is_too_hard_to_read(unit: str) -> None:
    # Reading this took minutes where it was more than linear.
    text = unit * 200_000

    split(text, ",")
    parse_content_disposition(b"form-data; name=" + text.encode())


@pytest.mark.parametrize("header", ["Accept", "Content-Type", "If-Match", "If-None-Match", "Range"])
@pytest.mark.parametrize("unit", ['"\\', '"', ",", ";q=", " "])
async def test_hostile_headers_are_answered(
    client: httpx.AsyncClient, header: str, unit: str
) -> None:
    value = (unit * 15_000)[:15_000] + "x"
    for path in ("/v1/events", "/media/x"):
        answer = await client.get(path, headers={header: value})
        assert answer.status_code < 500
        assert len(answer.content) < 3_000


async def test_headers_and_urls_have_a_limit(client: httpx.AsyncClient) -> None:
    headers = await client.get("/healthz", headers={"X": "x" * 17_000})
    many = await client.get("/healthz", headers=[("x", "1")] * 4_000)
    url = await client.get("/healthz?" + "x" * 9_000)

    for answer, status, setting in (
        (headers, 431, "MAX_HEADER_BYTES"),
        (many, 431, "MAX_HEADER_BYTES"),
        (url, 414, "MAX_URL_BYTES"),
    ):
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["status"]) == (status, str(status))
        assert setting in error["detail"]
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_few_of_many_errors_are_listed(user_client: httpx.AsyncClient) -> None:
    unknown = [f"k{number}" for number in range(1_000)]
    query = await user_client.get("/v1/notifications?" + "&".join(unknown).replace("&", "=1&"))
    body = await user_client.patch(
        "/v1/notifications/1",
        json={"data": {"type": "notification", "id": "1", "attributes": dict.fromkeys(unknown, 1)}},
    )
    signing_in = await user_client.post("/v1/users", json=dict.fromkeys(unknown, 1))

    for answer in (query, signing_in, body):
        document = answer.json()
        assert 400 <= answer.status_code < 500
        assert len(document["errors"]) == 20
        assert document["meta"]["total"] >= 900
        assert len(answer.content) < 6_000


@pytest.mark.parametrize("path", ["/v1/notifications?{}=1", "/{}", "/media/{}", "/v1/events/{}"])
async def test_long_values_are_not_repeated(user_client: httpx.AsyncClient, path: str) -> None:
    answer = await user_client.get(path.format("x" * 7_000))

    assert answer.json()["errors"]
    assert len(answer.content) < 1_500


@pytest.mark.parametrize(
    ("body", "status", "setting"),
    [
        (b"[" * 30_000, 400, "MAX_JSON_DEPTH"),
        (b'{"a":' * 10_000, 400, "MAX_JSON_DEPTH"),
        (b"[" + b"{}," * 20_000 + b"{}]", 400, "MAX_BODY_VALUES"),
        (json.dumps({"email": list(range(10_000))}).encode(), 400, "MAX_BODY_VALUES"),
        (json.dumps({"email": "x" * 70_000}).encode(), 413, "MAX_BODY_BYTES"),
    ],
    ids=["lists", "objects", "empty", "numbers", "long"],
)
async def test_json_that_costs_too_much(
    client: httpx.AsyncClient, body: bytes, status: int, setting: str
) -> None:
    answer = await client.post("/v1/users", content=body, headers=JSON)

    assert answer.status_code == status
    assert setting in answer.json()["errors"][0]["detail"]


async def test_the_limit_of_a_body_is_a_setting(start_service: Any, user: User) -> None:
    client = await (await start_service(max_body_bytes=100, max_body_values=3)).client(user)

    long = await client.post("/v1/auth/session", json={"email": "x" * 100, "password": "x"})
    many = await client.post("/v1/auth/session", json={"a": 1, "b": 2, "c": 3, "d": 4})
    short = await client.post("/v1/auth/session", json={"email": "a@b.example", "password": "x"})

    assert [answer.status_code for answer in (long, many, short)] == [413, 400, 401]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b'"',
        b'"[[[[[[{',
        b'"\\"[[[[[["',
        b"]]]]",
        b'{"a": "[,,,,,,[["}',
        b'"' + b'\\"' * 100_000,
    ],
)
def test_strings_have_no_shape(text: bytes) -> None:
    check_shape(text, max_values=2, max_depth=1)


@pytest.mark.parametrize("text", [b"[[", b'{"a":{', b"[1,2]", b"{},{}", b'["\\\\",[]'])
def test_a_shape_beyond_the_limits(text: bytes) -> None:
    with pytest.raises(TooComplexError):
        check_shape(text, max_values=1, max_depth=1)


async def test_a_token_that_is_nested_is_no_token(client: httpx.AsyncClient) -> None:
    head = base64.urlsafe_b64encode(b"[" * 9_000).decode().rstrip("=")
    answer = await client.get("/v1/notifications", headers={"Authorization": f"Bearer {head}.e.e"})

    assert answer.status_code == 401
