"""What holds for every route: query parameters, HEAD, encodings, and ids that cannot be."""

import asyncio
import gzip
from typing import Any
from uuid import uuid4

import httpx
import pytest

from eventimport.database.models import User


def get_paths(document: dict[str, Any]) -> list[str]:
    """All paths with GET, from the OpenAPI document."""
    return sorted(path for path, operations in document["paths"].items() if "get" in operations)


def filled(path: str) -> str:
    """The path, with ids that name nothing."""
    for name, value in {
        "{task_id}": str(uuid4()),
        "{import_job_id}": str(uuid4()),
        "{job_id}": str(uuid4()),
        "{key}": "nothing.png",
    }.items():
        path = path.replace(name, value)
    while "{" in path:
        start = path.index("{")
        path = path[:start] + "1" + path[path.index("}") + 1 :]
    return path


@pytest.fixture
async def admin(service: Any, make_user: Any) -> httpx.AsyncClient:
    client: httpx.AsyncClient = await service.client(await make_user(is_admin=True))
    return client


async def test_an_unknown_parameter_is_named_on_every_route(
    openapi_document: dict[str, Any], admin: httpx.AsyncClient
) -> None:
    operations = openapi_document["paths"]
    seen = 0
    for path, methods in operations.items():
        if not path.startswith("/v1/"):
            continue
        for method in methods:
            if method not in {"get", "post", "patch", "put", "delete"}:
                continue
            for name in ("nonsense", "size", "number", "status", "is_read", "fields_event"):
                answer = await admin.request(method, f"{filled(path)}?{name}=1")
                assert answer.status_code == 400, (method, path, name, answer.text)
                error = answer.json()["errors"][0]
                assert error["source"] == {"parameter": name}, (method, path, error)
                seen += 1
    assert seen > 300


async def test_not_many_unknown_parameters_are_listed(admin: httpx.AsyncClient) -> None:
    query = "&".join(f"{'x' * 80}{n}=1" for n in range(60))
    answer = await admin.get(f"/v1/settings?{query}")

    assert answer.status_code == 400
    assert len(answer.json()["errors"]) == 20
    assert len(answer.content) < 10_000


@pytest.mark.parametrize("path", ["/", "/static/pages.css", "/docs", "/healthz", "/openapi.json"])
async def test_pages_ignore_parameters(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"{path}?utm_source=mail")).status_code == 200


async def test_head_is_get_without_a_body(
    openapi_document: dict[str, Any], admin: httpx.AsyncClient
) -> None:
    paths = [
        *get_paths(openapi_document),
        "/",
        "/docs",
        "/docs/start.js",
        "/static/pages.css",
        "/openapi.json",
    ]
    for path in map(filled, paths):
        if path.endswith("/events") and "/tasks/" in path:
            continue
        get, head = await admin.get(path), await admin.head(path)
        assert (head.status_code, head.content) == (get.status_code, b""), path
        differ = {"x-request-id", "date", "content-length"}
        assert {*head.headers} - differ == {*get.headers} - differ, path
        if "content-length" in head.headers:
            assert head.headers["content-length"] == get.headers["content-length"] or path in {
                "/metrics",
                "/readyz",
            }
    assert len(paths) > 60


async def test_head_does_not_wait_for_the_end_of_a_stream(
    user_client: httpx.AsyncClient, archive: bytes
) -> None:
    started = await user_client.post("/v1/events/import/json", files={"file": ("a.zip", archive)})

    async with asyncio.timeout(60):
        answer = await user_client.head(f"{started.json()['task_url']}/events")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("path", ["/v1/events/import/json", "/v1/auth/session", "/nowhere"])
async def test_head_where_there_is_no_get(client: httpx.AsyncClient, path: str) -> None:
    get, head = await client.get(path), await client.head(path)

    assert (head.status_code, head.content) == (get.status_code, b"")


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "gzip, identity", "GZIP"])
@pytest.mark.parametrize("path", ["/v1/auth/session", "/v1/events/import/json", "/v1/upload/file"])
async def test_a_compressed_body_is_refused_by_name(
    user_client: httpx.AsyncClient, path: str, coding: str
) -> None:
    answer = await user_client.post(
        path,
        content=gzip.compress(b'{"email": "a@example.org", "password": "x"}'),
        headers={"Content-Encoding": coding, "Content-Type": "application/json"},
    )

    (error,) = answer.json()["errors"]
    assert answer.status_code == 415
    assert error["source"] == {"header": "Content-Encoding"}
    assert coding.lower() in error["detail"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/tasks/nonsense", "task"),
        ("/v1/tasks/nonsense/events", "task"),
        ("/v1/import-jobs/17", ""),
        ("/v1/sessions/x", ""),
        ("/v1/events/%00", ""),
    ],
)
async def test_an_id_that_cannot_be_is_not_found_in_plain_words(
    admin: httpx.AsyncClient, path: str, kind: str, user: User
) -> None:
    answer = await admin.get(path)

    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (404, "not-found")
    assert error["detail"].startswith(f"Unknown {kind}")
    for word in ("UUID", "Input", "pattern", "match", "_id", "valid integer"):
        assert word not in error["detail"]
