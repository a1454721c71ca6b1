"""multipart/form-data, parsed as it arrives: no temporary file, memory independent of size."""

import re
from collections import deque
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from eventimport.errors import ProblemError, pointer_to, refuse, shown, size_in_words
from eventimport.http.forms.body import Body, too_large
from eventimport.http.headers import media_type, parameters, parse_content_disposition, unquote
from eventimport.storage.config import UploadLimits
from eventimport.storage.content_types import OCTET_STREAM

MAX_BOUNDARY: Final = 200
"""RFC 2046 allows 70."""
_UNENCODED = frozenset({b"", b"7bit", b"8bit", b"binary"})
_NO_LIMIT = 2**31

MAX_FIRST_LINE = 200
_BARE_LF = re.compile(rb"(?:\r?\n)*--[^\r\n]*\n")
LF_LINES = (
    "the lines of the form end with LF. In multipart/form-data they must end with"
    " CRLF. Check the tool or the editor that wrote the body"
)
NOT_A_FORM = (
    "the body is not valid multipart/form-data: a boundary or the headers of a"
    " part are malformed. Let an HTTP client build the form and its Content-Type"
    " header"
)


@dataclass(frozen=True, slots=True)
class PartHead:
    """What a part's headers say; `filename` is None for a plain field."""

    name: str
    filename: str | None
    content_type: str


FormEvent = PartHead | bytes | None
"""A head begins a part, bytes are its content, None ends it."""


class Part(AsyncIterator[bytes]):
    """One part of a form: iterate over it for its bytes, before asking for the next part.

    `filename` is None for a plain field and unsafe otherwise; `content_type` is what the client
    says it is.
    """

    def __init__(self, form: "Form", head: PartHead) -> None:
        self._form = form
        self.name = head.name
        self.filename = head.filename
        self.content_type = head.content_type

    async def __anext__(self) -> bytes:
        chunk = await self._form.next_chunk(self)
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def read(self, max_bytes: int, *, limit: str) -> bytes:
        """All of the part. Refuses with 413 what is longer, naming the limit."""
        content = bytearray()
        async for chunk in self:
            content += chunk
            if len(content) > max_bytes:
                size = size_in_words(max_bytes)
                what = f"The part {self.name!r} is larger than {size}"
                raise too_large(what, limit, max_bytes, pointer_to(self.name))
        return bytes(content)

    async def text(self) -> str:
        """All of a plain field, decoded. Refuses with 400 what is not UTF-8."""
        content = b"".join([chunk async for chunk in self])
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            what = f"the field {self.name!r} is not UTF-8: {error}"
            raise malformed(what, pointer_to(self.name)) from error


class Form(AsyncIterator[Part]):
    """The parts of one request. What has arrived and is not yet read is at most one chunk."""

    def __init__(self, request: Request, limits: UploadLimits, files: Collection[str]) -> None:
        self._parser = FormParser(_boundary(request), limits, files)
        self._events = self._parser.events
        self._current: Part | None = None
        self._body = Body(
            request,
            max_bytes=limits.max_request_bytes,
            refusal=_request_too_large(limits),
            chunk_timeout_seconds=limits.chunk_timeout_seconds,
        )

    async def __anext__(self) -> Part:
        self._current = None
        while True:
            while self._events:
                event = self._events.popleft()
                if isinstance(event, PartHead):
                    self._current = Part(self, event)
                    return self._current
            if self._body.received_all:
                raise StopAsyncIteration
            await self._feed()

    async def next_chunk(self, part: Part) -> bytes | None:
        """The part's next bytes; None at its end, and once a later part was asked for."""
        while part is self._current:
            if not self._events:
                await self._feed()
                continue
            event = self._events.popleft()
            if isinstance(event, bytes):
                return event
            self._current = None
        return None

    async def _feed(self) -> None:
        self._parser.feed(await self._body.next_chunk())
        if self._body.received_all and not self._parser.ended:
            raise malformed("the body ends before its closing boundary")


def parts(request: Request, limits: UploadLimits, files: Collection[str] = ()) -> Form:
    """The parts of a request's form, in the order sent: `async for part in parts(...)`.

    Parts with a name of `files` are files; without a file name, theirs is empty.

    Refuses at once, with the body unread, what is no form (415), has no boundary (400) or says
    that it is too large (413). While reading it raises `ProblemError` for a malformed or truncated
    body (400), for each limit (413, naming it) and for a client that sends nothing for
    `chunk_timeout_seconds` (408), and `ClientDisconnect` for one that has gone.
    """
    return Form(request, limits, files)


def _file(name: str) -> str:
    return f"The file {shown(name)}" if name else "The file"


def _request_too_large(limits: UploadLimits) -> ProblemError:
    allowed, what = limits.max_request_bytes, "upload"
    if limits.request_setting == limits.file_setting:
        # The request is the file and the form around it.
        allowed, what = limits.max_file_bytes, "file"
    problem = f"The {what} is larger than {size_in_words(allowed)}"
    return too_large(problem, limits.request_setting, allowed)


def _boundary(request: Request) -> bytes:
    header = request.headers.get("content-type", "")
    if media_type(header) != "multipart/form-data":
        raise refuse(
            415,
            "unsupported-media-type",
            "Unsupported media type",
            f"The body must be multipart/form-data, not {shown(media_type(header))}.",
            source={"header": "Content-Type"},
        )
    boundary = unquote(dict(parameters(header)).get("boundary", ""))
    if not boundary:
        raise malformed("the Content-Type header has no boundary")
    if len(boundary) > MAX_BOUNDARY:
        raise malformed(f"the boundary is longer than {MAX_BOUNDARY} characters")
    return boundary.encode("latin-1")


class FormParser:
    """The synchronous half: feeds python-multipart's parser and turns its callbacks into events.

    `events` is what has been parsed and not yet taken; `ended` says whether the closing boundary
    has arrived. Parts with a name of `files` are files, also if they have no file name. Raises
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
        self._part_limit = ("", "", 0, "")
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
            raise malformed("the boundary in the Content-Type header is invalid") from error

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
            most = self._limits.max_headers
            raise too_large(f"A part of the form has more than {most} headers", "max_headers", most)

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
            size = size_in_words(limit)
            raise too_large(
                f"The headers of a part are larger than {size}", "max_header_bytes", limit
            )

    def _on_header_end(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value.strip()

    def _on_headers_finished(self) -> None:
        disposition = parse_content_disposition(self._headers.get(b"content-disposition", b""))
        if disposition.name is None:
            raise malformed("a part of the form has no name in its Content-Disposition header")
        if self._headers.get(b"content-transfer-encoding", b"").lower() not in _UNENCODED:
            raise malformed(
                f"the part {disposition.name!r} has a Content-Transfer-Encoding, which"
                " is not supported"
            )
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
                f"The field {head.name!r} is larger than {size_in_words(limits.max_field_bytes)}",
                "max_field_bytes",
                limits.max_field_bytes,
                pointer_to(head.name),
            )
            if self._fields > limits.max_fields:
                most = limits.max_fields
                raise too_large(f"The form has more than {most} fields", "max_fields", most)
        else:
            self._part_limit = (
                f"{_file(head.filename)} is larger than {size_in_words(limits.max_file_bytes)}",
                limits.file_setting,
                limits.max_file_bytes,
                pointer_to(head.name),
            )
            # Browsers send an empty part without a file name where no file was chosen: that is a
            # file only once it has a byte.
            self._is_uncounted = not head.filename
            if head.filename:
                self._count_file()

    def _count_file(self) -> None:
        self._files += 1
        if self._files > self._limits.max_files:
            most = self._limits.max_files
            files = "file" if most == 1 else "files"
            raise too_large(
                f"The form has more than {most:,} {files}", self._limits.files_setting, most
            )

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


def malformed(detail: str, pointer: str | None = None) -> ProblemError:
    """The answer to an invalid or incomplete form, or to a part of it."""
    source = None if pointer is None else {"pointer": pointer}
    what = f"{detail[:1].upper()}{detail[1:]}."
    return refuse(400, "malformed-form", "Invalid upload form", what, source=source)
