"""Swagger UI at `/docs`, its assets served from here: no page of ours asks another host."""

from importlib import resources
from pathlib import Path
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response

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

# Authorization is kept in the browser, so that reloading the page does not sign one out.
START = """\
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
});
"""

# Swagger UI sets styles on its elements and has its icons in data URLs.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)

router = APIRouter(prefix="/docs", include_in_schema=False)


@router.get("", response_class=HTMLResponse)
async def show_docs() -> HTMLResponse:
    """The page."""
    return HTMLResponse(PAGE, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})


@router.get("/start.js")
async def start_docs() -> Response:
    """The page's own script: in a file of its own, inline scripts can stay forbidden."""
    return Response(START, media_type="text/javascript")


@router.get("/{name}")
async def get_asset(name: Literal["swagger-ui-bundle.js", "swagger-ui.css"]) -> FileResponse:
    """One of Swagger UI's files."""

    return FileResponse(ASSETS / name, headers={"Cache-Control": "public, max-age=86400"})
