"""Where in an archive its documents and media files are."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from eventimport.conference.paths import folded, resolved, shown
from eventimport.conference.report import Place, Report, Severity
from eventimport.formats.bounded_zip.entries import HOSTILE, Entry, Refusal
from eventimport.formats.bounded_zip.names import document_named, path_of
from eventimport.formats.limits import ArchiveError

_BESIDES: Final = frozenset({"meta", "config"})
"""Documents that an event is complete without."""

_PACKING: Final = frozenset({"compression-method", "encrypted-entry"})
_LISTED: Final = 30
_GUESS: Final = 2

LooksLikeJson = Callable[[Entry], bool]
"""Whether an entry's text begins as JSON's objects and lists do."""


@dataclass(slots=True)
class Layout:
    """Documents by canonical name; files by their path from the zip's root. `root` is the folder of
    the documents, which is empty or ends in a slash; `aliases` leads from other spellings of a path
    to the path; `left_out` says why a file of this path cannot be read."""

    root: str = ""
    documents: dict[str, Entry] = field(default_factory=dict)
    files: dict[str, Entry] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, Refusal] = field(default_factory=dict)


class NoEventError(ArchiveError):
    """No entry is an `event`."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        names = ", ".join(shown(entry.name) for entry in entries[:_LISTED])
        more = f" and {len(entries) - _LISTED:,} more" if len(entries) > _LISTED else ""
        holds = f"It holds {names}{more}." if entries else "It holds no files."
        message = f"The zip has no document named event or event.json. {holds}"
        super().__init__("no-event", message)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An entry that may be a document; `rank` is that of `document_named`."""

    entry: Entry
    document: str
    rank: int
    index: int

    @property
    def order(self) -> tuple[int, bool, int]:
        """The best first: by name, those that can be read, the last one in the zip."""
        return self.rank, self.entry.refusal is not None, -self.index


def find_layout(entries: Sequence[Entry], looks_like_json: LooksLikeJson, report: Report) -> Layout:
    """Sort the entries out. The folder of the outermost `event` is the archive's root.

    What cannot be read is an error for a document, and a warning for a file. Raises NoEventError,
    and ArchiveError if several folders have an `event`.
    """
    candidates = [
        candidate
        for index, entry in enumerate(entries)
        if (candidate := _candidate(entry, index, looks_like_json)) is not None
    ]
    layout = Layout(_root(candidates, entries))
    by_document: dict[str, list[_Candidate]] = defaultdict(list)
    for candidate in candidates:
        if _folder(candidate.entry) == layout.root:
            by_document[candidate.document].append(candidate)
    used: set[str] = set()
    for document, found in by_document.items():
        found.sort(key=lambda candidate: candidate.order)
        used.update(candidate.entry.name for candidate in found)
        layout.documents[document] = found[0].entry
        _report_choice(found, report)
    _sort_files(layout, [entry for entry in entries if entry.name not in used], report)
    _refuse_documents(layout, report)
    return layout


def _candidate(entry: Entry, index: int, looks_like_json: LooksLikeJson) -> _Candidate | None:
    if entry.refusal is not None and entry.refusal.code == "unsafe-name":
        return None
    known = document_named(entry.path.rpartition("/")[2])
    if known is None:
        return None
    document, rank = known
    if rank == _GUESS and entry.refusal is None and not looks_like_json(entry):
        return None
    return _Candidate(entry, document, rank, index)


def _folder(entry: Entry) -> str:
    folder, slash, _ = entry.path.rpartition("/")
    return folder + slash


def _root(candidates: Iterable[_Candidate], entries: Sequence[Entry]) -> str:
    depths: dict[str, tuple[bool, int]] = {}
    for candidate in candidates:
        if candidate.document == "event":
            folder = _folder(candidate.entry)
            depth = candidate.rank == _GUESS, folder.count("/")
            depths[folder] = min(depth, depths.get(folder, depth))
    if not depths:
        raise NoEventError(entries)
    best = min(depths.values())
    roots = sorted(folder for folder, depth in depths.items() if depth == best)
    if len(roots) > 1:
        names = ", ".join(shown(root) for root in roots[:_LISTED])
        message = (
            f"The zip holds {len(roots)} events, one in each of these folders: {names}. "
            "Import each folder as a zip of its own."
        )
        raise ArchiveError("several-roots", message, Place(shown(roots[0] + "event")))
    return roots[0]


def _report_choice(found: Sequence[_Candidate], report: Report) -> None:
    chosen, *others = found
    what = chosen.document.replace("_", " ")
    if chosen.rank == _GUESS:
        message = f"There is no file “{chosen.document}.json”; this file was read in its place."
        report.warning("document-name", message, chosen.entry.place, what)
    for other in others:
        if other.entry.member.content == chosen.entry.member.content:
            message = f"The file is a copy of “{shown(chosen.entry.name)}”."
            report.repair("duplicate-entry", message, other.entry.place)
        else:
            message = f"The file was left out; “{shown(chosen.entry.name)}” was read as {what}."
            report.warning("duplicate-document", message, other.entry.place)


def _sort_files(layout: Layout, entries: Sequence[Entry], report: Report) -> None:
    alike: dict[tuple[str, tuple[int, int]], Entry] = {}
    for entry in entries:
        if entry.refusal is not None:
            layout.left_out[resolved(entry.path)] = entry.refusal
            severity = _severity_of_file(layout, entry.refusal)
            message = entry.refusal.message
            if severity is Severity.WARNING:
                message = f"{message} The file was left out."
            report.add(severity, entry.refusal.code, message, entry.place)
            continue
        same = alike.setdefault((folded(entry.path), entry.member.content), entry)
        if same is not entry:
            layout.aliases[entry.path] = same.path
            message = (
                f"The file has the name and the content of “{shown(same.name)}”, but for case "
                "or the Unicode form. One of them is used."
            )
            report.repair("duplicate-entry", message, entry.place)
        else:
            layout.files[entry.path] = entry
    for entry in layout.files.values():
        for reading in entry.member.name.other_readings():
            path = path_of(reading)
            if path not in layout.files:
                layout.aliases.setdefault(path, entry.path)


def _severity_of_file(layout: Layout, refusal: Refusal) -> Severity:
    if refusal.code in HOSTILE:
        return Severity.ERROR
    # The zip has to be made anew for its documents; then it is to be told of all that is packed so.
    packed = any(
        entry.refusal is not None and entry.refusal.code in _PACKING
        for entry in layout.documents.values()
    )
    return Severity.ERROR if packed and refusal.code in _PACKING else Severity.WARNING


def _refuse_documents(layout: Layout, report: Report) -> None:
    for document, entry in list(layout.documents.items()):
        if entry.refusal is not None:
            severity = Severity.WARNING if document in _BESIDES else Severity.ERROR
            report.add(severity, entry.refusal.code, entry.refusal.message, entry.place)
            del layout.documents[document]
