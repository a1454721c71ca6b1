"""Links and profiles as people write them, and where they lead."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

MAX_LENGTH: Final = 4_000
"""Characters of a link; longer texts are not links."""

NOTHING: Final = frozenset(
    {
        *("none", "n/a", "na", "n.a.", "n.a", "null", "nil", "no", "nope", "nothing", "undefined"),
        *("not applicable", "tba", "tbd", "tbc", "-", "--", "---", ".", "..", "?", "/", "#", "*"),
        *("nein", "kein", "keine", "keiner", "keines", "nicht vorhanden", "x", "@"),
        *("k.a.", "k.a", "keine angabe", "n.n.", "-/-", "n / a", "n\\a", "none yet", "not yet"),
        *("no website", "no twitter", "no account", "not available", "unknown", "unbekannt"),
        *("false", "true", "yes", "0", "1", "empty", "private", "anonymous", "nobody", "name"),
        *("username", "user name", "your name", "handle", "twitter", "linkedin", "url", "link"),
        *("\N{EN DASH}", "\N{EM DASH}", "http://", "https://"),
    }
)
"""What people write into a field for which they have nothing, in lower case."""


@dataclass(frozen=True, slots=True)
class Site:
    """A site with profiles: `base` comes before a handle; `hosts` are its own; `handle` is what
    it accepts as one; `dotted` says that a dot may be in it."""

    base: str
    hosts: tuple[str, ...]
    handle: re.Pattern[str]
    dotted: bool = False


SITES: Final = {
    "twitter": Site(
        "https://twitter.com/", ("twitter.com", "x.com"), re.compile(r"[A-Za-z0-9_]{1,30}")
    ),
    "facebook": Site(
        "https://www.facebook.com/",
        ("facebook.com", "fb.com", "fb.me"),
        re.compile(r"[A-Za-z0-9.]{3,80}|(?:pages|people|groups)/[\w./\-]{1,200}"),
        dotted=True,
    ),
    "github": Site(
        "https://github.com/",
        ("github.com", "github.io"),
        re.compile(r"[A-Za-z0-9][A-Za-z0-9\-]{0,38}"),
    ),
    "linkedin": Site(
        "https://www.linkedin.com/",
        ("linkedin.com", "lnkd.in"),
        re.compile(r"(?:(?:in|pub|company|school|groups)/)?[\w\-%]{2,120}(?:/[\w\-%]{1,60}){0,3}"),
    ),
    "instagram": Site(
        "https://www.instagram.com/",
        ("instagram.com",),
        re.compile(r"[A-Za-z0-9_.]{1,40}"),
        dotted=True,
    ),
}
"""The sites whose profiles a handle names, by the field of the handle."""

MASTODON: Final = "mastodon"
_OTHER_NAMES: Final = {
    "x": "twitter",
    "x (twitter)": "twitter",
    "twitter/x": "twitter",
    "fb": "facebook",
}

_USUAL: Final = re.compile(
    r"https?://[a-z0-9\-]+(?:\.[a-z0-9\-]+)+(?:/[\w./~\-]*)?", re.IGNORECASE | re.ASCII
)
"""Links that are the same however they are read: most are."""

_SCHEME: Final = re.compile(r"(https?)(?:\s*[:;]\s*/*\s*|\s*//+\s*)(?=[^\s/])", re.IGNORECASE)
_HOST: Final = re.compile(
    r"(?:localhost|\[[0-9a-f:.]+\]|[\w\-]+(?:\.[\w\-]+)+\.?)(?::\d{1,5})?(?:[/?#].*)?",
    re.IGNORECASE | re.DOTALL,
)
_ADDRESS: Final = re.compile(
    r"(?:mailto:\s*)?([^\s@:/<>\"',;()]{1,100}@[\w\-]+(?:\.[\w\-]+)+)(\?\S*)?", re.IGNORECASE
)
_TELEPHONE: Final = re.compile(r"tel:\s*([+\d][\d\s()./\-]{2,40})", re.IGNORECASE)
_FEDIVERSE: Final = re.compile(
    r"(?:acct:)?@?([\w.\-]{1,100})@([\w\-]+(?:\.[\w\-]+)+)/?", re.IGNORECASE
)
_ENDINGS: Final = frozenset(
    [
        "com",
        "org",
        "net",
        "io",
        "dev",
        "app",
        "info",
        "biz",
        "edu",
        "gov",
        "eu",
        "de",
        "at",
        "ch",
        "uk",
        "fr",
        "es",
        "it",
        "nl",
        "be",
        "dk",
        "se",
        "no",
        "fi",
        "pl",
        "cz",
        "pt",
        "ru",
        "ua",
        "jp",
        "cn",
        "in",
        "sg",
        "au",
        "nz",
        "br",
        "ca",
        "us",
        "xyz",
        "me",
        "tv",
        "co",
        "ai",
        "social",
    ]
)
"""Last parts of hosts' names that make a text with a dot a host rather than a handle."""
MOST_SPACES: Final = 3
"""A link with more spaces is a link with words after it."""

_BETWEEN: Final = re.compile(r"(?:\s|[,;|])+|\s+/\s+")
_JOINING: Final = frozenset({"and", "or", "und", "oder", "&", "+", "/", "-", ""})


@dataclass(frozen=True, slots=True)
class LinkReading:
    """What a text means: `link`, or an `address` or a `telephone` number, which are private, or
    nothing. `repaired` says how it was read with certainty; `problem`, what is lost or
    uncertain."""

    link: str | None = None
    address: str | None = None
    telephone: str | None = None
    repaired: str | None = None
    problem: str | None = None


_NOTHING: Final = LinkReading(repaired="read as “no link”")
_MAIL: Final = "an e-mail address instead of a link. Addresses are private"
_PHONE: Final = "a telephone number instead of a link. Numbers are private"


def is_usual(value: object) -> bool:
    """Whether a value is a link that `read_link` returns as it is, like most."""
    return isinstance(value, str) and len(value) <= MAX_LENGTH and bool(_USUAL.fullmatch(value))


def read_link(  # noqa: PLR0911 - one for each sort of text
    value: str, site: str | None = None
) -> LinkReading:
    """Read a link; where `site` is given, also a handle of that site (see `SITES`) or of Mastodon.
    A link that is usual, or that needs only `https://` before it, is returned as it is."""
    text = value.strip()
    if text.casefold() in NOTHING:
        return _NOTHING
    if len(text) > MAX_LENGTH:
        return LinkReading(problem="too long to be a link")
    if _USUAL.fullmatch(text):
        return LinkReading(text)
    if site is not None and (found := _profile(site, text)):
        return found
    if address := _ADDRESS.fullmatch(text):
        return LinkReading(address=address[1], problem=_MAIL)
    if telephone := _TELEPHONE.fullmatch(text):
        return LinkReading(telephone=telephone[1].strip(), problem=_PHONE)
    if found := _several(text, site):
        return found
    url = web_url(text)
    if url is None:
        return LinkReading(problem="not a link to a web page")
    if any(map(str.isspace, url)):
        return _with_spaces(url)
    usual = url in (text, f"https://{text}") and not text.startswith("//")
    return LinkReading(text if usual else url, repaired=None if usual else f"read as “{url}”")


def web_url(value: str | None) -> str | None:
    """The value as an http or https URL, or None. A host without a scheme is taken for https."""
    text = (value or "").strip()
    if len(text) > MAX_LENGTH:
        return None
    if scheme := _SCHEME.match(text):
        if text[scheme.end(1) :].startswith("://") and text[scheme.end() - 1] == "/":
            pass
        else:
            text = f"{scheme[1].lower()}://{text[scheme.end() :]}"
    elif text.startswith("//") and _HOST.fullmatch(text[2:]):
        text = f"https:{text}"
    elif _HOST.fullmatch(text):
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return text if valid and not re.search(r"\s", parts.netloc) else None


def profile_url(site: str, value: str | None) -> str | None:
    """Where a profile is: `value` is a URL, or a handle of the site. None if it is neither, rather
    than the page of another person."""
    text = (value or "").strip()
    if not text or text.casefold() in NOTHING or len(text) > MAX_LENGTH:
        return None
    found = _profile(site, text)
    if found is None:
        return web_url(text) if not re.search(r"\s", text) else None
    if found.link is None:
        return None
    return _of_handle(site, found.link) or web_url(found.link)


def site_named(name: str) -> str | None:
    """The field of a site that people call by this name."""
    key = name.strip().casefold()
    key = _OTHER_NAMES.get(key, key)
    return key if key in SITES or key == MASTODON else None


def _profile(  # noqa: PLR0911 - one for each sort of text
    site: str, text: str
) -> LinkReading | None:
    """A handle, or None where the text is to be read as any link."""
    fediverse = _FEDIVERSE.fullmatch(text)
    if site == MASTODON:
        if fediverse:
            url = f"https://{fediverse[2]}/@{fediverse[1]}"
            return LinkReading(url, repaired=f"read as “{url}”")
        if re.fullmatch(r"@?[\w\-]+", text):
            return LinkReading(problem="a name without its server, such as @name@example.social")
        return None
    if fediverse and text.startswith("@"):
        return LinkReading(problem="a Mastodon (Fediverse) profile, not one of this site")
    if handle_url := _of_handle(site, text):
        plain = re.fullmatch(r"@?[\w.\-]+", text) is not None
        url = handle_url
        return LinkReading(text if plain else url, repaired=None if plain else f"read as “{url}”")
    handles = [part for part in _BETWEEN.split(text) if part not in _JOINING]
    several = len(handles) > 1 and all(part.startswith("@") for part in handles)
    if several and _of_handle(site, handles[0]):
        return LinkReading(handles[0], problem="a list of profiles. The first is used")
    if _looks_like_host(text, site) or "/" in text or re.search(r"\s", text):
        return None
    if _ADDRESS.fullmatch(text):
        return None
    return LinkReading(problem="not a profile's name or link")


def _of_handle(site: str, text: str) -> str | None:
    """Where a handle leads; None if the text is not a handle."""
    known = SITES.get(site)
    if known is None or text.startswith("//"):
        return None
    handle = text.lstrip("/").removeprefix("@").rstrip("/")
    if not known.handle.fullmatch(handle) or _looks_like_host(handle, site):
        return None
    if site == "linkedin":
        if "/" not in handle:
            handle = f"in/{handle}"
        elif handle.split("/")[0] not in {"in", "pub", "company", "school", "groups"}:
            return None
    return known.base + quote(handle, safe="/%")


def _looks_like_host(text: str, site: str) -> bool:
    """Whether it is the name of a host, with or without a path."""
    host, slash, _ = text.removeprefix("@").partition("/")
    name, dot, ending = host.casefold().partition(":")[0].rpartition(".")
    if not dot or not name:
        return False
    known = SITES.get(site)
    if slash or known is None or not known.dotted or host.casefold().startswith("www."):
        return True
    return ending in _ENDINGS


def _several(text: str, site: str | None) -> LinkReading | None:
    """The first of several links in one text, or the one link among other words."""
    parts = [part for part in _BETWEEN.split(text) if part not in _JOINING]
    if len(parts) < 2:
        return None
    links = [part for part in parts if _is_clearly_link(part)]
    if len(links) > 1:
        return LinkReading(links[0], problem="a list of links. The first is used")
    has_path = bool(links) and urlsplit(web_url(links[0]) or "").path.strip("/")
    if links and (parts[0] != links[0] or not has_path or len(parts) > MOST_SPACES):
        return LinkReading(links[0], problem="a text with a link in it. The link is used")
    if site is not None and not links:
        return LinkReading(problem="not a profile's name or link")
    return None


def _is_clearly_link(part: str) -> bool:
    return part.casefold().startswith(("http://", "https://", "www.")) and bool(web_url(part))


def _with_spaces(url: str) -> LinkReading:
    encoded = re.sub(r"\s", "%20", url)
    return LinkReading(encoded, problem=f"a link with spaces. It was read as “{encoded}”")
