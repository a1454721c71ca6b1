"""Addresses that every consumer of a schedule accepts: absolute, http or https, and ASCII."""

import re
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

from eventimport.conference.web_links import web_url

_USUAL: Final = re.compile(
    r"https?://[A-Za-z0-9.\-]+(?::[0-9]+)?(?:[/?][\w.~:/?@!$&'()*+,;=\-]*)?"
    r"(?:#[\w.~:/?@!$&'()*+,;=\-]*)?",
    re.ASCII,
)
_BARE_PERCENT: Final = re.compile("%(?![0-9A-Fa-f]{2})")
_PATH: Final = "/:@!$&'()*+,;=~%"
_QUERY: Final = f"{_PATH}?"


def http_address(value: Any) -> str | None:
    """The value as an address; None if it is not one. What is not ASCII is percent-encoded."""
    text = value.strip() if isinstance(value, str) else ""
    if _USUAL.fullmatch(text):
        return text
    url = web_url(text) if "://" in text[:10] else None
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode("ascii")
        port = f":{parts.port}" if parts.port is not None else ""
    except (ValueError, UnicodeError):
        return None
    path, query, fragment = (
        quote(_BARE_PERCENT.sub("%25", part), safe=safe)
        for part, safe in ((parts.path, _PATH), (parts.query, _QUERY), (parts.fragment, _QUERY))
    )
    encoded = urlunsplit((parts.scheme, host + port, path, query, fragment))
    return encoded if _USUAL.fullmatch(encoded.replace("%", "")) else None
