"""A catalogue of archives with something odd in them that is no reason to refuse them.

Each ends in a finding that is no error, and its documents and files are read all the same.
"""

import io
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from tests.formats.bad_archives import PICTURE, SESSIONS
from tests.formats.zip_surgery import EVENT, archive_bytes, patched, renamed, zip_bytes

from eventimport.conference.report import Severity

NAME: Final = b'{"id": 1, "name": "%s", "timezone": "UTC"}'
INNER: Final = zip_bytes([("event", EVENT)])
NFC: Final = "images/é.png"
NFD: Final = unicodedata.normalize("NFD", NFC)


@dataclass(frozen=True)
class OddArchive:
    """One odd archive. `code` is that of its only finding, None if it has none; `files` are the
    paths of its files from the zip's root; `sessions` says how many sessions it has, and `event`
    what its event is called."""

    build: Callable[[], bytes]
    code: str | None
    severity: Severity = Severity.WARNING
    entry: str | None = None
    files: tuple[str, ...] = ()
    sessions: int = 0
    event: str = "Conference"


def _with(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Callable[[], bytes]:
    return partial(archive_bytes, *members, method=method)


def _zip(*members: tuple[str, bytes]) -> Callable[[], bytes]:
    return partial(zip_bytes, members)


def _with_mode(name: str, mode: int) -> bytes:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (mode | 0o644) << 16
    return archive_bytes((info, b"/etc/passwd"))


def _renamed(old: str, new: bytes, *, utf8: bool = False) -> bytes:
    data = archive_bytes((old, PICTURE))
    return renamed(patched(data, old, flag_bits=0x800 if utf8 else 0), old.encode(), new)


def with_unicode_path(
    name: str,
    unicode_name: str,
    *,
    checksum_of: str | None = None,
    event: bytes = EVENT,
    content: bytes = PICTURE,
) -> bytes:
    """An archive whose entry `name` has Info-ZIP's field with another name."""
    info = zipfile.ZipInfo(name)
    checksum = zlib.crc32((checksum_of or name).encode())
    data = struct.pack("<BI", 1, checksum) + unicode_name.encode()
    info.extra = struct.pack("<HH", 0x7075, len(data)) + data
    return zip_bytes([("event.json", event), (info, content)])


def _appended() -> bytes:
    # Beyond what the standard library looks through, with what looks like another end record.
    return archive_bytes() + b"\n" * 70_000 + b"PK\x05\x06" + b"\xff" * 30


def _split_marker() -> bytes:
    buffer = io.BytesIO()
    buffer.write(b"PK\x07\x08")
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("event", EVENT)
    return buffer.getvalue()


REPAIR: Final = Severity.REPAIR

ODD_ARCHIVES: Final[dict[str, OddArchive]] = {
    # Names.
    "traversal": OddArchive(_with(("../evil.png", PICTURE)), "unsafe-name", entry="../evil.png"),
    "traversal inside": OddArchive(
        _with(("images/../../e.png", PICTURE)), "unsafe-name", entry="images/../../e.png"
    ),
    "traversal of a document": OddArchive(
        _with(("../sessions", SESSIONS)), "unsafe-name", entry="../sessions"
    ),
    "traversal with backslashes": OddArchive(
        _with(("..\\evil.png", PICTURE)), "unsafe-name", entry="..\\evil.png"
    ),
    "control character": OddArchive(_with(("a\nb.png", PICTURE)), "unsafe-name", entry="a\\nb.png"),
    "NUL in a name": OddArchive(
        lambda: renamed(archive_bytes(("evil!.png", PICTURE)), b"evil!.png", b"evil\0.png"),
        "unsafe-name",
        entry="evil\\x00.png",
    ),
    "absolute": OddArchive(
        _zip(("/event.json", EVENT), ("/images/a.png", PICTURE)),
        "absolute-name",
        REPAIR,
        "/event.json",
        ("images/a.png",),
    ),
    "two slashes": OddArchive(_zip(("//event.json", EVENT)), "absolute-name", REPAIR),
    "dots": OddArchive(_zip(("./event.json", EVENT), ("./a.png", PICTURE)), None, files=("a.png",)),
    "drive": OddArchive(
        _with(("C:/a.png", PICTURE)), "absolute-name", REPAIR, "C:/a.png", ("a.png",)
    ),
    "backslashes": OddArchive(
        _zip(("conf\\event.json", EVENT), ("conf\\images\\a.png", PICTURE)),
        "backslash-name",
        REPAIR,
        "conf\\event.json",
        ("conf/images/a.png",),
    ),
    "folder with a backslash": OddArchive(_with(("images\\", b"")), None),
    "marked as UTF-8 and not": OddArchive(
        partial(_renamed, "images/XX.png", b"images/\xff\xfe.png", utf8=True),
        "name-not-utf8",
        files=("images/\xa0■.png",),
    ),
    "code page 437": OddArchive(
        partial(_renamed, "images/X.png", b"images/\x81.png"),
        "name-not-utf8",
        files=("images/ü.png",),
    ),
    "UTF-8 without its flag": OddArchive(
        partial(_renamed, "images/XX.png", NFC.encode()), None, files=(NFC,)
    ),
    "Unicode path": OddArchive(
        lambda: with_unicode_path("images/_od_.png", "images/Łódź.png"),
        None,
        files=("images/Łódź.png",),
    ),
    "Unicode path of an entry renamed since": OddArchive(
        lambda: with_unicode_path("images/a.png", "images/b.png", checksum_of="images/c.png"),
        None,
        files=("images/a.png",),
    ),
    # Kinds of entries.
    "symlink": OddArchive(partial(_with_mode, "a.png", stat.S_IFLNK), "not-a-file", entry="a.png"),
    "device": OddArchive(partial(_with_mode, "a.png", stat.S_IFBLK), "not-a-file", entry="a.png"),
    "encrypted file": OddArchive(
        lambda: patched(archive_bytes(("a.png", PICTURE)), "a.png", flag_bits=1),
        "encrypted-entry",
        entry="a.png",
    ),
    "file in zstd": OddArchive(
        lambda: patched(archive_bytes(("a.png", PICTURE)), "a.png", compress_type=93),
        "compression-method",
        entry="a.png",
    ),
    "junk": OddArchive(
        _with(
            *((f"{name}", b"x") for name in ("Icon\r", "Thumbs.db", "desktop.ini", ".DS_Store")),
            *((f"{name}", b"x") for name in ("__MACOSX/._event", "images/._a.png", "~$a.docx")),
        ),
        None,
    ),
    "zip among the files": OddArchive(
        _with(("slides/all.zip", INNER)), None, files=("slides/all.zip",)
    ),
    "bzip2": OddArchive(_with(("sessions", SESSIONS), method=zipfile.ZIP_BZIP2), None, sessions=2),
    "LZMA": OddArchive(_with(("sessions", SESSIONS), method=zipfile.ZIP_LZMA), None, sessions=2),
    "wrong checksum of a file": OddArchive(
        lambda: patched(archive_bytes(("a.png", PICTURE)), "a.png", crc=1),
        "damaged-entry",
        entry="a.png",
    ),
    "silence": OddArchive(_with(("a.wav", bytes(3_000_000))), None, files=("a.wav",)),
    # Layout.
    "one name twice, other bytes": OddArchive(
        _zip(("event", NAME % b"Old"), ("event", NAME % b"New")), "replaced-entry", event="New"
    ),
    "one name twice, same bytes": OddArchive(
        _with(("a.png", PICTURE), ("a.png", PICTURE)), "duplicate-entry", REPAIR, files=("a.png",)
    ),
    "with and without a dot": OddArchive(
        _with(("a.png", PICTURE), ("./a.png", b"")), "replaced-entry", files=("a.png",)
    ),
    "with and without .json": OddArchive(
        _zip(("event", NAME % b"One"), ("event.json", NAME % b"Two")),
        "duplicate-document",
        entry="event",
        event="Two",
    ),
    "with and without .json, same bytes": OddArchive(
        _with(("event.json", EVENT)), "duplicate-entry", REPAIR, "event"
    ),
    "two cases of a document": OddArchive(
        _zip(("event", NAME % b"One"), ("Event", NAME % b"Two")),
        "duplicate-document",
        entry="Event",
        event="One",
    ),
    "two spellings of a document": OddArchive(
        _with(("session_types", b"[]"), ("session-types", b"[]")), "duplicate-entry", REPAIR
    ),
    "two Unicode forms, other bytes": OddArchive(
        _with((NFC, PICTURE), (NFD, b"x")), None, files=(NFC, NFD)
    ),
    "two Unicode forms, same bytes": OddArchive(
        _with((NFC, PICTURE), (NFD, PICTURE)), "duplicate-entry", REPAIR, NFD, (NFC,)
    ),
    "two cases, other bytes": OddArchive(
        _with(("a.png", PICTURE), ("A.PNG", b"x")), None, files=("A.PNG", "a.png")
    ),
    "two cases, same bytes": OddArchive(
        _with(("a.png", PICTURE), ("A.PNG", PICTURE)),
        "duplicate-entry",
        REPAIR,
        "A.PNG",
        ("a.png",),
    ),
    # Names of documents.
    "singular": OddArchive(
        _with(("session.json", SESSIONS)), "document-name", entry="session.json", sessions=2
    ),
    "copy": OddArchive(_with(("sessions (1).json", SESSIONS)), "document-name", sessions=2),
    "copy of Windows": OddArchive(
        _with(("sessions - Copy.json", SESSIONS)), "document-name", sessions=2
    ),
    "text": OddArchive(_zip(("event.json.txt", EVENT)), "document-name", entry="event.json.txt"),
    "copy beside the original": OddArchive(
        _with(("sessions.json", SESSIONS), ("sessions (1).json", b"[{}]")),
        "duplicate-document",
        entry="sessions (1).json",
        sessions=2,
    ),
    "name like a document's": OddArchive(
        _with(("talks.txt", b"Notes on the talks")), None, files=("talks.txt",)
    ),
    # Around the zip.
    "self-extracting": OddArchive(lambda: b"MZ" + bytes(5000) + archive_bytes(), None),
    "appended": OddArchive(_appended, None),
    "an empty zip appended": OddArchive(lambda: archive_bytes() + zip_bytes([]), None),
    "marker of a split zip": OddArchive(_split_marker, None),
}
