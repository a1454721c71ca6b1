"""Single values as archives spell them: links, ids, names, translations; and how two of them are
compared.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

_SCHEME: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*):")
_HOST_AND_PORT: Final = re.compile(r"(localhost|[\w\-]+(\.[\w\-]+)+):\d+([/?#].*)?", re.DOTALL)
_IGNORED_IN_LINKS: Final = re.compile(r"[\x00-\x20]")
_SAFE_SCHEMES: Final = frozenset({"http", "https", "mailto", "tel"})
_DASHES: Final = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"))
_AROUND_DASHES: Final = re.compile(r"\s*-\s*")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_DATA: Final = re.compile(
    r"\s*data:(?:image/|audio/|video/|application/(?:pdf|octet-stream|vnd\.)|;base64)",
    re.IGNORECASE,
)
_WHOLE_NUMBER: Final = re.compile(r"([0-9]+)\.0+")
_LONGEST_RUN: Final = 30
"""Combining marks after one letter: the bound of Unicode's stream-safe text format."""


def is_safe_link(value: str) -> bool:
    """Whether a browser may follow it: a web, mail or telephone link, or no scheme at all."""
    # Browsers drop white space and control characters inside of a scheme.
    bare = _IGNORED_IN_LINKS.sub("", value)
    match = _SCHEME.match(bare)
    if match is None or match[1].lower() in _SAFE_SCHEMES:
        return True
    return _HOST_AND_PORT.fullmatch(bare) is not None


def is_remote(value: str) -> bool:
    """Whether a media file is fetched from the web, instead of read from the archive."""
    return value[:8].lower().startswith(("http://", "https://"))


def is_media_source(value: str) -> bool:
    """Whether a record may name a media file so: by a path, a web link or a `data:` URI."""
    if is_remote(value.strip()):
        return True
    match = _SCHEME.match(_IGNORED_IN_LINKS.sub("", value[:200]))
    # One letter is a drive of Windows.
    schemes = _SAFE_SCHEMES | {"file"}
    return match is None or len(match[1]) == 1 or match[1].lower() in schemes or is_data(value)


def is_data(value: str) -> bool:
    """Whether it is a `data:` URI of an image, or of another media file."""
    return _DATA.match(value) is not None


def source_key(value: Any) -> str | None:
    """An id as a key of the id map: 3, 3.0, "3" and " 3 " are the same. None if it is not an id."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else None
    if isinstance(value, str):
        text = value.strip()
        # Spreadsheets write whole numbers so.
        number = _WHOLE_NUMBER.fullmatch(text) if len(text) < 40 else None
        return number[1] if number else text or None
    return None


def sort_key(key: str | None) -> tuple[int, int, str]:
    """Source ids in order: numbers by value, then other ids by text, then records without one."""
    if key is None:
        return 2, 0, ""
    if len(key) <= 18 and key.isascii() and key.isdigit():
        return 0, int(key), ""
    return 1, 0, key


def label_key(value: Any) -> str:
    """A name or title as one compares it: case, spaces and kinds of dashes do not count."""
    text = " ".join(composed(str(value)).translate(_DASHES).split()).casefold()
    return _AROUND_DASHES.sub("-", text) if "-" in text else text


def composed(text: str) -> str:
    """The text in Unicode's composed form (NFC). A text that holds longer runs of combining marks
    than any language writes stays as it is: sorting a run takes time squared."""
    if text.isascii() or _has_long_run(text):
        return text
    return unicodedata.normalize("NFC", text)


def _has_long_run(text: str) -> bool:
    run = 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run > _LONGEST_RUN:
            return True
    return False


def folded(text: str) -> str:
    """The text as it is compared with others if case and Unicode's forms do not count."""
    return composed(composed(text).casefold())


def translation(value: Mapping[str, Any], language: str | None) -> tuple[str, str] | None:
    """Of a text in several languages, as in `{"en": …, "de": …}`, the one in this language, else
    the first: its language and the text. None if the value is not such a text."""
    texts = {key: text for key, text in value.items() if isinstance(text, str) and text.strip()}
    if not texts or not all(
        _LANGUAGE.fullmatch(key) and (text is None or isinstance(text, str))
        for key, text in value.items()
    ):
        return None
    wanted = (language or "").replace("_", "-").casefold()
    for key in (wanted, wanted.partition("-")[0]):
        for known, text in texts.items():
            if known.replace("_", "-").casefold() == key:
                return known, text
    return next(iter(texts.items()))
