"""Where in a source its documents are: the folder that holds them, and their names, in the many
spellings that files have.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from eventimport.conference.report import Place, Report, Severity, shown
from eventimport.formats.bounded_json.outline import outline
from eventimport.formats.bounded_zip.archive import Entry
from eventimport.formats.format import text_of
from eventimport.formats.limits import ArchiveError, document_too_large
from eventimport.formats.source import Source

_BESIDES: Final = frozenset({"meta", "config"})
"""Documents that an event is complete without."""

JSON_BEGINNINGS: Final = (b"{", b"[")
"""What a JSON document begins with that holds records."""

_OF_PRETALX: Final = frozenset({"slug", "date_from", "date_to"})
"""Keys of an event of pretalx's API, which a zip may have beside the API's other documents."""

_LISTED: Final = 30
_GUESS: Final = 2

_DOCUMENTS: Final = (
    "event",
    "social_links",
    "forms",
    "microlocations",
    "sponsors",
    "speakers",
    "tracks",
    "session_types",
    "sessions",
    "meta",
    "config",
)
"""The canonical names of documents."""

_BY_LETTERS: Final = {name.replace("_", ""): name for name in _DOCUMENTS}
_GUESSED_BY_LETTERS: Final = {
    **{letters.removesuffix("s"): name for letters, name in _BY_LETTERS.items() if name != "meta"},
    "events": "event",
    "customforms": "forms",
    "customform": "forms",
    "rooms": "microlocations",
    "locations": "microlocations",
    "talks": "sessions",
}
_SEPARATORS: Final = re.compile("[-_ .]")
_EXTENSIONS: Final = re.compile(r"(?:\.(?:json5?|jsn|js|txt|text|bak|old|orig))+$")
_COPY: Final = re.compile(
    r"(?:[ _-]*\(\d{1,4}\)|[ _-]+(?:\d{1,4}|(?:copy|copie|kopie|copia|final|new)(?:[ _-]*\d{1,4})?"
    r"|(?:copy|kopie|copia)?[ _-]*\(\d{1,4}\)))+$"
)
_COPY_OF: Final = re.compile(r"^(?:copy|kopie|copie|copia) (?:of|von|de|di) ")
_LONGEST_DOCUMENT_NAME: Final = 100


@dataclass(slots=True)
class Layout:
    """Documents by canonical name. `root` is the folder of the documents, which is empty or ends in
    a slash."""

    root: str = ""
    documents: dict[str, Entry] = field(default_factory=dict)


class NoEventError(ArchiveError):
    """No entry is an `event`."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        names = ", ".join(shown(entry.name) for entry in entries[:_LISTED])
        more = f" and {len(entries) - _LISTED:,} more" if len(entries) > _LISTED else ""
        holds = f"It contains {names}{more}." if entries else "It contains no files."
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


def has_event(source: Source) -> bool:
    """Whether the source is a zip that has an `event` document, or a document that has one inside.
    An event by itself could be anything, and does not count."""
    if not source.is_zip:
        keys = outline(source.beginning())
        events = {key for key in keys if (document_named(key) or ("", 0))[0] == "event"}
        return any(key.partition(".")[0] in events for key in keys if "." in key)
    entries = (each.entry for each in _candidates(source) if each.document == "event")
    return any(
        entry.refusal is not None or not _is_of_pretalx(source.beginning(entry.name))
        for entry in entries
    )


def _is_of_pretalx(beginning: bytes) -> bool:
    """Whether a document that begins so has events of pretalx's API: one, a list, or a page."""
    keys = outline(beginning, depth=3) | outline(beginning, mark="[")
    return {key.rpartition(".")[2] for key in keys} >= _OF_PRETALX


def is_single_document(source: Source) -> bool:
    """Whether the source is not a zip, but may be a JSON document that has all records."""
    return not source.is_zip and text_of(source.head()).startswith(JSON_BEGINNINGS)


def find_layout(source: Source, report: Report) -> Layout:
    """Find the documents, and leave the other entries to the media files. The folder of the
    outermost `event` is the root.

    A document that cannot be read is an error, a media file a warning. Raises ArchiveError, its
    finding in the report too, if the source is not a zip, or has no `event`, or several.
    """
    report.is_document = is_document
    try:
        source.require_zip()
        candidates = _candidates(source)
        layout = Layout(_root(candidates, source.entries))
    except NoEventError as error:
        if source.is_split:
            raise _split(error).reported(report) from error
        source.report_zips_within(report)
        raise error.reported(report) from None
    except ArchiveError as error:
        raise error.reported(report) from None
    by_document: dict[str, list[_Candidate]] = defaultdict(list)
    for candidate in candidates:
        if _folder(candidate.entry) == layout.root:
            by_document[candidate.document].append(candidate)
    unused: list[Entry] = []
    for document, found in by_document.items():
        found.sort(key=lambda candidate: candidate.order)
        layout.documents[document] = found[0].entry
        unused.extend(candidate.entry for candidate in found[1:])
        _report_choice(found, report)
    chosen = layout.documents.values()
    source.choose_documents(chosen, report, root=layout.root, unused=unused)
    _refuse_documents(layout, report)
    _refuse_large_documents(layout, source, report)
    return layout


def _candidates(source: Source) -> list[_Candidate]:
    found = (_candidate(entry, index, source) for index, entry in enumerate(source.entries))
    return [candidate for candidate in found if candidate is not None]


def _candidate(entry: Entry, index: int, source: Source) -> _Candidate | None:
    if entry.refusal is not None and entry.refusal.code == "unsafe-name":
        return None
    known = document_named(entry.path.rpartition("/")[2])
    if known is None:
        return None
    document, rank = known
    if (
        rank == _GUESS
        and entry.refusal is None
        and not text_of(source.head(entry.name)).startswith(JSON_BEGINNINGS)
    ):
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
            f"The zip contains {len(roots)} events, in these folders: {names}."
            " Import each folder as a separate zip."
        )
        raise ArchiveError("several-roots", message, Place(shown(roots[0] + "event")))
    return roots[0]


def _split(error: ArchiveError) -> ArchiveError:
    message = f"The zip is one part of a split zip. Create it again as one file. {error.message}"
    return ArchiveError("split-archive", message)


def _report_choice(found: Sequence[_Candidate], report: Report) -> None:
    chosen, *others = found
    what = chosen.document.replace("_", " ")
    if chosen.rank == _GUESS:
        message = f"The archive has no file “{chosen.document}.json”. This file was read instead."
        report.warning("document-name", message, chosen.entry.place, what)
    for other in others:
        if other.entry.member.content == chosen.entry.member.content:
            message = f"The file is a copy of “{shown(chosen.entry.name)}”."
            report.repair("duplicate-entry", message, other.entry.place)
        else:
            message = f"The file was left out. “{shown(chosen.entry.name)}” was read as {what}."
            report.warning("duplicate-document", message, other.entry.place)


def _refuse_documents(layout: Layout, report: Report) -> None:
    for document, entry in list(layout.documents.items()):
        if entry.refusal is not None:
            severity = Severity.WARNING if document in _BESIDES else Severity.ERROR
            report.add(severity, entry.refusal.code, entry.refusal.message, entry.place)
            del layout.documents[document]


def _refuse_large_documents(layout: Layout, source: Source, report: Report) -> None:
    for document, entry in list(layout.documents.items()):
        if entry.member.size > source.limits.max_document_bytes:
            document_too_large(source.limits, shown(entry.name)).reported(report)
            del layout.documents[document]


def document_named(base: str) -> tuple[str, int] | None:
    """The canonical name of the document that a file of this base name is, and how far it is from
    the name that it should have: 0 is that name (`event`, `session-types.json`), 1 another spelling
    (`Event.JSON`, `sessionTypes`), 2 a guess (`speaker.json`, `speakers (1).json`,
    `event.json.txt`). None for all other names.
    """
    if len(base) > _LONGEST_DOCUMENT_NAME:
        return None
    name = base.casefold()
    plain = name.removesuffix(".json")
    known = _BY_LETTERS.get(_SEPARATORS.sub("", plain))
    if known is not None:
        stem = base.removesuffix(".json")
        return known, 0 if stem.replace("-", "_") == known else 1
    stem = _COPY_OF.sub("", _COPY.sub("", _EXTENSIONS.sub("", name)))
    stem = _SEPARATORS.sub("", _EXTENSIONS.sub("", stem))
    guess = _BY_LETTERS.get(stem) or _GUESSED_BY_LETTERS.get(stem)
    return (guess, 2) if guess is not None else None


def is_document(entry: str) -> bool:
    """Whether an entry of this name is a document, whatever folder it is in."""
    return document_named(entry.rpartition("/")[2]) is not None
