"""Paths of media files as records and archives spell them: shown, resolved and compared."""

import re
import unicodedata
from typing import Final

_LONGEST_RUN: Final = 30
"""Combining marks after one letter: the bound of Unicode's stream-safe text format."""

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def shown(name: str) -> str:
    """The name as it may stand in a report: control characters escaped, and not too long."""
    escaped = _CONTROL.sub(lambda found: ascii(found[0])[1:-1], name)
    return escaped if len(escaped) <= 200 else escaped[:200] + "…"


def resolved(path: str) -> str:
    """The path without `..`, but for those at its beginning that lead out of the archive."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


def composed(path: str) -> str:
    """The path in Unicode's composed form (NFC). A path that holds longer runs of combining marks
    than any language writes stays as it is: sorting a run takes time squared."""
    if path.isascii() or _has_long_run(path):
        return path
    return unicodedata.normalize("NFC", path)


def _has_long_run(text: str) -> bool:
    run = 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run > _LONGEST_RUN:
            return True
    return False


def folded(path: str) -> str:
    """The path as it is compared with others if case and Unicode's forms do not count."""
    return composed(composed(path).casefold())
