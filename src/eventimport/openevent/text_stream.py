"""Bytes in chunks → a sliding window of text, which knows its lines and columns."""

import codecs
from collections.abc import Iterator
from typing import Final

from eventimport.errors import EventImportError
from eventimport.openevent.zip_directory import ZIP_MAGIC

_UTF8_BOM: Final = codecs.BOM_UTF8
_ESCAPE: Final = rb"\u"
_WIDE_BOMS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


class DocumentError(EventImportError):
    """A document cannot be read on from `line` and `column`, which count from 1. `code` is that of
    the finding."""

    def __init__(self, code: str, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.line = line
        self.column = column


class TextStream:
    """The text of a document in UTF-8. `text` is the part of it in memory, `position` how much of
    that is consumed; `ended` says that no more will come, `has_escapes` that a character of what
    has come may be written as `\\u…`."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._bytes = 0
        self._line = 1
        self._column = 1
        self._error: DocumentError | None = None
        self.text = ""
        self.position = 0
        self.ended = False
        self.has_bom = False
        self.has_escapes = False
        self._begin()

    def location(self, position: int) -> tuple[int, int]:
        """Line and column, from 1, of a position in `text`."""
        newlines = self.text.count("\n", 0, position)
        if not newlines:
            return self._line, self._column + position
        return self._line + newlines, position - self.text.rindex("\n", 0, position)

    def error(self, code: str, message: str, position: int) -> DocumentError:
        """A DocumentError about a position in `text`."""
        return DocumentError(code, message, *self.location(position))

    def fill(self, characters: int) -> None:
        """Forget what is consumed, and read at least so many characters more, or up to the end, or
        to bytes that are not UTF-8: those raise DocumentError, the next time. Raises what the
        chunks raise."""
        if self._error is not None:
            raise self.error(self._error.code, self._error.message, len(self.text))
        self._line, self._column = self.location(self.position)
        parts = [self.text[self.position :]]
        self.text, self.position = "", 0
        while characters > 0 and not self.ended and self._error is None:
            part = self._decode(next(self._chunks, b""))
            characters -= len(part)
            parts.append(part)
        self.text = "".join(parts)

    def _begin(self) -> None:
        head = b""
        for chunk in self._chunks:
            head += chunk
            if len(head) >= 4:
                break
        if head.startswith(_UTF8_BOM):
            self.has_bom = True
            self._bytes = len(_UTF8_BOM)
            head = head[self._bytes :]
        elif head.startswith(ZIP_MAGIC):
            self._error = DocumentError("nested-zip", "a zip within the archive is not read", 1, 1)
        elif head.startswith(_WIDE_BOMS) or b"\0" in head[:4]:
            message = "the document is in UTF-16 or UTF-32; JSON is read in UTF-8"
            self._error = DocumentError("json-encoding", message, 1, 1)
        if self._error is None:
            self.text = self._decode(head) if head else ""

    def _decode(self, chunk: bytes) -> str:
        self._bytes += len(chunk)
        if not self.has_escapes:
            # One byte is searched for many times faster than text is, and most texts have none.
            # A chunk may end within an escape.
            self.has_escapes = b"\\" in chunk and (_ESCAPE in chunk or chunk.endswith(b"\\"))
        try:
            if chunk:
                return self._decoder.decode(chunk)
            self.ended = True
            return self._decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            self.ended = False
            offset = self._bytes - len(error.object) + error.start
            message = f"not UTF-8: byte 0x{error.object[error.start]:02x} at offset {offset}"
            self._error = DocumentError("json-encoding", message, 0, 0)
            return error.object[: error.start].decode()
