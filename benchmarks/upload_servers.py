"""The servers of upload_speed.py, each run as a process of its own: `upload_servers.py KIND`.

`service` is eventimport's own application. To it are added `/drain`, which throws the body away;
`/upload-file`, which receives as most FastAPI applications do; and `/upload-file-synced`, which
also looks up who uploads and waits until the file is on disk. The application of Flask is
`upload_servers:flask_app()`, for gunicorn.
"""

import argparse
import asyncio
import logging
import os
import sys
import uuid
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, File, Request, UploadFile

from eventimport.allocator import keep_freed_memory
from eventimport.cli.web_server import SWITCH_SECONDS, Server
from eventimport.http.dependencies import AccountDep
from eventimport.http.server import server_config
from eventimport.main import create_app
from eventimport.settings import load_settings

CHUNK = 1024 * 1024
SAVED = "UPLOAD_BENCHMARK_FOLDER"

router = APIRouter()


@router.post("/drain")
async def drain(request: Request) -> dict[str, int]:
    """The body, thrown away."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
    return {"size": size}


@router.post("/upload-file")
async def upload_file(file: Annotated[UploadFile, File()]) -> dict[str, str]:
    """Starlette's UploadFile, saved in chunks."""
    path = Path(os.environ[SAVED], uuid.uuid4().hex)
    with path.open("wb") as target:  # noqa: ASYNC230 - as it is usually done, and the fastest
        while chunk := await file.read(CHUNK):
            target.write(chunk)
    return {"url": path.name}


@router.post("/upload-file-synced")
async def upload_file_synced(
    _account: AccountDep, file: Annotated[UploadFile, File()]
) -> dict[str, str]:
    """The same for a signed-in user; the file and its name are on disk before the answer."""
    path = Path(os.environ[SAVED], uuid.uuid4().hex)
    with path.open("wb") as target:  # noqa: ASYNC230 - as above
        while chunk := await file.read(CHUNK):
            target.write(chunk)
        target.flush()
        await asyncio.to_thread(os.fsync, target.fileno())
    await asyncio.to_thread(_sync, path.parent)
    return {"url": path.name}


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flask_app() -> object:
    """Flask, saving the file."""
    from flask import Flask, request  # noqa: PLC0415 - only gunicorn's process needs it

    app = Flask(__name__)

    @app.post("/upload")
    def upload() -> dict[str, str]:
        path = Path(os.environ[SAVED], uuid.uuid4().hex)
        request.files["file"].save(path)
        return {"url": path.name}

    return app


def moto(port: int) -> None:
    """An S3 server."""
    from moto.server import main  # noqa: PLC0415 - only this process needs it

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    main(["-H", "127.0.0.1", "-p", str(port)])


def service(port: int, *, tuned: bool) -> None:
    """The application, as `eventimport serve` runs it."""
    if tuned and not keep_freed_memory():
        sys.exit("the allocator cannot be tuned here")
    sys.setswitchinterval(SWITCH_SECONDS)
    settings = load_settings()
    app = create_app(settings)
    app.include_router(router)
    Server(server_config(app, settings, host="127.0.0.1", port=port)).run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["service", "moto"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--core", type=int, required=True)
    parser.add_argument("--untuned", action="store_true")
    given = parser.parse_args()
    os.sched_setaffinity(0, {given.core})
    if given.kind == "moto":
        moto(given.port)
    else:
        service(given.port, tuned=not given.untuned)
