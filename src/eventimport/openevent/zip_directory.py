"""Opening a zip: its central directory within bounds, and where each entry's data really lie.

The format is the standard library's matter. This is what it does not mind: a directory that would
not fit into memory, headers that lead elsewhere, and entries that share their data.
"""

import struct
import zlib
from collections.abc import Sequence
from errno import EINVAL
from io import SEEK_END
from typing import BinaryIO, Final, Never
from zipfile import BadZipFile, ZipFile, ZipInfo

from eventimport.openevent.entry_names import decoded_name, shown
from eventimport.openevent.limits import MIB, ArchiveError, ArchiveLimits
from eventimport.openevent.report import Place

ZIP_MAGIC: Final = b"PK\x03\x04"
ZIP_FAULTS: Final = (
    BadZipFile,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    Warning,
    ValueError,
    struct.error,
    zlib.error,
)
"""What the standard library raises for a zip that is not as it should be."""

_DIRECTORY_MAGIC: Final = b"PK\x01\x02"
_END_MAGIC: Final = b"PK\x05\x06"
_END_REACH: Final = 0xFFFF + 22
_BYTES_PER_ENTRY: Final = 512
_LOCAL_HEADER: Final = struct.Struct("<4s22xHH")


def reraise_disk_error(error: Exception) -> None:
    """Raise what is not the archive's fault but the disk's. The archive's are nonsense offsets."""
    if isinstance(error, OSError) and error.errno not in {None, EINVAL}:
        raise error


class _DirectoryReader:
    """The archive's file while its directory is read, which the standard library reads whole: as
    many bytes as the archive says, whatever it says, and as many entries as fit into them."""

    def __init__(self, file: BinaryIO, max_entries: int) -> None:
        self._file = file
        self._max_entries = max_entries
        self._max_bytes = MIB + max_entries * _BYTES_PER_ENTRY
        self.tell = file.tell
        self.seek = file.seek
        self.seekable = file.seekable
        self.loading = True

    def read(self, size: int = -1, /) -> bytes:
        if not self.loading:
            return self._file.read(size)
        if size > self._max_bytes:
            self._refuse(f"the zip's directory is said to have {size} bytes")
        data = self._file.read(self._max_bytes if size < 0 else size)
        if data.count(_DIRECTORY_MAGIC) > self._max_entries:
            self._refuse("the zip holds too many entries")
        return data

    def _refuse(self, what: str) -> Never:
        raise ArchiveError("too-many-entries", f"{what}; at most {self._max_entries} are read")


def open_zip(file: BinaryIO, limits: ArchiveLimits) -> ZipFile:
    """The zip with its directory read; closing it leaves the file open. Raises ArchiveError, and
    OSError where the disk fails."""
    reader = _DirectoryReader(file, limits.max_entries)
    try:
        archive = ZipFile(reader)
    except UnicodeDecodeError as error:
        name = error.object.decode("utf-8", "backslashreplace")
        message = (
            f"the name is marked as UTF-8 and is not: byte 0x{error.object[error.start]:02x} "
            f"at offset {error.start}"
        )
        raise ArchiveError("name-not-utf8", message, Place(shown(name))) from error
    except ZIP_FAULTS as error:
        reraise_disk_error(error)
        raise _what_is_wrong(file, error) from error
    reader.loading = False
    if not archive.filelist:
        raise ArchiveError("empty-archive", "the zip has no entries")
    if len(archive.filelist) > limits.max_entries:
        message = f"the zip holds {len(archive.filelist)} entries; at most {limits.max_entries}"
        raise ArchiveError("too-many-entries", f"{message} are read")
    return archive


def _what_is_wrong(file: BinaryIO, error: Exception) -> ArchiveError:
    size = file.seek(0, SEEK_END)
    file.seek(max(0, size - _END_REACH))
    if _END_MAGIC in file.read(_END_REACH):
        return ArchiveError("damaged-archive", f"the zip's central directory is damaged: {error}")
    file.seek(0)
    if file.read(len(ZIP_MAGIC)) == ZIP_MAGIC:
        message = f"the zip is cut off: it ends after {size} bytes, without its central directory"
        return ArchiveError("truncated-archive", message)
    return ArchiveError("not-a-zip", "the file is not a zip")


def misplaced(file: BinaryIO, archive: ZipFile) -> dict[int, str]:
    """What is wrong with where entries lie: header offset → reason.

    Raises ArchiveError where two entries overlap: such a zip inflates the same data many times, and
    is nothing that a tool for making archives writes.
    """
    wrong: dict[int, str] = {}
    end = 0
    before: ZipInfo | None = None
    for info in sorted(archive.filelist, key=_offset):
        start = info.header_offset
        if before is not None and start < end:
            names = " and ".join(shown(decoded_name(each)[0]) for each in (before, info))
            message = f"the data of two entries overlap: {names}"
            raise ArchiveError("overlapping-entries", message, Place(shown(info.orig_filename)))
        header = _local_header(file, start, archive.start_dir)
        if header is None:
            wrong[start] = f"no entry begins at offset {start}, where the directory has it"
            continue
        name_length, extra_length = header
        reach = start + _LOCAL_HEADER.size + name_length + extra_length + info.compress_size
        if reach > archive.start_dir:
            wrong[start] = "the entry's data reach into the central directory"
            continue
        before, end = info, reach
    return wrong


def _offset(info: ZipInfo) -> int:
    return info.header_offset


def _local_header(file: BinaryIO, start: int, limit: int) -> Sequence[int] | None:
    if not 0 <= start <= limit - _LOCAL_HEADER.size:
        return None
    file.seek(start)
    data = file.read(_LOCAL_HEADER.size)
    if len(data) != _LOCAL_HEADER.size:
        return None
    magic, name_length, extra_length = _LOCAL_HEADER.unpack(data)
    return (name_length, extra_length) if magic == ZIP_MAGIC else None
