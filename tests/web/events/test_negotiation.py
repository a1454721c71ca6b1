"""Media types, as JSON:API wants them."""

from typing import Any

import httpx
import pytest
from tests.web.events.conftest import MEDIA_TYPE


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        ("text/html", 200),
        ("application/json", 200),
        (MEDIA_TYPE, 200),
        (MEDIA_TYPE.upper(), 200),
        (f"{MEDIA_TYPE};q=0.5", 200),
        (f'{MEDIA_TYPE}; profile="https://a.example/p,q;r"', 200),
        (f"{MEDIA_TYPE};charset=utf-8, {MEDIA_TYPE}", 200),
        (f"{MEDIA_TYPE};charset=utf-8", 406),
        (f'text/html, {MEDIA_TYPE};ext="https://a.example/e"', 406),
        (f"{MEDIA_TYPE};version=1, {MEDIA_TYPE};charset=utf-8;q=0.1", 406),
    ],
)
async def test_accept(client: httpx.AsyncClient, conference: Any, accept: str, status: int) -> None:
    for url in ("/v1/events", conference.url("sessions")):
        response = await client.get(url, headers={"Accept": accept})
        assert response.status_code == status
        assert response.headers["content-type"] == MEDIA_TYPE


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (MEDIA_TYPE, 200),
        (f'{MEDIA_TYPE};profile="https://a.example/p"', 200),
        (f"{MEDIA_TYPE}; charset=utf-8", 415),
        (f'{MEDIA_TYPE}; ext="https://a.example/e"', 415),
        ("application/json", 200),
        ("APPLICATION/JSON; charset=utf-8", 200),
        ('application/json; ext="https://a.example/e"', 415),
        ("application/problem+json", 415),
        ("application/x-www-form-urlencoded", 415),
        ("text/plain", 415),
        ("", 415),
        (None, 415),
    ],
)
async def test_content_type(
    user_client: httpx.AsyncClient, conference: Any, content_type: str | None, status: int
) -> None:
    url = conference.url("tracks")
    body = f'{{"data": {{"type": "track", "id": "{url.rpartition("/")[2]}"}}}}'
    headers = {} if content_type is None else {"Content-Type": content_type}
    response = await user_client.patch(url, content=body.encode(), headers=headers)

    assert response.status_code == status
    assert response.headers["content-type"] == MEDIA_TYPE


async def test_links_want_it_too(user_client: httpx.AsyncClient, conference: Any) -> None:
    url = f"{conference.url('sessions')}/relationships/speakers"
    for method in ("PATCH", "POST", "DELETE"):
        for media_type, status in (("text/plain", 415), ("application/json", 204)):
            headers = {"Content-Type": media_type}
            body = b'{"data": []}'
            response = await user_client.request(method, url, content=body, headers=headers)
            assert response.status_code == status
