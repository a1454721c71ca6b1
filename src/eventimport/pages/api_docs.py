"""Swagger UI at `/docs`, its assets served from here: no page of ours asks another host."""

import asyncio
import json
from importlib import resources
from pathlib import Path
from typing import Literal

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from eventimport.http.routing import Router

# This package carries Swagger UI's built files; nothing else of it is used.
ASSETS = Path(str(resources.files("fastapi_offline"))) / "static"

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>eventimport: API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""

# Authorization is kept in the browser, so that reloading the page does not sign one out. The page
# sends requests to the server that it came from, and to no other.
START = """\
fetch("openapi.json").then((answer) => answer.json()).then((spec) => SwaggerUIBundle({
  spec: { ...spec, servers: [{ url: location.origin }] },
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
}));
"""

# Swagger UI sets styles on its elements and has its icons in data URLs.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)

router = Router(include_in_schema=False)


@router.get("/openapi.json")
async def get_openapi(request: Request) -> Response:
    """The OpenAPI document, made once: in a thread, unless `prepare` was called."""
    app: FastAPI = request.app
    content: bytes | None = getattr(app.state, "openapi_document", None)
    if content is None:
        content = await _made_in_thread(app)
    return Response(content, media_type="application/json", headers={"Cache-Control": "no-cache"})


def prepare(app: FastAPI) -> None:
    """Make the OpenAPI document before the first request. It takes seconds of the processor's time,
    during which even a thread holds up the event loop."""
    app.state.openapi_document = _make(app)


async def _made_in_thread(app: FastAPI) -> bytes:
    making: asyncio.Future[bytes] | None = getattr(app.state, "openapi", None)
    if making is None or (making.done() and (making.cancelled() or making.exception())):
        making = asyncio.ensure_future(asyncio.to_thread(_make, app))
        app.state.openapi = making
    return await asyncio.shield(making)


def _make(app: FastAPI) -> bytes:
    return json.dumps(app.openapi(), ensure_ascii=False, separators=(",", ":")).encode()


@router.get("/docs", response_class=HTMLResponse)
async def show_docs() -> HTMLResponse:
    """The page."""
    return HTMLResponse(PAGE, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})


@router.get("/docs/start.js")
async def start_docs() -> Response:
    """The page's own script: in a file of its own, inline scripts can stay forbidden."""
    return Response(START, media_type="text/javascript")


@router.get("/docs/{name}")
async def get_asset(name: Literal["swagger-ui-bundle.js", "swagger-ui.css"]) -> FileResponse:
    """One of Swagger UI's files."""

    return FileResponse(ASSETS / name, headers={"Cache-Control": "public, max-age=86400"})
