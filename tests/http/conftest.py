"""A server with our configuration of uvicorn, spoken to over sockets."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp

from eventimport.http.server import server_config
from eventimport.settings import Settings

PATIENCE = 300
"""Seconds for what must happen at all."""


@dataclass
class Server:
    """A server that runs in a thread."""

    port: int
    server: uvicorn.Server

    def connect(self, *, receive_buffer: int | None = None) -> socket.socket:
        """A new connection."""
        client = socket.socket()
        if receive_buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(PATIENCE)
        client.connect(("127.0.0.1", self.port))
        return client

    def ask(self, request: bytes) -> bytes:
        """All that the server sends for this, until it closes the connection."""
        with self.connect() as client:
            client.sendall(request)
            return read_all(client)


def read_all(client: socket.socket) -> bytes:
    """What the server sends until it closes, or aborts, the connection."""
    received = b""
    try:
        while chunk := client.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server of an application; keywords are settings."""
    started: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: ASGIApp, **values: Any) -> Server:
        settings = Settings(
            database_url="postgresql://127.0.0.1/unused",
            redis_url="redis://127.0.0.1/0",
            secret_key="a key for tests, which guards nothing",
            **values,
        )
        config = server_config(app, settings, lifespan="off", timeout_graceful_shutdown=0)
        server = uvicorn.Server(config)
        listener = socket.create_server(("127.0.0.1", 0))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        started.append((server, thread))
        return Server(int(listener.getsockname()[1]), server)

    yield start
    for server, thread in started:
        server.should_exit = True
        thread.join()
