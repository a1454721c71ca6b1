"""Bytes in chunks → a sliding window of text, which knows its lines and columns."""

import codecs
import re
from collections.abc import Iterator
from typing import Final

from eventimport.errors import EventImportError

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""UTF-32 stands before UTF-16, whose mark its own begins with."""

_ESCAPE: Final = rb"\u"
AS_WINDOWS: Final = "eventimport.windows-1252"
"""An error handler of codecs: bytes that are not UTF-8 are Windows-1252."""

_NO_BEGINNING: Final = re.compile(rb"[\x80-\xc1\xf5-\xff]+")
_WINDOWS: Final = [
    bytes([byte]).decode("cp1252", "ignore") or bytes([byte]).decode("latin-1")
    for byte in range(256)
]


def _as_windows(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    end = error.end
    # No character in UTF-8 begins with these bytes, so the handler would be called for each.
    if (more := _NO_BEGINNING.match(error.object, end)) is not None:
        end = more.end()
    return "".join([_WINDOWS[byte] for byte in error.object[error.start : end]]), end


codecs.register_error(AS_WINDOWS, _as_windows)


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
    """The text of a document. `text` is the part of it in memory, `position` how much of that is
    consumed; `ended` says that no more will come, `has_escapes` that a character of what has come
    may be written as `\\u…`. `encoding` is UTF-8, or UTF-16 or UTF-32 if the document begins so;
    `has_bom` says that it begins with a byte order mark. In what should be UTF-8, bytes that are
    not are read as Windows-1252; `foreign_byte` is the offset of the first."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._decoder: codecs.IncrementalDecoder = codecs.getincrementaldecoder("utf-8")()
        self.encoding = "utf-8"
        self.foreign_byte: int | None = None
        self._bytes = 0
        self._line = 1
        self._window_line_start = -1
        self._line_start = -1
        self._last = 0
        self._error: DocumentError | None = None
        self.text = ""
        self.position = 0
        self.ended = False
        self.has_bom = False
        self.has_escapes = False
        self._begin()

    def location(self, position: int) -> tuple[int, int]:
        """Line and column, from 1, of a position in `text`."""
        # Counted from the position asked for last: a window may hold thousands of errors.
        last, self._last = self._last, position
        if position >= last:
            newlines = self.text.count("\n", last, position)
        else:
            newlines = -self.text.count("\n", position, last)
        if newlines:
            self._line += newlines
            line_start = self.text.rfind("\n", 0, position)
            self._line_start = line_start if line_start >= 0 else self._window_line_start
        return self._line, position - self._line_start

    def error(self, code: str, message: str, position: int) -> DocumentError:
        """A DocumentError about a position in `text`."""
        return DocumentError(code, message, *self.location(position))

    def fill(self, characters: int) -> None:
        """Forget what is consumed, and read at least this many more characters, or up to the end,
        or to bytes that are not UTF-8: those raise DocumentError, the next time. Raises what the
        chunks raise."""
        if self._error is not None:
            raise self.error(self._error.code, self._error.message, len(self.text))
        _, column = self.location(self.position)
        self._window_line_start = self._line_start = -column
        self._last = 0
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
        for mark, encoding in _BOMS:
            if head.startswith(mark):
                self.has_bom = True
                self._bytes = len(mark)
                head = head[len(mark) :]
                self.encoding = encoding
                break
        else:
            self.encoding = _encoding_of(head)
        if self.encoding != "utf-8":
            self._decoder = codecs.getincrementaldecoder(self.encoding)()
        # Programs that add a mark do not look whether there is one.
        self.text = (self._decode(head) if head else "").lstrip("\ufeff")

    def _decode(self, chunk: bytes) -> str:
        self._bytes += len(chunk)
        self.ended = not chunk
        try:
            text = self._decoder.decode(chunk, final=self.ended)
        except UnicodeDecodeError as error:
            offset = self._bytes - len(error.object) + error.start
            if self.encoding != "utf-8":
                self.ended = False
                message = f"The text is not valid {self.encoding.upper()} at byte {offset:,}."
                self._error = DocumentError("json-encoding", message, 0, 0)
                return error.object[: error.start].decode(self.encoding)
            self.foreign_byte = offset
            self._decoder = codecs.getincrementaldecoder("utf-8")(AS_WINDOWS)
            text = self._decoder.decode(error.object, final=self.ended)
        if not self.has_escapes:
            self.has_escapes = self._may_have_escapes(chunk, text)
        return text

    def _may_have_escapes(self, chunk: bytes, text: str) -> bool:
        """Whether an escape is in what has come; one may be cut in two by the chunk's end."""
        if self.encoding != "utf-8":
            return "\\" in text
        # One byte is searched for many times faster than text is, and most texts have none.
        return b"\\" in chunk and (_ESCAPE in chunk or chunk.endswith(b"\\"))


def _encoding_of(head: bytes) -> str:
    """The encoding of JSON text without a mark: it begins with ASCII characters."""
    zeros = [byte == 0 for byte in head[:4]]
    for encoding, expected in (
        ("utf-32-le", [False, True, True, True]),
        ("utf-32-be", [True, True, True, False]),
        ("utf-16-le", [False, True, False, True]),
        ("utf-16-be", [True, False, True, False]),
    ):
        if zeros == expected:
            return encoding
    return "utf-8"
