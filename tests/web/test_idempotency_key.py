"""The header `Idempotency-Key`: what is a key, what is none, and what clients are told of it."""

from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.web.keyed_requests import HEADER, Left, assert_replayed, code_of

from eventimport.http.idempotency import parse_key

IMPORT = "/v1/events/import/json"
ROUTES = [IMPORT, "/v1/upload/file", "/v1/upload/files", "/v1/upload/image"]
ZIP = b"PK\x05\x06" + bytes(18)


@pytest.fixture
def left(engine: AsyncEngine, settings: Any) -> Left:
    return Left(engine, settings.local_storage_path)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("abc", "abc"),
        ('"abc"', "abc"),
        (' \t"abc" ', "abc"),
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ('a"b\\c', 'a"b\\c'),
        (r'"a\"b\\c"', 'a"b\\c'),
        ("two words", "two words"),
        ('" "', " "),
        ("~" * 255, "~" * 255),
        ('"' + "x" * 255 + '"', "x" * 255),
        ('"' + '\\"' * 255 + '"', '"' * 255),
    ],
)
def test_keys(text: str, key: str) -> None:
    assert parse_key(text) == key


BAD = [
    "",
    " ",
    '""',
    '"',
    '"abc',
    '"a"b"',
    '"abc"; q=1',
    '"abc", "def"',
    r'"a\b"',
    '"abc\\"',
    "x" * 256,
    '"' + "x" * 256 + '"',
    "a\tb",
    "a\x7f",
    "schlüssel",
]


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(ValueError, match=r"1 to 255 printable ASCII|complete quoted string"):
        parse_key(text)


@pytest.mark.parametrize("text", ["", '"abc', "x" * 256, "schlüssel"])
@pytest.mark.parametrize("url", ROUTES)
async def test_a_bad_key_is_refused(
    user_client: httpx.AsyncClient, left: Left, url: str, text: str
) -> None:
    headers = [(HEADER.encode(), text.encode())]

    answer = await user_client.post(url, files={"file": ("a.zip", ZIP)}, headers=headers)

    assert code_of(answer) == (400, "invalid-idempotency-key")
    (error,) = answer.json()["errors"]
    assert error["source"] == {"header": HEADER}
    assert text not in error["detail"] or not text
    assert await left.nothing()


async def test_two_keys_are_refused(user_client: httpx.AsyncClient, left: Left) -> None:
    headers = [(HEADER, "a"), (HEADER, "b")]

    answer = await user_client.post(IMPORT, files={"file": ("a.zip", ZIP)}, headers=headers)

    assert code_of(answer) == (400, "invalid-idempotency-key")
    assert await left.nothing()


async def test_quotes_are_no_part_of_the_key(user_client: httpx.AsyncClient, left: Left) -> None:
    answers = [
        await user_client.post(IMPORT, files={"file": ("a.zip", ZIP)}, headers={HEADER: spelled})
        for spelled in ("abc", '"abc"')
    ]

    assert_replayed(answers[1], answers[0])
    assert await left.keys() == ["abc"]


@pytest.mark.parametrize("url", ROUTES)
async def test_signing_in_comes_first(client: httpx.AsyncClient, url: str) -> None:
    answer = await client.post(url, files={"file": ("a.zip", ZIP)}, headers={HEADER: '"'})

    assert answer.status_code == 401


def test_openapi_tells_of_it(openapi_document: dict[str, Any]) -> None:
    operations = {
        path: operation
        for path, methods in openapi_document["paths"].items()
        for operation in methods.values()
        if any(given["name"] == HEADER for given in operation.get("parameters", ()))
    }

    assert {path.replace("{source_type}", "json") for path in operations} == set(ROUTES)
    for operation in operations.values():
        (header,) = (given for given in operation["parameters"] if given["name"] == HEADER)
        assert (header["in"], header["required"]) == ("header", False)
        assert header["schema"]["maxLength"] == 255
        assert header["description"]
        assert "409" not in operation["responses"]
        assert "422" in operation["responses"]
        (success,) = (told for status, told in operation["responses"].items() if status < "300")
        assert "Idempotency-Replayed" in success["headers"]
