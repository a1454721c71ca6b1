"""Uploads over HTTP: what comes back, and that nothing is left of what failed."""

import asyncio
import base64
import io
import socket
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import pytest
import uvicorn
from PIL import Image
from tests.storage_doubles import FaultyStorage, MemoryStorage
from tests.stored_files import keys_in

from eventimport.database.models import User
from eventimport.storage.factory import StorageSet
from eventimport.storage.protocol import Storage, StoredObject

ONE = "/v1/upload/file"
MANY = "/v1/upload/files"
IMAGE = "/v1/upload/image"


@dataclass
class Uploads:
    """A started service whose storages are in sight."""

    service: Any
    user: User
    root: Path
    memory: Storage
    faulty: FaultyStorage

    async def client(self) -> httpx.AsyncClient:
        """A client that is signed in."""
        client: httpx.AsyncClient = await self.service.client(self.user)
        return client

    def on_disk(self) -> list[Path]:
        """All files below the storage's root, temporary ones included."""
        return [path for path in self.root.rglob("*") if path.is_file()]

    async def in_memory(self) -> list[str]:
        """The keys in the active storage."""
        return await keys_in(self.memory)

    def path(self, url: str) -> Path:
        """Where the object of a local URL lies."""
        assert url.startswith("http://localhost:8000/media/")
        return self.root / unquote(urlsplit(url).path).removeprefix("/media/")


@pytest.fixture
async def uploads(start_service: Any, settings: Any, user: User) -> Uploads:
    """Local disk, and a faulty storage in memory; local disk takes new files."""
    service = await start_service()
    memory = MemoryStorage("https://memory.example")
    faulty = FaultyStorage(memory)
    local = service.resources.storages.get("local")
    storages = StorageSet({"local": local, "memory": faulty}, active_name="local")
    service = replace(service, resources=replace(service.resources, storages=storages))
    return Uploads(service, user, settings.local_storage_path, memory, faulty)


def problem_of(response: httpx.Response) -> tuple[int, str, str]:
    """Status, code and detail of an error document."""
    assert response.headers["content-type"] == "application/vnd.api+json"
    (found,) = response.json()["errors"]
    assert found["status"] == str(response.status_code)
    return response.status_code, found["code"], found["detail"]


@pytest.mark.parametrize("url", [ONE, MANY])
async def test_one_file(uploads: Uploads, url: str) -> None:
    client = await uploads.client()
    response = await client.post(url, files={"file": ("a.png", b"content", "text/html")})
    assert response.status_code == 200
    assert list(response.json()) == ["url"]
    path = uploads.path(response.json()["url"])
    assert path.read_bytes() == b"content"
    assert uploads.on_disk() == [path]
    assert path.parts[-4:-2] == ("uploads", str(uploads.user.id))
    served = await client.get(urlsplit(response.json()["url"]).path)
    assert (served.content, served.headers["content-type"]) == (b"content", "image/png")


@pytest.mark.parametrize("key", ["files", "files[]"])
@pytest.mark.parametrize("count", [1, 2, 12])
async def test_many_files_in_the_order_sent(uploads: Uploads, key: str, count: int) -> None:
    contents = [bytes([number]) * number * 100_000 for number in range(count)]
    files = [(key, ("same name.bin", content)) for content in contents]
    response = await (await uploads.client()).post(MANY, files=files)
    assert response.status_code == 200
    urls = response.json()["url"]
    assert [uploads.path(url).read_bytes() for url in urls] == contents
    assert len(set(urls)) == len(uploads.on_disk()) == count


async def test_other_parts_are_passed_over(uploads: Uploads) -> None:
    response = await (await uploads.client()).post(
        ONE, files=[("other", ("o", b"other")), ("file", ("a", b"content"))], data={"field": "x"}
    )
    assert uploads.path(response.json()["url"]).read_bytes() == b"content"
    assert len(uploads.on_disk()) == 1


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ([("other", ("a", b"x"))], "no-file"),
        ([("file", (None, b"a field"))], "no-file"),
        ([("file", ("", b""))], "no-file"),
        ([("file", ("a", b"x")), ("file", ("b", b"x"))], "many-files"),
        ([("file", ("a", b"x")), ("files", ("b", b"x"))], "many-files"),
        ([("files", ("a", b"x")), ("file", ("b", b"x"))], "many-files"),
    ],
)
async def test_no_file_or_one_too_many(uploads: Uploads, files: Any, code: str) -> None:
    response = await (await uploads.client()).post(ONE, files=files)
    status, found, _ = problem_of(response)
    assert (status, found) == (400, code)
    assert uploads.on_disk() == []


NAMES = {
    "noextension": "noextension",
    "a.tar.gz": "a.tar.gz",
    "Zoë Ünïcödé 日本.png": "Zoë-Ünïcödé-日本.png",
    "../../etc/passwd": "passwd",
    "..\\..\\boot.ini": "boot.ini",
    "C:\\dir\\new.png": "new.png",
    "/": "file",
    "..": "file",
    ".htaccess": "file.htaccess",
    "a\u202egnp.exe": "agnp.exe",
    'say "hi" <b>;&?#%2e.png': "say-hi-b-2e.png",
    "x" * 4000 + ".png": "x" * 96 + ".png",
    "日" * 4000: "日" * 33,
    "a." + "x" * 3000: "a." + "x" * 98,
    "  .  ": "file",
    "a.png.": "a.png",
    "NUL": "NUL",
    "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}.png": "file.png",
}


@pytest.mark.parametrize("name", NAMES, ids=ascii)
async def test_file_names(uploads: Uploads, name: str) -> None:
    response = await (await uploads.client()).post(ONE, files={"file": (name, b"content")})
    assert response.status_code == 200, response.text
    path = uploads.path(response.json()["url"])
    assert path.read_bytes() == b"content"
    assert path.name == NAMES[name]
    assert uploads.on_disk() == [path]
    assert len(path.relative_to(uploads.root).parts) == 4


async def test_an_empty_file(uploads: Uploads) -> None:
    response = await (await uploads.client()).post(ONE, files={"file": ("empty.txt", b"")})
    assert uploads.path(response.json()["url"]).read_bytes() == b""


async def test_a_file_without_a_name_but_with_content(uploads: Uploads) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\nabc\r\n--x--'
    response = await (await uploads.client()).post(
        ONE, content=body, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    path = uploads.path(response.json()["url"])
    assert (path.name, path.read_bytes()) == ("file", b"abc")


async def test_local_disk_can_be_forced(uploads: Uploads) -> None:
    uploads.service.resources.storages.activate("memory")
    client = await uploads.client()
    response = await client.post(ONE, files={"file": ("a.png", b"there")})
    assert response.json()["url"].startswith("https://memory.example/media/uploads/")
    assert (uploads.on_disk(), len(await uploads.in_memory())) == ([], 1)
    response = await client.post(ONE + "?force_local=true", files={"file": ("a.png", b"here")})
    assert uploads.path(response.json()["url"]).read_bytes() == b"here"
    assert len(await uploads.in_memory()) == 1


@pytest.mark.parametrize("url", [ONE, MANY, IMAGE])
async def test_signing_in_comes_first(uploads: Uploads, client: Any, url: str) -> None:
    response = await client.post(url, files={"file": ("a.png", b"content")})
    assert problem_of(response)[0] == 401
    assert uploads.on_disk() == []


@pytest.mark.parametrize("url", [ONE, IMAGE])
async def test_what_is_no_form(uploads: Uploads, url: str) -> None:
    response = await (await uploads.client()).post(
        url, content=b"x", headers={"Content-Type": "application/zip"}
    )
    assert problem_of(response)[:2] == (415, "unsupported-media-type")


async def test_each_failing_write_leaves_nothing(uploads: Uploads) -> None:
    uploads.service.resources.storages.activate("memory")
    client = await uploads.client()
    files = [("files", (f"{number}.bin", b"x" * 200_000)) for number in range(3)]
    assert (await client.post(MANY, files=files)).status_code == 200
    writes = uploads.faulty.writes
    assert writes >= 6
    for key in await uploads.in_memory():
        await uploads.memory.delete(key)
    for number in range(1, writes + 1):
        uploads.faulty.writes, uploads.faulty.fail_at = 0, number
        response = await client.post(MANY, files=files)
        assert problem_of(response)[:2] == (503, "storage-unavailable")
        assert await uploads.in_memory() == []


@pytest.mark.parametrize(
    ("limit", "value", "files"),
    [
        ("MAX_FILE_BYTES", 1000, [("files", ("a", b"x")), ("files", ("b", b"x" * 1001))]),
        ("MAX_FILES", 20, [("files", (str(number), b"x")) for number in range(21)]),
        ("MAX_REQUEST_BYTES", 1000, [("files", ("a", b"x")), ("files", ("b", b"x" * 1000))]),
    ],
)
async def test_limits_leave_nothing(
    start_service: Any, user: User, limit: str, value: int, files: Any
) -> None:
    service = await start_service(**{limit.lower(): value})
    response = await (await service.client(user)).post(MANY, files=files)
    status, code, detail = problem_of(response)
    assert (status, code) == (413, "limit-exceeded")
    assert limit in detail
    stored = service.resources.settings.local_storage_path.rglob("*")
    assert [path for path in stored if path.is_file()] == []


async def test_swagger_ui_is_told_of_files(uploads: Uploads) -> None:
    document = (await (await uploads.client()).get("/openapi.json")).json()
    content = document["paths"][ONE]["post"]["requestBody"]["content"]
    name = content["multipart/form-data"]["schema"]["$ref"].rpartition("/")[2]
    found = document["components"]["schemas"][name]["properties"]
    picker = {
        "type": "string",
        "format": "binary",
        "contentMediaType": "application/octet-stream",
    }
    assert found["file"] == picker
    assert found["files"] == {"type": "array", "items": picker}


# Over a socket: clients that lie, stall and leave.


@dataclass
class Live:
    """A server on a port, and raw requests to it."""

    uploads: Uploads
    server: uvicorn.Server
    port: int

    async def connect(self, head: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Send a request's head; its headers beyond the usual are in `head`."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        token = self.uploads.service.resources.tokens.issue(self.uploads.user.id)
        writer.write(
            f"POST {MANY} HTTP/1.1\r\nHost: localhost\r\nAuthorization: JWT {token}\r\n"
            f"Content-Type: multipart/form-data; boundary=x\r\n{head}\r\n".encode()
        )
        return reader, writer

    async def handled(self) -> None:
        """Return when no request is being answered any more."""
        while self.server.server_state.tasks:
            await asyncio.wait(list(self.server.server_state.tasks))


@asynccontextmanager
async def _listening(uploads: Uploads) -> AsyncIterator[Live]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            uploads.service.answer,
            interface="asgi3",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        # A server that answers otherwise than a test expects must fail it, not hang it.
        async with asyncio.timeout(60):
            yield Live(uploads, server, listener.getsockname()[1])
        server.should_exit = True
        await serving


PART = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.bin"\r\n\r\n'


async def test_a_truncated_body_leaves_nothing(uploads: Uploads) -> None:
    body = PART + b"first\r\n" + PART + b"second"
    async with _listening(uploads) as live:
        reader, writer = await live.connect(f"Content-Length: {len(body)}\r\n")
        writer.write(body)
        assert (await reader.readline()).split()[1] == b"400"
        writer.close()
        await live.handled()
    assert uploads.on_disk() == []


class WatchedStorage(FaultyStorage):
    """Tells when an object is begun, and counts those that are complete."""

    def __init__(self, inner: Storage) -> None:
        super().__init__(inner)
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.complete = 0

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str
    ) -> StoredObject:
        self.begun.put_nowait(key)
        stored = await super().put(key, chunks, content_type=content_type)
        self.complete += 1
        return stored


@pytest.mark.parametrize(
    ("sent", "begun"),
    [
        (PART, 1),
        (PART + b"x" * 3_000_000, 1),
        (PART + b"first\r\n" + PART + b"x" * 3_000_000, 2),
        (PART + b"first\r\n" + PART + b"second\r\n", 2),
    ],
    ids=["head", "first", "second", "end"],
)
async def test_a_client_that_goes_away_leaves_nothing(
    uploads: Uploads, sent: bytes, begun: int
) -> None:
    local = WatchedStorage(uploads.service.resources.storages.get("local"))
    storages = StorageSet({"local": local}, active_name="local")
    resources = replace(uploads.service.resources, storages=storages)
    uploads = replace(uploads, service=replace(uploads.service, resources=resources))
    async with _listening(uploads) as live:
        _, writer = await live.connect("Content-Length: 100000000\r\n")
        writer.write(sent)
        await writer.drain()
        for _ in range(begun):
            await local.begun.get()
        writer.transport.abort()
        await live.handled()
    assert local.complete == begun - 1
    assert uploads.on_disk() == []


async def test_a_client_that_stalls_is_told_and_leaves_nothing(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = uploads.service.resources.settings.model_copy(update={"receive_timeout": 0.1})
    resources = replace(uploads.service.resources, settings=settings)
    uploads = replace(uploads, service=replace(uploads.service, resources=resources))
    async with _listening(uploads) as live:
        reader, writer = await live.connect("Content-Length: 100000000\r\n")
        writer.write(PART + b"first\r\n" + PART + b"x" * 3_000_000)
        assert (await reader.readline()).split()[1] == b"408"
        writer.close()
        await live.handled()
        assert uploads.on_disk() == []


@pytest.mark.parametrize("declared", [True, False])
async def test_a_client_learns_early_that_it_sends_too_much(
    uploads: Uploads, declared: bool
) -> None:
    settings = uploads.service.resources.settings.model_copy(
        update={"max_request_bytes": 1_000_000, "max_file_bytes": 1_000_000}
    )
    resources = replace(uploads.service.resources, settings=settings)
    uploads = replace(uploads, service=replace(uploads.service, resources=resources))
    length = 20_000_000
    async with _listening(uploads) as live:
        head = f"Content-Length: {length}\r\n" if declared else "Transfer-Encoding: chunked\r\n"
        reader, writer = await live.connect(head)
        body = PART + b"x" * (length - len(PART))
        writer.write(body if declared else b"%x\r\n%b\r\n0\r\n\r\n" % (length, body))
        # While it still sends: a client that is slow to send the rest is cut off in the end.
        assert (await reader.readline()).split()[1] == b"413"
        writer.close()
        await live.handled()
        assert uploads.on_disk() == []


# Pictures.


def picture(kind: str = "PNG", size: tuple[int, int] = (640, 480), **options: Any) -> bytes:
    """A picture of one colour."""
    content = io.BytesIO()
    Image.new("RGB", size, (200, 30, 60)).save(content, kind, **options)
    return content.getvalue()


def as_data(content: bytes, kind: str = "image/png") -> dict[str, str]:
    """The picture as existing clients send it."""
    return {"data": f"data:{kind};base64,{base64.b64encode(content).decode()}"}


Post = Callable[[httpx.AsyncClient, bytes, str], Awaitable[httpx.Response]]


async def _post_json(client: httpx.AsyncClient, content: bytes, query: str) -> httpx.Response:
    return await client.post(IMAGE + query, json=as_data(content))


async def _post_form(client: httpx.AsyncClient, content: bytes, query: str) -> httpx.Response:
    return await client.post(IMAGE + query, files={"file": ("my photo.jpeg", content)})


@pytest.mark.parametrize("post", [_post_json, _post_form])
async def test_a_picture_loses_its_metadata(uploads: Uploads, post: Post) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    response = await post(await uploads.client(), picture("JPEG", exif=exif), "")
    assert response.status_code == 200
    assert list(response.json()) == ["url"]
    path = uploads.path(response.json()["url"])
    assert path.suffix == ".jpg"
    with Image.open(path) as stored:
        assert (stored.format, stored.size) == ("JPEG", (640, 480))
        assert not stored.getexif()
    assert b"a camera" not in path.read_bytes()


@pytest.mark.parametrize("post", [_post_json, _post_form])
async def test_sizes_of_a_picture(uploads: Uploads, post: Post) -> None:
    query = "?size=icon&size=thumbnail&size=icon"
    response = await post(await uploads.client(), picture(), query)
    urls = response.json()["sizes"]
    assert list(urls) == ["icon", "thumbnail"]
    found = {}
    for name, url in urls.items():
        with Image.open(uploads.path(url)) as stored:
            found[name] = stored.size
    assert found == {"icon": (35, 26), "thumbnail": (500, 375)}
    assert len(uploads.on_disk()) == 3


@pytest.mark.parametrize("post", [_post_json, _post_form])
@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 415, "not-an-image"),
        (b"no picture", 415, "not-an-image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "format-not-allowed"),
        (picture("BMP"), 415, "format-not-allowed"),
        (picture()[:-30], 422, "damaged"),
        (picture(size=(10_000, 6_000)), 413, "too-many-pixels"),
    ],
    ids=["empty", "text", "svg", "bmp", "truncated", "large"],
)
async def test_what_is_no_picture(
    uploads: Uploads, post: Post, content: bytes, status: int, code: str
) -> None:
    response = await post(await uploads.client(), content, "")
    assert problem_of(response)[:2] == (status, code)
    assert uploads.on_disk() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff", 400),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"data": 1}', 422),
        (b'{"data": "https://example.org/a.png"}', 422),
        (b'{"data": "data:image/png,abc"}', 422),
        (b'{"data": "data:image/png;base64,a-b"}', 422),
    ],
)
async def test_what_is_no_data(uploads: Uploads, body: bytes, status: int) -> None:
    response = await (await uploads.client()).post(
        IMAGE, content=body, headers={"Content-Type": "application/json"}
    )
    assert problem_of(response)[0] == status


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text,
        lambda text: "\\r\\n".join(text[i : i + 76] for i in range(0, len(text), 76)),
        lambda text: "\\n".join(text[i : i + 64] for i in range(0, len(text), 64)) + "\\n",
        lambda text: text.replace("/", "\\/"),
        lambda text: " ".join(text[i : i + 5] for i in range(0, len(text), 5)),
    ],
    ids=["plain", "mail", "pem", "php", "spaces"],
)
async def test_spellings_of_base64(uploads: Uploads, encode: Callable[[str], str]) -> None:
    """Large enough to be decoded in more than one step."""
    noise = io.BytesIO()
    Image.effect_noise((1100, 1000), 90).save(noise, "PNG")
    text = base64.b64encode(noise.getvalue()).decode()
    assert len(text) > 1024 * 1024
    body = '{"name": "x", "data" : "data:image/png;base64,' + encode(text) + '", "more": [1]}'
    response = await (await uploads.client()).post(
        IMAGE, content=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 200, response.text
    with Image.open(uploads.path(response.json()["url"])) as stored:
        assert stored.size == (1100, 1000)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b'{"data": ' + b"[]," * 1_000_000,
        b'{"data": "data:image/png;base64,", "more": [' + b"[]," * 1_000_000,
        b'{"data": "data:image/png;base64,QQ==QUFB"}',
        b'{"data": "data:image/png;base64,QUF"}',
        b'{"data": "data:image/png;base64,\\u0041"}',
    ],
)
async def test_bodies_that_are_not_an_image_in_json(uploads: Uploads, body: bytes) -> None:
    response = await (await uploads.client()).post(
        IMAGE, content=body, headers={"Content-Type": "application/json"}
    )
    assert problem_of(response)[0] in {400, 422}


@pytest.mark.parametrize("post", [_post_json, _post_form])
async def test_an_svg_is_drawn_where_a_setting_allows_it(
    start_service: Any, user: User, post: Post
) -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"><script/></svg>'
    service = await start_service(svg_uploads=True)
    response = await post(await service.client(user), svg, "")
    assert response.status_code == 200
    assert response.json()["url"].endswith(".png")


async def test_an_animation_that_is_cut_says_so(start_service: Any, user: User) -> None:
    content = io.BytesIO()
    frames = [Image.new("RGB", (10, 10), (90 * number, 0, 0)) for number in range(3)]
    frames[0].save(content, "GIF", save_all=True, append_images=frames[1:])
    for pixels, told in ((300, False), (200, True)):
        service = await start_service(max_image_pixels=pixels)
        response = await _post_form(await service.client(user), content.getvalue(), "")
        assert response.status_code == 200
        assert ("notice" in response.json()) == told


@pytest.mark.parametrize("post", [_post_json, _post_form])
async def test_an_image_that_takes_too_long_or_too_much_memory(
    start_service: Any, user: User, post: Post
) -> None:
    service = await start_service(image_timeout=0.01)
    response = await post(await service.client(user), picture(size=(3000, 3000)), "")
    assert problem_of(response)[:2] == (422, "too-slow")
    assert "IMAGE_TIMEOUT" in problem_of(response)[2]
    service = await start_service(image_process_memory_bytes=128 * 1024 * 1024, image_timeout=600.0)
    response = await post(await service.client(user), picture(size=(7000, 7000)), "")
    assert problem_of(response)[:2] == (422, "too-much-memory")
    assert "IMAGE_PROCESS_MEMORY_BYTES" in problem_of(response)[2]


@pytest.mark.parametrize("post", [_post_json, _post_form])
async def test_too_many_bytes_for_a_picture(start_service: Any, user: User, post: Post) -> None:
    service = await start_service(max_image_bytes=1000)
    response = await post(await service.client(user), b"x" * 10_000, "")
    assert problem_of(response)[0] == 413
    assert "1,000" in problem_of(response)[2]


async def test_each_failing_write_leaves_no_picture(uploads: Uploads) -> None:
    uploads.service.resources.storages.activate("memory")
    client = await uploads.client()
    query = "?size=large&size=icon"
    assert (await _post_json(client, picture(), query)).status_code == 200
    writes = uploads.faulty.writes
    assert writes == 6
    for key in await uploads.in_memory():
        await uploads.memory.delete(key)
    for number in range(1, writes + 1):
        uploads.faulty.writes, uploads.faulty.fail_at = 0, number
        assert problem_of(await _post_json(client, picture(), query))[0] == 503
        assert await uploads.in_memory() == []
