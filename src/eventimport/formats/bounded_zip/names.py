"""The names of entries: what they are in Unicode, which are left out, and which are junk."""

import re
from dataclasses import dataclass
from typing import Final

CODE_PAGES: Final = (
    "cp437",
    "cp850",
    "cp1252",
    "cp852",
    "cp1250",
    "cp866",
    "cp1251",
    "cp932",
    "gb18030",
    "cp949",
    "big5",
)
"""What the names of old zips are written in: the standard's code page, then those of Windows."""

_UTF8_FLAG: Final = 0x800
_DRIVE: Final = re.compile(r"[A-Za-z]:(?=/)")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_JUNK: Final = frozenset(
    {
        *(".ds_store", ".localized", "icon\r", "thumbs.db", "ehthumbs.db", "desktop.ini"),
        *(".directory", ".gitkeep", ".gitignore", ".gitattributes", ".keep"),
    }
)
_JUNK_FOLDERS: Final = frozenset(
    {
        *("__macosx", ".git", ".svn", ".appledouble", ".spotlight-v100", ".trashes", "@eadir"),
        *(".fseventsd", "$recycle.bin", ".ipynb_checkpoints", ".idea", ".vscode"),
    }
)


@dataclass(frozen=True, slots=True)
class Name:
    """An entry's name as the archive means it. `guessed` says that its encoding is not known;
    `raw` are its bytes then, which `other_readings` reads in other ways."""

    text: str
    guessed: bool = False
    raw: bytes = b""

    def other_readings(self) -> dict[str, None]:
        """What the name may be in other code pages, most likely first."""
        found: dict[str, None] = {}
        if self.guessed:
            for page in CODE_PAGES:
                try:
                    found.setdefault(self.raw.decode(page))
                except UnicodeDecodeError:
                    continue
        return found


def decoded_name(raw: bytes, flags: int, unicode_path: str | None) -> Name:
    """The name of these bytes; `unicode_path` is what the extra field for it says.

    Without its flag for UTF-8, a name is in code page 437 by the standard, and in UTF-8 by the
    habit of many tools: it is read as UTF-8 if it is valid UTF-8, else as the standard says.
    """
    if unicode_path is not None and not flags & _UTF8_FLAG:
        return Name(unicode_path)
    try:
        return Name(raw.decode())
    except UnicodeDecodeError:
        return Name(raw.decode("cp437"), guessed=True, raw=raw)


def path_of(name: str) -> str:
    """The path that a name means: slashes for backslashes, neither drive, `.` nor empty parts."""
    slashed = _DRIVE.sub("", name.replace("\\", "/"), count=1)
    return "/".join(part for part in slashed.split("/") if part not in {"", "."})


def left_out_because(name: str) -> str | None:
    """Why an entry of this name is left out; None if it is not."""
    if not name:
        return "The entry has no name."
    if _CONTROL.search(name):
        return "The name contains control characters."
    if ".." in path_of(name).split("/"):
        return "The name leads out of the archive (“..”)."
    return None


def is_absolute(name: str) -> bool:
    """Whether the name begins with a slash or a drive."""
    slashed = name.replace("\\", "/")
    return slashed.startswith("/") or bool(_DRIVE.match(slashed))


def is_junk(path: str) -> bool:
    """Whether it is a file that operating systems and editors leave in archives."""
    *folders, base = path.split("/")
    return (
        not _JUNK_FOLDERS.isdisjoint(folder.lower() for folder in folders)
        or base.startswith(("._", "~$", ".~lock."))
        or base.lower() in _JUNK
    )
