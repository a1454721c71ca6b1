"""The outline of a JSON document, by its beginning: what its format is recognised by."""

import re
from typing import Final

from eventimport.formats.bounded_json.text_stream import TextStream

_TOKEN: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"(\s*+:)?|[\[\]{}]', re.DOTALL)
_DEPTH: Final = 2


def outline(beginning: bytes, *, mark: str = "{", depth: int = _DEPTH) -> set[str]:
    """The keys of the value that a document begins with, and of the values in it, `depth` levels
    deep, such as `schedule` and `schedule.conference`. Lists count as a level without a key:
    `sessions..title`. Empty if the document does not begin with the mark."""
    text = TextStream(iter([beginning])).text
    if not text.lstrip().startswith(mark):
        return set()
    path: list[str] = []
    keys: set[str] = set()
    last = ""
    for token in _TOKEN.finditer(text):
        found = token[0]
        if found in {"{", "["}:
            path.append(last)
            last = ""
        elif found in {"}", "]"}:
            del path[-1:]
            last = ""
        elif token[2] is not None and len(path) <= depth:
            last = token[1]
            keys.add(".".join([*path[1:], last]))
    return keys
