"""A server that stops while files are being uploaded leaves nothing of them."""

import asyncio
import socket
import threading
from contextlib import closing

import uvicorn
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.web.keyed_requests import BOUNDARY, PLAIN_HEADERS, Left, form, keyed

from eventimport.auth import Tokens
from eventimport.database.models import User
from eventimport.main import create_app
from eventimport.settings import Settings

FILES = 20


async def test_an_upload_under_way_is_taken_back(
    settings: Settings, user: User, engine: AsyncEngine
) -> None:
    left = Left(engine, settings.local_storage_path)
    app = create_app(settings)
    end = f"--{BOUNDARY}--\r\n".encode()
    body = FILES * form(bytes(100_000), name="files").removesuffix(end) + end
    headers = {
        "Host": "localhost",
        "Authorization": f"Bearer {Tokens(settings.auth).issue(user.id)}",
        "Content-Length": str(len(body)),
        **PLAIN_HEADERS,
        **keyed(),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=0))
        # In a loop of its own, which ends with it: as the process does.
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        _, writer = await asyncio.open_connection(*listener.getsockname())
        with closing(writer.transport):
            try:
                writer.write(f"POST /v1/upload/files HTTP/1.1\r\n{head}\r\n".encode())
                writer.write(body[:-1000])
                async with asyncio.timeout(60):
                    while not (await left.objects() and len(left.files()) >= FILES - 1):
                        await writer.drain()
            finally:
                server.should_exit = True
                await asyncio.to_thread(thread.join)

    assert await left.nothing()
