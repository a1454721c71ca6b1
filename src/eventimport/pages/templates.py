"""HTML answers: the templates, and the policies under which browsers show what they make."""

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from eventimport.formats.html.rich_text import LINK_REL

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_ENVIRONMENT.globals["link_rel"] = LINK_REL


def render(template: str, **values: Any) -> str:
    """The page; whatever is not Markup is escaped."""
    return _ENVIRONMENT.get_template(template).render(**values)


def html_response(
    content: str | bytes,
    *,
    status: int = 200,
    scripts: bool = False,
    style: str = "",
    pictures: Iterable[str] = (),
    headers: dict[str, str] | None = None,
) -> HTMLResponse:
    """An HTML answer that may load our stylesheet, `pictures` (URLs that theirs begin with) and,
    with `scripts`, our modules, and nothing else. `style` is the one inline stylesheet it has."""
    policy = {
        "default-src": ["'none'"],
        "style-src": ["'self'", *([_digest(style)] if style else [])],
        "img-src": ["'self'", "data:", *pictures],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
    if scripts:
        policy |= {"script-src": ["'self'"], "connect-src": ["'self'"]}
    text = "; ".join(f"{name} {' '.join(sources)}" for name, sources in policy.items())
    own = {"Content-Security-Policy": text, "Cache-Control": "no-cache", **(headers or {})}
    return HTMLResponse(content, status, own)


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
