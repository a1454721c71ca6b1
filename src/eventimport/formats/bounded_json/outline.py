"""The outline of a JSON document, by its beginning: what its format is recognised by."""

import re
from typing import Final

from eventimport.formats.bounded_json.text_stream import TextStream

_TOKEN: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"(\s*+:)?|[\[\]{}]', re.DOTALL)
_DEPTH: Final = 2


def outline(beginning: bytes) -> set[str]:
    """The keys of the object that a document begins with, and of the objects in it, such as
    `schedule` and `schedule.conference`. Empty if the document does not begin with an object."""
    text = TextStream(iter([beginning])).text
    if not text.lstrip().startswith("{"):
        return set()
    path: list[str] = []
    keys: set[str] = set()
    last = ""
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in {"{", "["}:
            path.append(last)
            last = ""
        elif mark in {"}", "]"}:
            del path[-1:]
            last = ""
        elif token[2] is not None and len(path) <= _DEPTH:
            last = token[1]
            keys.add(".".join([*path[1:], last]))
    return keys
