"""Reading forms: whatever way the bytes are cut, whatever is wrong with them."""

import asyncio
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from eventimport.errors import ProblemError
from eventimport.http.forms.multipart import parts
from eventimport.http.headers import ContentDisposition, parse_content_disposition
from eventimport.storage.config import UploadLimits

BOUNDARY = b"--frontier"
LIMITS = UploadLimits()

Part = tuple[str, str | None, bytes]


def request_of(
    chunks: Iterable[bytes], *, end: bool = True, headers: Sequence[tuple[bytes, bytes]] = ()
) -> Request:
    """A request that brings these chunks; without `end` the client then falls silent."""
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    if end and messages:
        messages[-1]["more_body"] = False
    coming = iter(messages)

    async def receive() -> Message:
        for message in coming:
            return message
        silence: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        return await silence

    content_type = (b"content-type", b"multipart/form-data; boundary=" + BOUNDARY)
    scope = {"type": "http", "method": "POST", "headers": headers or [content_type]}
    return Request(scope, receive)


def form(*sent: Part, end: bytes = b"--\r\n") -> bytes:
    """The body of a form."""
    body = b""
    for name, filename, content in sent:
        body += b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="' + name.encode()
        body += b'"' if filename is None else b'"; filename="' + filename.encode() + b'"'
        body += b"\r\n\r\n" + content + b"\r\n"
    return body + b"--" + BOUNDARY + end


async def read(request: Request, limits: UploadLimits = LIMITS) -> list[Part]:
    """All parts with their content."""
    return [
        (part.name, part.filename, b"".join([chunk async for chunk in part]))
        async for part in parts(request, limits)
    ]


async def problem(request: Request, limits: UploadLimits = LIMITS) -> tuple[int, str, str]:
    """Status, code and detail of the refusal."""
    with pytest.raises(ProblemError) as refused:
        await read(request, limits)
    (found,) = refused.value.problems
    return found.status, found.code, found.detail


SENT: list[Part] = [
    ("first", None, b"a field"),
    ("file", "a.png", b"\r\n--frontie\r\n----frontier-\r\n--\r"),
    ("file", "", b""),
    ("last", "b", b"\r"),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
async def test_parts_however_the_body_is_cut(size: int) -> None:
    body = form(*SENT)
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    assert await read(request_of(chunks)) == SENT


PIECES = st.sampled_from([b"\r", b"\n", b"-", b"--", b"--frontier", b"\r\n----frontie", b"x", b""])


@given(
    contents=st.lists(st.lists(PIECES | st.binary(max_size=20), max_size=8).map(b"".join)),
    cuts=st.lists(st.integers(0, 400), max_size=12),
)
async def test_content_full_of_near_boundaries(contents: list[bytes], cuts: list[int]) -> None:
    sent: list[Part] = [
        ("file", "name", content)
        for content in contents
        if b"\r\n--" + BOUNDARY not in b"\r\n" + content + b"\r\n"
    ]
    body = form(*sent)
    places = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    chunks = [body[a:b] for a, b in itertools.pairwise(places)]
    assert await read(request_of(chunks)) == sent


async def test_a_body_that_ends_anywhere_too_early_is_refused() -> None:
    body = form(*SENT)
    whole = len(body) - len("\r\n")
    for length in range(whole):
        status, code, _ = await problem(request_of([body[:length]]))
        assert (status, code) == (400, "malformed-form"), body[:length]
    assert await read(request_of([body[:whole]])) == SENT


async def test_parts_that_nobody_reads_are_passed_over() -> None:
    body = form(*SENT)
    names = [part.name async for part in parts(request_of([body[:90], body[90:]]), LIMITS)]
    assert names == ["first", "file", "file", "last"]


async def test_a_part_gives_nothing_once_the_next_was_asked_for() -> None:
    found = [part async for part in parts(request_of([form(*SENT)]), LIMITS)]
    assert [[chunk async for chunk in part] for part in found] == [[]] * len(SENT)


async def test_what_follows_the_last_boundary_is_read_and_ignored() -> None:
    body = form(*SENT, end=b"--\r\nepilogue")
    assert await read(request_of([b"\r\n" + body, b"more", b""])) == SENT


async def test_an_empty_form_has_no_parts() -> None:
    assert await read(request_of([form()])) == []


@pytest.mark.parametrize(
    ("limit", "sent"),
    [
        ("max_file_bytes", [("file", "a", b"x" * 11)]),
        ("max_files", [("file", "a", b"")] * 11),
        ("max_fields", [("field", None, b"")] * 11),
        ("max_field_bytes", [("field", None, b"x" * 11)]),
        ("max_request_bytes", [("file", "a", b"")]),
        ("max_header_bytes", [("file", "a", b"")]),
    ],
)
@pytest.mark.parametrize("size", [1, 5, 10_000])
async def test_each_limit_names_itself(limit: str, sent: list[Part], size: int) -> None:
    values: dict[str, Any] = {limit: 10}
    body = form(*sent)
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    status, code, detail = await problem(request_of(chunks), replace(LIMITS, **values))
    assert (status, code) == (413, "limit-exceeded")
    # The other limits are fixed: there is no setting to name.
    settings = {"max_file_bytes", "max_files", "max_request_bytes"}
    assert (limit.upper() in detail) is (limit in settings)
    assert "10 " in detail
    assert await read(request_of(chunks)) == sent


async def test_each_limit_may_be_reached() -> None:
    sent: list[Part] = [("file", "a", b"x" * 10)] * 10 + [("field", None, b"x" * 10)] * 10
    body = form(*sent)
    limits = replace(
        LIMITS,
        max_file_bytes=10,
        max_files=10,
        max_fields=10,
        max_field_bytes=10,
        max_request_bytes=len(body),
    )
    assert await read(request_of([body]), limits) == sent


async def test_too_many_headers() -> None:
    body = form(("file", "a", b"")).replace(b"\r\n\r\n", b"\r\nX-A: b" * 20 + b"\r\n\r\n", 1)
    status, code, detail = await problem(request_of([body]))
    assert (status, code) == (413, "limit-exceeded")
    assert "more than 16 headers" in detail


async def test_a_declared_size_is_refused_before_anything_is_read() -> None:
    headers = [
        (b"content-type", b"multipart/form-data; boundary=x"),
        (b"content-length", b"1000"),
    ]
    with pytest.raises(ProblemError) as refused:
        parts(request_of([], headers=headers), replace(LIMITS, max_request_bytes=999))
    assert refused.value.status == 413
    parts(request_of([], headers=headers), replace(LIMITS, max_request_bytes=1000))


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (None, 415),
        (b"", 415),
        (b"application/zip", 415),
        (b"multipart/mixed; boundary=x", 415),
        (b"multipart/form-data", 400),
        (b"multipart/form-data; boundary=", 400),
        (b"multipart/form-data; boundary=" + b"x" * 1000, 400),
    ],
)
async def test_what_is_no_form(content_type: bytes | None, status: int) -> None:
    headers = [(b"x-no", b"type")] if content_type is None else [(b"content-type", content_type)]
    found, _, _ = await problem(request_of([b""], headers=headers))
    assert found == status


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"Content-Disposition: form-data\r\n",
        b'Content-Disposition: attachment; name="file"\r\n',
        b"no header at all\r\n",
        b": value\r\n",
        b"Name\x00: value\r\n",
        b'Content-Disposition: form-data; name="f"\r\nContent-Transfer-Encoding: base64\r\n',
    ],
)
async def test_malformed_parts(head: bytes) -> None:
    body = b"--" + BOUNDARY + b"\r\n" + head + b"\r\ncontent\r\n--" + BOUNDARY + b"--"
    status, code, _ = await problem(request_of([body]))
    assert (status, code) == (400, "malformed-form")


async def test_a_client_that_falls_silent() -> None:
    body = form(("file", "a", b"x" * 100))
    limits = replace(LIMITS, chunk_timeout_seconds=0.01)
    status, code, detail = await problem(request_of([body[:-20]], end=False), limits)
    assert (status, code) == (408, "upload-stalled")
    assert "0.01 seconds" in detail


async def test_a_client_that_has_gone() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    request = request_of([])
    with pytest.raises(ClientDisconnect):
        await read(Request(request.scope, receive))


async def test_fields_are_text() -> None:
    async for part in parts(request_of([form(("field", None, "Zoë".encode()))]), LIMITS):
        assert await part.text() == "Zoë"
    async for part in parts(request_of([form(("field", None, b"\xff"))]), LIMITS):
        with pytest.raises(ProblemError, match="not UTF-8"):
            await part.text()


async def test_reading_a_part_whole_is_bounded() -> None:
    async for part in parts(request_of([form(("file", "a", b"x" * 100))]), LIMITS):
        assert await part.read(100, limit="MAX_IMAGE_BYTES") == b"x" * 100
    async for part in parts(request_of([form(("file", "a", b"x" * 100))]), LIMITS):
        with pytest.raises(ProblemError, match="MAX_IMAGE_BYTES"):
            await part.read(99, limit="MAX_IMAGE_BYTES")


@pytest.mark.parametrize(
    ("header", "name", "filename"),
    [
        (b'form-data; name="a"', "a", None),
        (b'form-data; name="a"; filename=""', "a", ""),
        (b"form-data; name=a; filename=b.png", "a", "b.png"),
        (b'FORM-DATA ;\tNAME = "a" ; FileName="b"', "a", "b"),
        (b'form-data; name="a"; filename="b;c=d.png"', "a", "b;c=d.png"),
        (rb'form-data; name="a"; filename="say \"hi\".png"', "a", 'say "hi".png'),
        (b'form-data; name="a"; filename="say %22hi%22.png"', "a", 'say "hi".png'),
        (rb'form-data; name="a"; filename="C:\dir\new.png"', "a", r"C:\dir\new.png"),
        ('form-data; name="a"; filename="Zoë.png"'.encode(), "a", "Zoë.png"),
        ('form-data; name="a"; filename="Zoë.png"'.encode("latin-1"), "a", "Zoë.png"),
        (b"form-data; name=\"a\"; filename*=UTF-8''Zo%C3%AB.png", "a", "Zoë.png"),
        (b"form-data; name=a; filename=\"x\"; filename*=utf-8'en'%e2%82%ac", "a", "€"),
        (b"form-data; name=a; filename*=iso-8859-1''Zo%EB", "a", "Zoë"),
        (b"form-data; name=a; filename=\"x\"; filename*=UTF-8''%FF", "a", "x"),
        (b"form-data; name=a; filename=\"x\"; filename*=UTF-16''%FF", "a", "x"),
        (b'form-data; name=a; filename="x"; filename*=nothing', "a", "x"),
        (b'form-data; name="a"; name="b"', "a", None),
        (b'form-data; filename="b"', None, "b"),
        (b'attachment; name="a"', None, None),
        (b"", None, None),
        (b'form-data; name="unclosed', '"unclosed', None),
    ],
)
def test_content_disposition(header: bytes, name: str | None, filename: str | None) -> None:
    assert parse_content_disposition(header) == ContentDisposition(name, filename)


UNENCODED = st.text().filter(lambda text: "%" not in text)


@given(name=UNENCODED, filename=UNENCODED)
def test_names_come_back_as_they_were_spelled(name: str, filename: str) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    header = f"form-data; name={quoted(name)}; filename={quoted(filename)}"
    found = parse_content_disposition(header.encode("utf-8"))
    assert (found.name, found.filename) == (name, filename)
    header = f"form-data; name={quoted(name)}; filename*=UTF-8''{quote(filename, safe='')}"
    assert parse_content_disposition(header.encode()).filename == filename


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_passed_over(junk: bytes) -> None:
    found = parse_content_disposition(b"form-data; name=a;" + junk)
    assert found.name is not None
