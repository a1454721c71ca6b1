"""Limits of connections, over sockets: what is refused, what is cut off, and what is not."""

import asyncio
import contextlib
import hashlib
import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Message, Receive, Scope, Send
from tests.http.conftest import PATIENCE, Serve, Server, read_all
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.server import ServerState

import eventimport.http.server as server_module
from eventimport.http.server import LimitedProtocol

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
CLOSE = b"Connection: close\r\n"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused client has time to send the rest, however slow the machine is."""
    monkeypatch.setattr(server_module, "LINGER_SECONDS", PATIENCE)


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the size of the body."""
    body = await Request(scope, receive).body()
    await PlainTextResponse(f"hello {len(body)}")(scope, receive, send)


def error_of(answer: bytes) -> dict[str, Any]:
    """The one error of an answer, which closes the connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/vnd.api+json" in head.lower()
    assert b"connection: close" in head.lower()
    (error,) = json.loads(body)["errors"]
    assert head.startswith(f"HTTP/1.1 {error['status']} ".encode())
    return dict(error)


def gone(server: Server, entered: threading.Event | None = None) -> None:
    """Wait until the server has no connection left, once the application has been called."""
    assert entered is None or entered.wait(PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while server.server.server_state.connections:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextlib.contextmanager
def connected(server: Server, beginning: bytes, *, within: float) -> Iterator[socket.socket]:
    """A connection on which this was sent before the server's timeout was over: on a busy machine
    it may take several."""
    for _ in range(20):
        begun = time.monotonic()
        with server.connect() as client:
            with contextlib.suppress(OSError):
                client.sendall(beginning)
            if time.monotonic() - begun < within:
                yield client
                return
    pytest.fail(f"nothing is sent within {within} seconds")


@pytest.mark.parametrize("last_header", [b"", b"X-Last: " + b"x" * 16_000 + b"\r\n"])
def test_a_request_within_the_limits_is_answered(serve: Serve, last_header: bytes) -> None:
    answer = serve(hello).ask(GET + CLOSE + last_header + b"\r\n")

    assert answer.endswith(b"hello 0")


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the SHA-256 of the body, whose chunks it reads one by one."""
    digest = hashlib.sha256()
    async for chunk in Request(scope, receive).stream():
        assert type(chunk) is bytes
        digest.update(chunk)
    await PlainTextResponse(digest.hexdigest())(scope, receive, send)


@pytest.mark.parametrize(
    "sizes",
    [[3_000_000], [1] * 20_000, [300_000, *[1] * 5_000, 200_000], [1, 100_000, 1], []],
    ids=["one", "bytes", "mixed", "between", "empty"],
)
def test_a_body_arrives_as_it_was_sent(serve: Serve, sizes: list[int]) -> None:
    chunks = [random.randbytes(size) for size in sizes]
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])

    answer = serve(echo).ask(GET + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n" + body)

    assert answer.endswith(hashlib.sha256(b"".join(chunks)).hexdigest().encode())


@pytest.mark.parametrize(
    "headers",
    [
        b"X: " + b"x" * 20_000 + b"\r\n\r\n",
        b"X: 1\r\n" * 4_000 + b"\r\n",
        b"x" * 20_000 + b": 1\r\n\r\n",
        # None of these ends.
        b"X: " + b"x" * 20_000_000,
        b"X: 1\r\n" * 4_000_000,
        b"x" * 20_000_000,
    ],
    ids=["value", "many", "name", "endless-value", "endless-many", "endless-name"],
)
@pytest.mark.usefixtures("patient")
def test_headers_that_are_too_large(serve: Serve, headers: bytes) -> None:
    with serve(hello).connect() as client:
        try:
            client.sendall(GET + headers)
        except OSError:
            pytest.fail("the server closed the connection before the client could read")
        answer = read_all(client)

    error = error_of(answer)
    assert (error["status"], error["code"]) == ("431", "headers-too-large")
    assert "MAX_HEADER_BYTES" in error["detail"]


@pytest.mark.parametrize("end", [b" HTTP/1.1\r\nHost: x\r\n\r\n", b""])
@pytest.mark.usefixtures("patient")
def test_a_url_that_is_too_long(serve: Serve, end: bytes) -> None:
    answer = serve(hello).ask(b"GET /" + b"x" * 9_000 + end)

    error = error_of(answer)
    assert (error["status"], error["code"]) == ("414", "url-too-long")
    assert "MAX_URL_BYTES" in error["detail"]


@pytest.mark.parametrize(
    "trailers", [b"X: 1\r\n" * 4_000 + b"\r\n", b"X: 1\r\n" * 400_000, b"X: " + b"x" * 2_000_000]
)
def test_trailers_count_as_headers(serve: Serve, trailers: bytes) -> None:
    server = serve(hello)
    with server.connect() as client:
        with contextlib.suppress(OSError):
            client.sendall(
                b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + trailers
            )
        assert b"200 OK" not in read_all(client)
    gone(server)


def test_something_else_than_http(serve: Serve) -> None:
    error = error_of(serve(hello).ask(b"\x16\x03\x01\x02\x00\x01\r\n\r\n"))

    assert (error["status"], error["code"]) == ("400", "invalid-request")


@pytest.mark.parametrize(
    "beginning", [b"", b"GET", GET, GET + b"X: ", b"\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET"]
)
def test_headers_that_do_not_end_in_time(serve: Serve, beginning: bytes) -> None:
    server = serve(hello, header_timeout=0.3)
    with connected(server, beginning, within=0.3) as client:
        answer = read_all(client)
    if beginning.startswith(GET[:3]) and b"\r\n\r\n" not in beginning:
        error = error_of(answer)
        assert (error["status"], error["code"]) == ("408", "headers-timed-out")
    gone(server)


def test_headers_that_drip(serve: Serve) -> None:
    server = serve(hello, header_timeout=1.0)
    sent = 0
    with server.connect() as client:
        try:
            while sent < 16_000:
                client.sendall(b"x")
                sent += 1
                time.sleep(0.01)
        except OSError:
            pass
    assert sent < 16_000
    gone(server)


def test_a_body_that_drips_on_after_its_answer(serve: Serve) -> None:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("no")(scope, receive, send)

    server = serve(refuse, header_timeout=0.3)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    with connected(server, head, within=0.3) as client:
        assert read_all(client).endswith(b"no")
    gone(server)


def test_a_body_may_take_longer_than_headers(serve: Serve) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n" + CLOSE + b"\r\n"
    with connected(serve(hello, header_timeout=0.2), head, within=0.2) as client:
        for _ in range(5):
            time.sleep(0.1)
            client.sendall(b"x")
        assert read_all(client).endswith(b"hello 5")


def test_pipelined_requests_are_answered(serve: Serve) -> None:
    requests = 10 * (GET + b"\r\n") + GET + CLOSE + b"\r\n"

    assert serve(hello).ask(requests).count(b"hello 0") == 11


def test_too_many_pipelined_requests(serve: Serve) -> None:
    server = serve(hello)
    with server.connect() as client:
        # It may be cut off before it has sent all of them.
        with contextlib.suppress(OSError):
            client.sendall(5_000 * (GET + b"\r\n"))
        assert read_all(client).count(b"hello 0") < 5_000
    gone(server)


@pytest.mark.parametrize("kind", ["stream", "whole", "closing", "small"])
def test_a_client_that_does_not_read_is_cut_off(serve: Serve, kind: str) -> None:
    size = 0
    entered = threading.Event()

    async def endless() -> Any:
        nonlocal size
        while True:
            size += 64 * 1024
            await asyncio.sleep(0)
            yield bytes(64 * 1024)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        entered.set()
        if kind == "stream":
            await StreamingResponse(endless())(scope, receive, send)
        else:
            content = bytes(30_000 if kind == "small" else 64 * 1024 * 1024)
            await PlainTextResponse(content)(scope, receive, send)

    server = serve(app, send_timeout=0.5)
    request = GET + (CLOSE if kind == "closing" else b"") + b"\r\n"
    with server.connect(receive_buffer=4096) as client:
        client.sendall(request)
        if kind == "small":
            # Each answer is small. Together, they fill what the system buffers.
            client.settimeout(1)
            try:
                while True:
                    client.sendall(request)
            except OSError:
                pass
        gone(server, entered)
    # What the system buffers, and no more, was asked of the application.
    assert size < 32 * 1024 * 1024


class HalfRead:
    """A transport whose client has read half of what was left, each time that it is asked for."""

    unsent = 1024
    aborted = False

    def get_write_buffer_size(self) -> int:
        """What the client has not read."""
        return self.unsent

    def abort(self) -> None:
        """Cut the client off."""
        self.aborted = True


async def test_a_client_that_reads_slowly_is_not_cut_off() -> None:
    config = uvicorn.Config(hello, log_config=None)
    protocol = LimitedProtocol(config, ServerState(), {}, asyncio.get_running_loop())
    transport: Any = HalfRead()
    protocol.transport, protocol.flow = transport, FlowControl(transport)
    protocol.pause_writing()
    for _ in range(5):
        transport.unsent //= 2
        protocol._check_sending()
        assert not transport.aborted
    protocol._check_sending()
    assert transport.aborted


def test_a_cut_off_ends_the_request(serve: Serve) -> None:
    ended: list[Message] = []
    entered = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        entered.set()
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send(
            {"type": "http.response.body", "body": bytes(64 * 1024 * 1024), "more_body": True}
        )
        ended.append(await receive())

    server = serve(app, send_timeout=0.5)
    with server.connect(receive_buffer=4096) as client:
        client.sendall(GET + b"\r\n")
        gone(server, entered)
    deadline = time.monotonic() + PATIENCE
    while not ended:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert ended == [{"type": "http.disconnect"}]


def test_more_connections_than_the_limit(serve: Serve) -> None:
    server = serve(hello, max_connections=3)
    held = [server.connect() for _ in range(3)]
    try:
        for client in held:
            client.sendall(GET + b"\r\n")
            received = b""
            while b"hello" not in received:
                received += client.recv(65536)
        with server.connect() as client:
            error = error_of(read_all(client))
        assert (error["status"], error["code"]) == ("503", "too-many-connections")
        assert "MAX_CONNECTIONS" in error["detail"]
    finally:
        for client in held:
            client.close()
    gone(server)
    assert server.ask(GET + CLOSE + b"\r\n").endswith(b"hello 0")


@pytest.mark.parametrize("name", [b"traceparent", b"tracestate", b"Baggage"])
def test_long_trace_headers_are_dropped(serve: Serve, name: bytes) -> None:
    async def names(scope: Scope, receive: Receive, send: Send) -> None:
        found = b",".join(name for name, _ in scope["headers"])
        await PlainTextResponse(found)(scope, receive, send)

    server = serve(names)
    kept = server.ask(GET + CLOSE + name + b": " + b" a" * 100 + b"\r\n\r\n")
    dropped = server.ask(GET + CLOSE + name + b": " + b" a" * 1000 + b"\r\n\r\n")

    assert kept.endswith(name.lower())
    assert dropped.endswith(b"host,connection")


@pytest.mark.parametrize(
    ("trusted", "seen"), [((), "127.0.0.1"), (("127.0.0.0/8",), "203.0.113.9")]
)
def test_only_trusted_proxies_are_believed(
    serve: Serve, trusted: tuple[str, ...], seen: str
) -> None:
    async def client(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(scope["client"][0])(scope, receive, send)

    server = serve(client, trusted_proxies=trusted)

    answer = server.ask(GET + CLOSE + b"X-Forwarded-For: 203.0.113.9\r\n\r\n")
    assert answer.endswith(seen.encode())
