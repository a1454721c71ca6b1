"""Answers that come before the body has arrived, over real sockets."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eventimport.http.middleware import EarlyAnswer

MIB = 1024 * 1024


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers without reading."""
    await JSONResponse({"refused": True}, status_code=413)(scope, receive, send)


async def count(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that reads all and tells how much it was."""
    body = await Request(scope, receive).body()
    response: Response = PlainTextResponse(str(len(body)))
    await response(scope, receive, send)


@pytest.fixture
def serve() -> Iterator[Callable[[ASGIApp], int]]:
    """Starts a server of an application in a thread, and gives its port."""
    servers: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: ASGIApp) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(app, lifespan="off", log_config=None, ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        servers.append((server, thread))
        return int(listener.getsockname()[1])

    yield start
    for server, thread in servers:
        server.should_exit = True
        thread.join()


def post(port: int, size: int, *, headers: str = "") -> bytes:
    """Send a whole request before reading anything, as many clients do; all that is answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\nConnection: close\r\n"
        client.sendall(f"{head}{headers}\r\n".encode())
        for _ in range(size // MIB):
            client.sendall(bytes(MIB))
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
    return answer


def test_a_client_that_sends_all_first_gets_the_answer(
    serve: Callable[[ASGIApp], int],
) -> None:
    answer = post(serve(EarlyAnswer(refuse, max_seconds=60)), 32 * MIB)

    assert answer.startswith(b"HTTP/1.1 413")
    assert answer.endswith(b'{"refused":true}')


def test_a_client_that_was_told_to_go_on_gets_the_answer(serve: Callable[[ASGIApp], int]) -> None:
    async def read_a_little(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await refuse(scope, receive, send)

    port = serve(EarlyAnswer(read_a_little, max_seconds=60))
    answer = post(port, 32 * MIB, headers="Expect: 100-continue\r\n")

    assert answer.startswith(b"HTTP/1.1 100")
    assert b"HTTP/1.1 413" in answer
    assert answer.endswith(b'{"refused":true}')


def test_a_body_that_is_read_is_not_touched(serve: Callable[[ASGIApp], int]) -> None:
    answer = post(serve(EarlyAnswer(count)), 4 * MIB)

    assert answer.endswith(str(4 * MIB).encode())


async def test_no_more_is_drained_than_the_limit() -> None:
    received = 0
    sent: list[Message] = []

    async def receive() -> Message:
        nonlocal received
        received += MIB
        return {"type": "http.request", "body": bytes(MIB), "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "headers": [(b"transfer-encoding", b"chunked")]}
    await EarlyAnswer(refuse, max_bytes=8 * MIB)(scope, receive, send)

    assert received == 8 * MIB
    assert [message.get("more_body") for message in sent] == [None, True, None]


async def test_a_client_that_stalls_is_waited_for_no_longer_than_the_limit() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError("never")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "headers": [(b"content-length", b"9")]}
    await EarlyAnswer(refuse, max_seconds=0.01)(scope, receive, send)

    assert [message.get("more_body") for message in sent] == [None, True, None]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"content-length", b"0")],
        [(b"content-length", b"9"), (b"expect", b"100-continue")],
    ],
)
async def test_where_no_body_comes_none_is_waited_for(headers: list[tuple[bytes, bytes]]) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the body was asked for")

    async def send(message: Message) -> None:
        sent.append(message)

    await EarlyAnswer(refuse)({"type": "http", "headers": headers}, receive, send)

    assert len(sent) == 2
