"""What /media serves, and how: nothing private, nothing that a browser would run."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest

from eventimport.storage.keys import MAX_KEY_BYTES, visibility_of
from eventimport.storage.protocol import Visibility

CONTENT = bytes(range(256)) * 4000
Store = Callable[..., Awaitable[str]]


@pytest.fixture
def store(service: Any) -> Store:
    """Puts an object on local disk; gives the path of its URL."""

    async def put(key: str, content: bytes = CONTENT) -> str:
        async def chunks() -> AsyncIterator[bytes]:
            yield content

        local = service.resources.storages.get("local")
        await local.put(key, chunks(), content_type="x/y")
        return "/media/" + quote(key)

    return put


@pytest.mark.parametrize(
    ("name", "content_type", "disposition"),
    [
        ("a.png", "image/png", "inline"),
        ("a.mp4", "video/mp4", "inline"),
        ("a.txt", "text/plain; charset=utf-8", "inline"),
        ("a.html", "text/html; charset=utf-8", "attachment"),
        ("a.svg", "image/svg+xml", "attachment"),
        ("a.xml", "text/xml; charset=utf-8", "attachment"),
        ("a.js", "text/javascript; charset=utf-8", "attachment"),
        ("a.pdf", "application/pdf", "attachment"),
        ("a.swf", "application/x-shockwave-flash", "attachment"),
        ("a.zip", "application/zip", "attachment"),
        ("a", "application/octet-stream", "attachment"),
    ],
)
async def test_types_and_what_a_browser_may_do_with_them(
    client: httpx.AsyncClient, store: Store, name: str, content_type: str, disposition: str
) -> None:
    response = await client.get(await store(f"uploads/1/abc/{name}"))
    assert response.status_code == 200
    assert response.content == CONTENT
    headers = response.headers
    found = headers["content-type"].replace("application/javascript", "text/javascript")
    assert found.partition(";")[0] == content_type.partition(";")[0]
    assert headers["content-disposition"] == f'{disposition}; filename="{name}"'
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "allow-scripts" not in headers["content-security-policy"]
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert "immutable" in headers["cache-control"]


async def test_names_beyond_ascii(client: httpx.AsyncClient, store: Store) -> None:
    response = await client.get(await store("uploads/1/abc/Zoë-日本.png"))
    expected = "inline; filename*=utf-8''Zo%C3%AB-%E6%97%A5%E6%9C%AC.png"
    assert response.headers["content-disposition"] == expected


async def test_a_private_object_is_not_there(client: httpx.AsyncClient, store: Store) -> None:
    path = await store("private/imports/1/archive.zip")
    for method in ("GET", "HEAD"):
        assert (await client.request(method, path)).status_code == 404
    (problem,) = (await client.get(path)).json()["errors"]
    missing = "private/imports/2/archive.zip"
    (other,) = (await client.get(f"/media/{missing}")).json()["errors"]
    # Whether there is one cannot be told from the answer.
    assert problem["detail"].replace("imports/1/", "imports/2/") == other.pop("detail")
    assert {name: problem[name] for name in other} == other


@pytest.mark.parametrize(
    "path",
    [
        "private/imports/1/archive.zip",
        "uploads/../private/imports/1/archive.zip",
        "uploads/%2e%2e/private/imports/1/archive.zip",
        "uploads%2f..%2fprivate%2fimports%2f1%2farchive.zip",
        "/private/imports/1/archive.zip",
        "./private/imports/1/archive.zip",
        "%70rivate/imports/1/archive.zip",
        "..%5cprivate%5cimports%5c1%5carchive.zip",
        "../../../../../../etc/passwd",
        "%2fetc%2fpasswd",
        ".incoming",
        ".incoming/x",
        "",
        "uploads",
        "uploads/1",
        "uploads/1/abc/a.png/b.png",
        "uploads/1/abc/a.png%00",
        "uploads/1/abc/%ff",
        "x" * (MAX_KEY_BYTES + 1),
    ],
)
async def test_what_no_path_leads_to(service: Any, store: Store, path: str) -> None:
    await store("uploads/1/abc/a.png")
    await store("private/imports/1/archive.zip")
    # A raw path, as no client would send it.
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    raw = f"/media/{path}"
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": httpx.URL("http://service.example").copy_with(raw_path=raw.encode()).path,
        "raw_path": raw.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"service.example")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await service.answer(scope, receive, send)
    assert sent[0]["status"] == 404


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=1000000-", 1_000_000, len(CONTENT)),
        ("bytes=-100", len(CONTENT) - 100, len(CONTENT)),
        ("bytes=500-99999999", 500, len(CONTENT)),
    ],
)
async def test_ranges(
    client: httpx.AsyncClient, store: Store, header: str, start: int, stop: int
) -> None:
    path = await store("uploads/1/abc/a.mp4")
    response = await client.get(path, headers={"Range": header})
    assert response.status_code == 206
    assert response.content == CONTENT[start:stop]
    assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(CONTENT)}"
    assert "sandbox" in response.headers["content-security-policy"]


@pytest.mark.parametrize(
    "header",
    ["bytes=9-1", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6", "bytes=" + "9" * 99],
)
async def test_ranges_that_are_passed_over(
    client: httpx.AsyncClient, store: Store, header: str
) -> None:
    path = await store("uploads/1/abc/a.mp4")
    response = await client.get(path, headers={"Range": header})
    assert (response.status_code, response.content) == (200, CONTENT)


@pytest.mark.parametrize(
    ("header", "content"),
    [(f"bytes={len(CONTENT)}-", CONTENT), ("bytes=-0", CONTENT), ("bytes=0-0", b"")],
)
async def test_ranges_that_the_file_has_not(
    client: httpx.AsyncClient, store: Store, header: str, content: bytes
) -> None:
    path = await store("uploads/1/abc/a.mp4", content)
    response = await client.get(path, headers={"Range": header})
    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{len(content)}"
    assert response.json()["errors"][0]["code"] == "no-such-range"


async def test_a_client_that_has_the_file_already(client: httpx.AsyncClient, store: Store) -> None:
    path = await store("uploads/1/abc/a.png")
    etag = (await client.get(path)).headers["etag"]
    for tags in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        response = await client.get(path, headers={"If-None-Match": tags})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == etag
    response = await client.get(path, headers={"If-None-Match": '"other"'})
    assert (response.status_code, response.content) == (200, CONTENT)


async def test_a_range_of_an_older_file_is_not_given(
    client: httpx.AsyncClient, store: Store
) -> None:
    path = await store("uploads/1/abc/a.mp4")
    etag = (await client.get(path)).headers["etag"]
    for condition, status in ((etag, 206), ('"other"', 200)):
        headers = {"Range": "bytes=0-9", "If-Range": condition}
        assert (await client.get(path, headers=headers)).status_code == status


async def test_head(client: httpx.AsyncClient, store: Store) -> None:
    path = await store("uploads/1/abc/a.png")
    response = await client.head(path)
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == str(len(CONTENT))


async def test_another_host_may_stand_before_the_urls(start_service: Any) -> None:
    service = await start_service(static_domain="https://static.example")
    local = service.resources.storages.get("local")
    assert local.public_url("uploads/1/abc/a.png") == (
        "https://static.example/media/uploads/1/abc/a.png"
    )


@pytest.mark.parametrize(
    "path",
    [
        "private/imports/1/archive.zip",
        "PRIVATE/imports/1/archive.zip",
        "Private/imports/1/archive.zip",
        "%70rivate/imports/1/archive.zip",
        "./private/imports/1/archive.zip",
        "%2e/private/imports/1/archive.zip",
        "uploads/../private/imports/1/archive.zip",
        "uploads/%2e%2e/private/imports/1/archive.zip",
        "/private/imports/1/archive.zip",
        "private./imports/1/archive.zip",
        "private%20/imports/1/archive.zip",
        "%EF%BD%90rivate/imports/1/archive.zip",
        "pri%E2%80%8Dvate/imports/1/archive.zip",
        "private%5Cimports%5C1%5Carchive.zip",
        "private%2Fimports%2F1%2Farchive.zip",
        "private/imports/1/archive.zip/",
        "private//imports/1/archive.zip",
    ],
)
async def test_no_spelling_reaches_a_private_object(service: Any, store: Store, path: str) -> None:
    await store("private/imports/1/archive.zip")
    raw = f"/media/{path}".encode()
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    # As the server hands it over: an HTTP client would resolve the dots.
    scope = {
        "type": "http",
        "method": "GET",
        "path": unquote(raw.decode()),
        "raw_path": raw,
        "query_string": b"",
        "headers": [(b"host", b"service.example")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "scheme": "http",
        "root_path": "",
        "http_version": "1.1",
    }
    await service.answer(scope, receive, send)

    assert sent[0]["status"] == 404


@pytest.mark.parametrize(
    "first", ["PRIVATE", "private.", "\uff50rivate", "pri\u200dvate", "private "]
)
def test_other_spellings_of_private_are_private(first: str) -> None:
    assert visibility_of(f"{first}/x") is Visibility.PRIVATE
