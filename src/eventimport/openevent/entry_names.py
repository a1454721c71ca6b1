"""The names of entries: what they are in Unicode, which are refused, which are junk, and which
document a name stands for."""

import re
import unicodedata
from typing import Final
from zipfile import ZipInfo

DOCUMENTS: Final = (
    "event",
    "social_links",
    "forms",
    "microlocations",
    "sponsors",
    "speakers",
    "tracks",
    "session_types",
    "sessions",
    "meta",
    "config",
)
"""The canonical names of documents."""

_BY_LETTERS: Final = {name.replace("_", ""): name for name in DOCUMENTS}
_SEPARATORS: Final = re.compile("[-_ ]")
_DRIVE: Final = re.compile("[A-Za-z]:")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_JUNK: Final = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
_UTF8_FLAG: Final = 0x800


def decoded_name(info: ZipInfo) -> tuple[str, bool]:
    """An entry's name, and whether its encoding had to be guessed.

    Without its flag for UTF-8, a name is in code page 437 by the standard, and in UTF-8 by the
    habit of many tools: it is read as UTF-8 where it is valid UTF-8, else as the standard says.
    """
    name = info.orig_filename
    if info.flag_bits & _UTF8_FLAG or name.isascii():
        return name, False
    try:
        return name.encode("cp437").decode("utf-8"), False
    except UnicodeDecodeError:
        # Python 3.12 and later read the extra field that gives the name in UTF-8 as well.
        given = not name.startswith(info.filename)
        return (info.filename, False) if given else (name, True)


def unsafe_because(name: str) -> str | None:
    """Why an entry of this name is refused; None where it is not."""
    if not name:
        return "the name is empty"
    if _CONTROL.search(name):
        return "the name holds control characters"
    if "\\" in name:
        return "the name holds a backslash"
    if name.startswith("/") or _DRIVE.match(name):
        return "the name is absolute"
    if ".." in name.split("/"):
        return "the name leads out of the archive"
    return None


def normal_path(name: str) -> str:
    """The name without `.` and empty parts, in Unicode's composed form (NFC)."""
    parts = (part for part in name.split("/") if part not in {"", "."})
    return unicodedata.normalize("NFC", "/".join(parts))


def is_junk(path: str) -> bool:
    """Whether it is a file that operating systems leave in archives."""
    *folders, base = path.split("/")
    return "__MACOSX" in folders or base.startswith("._") or base.lower() in _JUNK


def document_named(base: str) -> str | None:
    """The canonical name of the document that a file of this base name is, or None: `event`,
    `Event.json`, `session-types`, `sessionTypes.json`."""
    name = base.casefold().removesuffix(".json")
    return _BY_LETTERS.get(_SEPARATORS.sub("", name))


def shown(name: str) -> str:
    """The name as it may stand in a report: control characters escaped, and not too long."""
    escaped = _CONTROL.sub(lambda found: ascii(found[0])[1:-1], name)
    return escaped if len(escaped) <= 200 else escaped[:200] + "…"
