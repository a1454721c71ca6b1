"""Fetching, over real sockets on the loopback; only the look-up of names is made up."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from eventimport.media.fetch import Fetcher, FetchError, FetchLimits
from eventimport.media.network import UNREACHABLE_HOST, resolve_name

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]
LOOPBACK = ("127.0.0.1",)


def ok(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def redirect(location: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Go\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


@dataclass
class Server:
    """Answers each path with the bytes, or by the function, given for it."""

    port: int
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    def url(self, path: str, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(head)
            answer = self.answers.get(head.split(" ")[1], b"HTTP/1.1 404 No\r\n\r\n")
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def serving(ssl_context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(0)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=ssl_context)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        server.held.set()
        listener.close()
        # Not `wait_closed`: on Python 3.13 it sometimes waits for connections that have ended.
        async with asyncio.timeout(60):
            await asyncio.gather(*server.serving, return_exceptions=True)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as server:
        yield server


class Names:
    """A resolver: each look-up of a name gives the next of its answers."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.answers = {name.replace("_", "."): list(given) for name, given in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host not in self.answers:
            raise OSError("no such name")
        given = self.answers[host]
        return given.pop(0) if len(given) > 1 else given[0]


async def fetch(url: str, resolve: Any = resolve_name, **limits: Any) -> bytes:
    allowed = {"allow_list": LOOPBACK, **limits}
    async with (
        Fetcher(FetchLimits(**allowed), resolve=resolve) as fetcher,
        fetcher.open(url) as fetched,
    ):
        return b"".join([chunk async for chunk in fetched.chunks])


async def failure(url: str, resolve: Any = resolve_name, **limits: Any) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await fetch(url, resolve, **limits)
    assert caught.value.detail
    return caught.value


def unreachable(error: FetchError) -> None:
    assert (error.outcome, error.detail) == ("UNREACHABLE", UNREACHABLE_HOST)


async def test_what_is_fetched(server: Server) -> None:
    body = bytes(range(256)) * 1000
    server.answers["/a.png?x=1"] = ok(body, "Content-Type: Image/PNG; charset=x")
    async with (
        Fetcher(FetchLimits(allow_list=LOOPBACK)) as fetcher,
        fetcher.open(server.url("/a.png?x=1#part")) as fetched,
    ):
        assert (fetched.content_type, fetched.size) == ("image/png", len(body))
        assert b"".join([chunk async for chunk in fetched.chunks]) == body
    head = server.requests[0].lower()
    assert f"host: 127.0.0.1:{server.port}" in head
    assert "accept-encoding: identity" in head
    assert "cookie" not in head
    assert "authorization" not in head


async def test_a_body_of_unknown_size(server: Server) -> None:
    chunked = b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
    server.answers["/chunked"] = b"HTTP/1.1 200 OK\r\n" + chunked
    server.answers["/until-close"] = b"HTTP/1.1 200 OK\r\n\r\nabcdefg"
    assert await fetch(server.url("/chunked")) == b"abcdefg"
    assert await fetch(server.url("/until-close")) == b"abcdefg"


async def test_the_loopback_is_refused_unless_it_is_listed(server: Server) -> None:
    server.answers["/"] = ok(b"secret")
    assert (await failure(server.url("/"), allow_list=())).outcome == "REFUSED"
    assert server.requests == []
    assert await fetch(server.url("/")) == b"secret"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[fe80::1]",
        "[fec0::1]",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "10.0.0.1",
        "100.64.0.1",
        "192.168.0.1",
        "224.0.0.1",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_spelling_of_an_address_gets_through(host: str, scheme: str) -> None:
    error = await failure(f"{scheme}://{host}/", allow_list=())
    assert error.outcome == "REFUSED"
    assert "127.0.0.1" not in error.detail


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST"])
async def test_a_name_of_the_loopback_is_refused(host: str, server: Server) -> None:
    server.answers["/"] = ok(b"secret")
    unreachable(await failure(server.url("/", host), allow_list=()))
    assert server.requests == []


async def test_a_name_with_one_bad_address_is_refused() -> None:
    names = Names(mixed_test=[["8.8.8.8", "10.0.0.1"]])
    unreachable(await failure("http://mixed.test/", names, allow_list=()))


@pytest.mark.slow
@settings(max_examples=200)
@given(st.ip_addresses())
async def test_a_name_leads_nowhere_that_is_not_of_the_public_web(address: Any) -> None:
    """Every private address is refused before a socket is opened; a public one is not tried."""
    if not ip_address(address).is_private:
        return
    names = Names(any_test=[[str(address)]])
    unreachable(await failure("https://any.test/", names, allow_list=()))


async def test_the_address_checked_is_the_one_connected_to(server: Server) -> None:
    """A name whose second look-up would lead elsewhere is looked up once."""
    server.answers["/"] = ok(b"first")
    names = Names(rebinding_test=[["127.0.0.1"], ["10.0.0.1"]])
    assert await fetch(server.url("/", "rebinding.test"), names) == b"first"
    assert names.asked == ["rebinding.test"]
    assert f"Host: rebinding.test:{server.port}" in server.requests[0]


async def test_a_name_that_turns_private_is_refused_the_next_time(server: Server) -> None:
    server.answers["/"] = redirect(server.url("/again", "rebinding.test"))
    server.answers["/again"] = ok(b"inside")
    names = Names(rebinding_test=[["127.0.0.1"], ["127.0.0.2"]])
    unreachable(await failure(server.url("/", "rebinding.test"), names))
    assert len(server.requests) == 1


async def test_the_next_address_is_tried_when_one_does_not_answer(server: Server) -> None:
    server.answers["/"] = ok(b"here")
    names = Names(two_test=[["127.0.0.2", "127.0.0.1"]])
    got = await fetch(server.url("/", "two.test"), names, allow_list=("127.0.0.0/8",))
    assert got == b"here"


async def test_a_listed_name_may_be_on_the_loopback(server: Server) -> None:
    server.answers["/"] = ok(b"intranet")
    names = Names(files_test=[["127.0.0.1"]])
    assert await fetch(server.url("/", "files.test"), names, allow_list=("files.test",))


async def test_other_ports_of_public_hosts_are_refused() -> None:
    names = Names(public_test=[["8.8.8.8"]])
    unreachable(await failure("http://public.test:6379/", names, allow_list=()))
    assert (await failure("http://8.8.8.8:6379/", allow_list=())).outcome == "REFUSED"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed(server: Server, status: int) -> None:
    server.answers["/a/b"] = redirect("../c?d", status)
    server.answers["/c?d"] = ok(b"there")
    async with (
        Fetcher(FetchLimits(allow_list=LOOPBACK)) as fetcher,
        fetcher.open(server.url("/a/b")) as fetched,
    ):
        assert fetched.url == server.url("/c?d")
        assert b"".join([chunk async for chunk in fetched.chunks]) == b"there"


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.2/",
        "http://[::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "//127.0.0.2/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1/",
        "javascript:alert(1)",
        "http://user:password@127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:0/",
    ],
)
async def test_redirects_are_checked_like_links(server: Server, target: str) -> None:
    server.answers["/"] = redirect(target)
    assert (await failure(server.url("/"))).outcome == "REFUSED"
    assert (await failure(target)).outcome == "REFUSED"
    assert len(server.requests) == 1


async def test_redirects_are_counted(server: Server) -> None:
    server.answers["/"] = redirect("/1")
    server.answers["/1"] = redirect("/2")
    server.answers["/2"] = ok(b"end")
    assert await fetch(server.url("/"), max_redirects=2) == b"end"
    refused = await failure(server.url("/"), max_redirects=1)
    assert refused.outcome == "REFUSED"
    assert "more than 1 redirects. The limit is set by FETCH_REDIRECTS" in refused.detail
    server.answers["/loop"] = redirect("/loop")
    assert (await failure(server.url("/loop"))).outcome == "REFUSED"


async def test_a_redirect_to_nowhere_is_no_answer(server: Server) -> None:
    server.answers["/"] = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"
    assert (await failure(server.url("/"))).outcome == "UNREACHABLE"


@pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 404, 500])
async def test_any_other_status_is_no_answer(server: Server, status: int) -> None:
    server.answers["/"] = f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode()
    error = await failure(server.url("/"))
    assert error.outcome == "UNREACHABLE"
    assert str(status) in error.detail


async def test_an_announced_size_beyond_the_limit(server: Server) -> None:
    server.answers["/"] = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n"
    refused = await failure(server.url("/"), max_bytes=10)
    assert refused.outcome == "TOO_LARGE"
    assert "larger than 10 bytes. The limit is set by MAX_MEDIA_BYTES" in refused.detail


async def test_more_bytes_than_the_limit(server: Server) -> None:
    server.answers["/10"] = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 10
    server.answers["/11"] = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 11
    assert len(await fetch(server.url("/10"), max_bytes=10)) == 10
    assert (await failure(server.url("/11"), max_bytes=10)).outcome == "TOO_LARGE"


async def test_an_endless_body_ends_at_the_limit(server: Server) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not server.held.is_set():
            writer.write(b"x" * 65536)
            await writer.drain()

    server.answers["/"] = endless
    assert (await failure(server.url("/"), max_bytes=1_000_000)).outcome == "TOO_LARGE"


async def test_a_compressed_body_is_refused(server: Server) -> None:
    server.answers["/"] = ok(b"\x1f\x8b", "Content-Encoding: gzip")
    assert (await failure(server.url("/"))).outcome == "REFUSED"
    server.answers["/plain"] = ok(b"plain", "Content-Encoding: identity")
    assert await fetch(server.url("/plain")) == b"plain"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
    ],
)
async def test_a_broken_answer_is_no_answer(server: Server, answer: bytes) -> None:
    server.answers["/"] = answer
    assert (await failure(server.url("/"))).outcome == "UNREACHABLE"


async def test_a_silent_server_is_left(server: Server) -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        await server.held.wait()

    async def stalled(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nabc")
        await server.held.wait()

    server.answers.update({"/silent": silent, "/stalled": stalled})
    for path in ("/silent", "/stalled"):
        error = await failure(server.url(path), read_timeout=0.05)
        assert (error.outcome, error.detail) == (
            "UNREACHABLE",
            "the server did not answer in time",
        )
        error = await failure(server.url(path), total_timeout=0.05)
        assert error.outcome == "UNREACHABLE"
        assert "FETCH_TIMEOUT" in error.detail


async def test_a_slow_consumer_is_not_the_servers_fault(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers["/"] = ok(b"abc")
    loop = asyncio.get_running_loop()
    real_time = loop.time
    async with (
        Fetcher(FetchLimits(allow_list=LOOPBACK, total_timeout=60)) as fetcher,
        fetcher.open(server.url("/")) as fetched,
    ):
        monkeypatch.setattr(loop, "time", lambda: real_time() + 3600)
        assert b"".join([chunk async for chunk in fetched.chunks]) == b"abc"


async def test_a_report_does_not_say_which_names_there_are(server: Server) -> None:
    """One code and one text for a name, whatever the reason: unknown, private, refused, silent."""

    async def silent(writer: asyncio.StreamWriter) -> None:
        await server.held.wait()

    async def stuck(host: str, port: int) -> Sequence[str]:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    server.answers["/"] = silent
    names = Names(
        inside_test=[["10.0.0.1"]],
        mixed_test=[["8.8.8.8", "10.0.0.1"]],
        public_test=[["8.8.8.8"]],
        closed_test=[LOOPBACK],
    )
    unreachable(await failure("http://unknown.test/", names))
    unreachable(await failure("http://inside.test/", names))
    unreachable(await failure("http://inside.test:5432/", names))
    unreachable(await failure("http://mixed.test/", names))
    unreachable(await failure("http://public.test:6379/", names))
    unreachable(await failure("http://closed.test:1/", names))
    unreachable(await failure(server.url("/", "closed.test"), names, read_timeout=0.05))
    short = {"connect_timeout": 0.05, "read_timeout": 0.05}
    unreachable(await failure(server.url("/", "closed.test", "https"), names, **short))
    unreachable(await failure("http://slow.test/", stuck, connect_timeout=0.05))
    unreachable(await failure(f"http://{'a' * 70}.test/"))
    unreachable(await failure("http://localhost:1/", allow_list=()))
    server.answers["/go"] = redirect("http://inside.test/")
    names.answers["127.0.0.1"] = [LOOPBACK]
    unreachable(await failure(server.url("/go"), names))


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("attachment; filename=a.pdf", "a.pdf"),
        ('inline; FILENAME="a b.pdf"', "a b.pdf"),
        ("attachment; filename*=UTF-8''%e2%82%ac%20rates.pdf; filename=x.pdf", "€ rates.pdf"),
        ("attachment; filename=x.pdf; filename*=nonsense''%ff", "x.pdf"),
        ("attachment", ""),
        ("attachment; filename=", ""),
    ],
)
async def test_the_name_that_a_server_tells(server: Server, header: str, name: str) -> None:
    server.answers["/"] = ok(b"x", f"Content-Disposition: {header}")
    async with (
        Fetcher(FetchLimits(allow_list=LOOPBACK)) as fetcher,
        fetcher.open(server.url("/")) as fetched,
    ):
        assert fetched.name == name


async def test_a_server_that_drips_is_left(server: Server) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not server.held.is_set():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    server.answers["/"] = drip
    error = await failure(server.url("/"), min_rate=10_000, slow_after=0.05)
    assert error.outcome == "UNREACHABLE"
    assert "FETCH_MIN_BYTES_PER_SECOND" in error.detail
    assert error.host_failed


async def test_a_head_that_drips_is_left(server: Server) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not server.held.is_set():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    server.answers["/"] = drip
    error = await failure(server.url("/"), connect_timeout=0.2, read_timeout=0.2)
    assert (error.outcome, error.host_failed) == ("UNREACHABLE", True)


async def test_nobody_listening(server: Server) -> None:
    assert (await failure("http://127.0.0.1:1/")).outcome == "UNREACHABLE"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "images/a.png",
        "/a",
        "mailto:a@b.c",
        "http:///a",
        "http://[::1",
        "http://a\nb/",
        "data:,x",
    ],
)
async def test_what_is_no_web_link_is_refused(url: str) -> None:
    assert (await failure(url)).outcome == "REFUSED"


async def test_fetching_can_be_switched_off(server: Server) -> None:
    server.answers["/"] = ok(b"x")
    assert (await failure(server.url("/"), enabled=False)).outcome == "REFUSED"
    assert server.requests == []


async def test_no_proxy_of_the_environment_is_asked(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.answers["/"] = ok(b"direct")
    assert await fetch(server.url("/")) == b"direct"


async def test_leaving_early_closes_the_connection(server: Server) -> None:
    left = asyncio.Event()

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nabc")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        except ConnectionError:
            left.set()

    server.answers["/"] = endless
    async with Fetcher(FetchLimits(allow_list=LOOPBACK)) as fetcher:
        async with fetcher.open(server.url("/")) as fetched:
            assert (await anext(fetched.chunks)).startswith(b"abc")
        async with asyncio.timeout(60):
            await left.wait()


async def test_leaving_during_the_handshake_closes_the_connection() -> None:
    begun, closed = asyncio.Event(), asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        begun.set()
        await reader.read()
        closed.set()
        writer.close()

    listener = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with Fetcher(FetchLimits(allow_list=LOOPBACK)) as fetcher:

        async def leave() -> None:
            async with fetcher.open(f"https://127.0.0.1:{port}/"):
                pytest.fail("nothing was answered")

        fetching = asyncio.create_task(leave())
        async with asyncio.timeout(60):
            await begun.wait()
            fetching.cancel()
            with pytest.raises(asyncio.CancelledError):
                await fetching
            await closed.wait()
    listener.close()


def test_limits_with_a_wrong_allow_list_are_refused() -> None:
    with pytest.raises(ValueError, match="not a host name"):
        FetchLimits(allow_list=("http://intranet",))


def certificate(folder: Path, name: str) -> Path:
    """A self-signed certificate and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


async def test_tls_verifies_the_name_and_not_the_address(tmp_path: Path) -> None:
    path = certificate(tmp_path, "media.test")
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(path)
    asked: list[str] = []
    theirs.sni_callback = lambda _socket, name, _context: asked.append(name)
    ours = ssl.create_default_context(cafile=path)
    names = Names(media_test=[LOOPBACK], other_test=[LOOPBACK])
    limits = FetchLimits(allow_list=LOOPBACK)
    async with (
        serving(theirs) as server,
        Fetcher(limits, resolve=names, ssl_context=ours) as fetcher,
        Fetcher(limits, resolve=names) as distrustful,
    ):
        server.answers["/"] = ok(b"over tls")
        async with fetcher.open(server.url("/", "media.test", "https")) as fetched:
            assert b"".join([chunk async for chunk in fetched.chunks]) == b"over tls"
        assert asked == ["media.test"]
        for one, host in ((fetcher, "other.test"), (distrustful, "media.test")):
            with pytest.raises(FetchError) as caught:
                async with one.open(server.url("/", host, "https")):
                    pytest.fail("a certificate of another name was taken")
            assert caught.value.outcome == "UNREACHABLE"
