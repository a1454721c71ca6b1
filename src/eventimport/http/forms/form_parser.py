"""The synchronous half of reading a form: bytes in, parts and their bytes out, within limits."""

import re
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from eventimport.errors import ProblemError, refuse
from eventimport.http.forms.body import too_large
from eventimport.http.forms.content_disposition import parse_content_disposition
from eventimport.storage.config import UploadLimits
from eventimport.storage.content_types import OCTET_STREAM

_UNENCODED = frozenset({b"", b"7bit", b"8bit", b"binary"})
_NO_LIMIT = 2**31

MAX_FIRST_LINE = 200
_BARE_LF = re.compile(rb"(?:\r?\n)*--[^\r\n]*\n")
LF_LINES = (
    "the form's lines end with LF. In multipart/form-data they end with CRLF: check the tool or"
    " the editor that wrote the body"
)
NOT_A_FORM = (
    "the body is not valid multipart/form-data: a boundary or the headers of a part are malformed."
    " Let an HTTP client build the form, and send the Content-Type header that it makes"
)


@dataclass(frozen=True, slots=True)
class PartHead:
    """What a part's headers say; `filename` is None for a plain field."""

    name: str
    filename: str | None
    content_type: str


FormEvent = PartHead | bytes | None
"""A head begins a part, bytes are its content, None ends it."""


def malformed(detail: str) -> ProblemError:
    """The answer to a body that is no form, or half of one."""
    return refuse(
        400, "malformed-form", "The form cannot be read", f"{detail[:1].upper()}{detail[1:]}."
    )


class FormParser:
    """Feeds python-multipart's parser and turns its callbacks into events.

    `events` is what has been parsed and not yet taken; `ended` tells whether the closing boundary
    has come. Parts with a name of `files` are files, also if they have no file name. Raises
    ProblemError for a malformed form (400) and for each limit (413, naming it).
    """

    def __init__(self, boundary: bytes, limits: UploadLimits, files: Collection[str] = ()) -> None:
        self.events: deque[FormEvent] = deque()
        self.ended = False
        self._limits = limits
        self._file_names = files
        self._beginning = b""
        self._headers: dict[bytes, bytes] = {}
        self._header_name = self._header_value = b""
        self._header_count = self._header_bytes = 0
        self._files = self._fields = 0
        self._is_uncounted = False
        self._part_bytes = 0
        self._part_limit = ("", "", 0)
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_begin": self._on_header_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
                # Our own limits say which one was passed, and count all headers of a part.
                max_header_count=_NO_LIMIT,
                max_header_size=_NO_LIMIT,
            )
        except FormParserError as error:
            raise malformed("the boundary in the Content-Type header is not valid") from error

    def feed(self, data: bytes) -> None:
        """Parse what has arrived."""
        if len(self._beginning) < MAX_FIRST_LINE:
            self._beginning += data[:MAX_FIRST_LINE]
        try:
            self._parser.write(data)
        except FormParserError as error:
            if _BARE_LF.match(self._beginning):
                raise malformed(LF_LINES) from error
            raise malformed(NOT_A_FORM) from error

    def _on_part_begin(self) -> None:
        self._headers = {}
        self._header_count = self._header_bytes = self._part_bytes = 0
        self._is_uncounted = False

    def _on_header_begin(self) -> None:
        self._header_name = self._header_value = b""
        self._header_count += 1
        if self._header_count > self._limits.max_headers:
            raise too_large("headers of one part", "max_headers", self._limits.max_headers)

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._count_header_bytes(end - start)
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._count_header_bytes(end - start)
        self._header_value += data[start:end]

    def _count_header_bytes(self, count: int) -> None:
        self._header_bytes += count
        limit = self._limits.max_header_bytes
        if self._header_bytes > limit:
            raise too_large("bytes in the headers of one part", "max_header_bytes", limit)

    def _on_header_end(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value.strip()

    def _on_headers_finished(self) -> None:
        disposition = parse_content_disposition(self._headers.get(b"content-disposition", b""))
        if disposition.name is None:
            raise malformed("a part has no name in its Content-Disposition")
        if self._headers.get(b"content-transfer-encoding", b"").lower() not in _UNENCODED:
            raise malformed(f"the part {disposition.name!r} has a Content-Transfer-Encoding")
        content_type = self._headers.get(b"content-type", b"").decode("latin-1")
        filename = disposition.filename
        if filename is None and disposition.name in self._file_names:
            filename = ""
        head = PartHead(disposition.name, filename, content_type or OCTET_STREAM)
        self._begin(head)
        self.events.append(head)

    def _begin(self, head: PartHead) -> None:
        limits = self._limits
        if head.filename is None:
            self._fields += 1
            self._part_limit = (
                f"bytes in the field {head.name!r}",
                "max_field_bytes",
                limits.max_field_bytes,
            )
            if self._fields > limits.max_fields:
                raise too_large("fields in one request", "max_fields", limits.max_fields)
        else:
            self._part_limit = (
                f"bytes in the file {head.filename[:100]!r}",
                "max_file_bytes",
                limits.max_file_bytes,
            )
            # Browsers send an empty part without a file name where no file was chosen: that is a
            # file only once it has a byte.
            self._is_uncounted = not head.filename
            if head.filename:
                self._count_file()

    def _count_file(self) -> None:
        self._files += 1
        if self._files > self._limits.max_files:
            raise too_large("files in one request", "max_files", self._limits.max_files)

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_uncounted and end > start:
            self._is_uncounted = False
            self._count_file()
        self._part_bytes += end - start
        if self._part_bytes > self._part_limit[2]:
            raise too_large(*self._part_limit)
        # A slice of the whole is the same object: nearly all chunks of a large file are not copied.
        self.events.append(data[start:end])

    def _on_part_end(self) -> None:
        self.events.append(None)

    def _on_end(self) -> None:
        self.ended = True
