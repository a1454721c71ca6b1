"""Bounded, safe reading of a zip: which of its entries may be read, and their bytes.

Nothing is ever extracted to a path that the zip names.
"""

import re
import stat
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, Self

from eventimport.conference.report import Check, Place, Report, go_on, shown
from eventimport.errors import size_in_words
from eventimport.formats.bounded_zip.directory import Directory, Member, locate, read_directory
from eventimport.formats.bounded_zip.inflating import (
    CHUNK,
    FAULTS,
    METHOD_NAMES,
    METHODS,
    DictionaryTooLargeError,
    inflate,
)
from eventimport.formats.limits import ArchiveError, ArchiveLimits

_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
_PATCH: Final = 0x20
_AES: Final = 99

HOSTILE: Final = frozenset({"entry-too-large", "compression-ratio"})
"""An entry with one of these fails the import, even if no record needs it."""

_DRIVE: Final = re.compile(r"[A-Za-z]:(?=/)")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_JUNK: Final = frozenset(
    {
        *(".ds_store", ".localized", "icon\r", "thumbs.db", "ehthumbs.db", "desktop.ini"),
        *(".directory", ".gitkeep", ".gitignore", ".gitattributes", ".keep"),
    }
)
_JUNK_FOLDERS: Final = frozenset(
    {
        *("__macosx", ".git", ".svn", ".appledouble", ".spotlight-v100", ".trashes", "@eadir"),
        *(".fseventsd", "$recycle.bin", ".ipynb_checkpoints", ".idea", ".vscode"),
    }
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an entry cannot be read: the finding's code, and its message, whole sentences."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the zip: `name` as the zip has it, `path` as the archive means it (with slashes,
    without `.`). `data_offset` is where its data begin; `refusal` says why they cannot be read."""

    name: str
    path: str
    member: Member
    data_offset: int
    refusal: Refusal | None = None

    @property
    def place(self) -> Place:
        """The entry as a finding names it."""
        return Place(shown(self.name))

    def excess(self, inflated: int, limits: ArchiveLimits) -> Refusal | None:
        """What is wrong if the entry has this many inflated bytes; None if nothing is."""
        if inflated > limits.max_entry_bytes:
            return Refusal(
                "entry-too-large",
                f"The file is larger than {size_in_words(limits.max_entry_bytes)}. "
                "The limit is set by MAX_ENTRY_BYTES.",
            )
        if inflated > max(limits.ratio_from_bytes, limits.max_ratio * self.member.packed):
            return Refusal(
                "compression-ratio",
                f"The file grows from {size_in_words(self.member.packed)} to"
                f" {size_in_words(inflated)}. Files larger than"
                f" {size_in_words(limits.ratio_from_bytes)}"
                f" (INFLATION_RATIO_FROM_BYTES) may grow {limits.max_ratio} times"
                " (MAX_INFLATION_RATIO).",
            )
        return None


class Archive:
    """An open zip, to be used by one thread at a time. It does not close the file that it was
    opened from."""

    def __init__(
        self,
        file: BinaryIO,
        entries: Sequence[Entry],
        limits: ArchiveLimits,
        check: Check = go_on,
        *,
        is_split: bool = False,
    ) -> None:
        self._file: BinaryIO | None = file
        self._limits = limits
        self._check_stop = check
        self._readable = {entry.name: entry for entry in entries if entry.refusal is None}
        self._inflated: dict[str, int] = {}
        self._total = 0
        self.entries: Final = entries
        """The files in the zip's order, those too that cannot be read."""
        self.is_split: Final = is_split
        """Whether the zip says that it is one part of several."""

    @classmethod
    def open(
        cls, file: BinaryIO, limits: ArchiveLimits, report: Report, check: Check = go_on
    ) -> Self:
        """Open a zip that stands in a seekable file. `check` is called for each chunk.

        Reports what was guessed or repaired in its directory. Raises NotAZipError, ArchiveError if
        the zip cannot be used at all, and OSError if the file cannot be read.
        """
        directory = read_directory(file, limits)
        entries = find_entries(file, directory, limits, report)
        return cls(file, entries, limits, check, is_split=directory.split)

    def close(self) -> None:
        """Forget the file, without closing it."""
        self._file = None

    def read(self, name: str) -> Iterator[bytes]:
        """Inflate the entry of this name, in chunks of at most 1 MiB.

        Raises KeyError if there is none that can be read. The iterator raises ArchiveError if what
        comes out is over a limit or not what the zip promised (size, CRC-32), and OSError as `open`
        does.
        """
        return self._inflate(self._readable[name])

    def head(self, name: str, size: int) -> bytes:
        """The first bytes of the entry of this name; none if it cannot be read."""
        member = self._readable.get(name)
        if member is None:
            return b""
        head = b""
        try:
            for chunk in _inflated(self._open_file(), member, self._limits):
                head += chunk[:size]
                if len(head) >= size:
                    break
        except ArchiveError:
            return b""
        return head[:size]

    def _open_file(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("the archive is closed")
        return self._file

    def _inflate(self, entry: Entry) -> Iterator[bytes]:
        inflated = checksum = 0
        for chunk in _inflated(self._open_file(), entry, self._limits):
            self._check_stop()
            inflated += len(chunk)
            self._check_limits(entry, inflated)
            checksum = zlib.crc32(chunk, checksum)
            yield chunk
        if inflated != entry.member.size:
            message = (
                f"The zip is damaged: the file has {inflated:,} bytes, and should have "
                f"{entry.member.size:,}."
            )
            raise ArchiveError("damaged-entry", message, entry.place)
        if checksum != entry.member.crc:
            message = "The zip is damaged: the file's content does not match its checksum (CRC-32)."
            raise ArchiveError("damaged-entry", message, entry.place)

    def _check_limits(self, entry: Entry, inflated: int) -> None:
        excess = entry.excess(inflated, self._limits)
        if excess is not None:
            raise ArchiveError(excess.code, excess.message, entry.place)
        # Read again, an entry counts once.
        known = self._inflated.get(entry.name, 0)
        if inflated > known:
            self._inflated[entry.name] = inflated
            self._total += inflated - known
        if self._total > self._limits.max_total_bytes:
            message = (
                "The files of the zip are larger than"
                f" {size_in_words(self._limits.max_total_bytes)} in total. The"
                " limit is set by MAX_INFLATED_BYTES."
            )
            raise ArchiveError("archive-too-large", message, entry.place)


def _inflated(file: BinaryIO, entry: Entry, limits: ArchiveLimits) -> Iterator[bytes]:
    """What the entry's data hold, unchecked. Raises ArchiveError, and OSError as the file does."""
    member = entry.member
    packed = _packed(file, entry.data_offset, member.packed)
    try:
        yield from inflate(member.method, packed, member.size, limits.max_lzma_dictionary_bytes)
    except DictionaryTooLargeError as error:
        message = (
            f"The file needs an LZMA dictionary of {size_in_words(error.size)}. The limit is "
            f"{size_in_words(limits.max_lzma_dictionary_bytes)} (MAX_LZMA_DICTIONARY_BYTES). "
            "Create the zip with Deflate."
        )
        raise ArchiveError("lzma-dictionary", message, entry.place) from error
    except FAULTS as error:
        if isinstance(error, OSError) and error.errno is not None:
            # The disk's fault, not the archive's.
            raise
        message = f"The zip is damaged: the file cannot be decompressed ({error})."
        raise ArchiveError("damaged-entry", message, entry.place) from error


def _packed(file: BinaryIO, position: int, left: int) -> Iterator[bytes]:
    while left > 0:
        file.seek(position)
        data = file.read(min(CHUNK, left))
        if not data:
            return
        position += len(data)
        left -= len(data)
        yield data


def find_entries(
    file: BinaryIO, directory: Directory, limits: ArchiveLimits, report: Report
) -> list[Entry]:
    """The zip's files in the directory's order, without junk, each once.

    Reports what was guessed or repaired. An entry that cannot be read is among them, with its
    refusal: whether that matters depends on who needs it. Raises ArchiveError if the zip as a
    whole cannot be trusted.
    """
    members = _without_copies(directory.members)
    total = sum(member.size for member in members)
    if total > limits.max_total_bytes:
        message = (
            "The files of the zip are larger than"
            f" {size_in_words(limits.max_total_bytes)} in total. The limit is set"
            " by MAX_INFLATED_BYTES."
        )
        raise ArchiveError("archive-too-large", message)
    located = {
        id(member): (offset, wrong)
        for member, offset, wrong in locate(file, members, directory.start)
    }
    entries = []
    for member in members:
        name = member.name.text
        path = path_of(name)
        if is_junk(path) or _is_directory(member):
            continue
        offset, wrong = located[id(member)]
        entry = Entry(name, path, member, offset)
        refusal = _refusal(entry, wrong, limits)
        if refusal is not None:
            entry = Entry(name, path, member, offset, refusal)
        else:
            _report_name(entry, report)
        entries.append(entry)
    return list(_each_once(entries, report))


def _without_copies(members: Sequence[Member]) -> list[Member]:
    """Without entries that the directory lists twice, which is not two files with one name."""
    return list({(member.name.text, member.offset): member for member in members}.values())


def _each_once(entries: Sequence[Entry], report: Report) -> Iterator[Entry]:
    """Of several entries with one path, the last: programs that update a zip append to it."""
    last = {entry.path: entry for entry in entries}
    for entry in entries:
        counting = last[entry.path]
        if entry is counting:
            yield entry
        elif entry.member.content == counting.member.content:
            message = (
                "The file is in the zip more than once, with the same content. It was read once."
            )
            report.repair("duplicate-entry", message, entry.place)
        else:
            message = (
                "The file is in the zip more than once, with different content. "
                "The last one was used."
            )
            report.warning("replaced-entry", message, entry.place)


def _report_name(entry: Entry, report: Report) -> None:
    if "\\" in entry.name:
        message = "The file's name has backslashes. They were read as slashes."
        report.repair("backslash-name", message, entry.place)
    if is_absolute(entry.name):
        message = "The file's name begins with a slash or a drive letter. It was read without that."
        report.repair("absolute-name", message, entry.place)
    if entry.member.name.guessed:
        message = (
            "The file's name is not in UTF-8. It was read in code page 437, the"
            " default of zips. Records can also name the file in other code"
            " pages."
        )
        report.warning("name-not-utf8", message, entry.place)


def _refusal(entry: Entry, wrong: str | None, limits: ArchiveLimits) -> Refusal | None:
    member = entry.member
    unsafe = left_out_because(entry.name)
    if unsafe is not None or not entry.path:
        return Refusal("unsafe-name", unsafe or "The entry has no name.")
    mode = stat.S_IFMT(member.mode)
    if mode not in {0, stat.S_IFREG, stat.S_IFDIR}:
        link = stat.S_ISLNK(mode)
        what = "a symbolic link" if link else "not a file, but a device or a pipe"
        return Refusal("not-a-file", f"The entry is {what}. Put the file itself into the zip.")
    if member.flags & _ENCRYPTED or member.method == _AES:
        message = "The file is encrypted. Create the zip without a password."
        return Refusal("encrypted-entry", message)
    if member.method not in METHODS or member.flags & _PATCH:
        name = METHOD_NAMES.get(member.method)
        method = f"{name} (method {member.method})" if name else f"method {member.method}"
        return Refusal(
            "compression-method",
            f"The file is compressed with {method}, which is not supported. Create the zip with "
            "Deflate, the default of most programs, or without compression.",
        )
    return entry.excess(member.size, limits) or (Refusal("damaged-entry", wrong) if wrong else None)


def _is_directory(member: Member) -> bool:
    name = member.name.text
    # Programs for DOS write folders with a backslash at the end; a file with data is none.
    return (
        name.endswith("/") or stat.S_ISDIR(member.mode) or (name.endswith("\\") and not member.size)
    )


def path_of(name: str) -> str:
    """The path that a name means: slashes for backslashes, neither drive, `.` nor empty parts."""
    slashed = _DRIVE.sub("", name.replace("\\", "/"), count=1)
    return "/".join(part for part in slashed.split("/") if part not in {"", "."})


def left_out_because(name: str) -> str | None:
    """Why an entry of this name is left out; None if it is not."""
    if not name:
        return "The entry has no name."
    if _CONTROL.search(name):
        return "The name contains control characters."
    if ".." in path_of(name).split("/"):
        return "The name leads out of the archive (“..”)."
    return None


def is_absolute(name: str) -> bool:
    """Whether the name begins with a slash or a drive."""
    slashed = name.replace("\\", "/")
    return slashed.startswith("/") or bool(_DRIVE.match(slashed))


def is_junk(path: str) -> bool:
    """Whether it is a file that operating systems and editors leave in archives."""
    *folders, base = path.split("/")
    return (
        not _JUNK_FOLDERS.isdisjoint(folder.lower() for folder in folders)
        or base.startswith(("._", "~$", ".~lock."))
        or base.lower() in _JUNK
    )
