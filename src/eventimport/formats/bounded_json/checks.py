"""What a JSON record may not hold, though the JSON is right: too much of it, or characters that no
database stores."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from eventimport.conference.report import EXCERPT, UNSTORABLE

UNSTORABLE_ESCAPE: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
"""Where JSON may hold them; such an escape may also be half of a good pair."""

_MARK: Final = "\ufffd"

Tell = Callable[[str, str], None]
"""Called with the field and its original text if a character was removed from it."""


def is_deeper(value: Any, limit: int) -> bool:
    """Whether objects and lists nest deeper than the limit, the value itself being the first."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(limit):
        level = [inner for outer in level for inner in _inner(outer)]
        if not level:
            return False
    return bool(level)


def _inner(outer: Any) -> Iterator[Any]:
    for value in outer.values() if isinstance(outer, dict) else outer:
        if isinstance(value, (dict, list)):
            yield value


def strings(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every string of a value, the keys too, and the path to it: `speakers.0.name`."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield _join(path, key), key
            yield from strings(inner, _join(path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from strings(inner, _join(path, str(index)))


def storable(value: Any, tell: Tell, path: str = "") -> Any:
    """The value without NUL, and with U+FFFD for halves of surrogate pairs."""
    if isinstance(value, str):
        if not UNSTORABLE.search(value):
            return value
        tell(storable_text(path), value)
        return storable_text(value)
    if isinstance(value, dict):
        result: dict[str, Any] = {}
        number = 0
        for key, inner in value.items():
            where = _join(path, key)
            name = clean = storable(key, tell, where)
            while name in result:
                # Numbered, since thousands of keys may become the same one.
                name = f"{clean}{_MARK}{number or ''}"
                number += 1
            result[name] = storable(inner, tell, where)
        return result
    if isinstance(value, list):
        return [storable(inner, tell, _join(path, str(index))) for index, inner in enumerate(value)]
    return value


def storable_text(text: str) -> str:
    """The text without NUL, and with U+FFFD for halves of surrogate pairs."""
    return UNSTORABLE.sub(lambda found: "" if found[0] == "\0" else _MARK, text)


def quotable(value: Any) -> Any:
    """The value as a finding may keep and a database store it: text without what neither can, and
    no longer than a finding quotes."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = value if isinstance(value, str) else repr(value)
    # One more than is quoted: it is by that that the report knows it for a part.
    return UNSTORABLE.sub(lambda found: ascii(found[0])[1:-1], text[: EXCERPT + 1])


def _join(path: str, key: str) -> str:
    """The path to a key, its beginning only: paths are made for each value of a record."""
    key = key[: EXCERPT + 1]
    return f"{path}.{key}"[: EXCERPT + 1] if path else key
