"""The content type of an object, by its name, and the types that browsers may show inline."""

import mimetypes

OCTET_STREAM = "application/octet-stream"
ZIP = "application/zip"

# The tables of the machine and the client's claim are ignored: they differ between servers.
_types = mimetypes.MimeTypes(filenames=())
for _type, _extension in (
    ("image/webp", ".webp"),
    ("image/avif", ".avif"),
    ("image/heic", ".heic"),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", ".pptx"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".docx"),
    ("application/vnd.oasis.opendocument.presentation", ".odp"),
    ("audio/ogg", ".ogg"),
    ("video/ogg", ".ogv"),
    ("audio/flac", ".flac"),
    ("text/markdown", ".md"),
):
    _types.add_type(_type, _extension)

_SHOWN_IN_PLACE = frozenset(
    {
        "image/avif",
        "image/bmp",
        "image/gif",
        "image/heic",
        "image/jpeg",
        "image/png",
        "image/tiff",
        "image/vnd.microsoft.icon",
        "image/webp",
        "text/plain",
    }
)


def content_type_of(name: str) -> str:
    """The type that belongs to the name's extension, or `application/octet-stream`."""
    guessed, encoding = _types.guess_type(name.rsplit("/", 1)[-1], strict=False)
    if encoding == "gzip":
        return "application/gzip"
    if guessed is None or encoding is not None:
        return OCTET_STREAM
    return guessed


def shown_in_place(content_type: str) -> bool:
    """Whether a browser may show the type inline. All others are offered as downloads.

    This is a list of harmless types, because a list of types that browsers run is never complete.
    PDF is not on it: browsers do not show it under the sandboxing policy of the media route.
    """
    essence = content_type.partition(";")[0].strip().lower()
    return essence in _SHOWN_IN_PLACE or essence.startswith(("audio/", "video/"))
