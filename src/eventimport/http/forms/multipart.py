"""multipart/form-data, parsed as it arrives: no temporary file, memory independent of size."""

from collections.abc import AsyncIterator, Collection
from typing import Final

from starlette.requests import Request

from eventimport.errors import refuse, shown
from eventimport.http.forms.body import Body, too_large
from eventimport.http.forms.form_parser import FormParser, PartHead, malformed
from eventimport.http.forms.header_values import media_type, parameters, unquote
from eventimport.storage.config import UploadLimits

MAX_BOUNDARY: Final = 200
"""RFC 2046 allows 70."""


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
                raise too_large(f"bytes in the part {self.name!r}", limit, max_bytes)
        return bytes(content)

    async def text(self) -> str:
        """All of a plain field, decoded. Refuses with 400 what is not UTF-8."""
        content = b"".join([chunk async for chunk in self])
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise malformed(f"the field {self.name!r} is not UTF-8: {error}") from error


class Form(AsyncIterator[Part]):
    """The parts of one request. What has arrived and is not yet read is at most one chunk."""

    def __init__(self, request: Request, limits: UploadLimits, files: Collection[str]) -> None:
        self._parser = FormParser(_boundary(request), limits, files)
        self._events = self._parser.events
        self._current: Part | None = None
        allowed = limits.max_request_bytes
        self._body = Body(
            request,
            max_bytes=allowed,
            refusal=too_large("bytes in the request", "max_request_bytes", allowed),
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
