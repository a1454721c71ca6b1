"""Where in an archive its documents and media are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from eventimport.openevent.entries import Entry
from eventimport.openevent.entry_names import document_named, shown
from eventimport.openevent.limits import ArchiveError
from eventimport.openevent.report import Place, Report

TOLD = 20
"""A finding about many entries names so many of them."""


@dataclass(slots=True)
class Layout:
    """Documents by canonical name, media by path relative to `root`, which is empty or ends in a
    slash."""

    root: str = ""
    documents: dict[str, Entry] = field(default_factory=dict)
    media: dict[str, Entry] = field(default_factory=dict)


class NoEventError(ArchiveError):
    """No entry that may be read is an `event`."""

    def __init__(self) -> None:
        super().__init__("no-event", "the archive has no document `event` that can be read")


def find_layout(entries: Sequence[Entry], report: Report) -> Layout:
    """Sort the entries out. The folder of the outermost `event` is the archive's root; what lies
    outside is told of and left. Raises NoEventError, and ArchiveError where several folders have an
    `event`."""
    layout = Layout(_root(entries))
    outside: list[Entry] = []
    for entry in entries:
        path = entry.path.removeprefix(layout.root)
        if not entry.path.startswith(layout.root):
            outside.append(entry)
            continue
        document = None if "/" in path else document_named(path)
        kind, key = ("media", path) if document is None else ("document", document)
        known = layout.media if document is None else layout.documents
        if key in known:
            what = f"the {kind} {shown(key)}"
            message = f"{what} stands in the archive twice: {shown(known[key].name)} is another"
            report.error("duplicate-entry", message, entry.place)
        else:
            known[key] = entry
    if outside:
        message = f"{len(outside)} entries outside the folder {shown(layout.root)} are not read"
        report.warning("outside-root", message, outside[0].place, _names(outside))
    return layout


def _root(entries: Sequence[Entry]) -> str:
    folders = {
        folder + slash
        for folder, slash, base in (entry.path.rpartition("/") for entry in entries)
        if document_named(base) == "event"
    }
    if not folders:
        raise NoEventError
    depth = min(folder.count("/") for folder in folders)
    roots = sorted(folder for folder in folders if folder.count("/") == depth)
    if len(roots) > 1:
        named = ", ".join(shown(root) for root in roots[:TOLD])
        message = f"{len(roots)} folders have a document `event`, and one is expected: {named}"
        raise ArchiveError("several-roots", message, Place(shown(roots[0] + "event")))
    return roots[0]


def _names(entries: Iterable[Entry]) -> str:
    return ", ".join(shown(entry.name) for entry in list(entries)[:TOLD])
