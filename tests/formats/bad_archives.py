"""A catalogue of hostile and broken archives: how each is made, and the error that it must end in.

The archives are small; where a limit is what they go over, `limits` is lowered for them.
"""

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from tests.formats.zip_surgery import (
    EVENT,
    archive_bytes,
    directory_offset,
    header_offset,
    patched,
    with_zip64_end,
    with_zip64_extra,
    zip_bytes,
)

from eventimport.formats.limits import ArchiveLimits

KIB: Final = 1024
LARGE_FROM_1_MIB: Final = ArchiveLimits(ratio_from_bytes=KIB * KIB)
SESSIONS: Final = b'[{"id": 1, "title": "One"}, {"id": 2, "title": "Two"}]'
PICTURE: Final = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@dataclass(frozen=True)
class BadArchive:
    """One bad archive. An error of this `code` must be found at this place, `path` being its field;
    `only_media` says that it shows only when media are read."""

    build: Callable[[], bytes]
    code: str
    entry: str | None = None
    record: int | None = None
    line: int | None = None
    column: int | None = None
    path: str | None = None
    limits: ArchiveLimits = field(default_factory=ArchiveLimits)
    only_media: bool = False


def _with(name: str, data: bytes = PICTURE) -> Callable[[], bytes]:
    return partial(archive_bytes, (name, data))


def _sessions(text: bytes) -> Callable[[], bytes]:
    return partial(archive_bytes, ("sessions", text))


def _patched(name: str, /, **fields: int) -> Callable[[], bytes]:
    return lambda: patched(archive_bytes((name, SESSIONS)), name, **fields)


def _lying_about_size() -> bytes:
    data = archive_bytes(("sessions", b"[" + b" " * 10_000 + b"]"))
    return patched(data, "sessions", file_size=2)


def _lying_bomb(name: str, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = archive_bytes((name, b"[" + b" " * (3 * KIB * KIB) + b"]"), method=method)
    return patched(data, name, file_size=100)


def _compressed_badly(method: int) -> bytes:
    data = bytearray(archive_bytes(("sessions", SESSIONS), method=method))
    start = header_offset(bytes(data), "sessions") + 30 + len("sessions")
    data[start + 10 : start + 20] = b"\xff" * 10
    return bytes(data)


def _same_data_twice() -> bytes:
    data = archive_bytes(("sessions", SESSIONS), ("sessioms", SESSIONS))
    return patched(data, "sessioms", header_offset=header_offset(data, "sessions"))


def _entry_within_an_entry() -> bytes:
    inner = zip_bytes([("tracks", b"[]")], zipfile.ZIP_STORED)
    data = archive_bytes(("outer.bin", inner), ("tracks", b"[]"), method=zipfile.ZIP_STORED)
    start = header_offset(data, "outer.bin") + 30 + len("outer.bin")
    return patched(data, "tracks", header_offset=start)


def _truncated_in_front() -> bytes:
    data = archive_bytes(("sessions", SESSIONS), ("a.png", PICTURE))
    return data[200:]


def _directory_damaged() -> bytes:
    data = archive_bytes(("sessions", SESSIONS))
    return data.replace(b"PK\x01\x02", b"PK\x01\x03", 1)


def _directory_misses_bytes() -> bytes:
    data = archive_bytes(("sessions", SESSIONS))
    start = directory_offset(data)
    return data[: start + 10] + data[start + 30 :]


def _count_of_entries_lies() -> bytes:
    data = archive_bytes(*((f"{number}.png", b"") for number in range(60)))
    end = data.rindex(b"PK\x05\x06")
    return data[: end + 8] + b"\x01\x00\x01\x00" + data[end + 12 :]


def _directory_too_large() -> bytes:
    data = archive_bytes(("sessions", SESSIONS))
    filler = b"\0" * (3 * KIB * KIB)
    start = directory_offset(data)
    data = data[:start] + filler + data[start:]
    return with_zip64_end(data, directory_size=len(filler) + 100, directory_start=start)


def _header_overwritten() -> bytes:
    data = bytearray(archive_bytes(("sessions", SESSIONS)))
    start = header_offset(bytes(data), "sessions")
    data[start : start + 4] = b"\0\0\0\0"
    return bytes(data)


def _data_overwritten() -> bytes:
    data = bytearray(archive_bytes(("sessions", SESSIONS)))
    start = header_offset(bytes(data), "sessions") + 30 + len("sessions")
    data[start : start + 8] = b"\xff" * 8
    return bytes(data)


def _nested(depth: int) -> bytes:
    return b"[" + b'{"a": ' * depth + b"1" + b"}" * depth + b"]"


_INNER: Final = zip_bytes([("event", EVENT)])
_SILLY: Final = 2**63

BAD_ARCHIVES: Final[dict[str, BadArchive]] = {
    # Kinds of entries.
    "encrypted": BadArchive(_patched("sessions", flag_bits=1), "encrypted-entry", "sessions"),
    "strongly encrypted": BadArchive(
        _patched("sessions", flag_bits=0x41), "encrypted-entry", "sessions"
    ),
    "encrypted by AES": BadArchive(
        _patched("sessions", compress_type=99), "encrypted-entry", "sessions"
    ),
    "PPMd": BadArchive(_patched("sessions", compress_type=98), "compression-method", "sessions"),
    "deflate64": BadArchive(
        _patched("sessions", compress_type=9), "compression-method", "sessions"
    ),
    "event in deflate64": BadArchive(
        partial(patched, zip_bytes([("event", EVENT)]), "event", compress_type=9),
        "compression-method",
        "event",
    ),
    "unknown method": BadArchive(
        _patched("sessions", compress_type=77), "compression-method", "sessions"
    ),
    "only a zip": BadArchive(
        partial(zip_bytes, [("conference.zip", _INNER)]), "nested-zip", "conference.zip"
    ),
    "only a zip, unnamed": BadArchive(
        partial(zip_bytes, [("conference", _INNER)]), "nested-zip", "conference"
    ),
    "zip as a document": BadArchive(_sessions(_INNER), "nested-zip", "sessions", line=1, column=1),
    # Layout.
    "two roots": BadArchive(
        partial(zip_bytes, [("one/event", EVENT), ("two/event.json", EVENT)]),
        "several-roots",
        "one/event",
    ),
    "no event": BadArchive(partial(zip_bytes, [("sessions", SESSIONS)]), "no-event"),
    "only junk": BadArchive(
        partial(zip_bytes, [("__MACOSX/event", EVENT), (".DS_Store", b"")]), "no-event"
    ),
    "no entries": BadArchive(partial(zip_bytes, []), "empty-archive"),
    # Limits.
    "too many entries": BadArchive(
        partial(archive_bytes, *((f"{number}.png", b"") for number in range(60))),
        "too-many-entries",
        limits=ArchiveLimits(max_entries=50),
    ),
    "count of entries lies": BadArchive(
        _count_of_entries_lies, "too-many-entries", limits=ArchiveLimits(max_entries=50)
    ),
    "directory too large": BadArchive(
        _directory_too_large, "too-many-entries", limits=ArchiveLimits(max_entries=50)
    ),
    "entry too large": BadArchive(
        _with("a.bin", bytes(range(256)) * 8),
        "entry-too-large",
        "a.bin",
        limits=ArchiveLimits(max_entry_bytes=KIB),
    ),
    "document too large": BadArchive(
        _sessions(b"[" + b" " * KIB + b"]"),
        "document-too-large",
        "sessions",
        limits=ArchiveLimits(max_document_bytes=KIB),
    ),
    "document larger than it says": BadArchive(
        _lying_about_size,
        "document-too-large",
        "sessions",
        limits=ArchiveLimits(max_document_bytes=KIB),
    ),
    "entry larger than it says": BadArchive(_lying_about_size, "damaged-entry", "sessions"),
    "archive too large": BadArchive(
        partial(archive_bytes, *((f"{number}.bin", bytes(200)) for number in range(10))),
        "archive-too-large",
        limits=ArchiveLimits(max_total_bytes=KIB),
    ),
    "archive larger than it says": BadArchive(
        _lying_about_size,
        "archive-too-large",
        "sessions",
        limits=ArchiveLimits(max_total_bytes=KIB),
    ),
    "bomb": BadArchive(
        _sessions(b"[" + b" " * (3 * KIB * KIB) + b"]"),
        "compression-ratio",
        "sessions",
        limits=LARGE_FROM_1_MIB,
    ),
    "bomb that lies": BadArchive(
        partial(_lying_bomb, "sessions"),
        "compression-ratio",
        "sessions",
        limits=LARGE_FROM_1_MIB,
    ),
    "bomb among media that lies": BadArchive(
        partial(_lying_bomb, "a.bin"),
        "compression-ratio",
        "a.bin",
        limits=LARGE_FROM_1_MIB,
        only_media=True,
    ),
    "LZMA bomb that lies": BadArchive(
        partial(_lying_bomb, "a.bin", zipfile.ZIP_LZMA),
        "compression-ratio",
        "a.bin",
        limits=LARGE_FROM_1_MIB,
        only_media=True,
    ),
    "bzip2 bomb that lies": BadArchive(
        partial(_lying_bomb, "a.bin", zipfile.ZIP_BZIP2),
        "compression-ratio",
        "a.bin",
        limits=LARGE_FROM_1_MIB,
        only_media=True,
    ),
    "LZMA dictionary": BadArchive(
        partial(archive_bytes, ("sessions", SESSIONS), method=zipfile.ZIP_LZMA),
        "lzma-dictionary",
        "sessions",
        limits=ArchiveLimits(max_lzma_dictionary_bytes=KIB),
    ),
    "LZMA data damaged": BadArchive(
        partial(_compressed_badly, zipfile.ZIP_LZMA), "damaged-entry", "sessions"
    ),
    "bzip2 data damaged": BadArchive(
        partial(_compressed_badly, zipfile.ZIP_BZIP2), "damaged-entry", "sessions"
    ),
    # Structure.
    "one entry's data for two": BadArchive(_same_data_twice, "overlapping-entries", "sessioms"),
    "an entry within an entry": BadArchive(_entry_within_an_entry, "overlapping-entries", "tracks"),
    "cut off": BadArchive(lambda: archive_bytes(("sessions", SESSIONS))[:120], "truncated-archive"),
    "cut off in the directory": BadArchive(
        lambda: archive_bytes(("sessions", SESSIONS))[:-30], "truncated-archive"
    ),
    "beginning missing": BadArchive(_truncated_in_front, "damaged-entry", "event"),
    "directory damaged": BadArchive(_directory_damaged, "damaged-archive"),
    "directory too short": BadArchive(_directory_misses_bytes, "damaged-archive"),
    "header damaged": BadArchive(_header_overwritten, "damaged-entry", "sessions"),
    "header outside": BadArchive(
        _patched("sessions", header_offset=0x7FFFFFFF), "damaged-entry", "sessions"
    ),
    "data damaged": BadArchive(_data_overwritten, "damaged-entry", "sessions"),
    "wrong checksum": BadArchive(_patched("sessions", crc=1), "damaged-entry", "sessions"),
    "more compressed bytes than there are": BadArchive(
        _patched("sessions", compress_size=0x7FFFFFFF), "damaged-entry", "sessions"
    ),
    "zip64 sizes": BadArchive(
        lambda: with_zip64_extra(
            archive_bytes(("sessions", SESSIONS), method=zipfile.ZIP_STORED),
            "sessions",
            file_size=_SILLY,
            compress_size=len(SESSIONS),
        ),
        "archive-too-large",
    ),
    "zip64 compressed sizes": BadArchive(
        lambda: with_zip64_extra(
            archive_bytes(("sessions", SESSIONS), method=zipfile.ZIP_STORED),
            "sessions",
            file_size=len(SESSIONS),
            compress_size=_SILLY,
        ),
        "damaged-entry",
        "sessions",
    ),
    "zip64 directory": BadArchive(
        lambda: with_zip64_end(archive_bytes(), directory_size=_SILLY, directory_start=_SILLY),
        "damaged-archive",
    ),
    "not a zip": BadArchive(lambda: b"GIF89a" + bytes(1000), "not-a-zip"),
    "nothing": BadArchive(lambda: b"", "not-a-zip"),
    # Text.
    "UTF-16 cut off": BadArchive(
        _sessions(SESSIONS.decode().encode("utf-16")[:-1]), "json-encoding", "sessions", line=1
    ),
    "comma missing": BadArchive(
        _sessions(b'[\n  {"id": 1}\n  {"id": 2}\n]'), "json-syntax", "sessions", line=3, column=3
    ),
    "comma too many": BadArchive(
        _sessions(b'[{"id": 1},\n]'), "json-syntax", "sessions", line=2, column=1
    ),
    "JSON cut off": BadArchive(
        _sessions(b'[{"id": 1},\n{"id": '), "json-syntax", "sessions", record=1, line=2, column=8
    ),
    "JSON string cut off": BadArchive(
        _sessions(b'[{"id": "a'), "json-syntax", "sessions", record=0, line=1, column=9
    ),
    "list cut off": BadArchive(_sessions(b"[{}"), "json-syntax", "sessions", line=1, column=4),
    "text after the list": BadArchive(
        _sessions(b"[]\n x"), "json-syntax", "sessions", line=2, column=2
    ),
    "no JSON": BadArchive(_sessions(b"<html>"), "json-syntax", "sessions", line=1, column=1),
    "newline in a string": BadArchive(
        _sessions(b'[{"a":\n"b\n"}]'), "json-syntax", "sessions", record=0, line=2, column=3
    ),
    "broken event": BadArchive(
        partial(zip_bytes, [("event", b'{"name": }')]), "json-syntax", "event", line=1, column=10
    ),
    "empty event": BadArchive(partial(zip_bytes, [("event", b" \n")]), "empty-document", "event"),
    "null for an event": BadArchive(
        partial(zip_bytes, [("event", b"null")]), "empty-document", "event"
    ),
    "object for an event without anything": BadArchive(
        partial(zip_bytes, [("event", b"{}")]), "empty-document", "event"
    ),
    "object for a list cut off": BadArchive(
        _sessions(b'{"sessions": [{"id": 1}]'), "json-syntax", "sessions", line=1, column=25
    ),
    "comma missing in an object for a list": BadArchive(
        _sessions(b'{"sessions": [{"id": 1}]\n "a": 1}'),
        "json-syntax",
        "sessions",
        line=2,
        column=2,
    ),
    # Values.
    "too deep": BadArchive(
        _sessions(_nested(40)), "json-nesting", "sessions", record=0, line=1, column=2 + 32 * 6
    ),
    "a thousand deep": BadArchive(
        _sessions(_nested(1500)), "json-nesting", "sessions", record=0, line=1, column=2 + 32 * 6
    ),
    "a hundred thousand deep": BadArchive(
        _sessions(b"[" * 100_000), "json-nesting", "sessions", record=0, line=1, column=34
    ),
    "deep event": BadArchive(
        partial(zip_bytes, [("event", _nested(1500)[1:-1])]), "json-nesting", "event", line=1
    ),
    "number for a list": BadArchive(
        _sessions(b"\n 5"), "json-not-a-list", "sessions", line=2, column=2
    ),
    "two events": BadArchive(
        partial(zip_bytes, [("event", b"[" + EVENT + b", " + EVENT + b"]")]),
        "json-not-an-object",
        "event",
        line=1,
        column=1,
    ),
    "too long a string": BadArchive(
        _sessions(json.dumps([{"id": 1}, {"a": ["x" * 5000]}]).encode()),
        "string-too-long",
        "sessions",
        record=1,
        path="a.0",
        limits=ArchiveLimits(max_string_length=1000),
    ),
    "too long a record": BadArchive(
        _sessions(json.dumps([{"id": 1}, {"a": ["x" * 900] * 9}]).encode()),
        "record-too-long",
        "sessions",
        record=1,
        line=1,
        column=13,
        limits=ArchiveLimits(max_record_bytes=5000, max_string_length=1000),
    ),
    "too many records": BadArchive(
        _sessions(b"[{}, {}, {}]"),
        "too-many-records",
        "sessions",
        record=2,
        line=1,
        column=10,
        limits=ArchiveLimits(max_records=2),
    ),
}
