"""Which entries of a zip may be read."""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from eventimport.openevent.entry_names import decoded_name, is_junk, normal_path, shown
from eventimport.openevent.entry_names import unsafe_because as name_unsafe_because
from eventimport.openevent.limits import MIB, ArchiveError, ArchiveLimits
from eventimport.openevent.report import Place, Report
from eventimport.openevent.zip_directory import misplaced

# The others' decompressors give back as much as the data hold, however little is asked for.
_METHODS: Final = frozenset({ZIP_STORED, ZIP_DEFLATED})
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
_PATCH: Final = 0x20

RATIO_FROM: Final = MIB
"""So many bytes may come out of an entry, however small it is."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the zip: `name` as the zip has it, `path` without `.` and in composed Unicode."""

    name: str
    path: str
    info: ZipInfo

    @property
    def place(self) -> Place:
        """The entry as a finding names it."""
        return Place(shown(self.name))

    def excess(self, inflated: int, limits: ArchiveLimits) -> tuple[str, str] | None:
        """Code and message where so many inflated bytes are too many for this entry."""
        if inflated > limits.max_entry_bytes:
            message = f"the entry holds more than the {limits.max_entry_bytes} bytes that are read"
            return "entry-too-large", message
        allowed = max(RATIO_FROM, limits.max_ratio * self.info.compress_size)
        if inflated > allowed:
            message = (
                f"{self.info.compress_size} compressed bytes become more than {allowed}, "
                f"over {limits.max_ratio} times as many"
            )
            return "compression-ratio", message
        return None


def usable_entries(
    file: BinaryIO, archive: ZipFile, limits: ArchiveLimits, report: Report
) -> Iterator[Entry]:
    """The entries that may be read, without directories and junk; an error is reported for each
    that may not. Raises ArchiveError where the zip as a whole is not to be trusted."""
    wrong_places = misplaced(file, archive)
    total = sum(info.file_size for info in archive.filelist)
    if total > limits.max_total_bytes:
        message = f"the entries hold {total} bytes together; at most {limits.max_total_bytes}"
        raise ArchiveError("archive-too-large", f"{message} are read")
    for info in archive.filelist:
        name, guessed = decoded_name(info)
        entry = Entry(name, normal_path(name), info)
        refusal = _refusal(entry, limits)
        if refusal is None and info.header_offset in wrong_places:
            refusal = "damaged-entry", wrong_places[info.header_offset]
        if refusal is not None:
            report.error(*refusal, entry.place)
        elif not entry.path or _is_directory(info) or is_junk(entry.path):
            continue
        else:
            if guessed:
                # Whatever it is in: a record that names the entry does so in UTF-8.
                message = "the name is not in UTF-8; it is shown as code page 437 reads it"
                report.error("name-not-utf8", message, entry.place)
            yield entry


def _refusal(entry: Entry, limits: ArchiveLimits) -> tuple[str, str] | None:
    info = entry.info
    unsafe = name_unsafe_because(entry.name)
    if unsafe is not None:
        return "unsafe-name", unsafe
    mode = stat.S_IFMT(info.external_attr >> 16)
    if mode not in {0, stat.S_IFREG, stat.S_IFDIR}:
        what = "a symbolic link" if stat.S_ISLNK(mode) else "neither a file nor a directory"
        return "not-a-file", f"the entry is {what}"
    if info.flag_bits & _ENCRYPTED:
        return "encrypted-entry", "the entry is encrypted"
    if info.compress_type not in _METHODS or info.flag_bits & _PATCH:
        message = f"compression method {info.compress_type} is not read; stored and deflated are"
        return "compression-method", message
    if entry.path.casefold().endswith(".zip"):
        return "nested-zip", "a zip within the archive is not read"
    return entry.excess(info.file_size, limits)


def _is_directory(info: ZipInfo) -> bool:
    return info.is_dir() or stat.S_ISDIR(info.external_attr >> 16)
