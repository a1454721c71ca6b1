"""Foreign text made safe for terminals, logs and mail headers.

Control characters (C0, DEL and C1) can drive a terminal; format characters, such as a right-to-left
override, can make a text look like another one. Both are written as escapes that can be seen.
"""

import json
import re
import unicodedata
from typing import Any, Final

UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's general categories: controls, format characters, surrogates, separators of lines."""

JOINERS: Final = frozenset("\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}")
"""Format characters that scripts and emoji need, and that hide nothing."""


_SUSPECTS: Final = re.compile(r"[^ -~]")


def is_safe(character: str) -> bool:
    """Whether a terminal shows the character and does nothing else."""
    return unicodedata.category(character) not in UNSAFE or character in JOINERS


def visible(text: str, *, keep: str = "") -> str:
    r"""The text with `\x1b`, `\u202e` and the like for characters that are unsafe, line breaks and
    tabs included. Those in `keep` stay as they are."""

    def shown(found: re.Match[str]) -> str:
        character = found[0]
        return character if character in keep or is_safe(character) else _escape(character)

    return _SUSPECTS.sub(shown, text)


def visible_json(value: Any, *, indent: int | None = None) -> str:
    """The value as JSON that any terminal may show, and that says the same."""

    def shown(found: re.Match[str]) -> str:
        # Within strings, line breaks are escaped already: these are the indentation's.
        character = found[0]
        return character if character == "\n" or is_safe(character) else json.dumps(character)[1:-1]

    return _SUSPECTS.sub(shown, json.dumps(value, ensure_ascii=False, indent=indent))


def _escape(character: str) -> str:
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
