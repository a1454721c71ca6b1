"""Links to other places, of which only those to the web are made."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

PROFILES = {
    "twitter": "https://twitter.com/",
    "facebook": "https://www.facebook.com/",
    "github": "https://github.com/",
    "linkedin": "https://www.linkedin.com/in/",
    "instagram": "https://www.instagram.com/",
}
"""Where a name alone leads to, by the column that holds it."""

NAMES = {"github": "GitHub", "linkedin": "LinkedIn"}
"""How sites spell themselves, where it isn't with one capital letter."""

_NAME = re.compile(r"@?([A-Za-z0-9_.-]{1,100})")
_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(/\S*)?")


@dataclass(frozen=True, slots=True)
class Link:
    """A text, and where it leads."""

    text: str
    url: str


def web_url(value: str | None) -> str | None:
    """The value as an http or https URL, or None: `javascript:` and its like lead nowhere. A bare
    host, as people write it, is taken for https."""
    value = (value or "").strip()
    if _HOST.fullmatch(value):
        value = f"https://{value}"
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme in {"http", "https"} and parts.netloc else None


def profile(site: str, value: str | None) -> Link | None:
    """A link to somebody's page on a site: `value` is a URL, or a name there."""
    value = (value or "").strip()
    text = NAMES.get(site, site.capitalize())
    name = _NAME.fullmatch(value)
    if name and site in PROFILES and "/" not in value:
        return Link(text, PROFILES[site] + name[1])
    url = web_url(value)
    return Link(text, url) if url else None
