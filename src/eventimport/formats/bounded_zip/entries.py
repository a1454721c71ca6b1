"""Which entries of a zip may be read, and why the others may not."""

import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from eventimport.conference.paths import shown
from eventimport.conference.report import Place, Report
from eventimport.errors import size_in_words
from eventimport.formats.bounded_zip.directory import Directory, Member, locate
from eventimport.formats.bounded_zip.inflating import METHOD_NAMES, METHODS
from eventimport.formats.bounded_zip.names import is_absolute, is_junk, left_out_because, path_of
from eventimport.formats.limits import ArchiveError, ArchiveLimits

_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
_PATCH: Final = 0x20
_AES: Final = 99

HOSTILE: Final = frozenset({"entry-too-large", "compression-ratio"})
"""An entry with one of these fails the import, even if no record needs it."""


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


def find_entries(
    file: BinaryIO, directory: Directory, limits: ArchiveLimits, report: Report
) -> list[Entry]:
    """The zip's files in the directory's order, without junk, each once.

    Reports what was guessed or repaired. An entry that cannot be read is among them, with its
    refusal: whether that matters depends on who needs it. Raises ArchiveError if the zip as a
    whole is not to be trusted.
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
