"""What a moved medium's file is called."""

import mimetypes
from typing import Final

import httpx

from eventimport.storage.content_types import OCTET_STREAM, content_type_of

# Without the machine's own tables, so that two machines give one name.
_EXTENSIONS: Final = mimetypes.MimeTypes(filenames=())


def entry_name(source: str) -> str:
    """The name of a file of the archive; `storage.keys.safe_name` is still to be applied."""
    return source.replace("\\", "/").rpartition("/")[2]


def link_name(source: str, content_type: str) -> str:
    """The name of a file behind a link: the last part of the link's path, which gets an extension
    after the type that the other side told, where its own says nothing."""
    name = httpx.URL(source).path.rpartition("/")[2]
    if content_type_of(name) == OCTET_STREAM and content_type:
        name += _EXTENSIONS.guess_extension(content_type) or ""
    return name


def with_extension(name: str, content_type: str, extension: str) -> str:
    """The name, with the extension added where its own stands for another type."""
    return name if content_type_of(name) == content_type else (name or "file") + extension
