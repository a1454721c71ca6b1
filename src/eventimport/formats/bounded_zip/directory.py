"""The central directory of a zip, read within bounds, and where each entry's data really lie.

It is read here, and not by the standard library, because an archive must not fail for one entry:
`zipfile` gives up at the first name that is marked as UTF-8 and is not, and knows the Unicode path
field (0x7075) only from Python 3.12 on.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import SEEK_END
from typing import BinaryIO, Final

from eventimport.conference.report import Place, shown
from eventimport.errors import size_in_words
from eventimport.formats.limits import MIB, ArchiveError, ArchiveLimits

ZIP_MAGIC: Final = b"PK\x03\x04"

_DIRECTORY_MAGIC: Final = b"PK\x01\x02"
_END_MAGIC: Final = b"PK\x05\x06"
_END64_MAGIC: Final = b"PK\x06\x06"
_LOCATOR64_MAGIC: Final = b"PK\x06\x07"
_HEADER: Final = struct.Struct("<4sBBHHHHHIIIHHHHHII")
_LOCAL_HEADER: Final = struct.Struct("<4s22xHH")
_END: Final = struct.Struct("<4sHHHHIIH")
_END64: Final = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR64: Final = struct.Struct("<4sIQI")
_HEAD: Final = 64
_OTHER_FORMATS: Final = {
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"\x1f\x8b": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an XZ file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
    b"%PDF": "a PDF",
}
_END_REACH: Final = MIB
"""Bytes at the end in which the end record is sought: downloads append things to a zip."""
_MAX_ENDS: Final = 64
"""End records that are tried: what is appended may look like one."""
_BYTES_PER_ENTRY: Final = 512
_UNKNOWN: Final = 0xFFFFFFFF
_ZIP64_FIELD: Final = 1
_UNICODE_PATH_FIELD: Final = 0x7075
_UTF8_FLAG: Final = 0x800

CODE_PAGES: Final = (
    "cp437",
    "cp850",
    "cp1252",
    "cp852",
    "cp1250",
    "cp866",
    "cp1251",
    "cp932",
    "gb18030",
    "cp949",
    "big5",
)
"""What the names of old zips are written in: the standard's code page, then those of Windows."""


@dataclass(frozen=True, slots=True)
class Name:
    """An entry's name as the archive means it. `guessed` says that its encoding is not known;
    `raw` are its bytes then, which `other_readings` reads in other ways."""

    text: str
    guessed: bool = False
    raw: bytes = b""

    def other_readings(self) -> dict[str, None]:
        """What the name may be in other code pages, most likely first."""
        found: dict[str, None] = {}
        if self.guessed:
            for page in CODE_PAGES:
                try:
                    found.setdefault(self.raw.decode(page))
                except UnicodeDecodeError:
                    continue
        return found


@dataclass(frozen=True, slots=True)
class Member:
    """One entry as the directory has it. `offset` is that of its local header in the
    file."""

    name: Name
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    attributes: int
    offset: int

    @property
    def mode(self) -> int:
        """The file mode of Unix; 0 if there is none."""
        return self.attributes >> 16

    @property
    def content(self) -> tuple[int, int]:
        """Size and CRC-32: two entries that have the same are copies of each other."""
        return self.size, self.crc


@dataclass(frozen=True, slots=True)
class Directory:
    """The entries of a zip in the directory's order, and where the directory begins. `split` says
    that the end record speaks of more than one file."""

    members: list[Member]
    start: int
    split: bool


def read_directory(file: BinaryIO, limits: ArchiveLimits) -> Directory:
    """The zip's central directory.

    Raises NotAZipError, ArchiveError if the zip is damaged or over a limit, and OSError if the file
    cannot be read.
    """
    size = file.seek(0, SEEK_END)
    tail_start = max(0, size - _END_REACH)
    file.seek(tail_start)
    tail = file.read(_END_REACH)
    reason = ""
    empty = False
    for position in _end_records(tail):
        try:
            directory = _directory_at(file, tail_start + position, limits)
        except _DamagedError as error:
            # What is appended may look like an end record, too. The last one counts if none fits.
            reason = reason or str(error)
            continue
        if directory.members:
            return directory
        empty = True
    if empty:
        raise ArchiveError("empty-archive", "The zip has no entries.")
    if reason:
        raise ArchiveError("damaged-archive", f"The zip's central directory is damaged: {reason}.")
    file.seek(0)
    head = file.read(_HEAD)
    if head.startswith(ZIP_MAGIC):
        message = (
            f"The zip is incomplete: it ends after {size:,} bytes, without a central directory. "
            "Upload the file again."
        )
        raise ArchiveError("truncated-archive", message)
    raise NotAZipError(head)


class NotAZipError(ArchiveError):
    """The file does not end as a zip does, nor begin as one."""

    def __init__(self, head: bytes) -> None:
        super().__init__("not-a-zip", f"The file is not a zip{_what_it_is(head)}.")


def _what_it_is(head: bytes) -> str:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, what in _OTHER_FORMATS.items():
        if head.startswith(magic):
            return f", but {what}. Pack the event's files as a zip"
    if text.startswith((b"{", b"[")):
        return ", but JSON text. Put event.json and the other documents into a zip"
    if text.startswith(b"<"):
        return ", but a web page or XML"
    return "" if head else "; it is empty"


class _DamagedError(Exception):
    """What an end record speaks of is not there."""


def _end_records(tail: bytes) -> Iterator[int]:
    position = len(tail)
    for _ in range(_MAX_ENDS):
        position = tail.rfind(_END_MAGIC, 0, position)
        if position < 0:
            return
        if position + _END.size <= len(tail):
            yield position


def _directory_at(file: BinaryIO, end: int, limits: ArchiveLimits) -> Directory:
    file.seek(end)
    _, disk, first_disk, _, count, size, offset, _ = _END.unpack(file.read(_END.size))
    split = bool(disk or first_disk) and disk != 0xFFFF
    if end >= _LOCATOR64.size + _END64.size:
        file.seek(end - _LOCATOR64.size)
        magic, _, end64, _ = _LOCATOR64.unpack(file.read(_LOCATOR64.size))
        if magic == _LOCATOR64_MAGIC:
            end, count, size, offset = _end64(file, end - _LOCATOR64.size, end64)
    max_bytes = MIB + limits.max_entries * _BYTES_PER_ENTRY
    # Data before the zip, such as a program that unpacks it, shift all offsets.
    start = end - size
    if size and start >= 0 and size <= max_bytes and not _is_at(file, start, _DIRECTORY_MAGIC):
        start = offset
    if start < 0 or start + size > end:
        raise _DamagedError(f"it would begin at byte {start:,} and have {size:,} bytes")
    if size > max_bytes:
        message = (
            f"The zip's directory has {size_in_words(size)}, but"
            f" {limits.max_entries:,} entries (MAX_ARCHIVE_ENTRIES) need at most"
            f" {size_in_words(max_bytes)}."
        )
        raise ArchiveError("too-many-entries", message)
    file.seek(start)
    members = list(_members(file.read(size), start - offset, limits))
    if not members and count:
        raise _DamagedError(f"it is empty, and should list {count:,} entries")
    return Directory(members, start, split)


def _end64(file: BinaryIO, locator: int, claimed: int) -> tuple[int, int, int, int]:
    # Where the locator says, or, if data were put before the zip, right before the locator.
    for position in (claimed, locator - _END64.size):
        if 0 <= position <= locator - _END64.size and _is_at(file, position, _END64_MAGIC):
            file.seek(position)
            record = _END64.unpack(file.read(_END64.size))
            return position, record[7], record[8], record[9]
    raise _DamagedError("the zip64 end record is missing")


def _is_at(file: BinaryIO, position: int, magic: bytes) -> bool:
    file.seek(position)
    return file.read(len(magic)) == magic


def _members(data: bytes, shift: int, limits: ArchiveLimits) -> Iterator[Member]:
    position = number = 0
    while position < len(data):
        number += 1
        if number > limits.max_entries:
            message = (
                f"The zip has more than {limits.max_entries:,} entries. The limit is set by "
                "MAX_ARCHIVE_ENTRIES."
            )
            raise ArchiveError("too-many-entries", message)
        if position + _HEADER.size > len(data):
            raise _DamagedError(f"it ends within entry {number:,}")
        header = _HEADER.unpack_from(data, position)
        magic, _, _, _, flags, method, _, _, crc, packed, size = header[:11]
        name_length, extra_length, comment_length, _, _, attributes, offset = header[11:]
        if magic != _DIRECTORY_MAGIC:
            raise _DamagedError(f"entry {number:,} does not begin where it should")
        position += _HEADER.size
        raw = data[position : position + name_length]
        extra = data[position + name_length : position + name_length + extra_length]
        position += name_length + extra_length + comment_length
        if position > len(data):
            raise _DamagedError(f"it ends within entry {number:,}")
        fields = dict(_fields(extra))
        size, packed, offset = _zip64(fields.get(_ZIP64_FIELD, b""), size, packed, offset)
        name = _decoded_name(raw, flags, _unicode_path(fields.get(_UNICODE_PATH_FIELD, b""), raw))
        yield Member(name, flags, method, crc, packed, size, attributes, max(0, offset + shift))


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, position)
        yield kind, extra[position + 4 : position + 4 + length]
        position += 4 + length


def _zip64(field: bytes, *values: int) -> list[int]:
    """Size, packed size and offset, each from the zip64 field if the header cannot hold it."""
    numbers = iter(struct.unpack_from(f"<{len(field) // 8}Q", field))
    return [next(numbers, value) if value == _UNKNOWN else value for value in values]


def _decoded_name(raw: bytes, flags: int, unicode_path: str | None) -> Name:
    """The name of these bytes; `unicode_path` is what the extra field for it says.

    Without its flag for UTF-8, a name is in code page 437 by the standard, and in UTF-8 by the
    habit of many tools: it is read as UTF-8 if it is valid UTF-8, else as the standard says.
    """
    if unicode_path is not None and not flags & _UTF8_FLAG:
        return Name(unicode_path)
    try:
        return Name(raw.decode())
    except UnicodeDecodeError:
        return Name(raw.decode("cp437"), guessed=True, raw=raw)


def _unicode_path(field: bytes, raw: bytes) -> str | None:
    """The name that Info-ZIP's field gives, if it is about the name that stands in the header:
    tools that rename an entry leave the field behind."""
    if len(field) < 6 or field[0] != 1:
        return None
    (checksum,) = struct.unpack_from("<I", field, 1)
    if checksum != zlib.crc32(raw):
        return None
    try:
        return field[5:].decode()
    except UnicodeDecodeError:
        return None


def locate(
    file: BinaryIO, members: Iterable[Member], limit: int
) -> Iterator[tuple[Member, int, str | None]]:
    """Each entry in the order of the data, with the offset of its data, and what is wrong with
    where they lie, or None. `limit` is where the directory begins.

    Raises ArchiveError if two entries overlap: such a zip inflates the same data many times, and
    no tool for making archives writes it.
    """
    end = 0
    before: Member | None = None
    for member in sorted(members, key=lambda member: member.offset):
        start = member.offset
        if before is not None and start < end:
            names = " and ".join(shown(each.name.text) for each in (before, member))
            message = (
                f"The data of two entries overlap: {names}. Create the zip again with"
                " a zip program."
            )
            raise ArchiveError("overlapping-entries", message, Place(shown(member.name.text)))
        header = _local_header(file, start, limit)
        if header is None:
            yield member, 0, f"The zip is damaged: no entry begins at byte {start:,}."
            continue
        data_offset = start + _LOCAL_HEADER.size + sum(header)
        reach = data_offset + member.packed
        if reach > limit:
            yield member, 0, "The zip is damaged: the entry's data reach into the directory."
            continue
        before, end = member, reach
        yield member, data_offset, None


def _local_header(file: BinaryIO, start: int, limit: int) -> tuple[int, int] | None:
    if not 0 <= start <= limit - _LOCAL_HEADER.size:
        return None
    file.seek(start)
    data = file.read(_LOCAL_HEADER.size)
    if len(data) != _LOCAL_HEADER.size:
        return None
    magic, name_length, extra_length = _LOCAL_HEADER.unpack(data)
    return (name_length, extra_length) if magic == ZIP_MAGIC else None
