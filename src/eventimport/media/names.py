"""What a stored media file is called."""

import mimetypes
import re
from typing import Final
from urllib.parse import unquote

import httpx

from eventimport.storage.content_types import OCTET_STREAM, content_type_of

_LONGEST_HEADER: Final = 2_000
_EXTENDED_NAME: Final = re.compile(r"\bfilename\*\s*=\s*([\w-]+)'[\w-]*'([^;\s]+)", re.IGNORECASE)
_PLAIN_NAME: Final = re.compile(
    r'\bfilename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^";\s]+))', re.IGNORECASE
)
# Without the machine's own tables, so that two machines give one name.
_EXTENSIONS: Final = mimetypes.MimeTypes(filenames=())


def entry_name(source: str) -> str:
    """The name of a file of the archive; `storage.keys.safe_name` is still to be applied."""
    return source.replace("\\", "/").rpartition("/")[2]


def link_name(source: str, content_type: str, told: str = "") -> str:
    """The name of a file behind a link: the one that the server told, else the last part of the
    link's path. It gets an extension after the content type if its own says nothing."""
    name = entry_name(told) or httpx.URL(source).path.rpartition("/")[2]
    if content_type_of(name) == OCTET_STREAM and content_type:
        name += _EXTENSIONS.guess_extension(content_type) or ""
    return name


def inline_name(content_type: str) -> str:
    """The name of a file that has none, after its type."""
    return "file" + (_EXTENSIONS.guess_extension(content_type) or "")


def told_name(content_disposition: str) -> str:
    """The file name in a Content-Disposition header; empty if there is none."""
    header = content_disposition[:_LONGEST_HEADER]
    extended = _EXTENDED_NAME.search(header)
    if extended is not None:
        try:
            return unquote(extended[2], encoding=extended[1], errors="strict")
        except (LookupError, UnicodeDecodeError):
            pass
    plain = _PLAIN_NAME.search(header)
    if plain is None:
        return ""
    return re.sub(r"\\(.)", r"\1", plain[1]) if plain[1] is not None else plain[2]


def with_extension(name: str, content_type: str, extension: str) -> str:
    """The name, with the extension added where its own stands for another type."""
    return name if content_type_of(name) == content_type else (name or "file") + extension
