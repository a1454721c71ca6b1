"""Documents of pretalx, read as streams, as tables of the records that they are made of.

The API answers with pages of records: `{"count", "next", "previous", "results": […]}`. Programs
that cache it keep only the lists. A record refers to another by its id or code, or, if the client
asked for it, has that record in its place. The widget's document has lists of talks, rooms, tracks
and speakers. What a record is, is known by its keys, so files may be named in any way.
"""

from collections import Counter
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from typing import Any, Final

from eventimport.formats.bounded_json.document import JsonDocument
from eventimport.formats.bounded_json.outline import outline
from eventimport.formats.format import EVERY, Progress
from eventimport.formats.format import text_of as text_of_head
from eventimport.formats.schedules.document import whole
from eventimport.formats.schedules.json_values import EMPTY, text_of

EVENT: Final = "event"
SUBMISSION: Final = "submission"
SPEAKER: Final = "speaker"
SLOT: Final = "slot"
ROOM: Final = "room"
TRACK: Final = "track"
TYPE: Final = "submission_type"
TAG: Final = "tag"
QUESTION: Final = "question"
ANSWER: Final = "answer"
RESOURCE: Final = "resource"
VERSION: Final = "version"

TALK: Final = "talk"
"""A slot with its submission, as the widget has it."""

_SORTS: Final[tuple[tuple[str, frozenset[str], frozenset[str]], ...]] = (
    (EVENT, frozenset({"slug", "date_from"}), frozenset()),
    (
        SUBMISSION,
        frozenset({"code", "title"}),
        frozenset({"submission_type", "slot", "slots", "state", "content_locale"}),
    ),
    (
        SPEAKER,
        frozenset({"code", "name"}),
        frozenset({"biography", "submissions", "avatar", "avatar_url"}),
    ),
    (SLOT, frozenset({"room", "start", "end"}), frozenset({"submission", "slot_type"})),
    (QUESTION, frozenset({"question"}), frozenset({"variant", "target"})),
    (ANSWER, frozenset({"question", "answer"}), frozenset({"answer_file", "person", "review"})),
    (RESOURCE, frozenset({"resource", "description"}), frozenset()),
    (TAG, frozenset({"tag", "color"}), frozenset()),
    (TYPE, frozenset({"name", "default_duration"}), frozenset()),
    (TRACK, frozenset({"name", "color"}), frozenset()),
    (ROOM, frozenset({"name"}), frozenset({"capacity", "guid", "speaker_info"})),
    (VERSION, frozenset({"version"}), frozenset({"published", "slots"})),
)
"""What a record is: all of the first keys, and, if there are any, one of the others."""

_KEYS: Final = {SUBMISSION: "code", SPEAKER: "code", EVENT: "slug"}
"""What identifies a record; all others have an id."""

_KEYLESS: Final = frozenset({ANSWER, RESOURCE})
"""Records that older versions wrote without an id."""

_NESTED: Final = {
    SUBMISSION: {
        "submission_type": TYPE,
        "track": TRACK,
        "tags": TAG,
        "speakers": SPEAKER,
        "slot": SLOT,
        "slots": SLOT,
        "answers": ANSWER,
        "resources": RESOURCE,
    },
    SPEAKER: {"submissions": SUBMISSION, "answers": ANSWER},
    SLOT: {"submission": SUBMISSION, "room": ROOM, "schedule": VERSION},
    ANSWER: {"question": QUESTION, "person": SPEAKER, "submission": SUBMISSION},
    VERSION: {"slots": SLOT},
}
"""The keys under which a record may hold others, and what these are."""

_OWN: Final = frozenset({SUBMISSION, SPEAKER, SLOT, TALK})
"""What shows that a document is of pretalx."""

_WIDGET: Final = {"talks": TALK, "rooms": ROOM, "tracks": TRACK, "speakers": SPEAKER}
_OF_TALK: Final = ("id", "room", "start", "end")
_PAGE: Final = frozenset({"count", "next", "results"})
_LISTS: Final = ("results", "slots")


@dataclass(slots=True)
class Tables:
    """The records of all documents by what they are and by their keys. `says` is what the widget's
    document says besides; `pages` are the records that pages have, and `counts` those that the
    program has in all; `unknown` counts other records by document."""

    records: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    says: dict[str, Any] = field(default_factory=dict)
    pages: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)

    def of(self, sort: str) -> dict[str, dict[str, Any]]:
        """The records of one sort by their keys."""
        return self.records.setdefault(sort, {})

    def add(self, sort: str, record: dict[str, Any]) -> str:
        """Add a record, and those that it holds: keys take their place. Of a record that comes
        again, values are added that the first does not have. Return its key."""
        table = self.of(sort)
        key = text_of(record.get(_KEYS.get(sort, "id"))) or self._made_up(sort, record)
        if sort == QUESTION and _asks(table.get(key, record)) != _asks(record):
            key = f"{key} {_asks(record)}"
        for name, inner in _NESTED.get(sort, {}).items():
            if record.get(name) not in EMPTY:
                record[name] = self._add_nested(sort, key, inner, record[name])
        known = table.setdefault(key, record)
        if known is not record:
            known.update(
                (name, value)
                for name, value in record.items()
                if value not in EMPTY and known.get(name) in EMPTY
            )
        return key

    def add_talk(self, talk: dict[str, Any]) -> None:
        """Add an element of the widget's list: a slot, and the submission in it, if it has one."""
        if text_of(talk.get("code")) is None:
            slot = {key: value for key, value in talk.items() if key != "title"}
            self.add(SLOT, {**slot, "submission": None, "description": talk.get("title")})
            return
        submission = {key: value for key, value in talk.items() if key not in _OF_TALK}
        slot = {key: talk.get(key) for key in _OF_TALK}
        self.add(SLOT, {**slot, "submission": self.add(SUBMISSION, submission)})

    def _made_up(self, sort: str, record: dict[str, Any]) -> str:
        """A key of a record without one. The same slot may come with two copies of a session."""
        if sort != SLOT:
            return f"#{len(self.of(sort))}"
        return " ".join(str(record.get(key)) for key in ("submission", "start", "room", "room_id"))

    def _add_nested(self, outer: str, outer_key: str, sort: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self._add_nested(outer, outer_key, sort, each) for each in value]
        if not isinstance(value, dict):
            return value
        if sort == SLOT and outer == SUBMISSION:
            value = {**value, "submission": outer_key}
        elif sort not in _KEYLESS and _KEYS.get(sort, "id") not in value:
            # A name in several languages.
            return value
        return self.add(sort, value)


def sort_of(keys: Set[str]) -> str | None:
    """What a record with these keys is."""
    return next(
        (
            sort
            for sort, all_of, any_of in _SORTS
            if keys >= all_of and (not any_of or keys & any_of)
        ),
        None,
    )


def begins_as_pretalx(beginning: bytes) -> bool:
    """Whether a document that begins so comes from pretalx, and from no other program."""
    return not _OWN.isdisjoint(sorts_in(beginning))


def sorts_in(beginning: bytes) -> set[str]:
    """What the records of a document that begins so are. Empty if it is not one of pretalx; other
    programs have rooms and tracks, too."""
    if text_of_head(beginning).startswith(b"["):
        listed = outline(beginning, mark="[")
        return {*filter(None, [sort_of(_inner(listed, "."))])}
    keys = outline(beginning, depth=3)
    talk = _inner(keys, "talks..")
    if {"start", "end", "room"} <= talk and ("code" in talk or "event_start" in keys):
        return {TALK}
    found = {sort_of(_inner(keys, f"{name}..")) for name in _LISTS}
    found |= {sort_of(_inner(keys, ""))}
    # A page without records says nothing; it is left to the other documents.
    return {each for each in found if each is not None} or ({VERSION} if keys >= _PAGE else set())


def _inner(keys: Iterable[str], prefix: str) -> set[str]:
    cut = len(prefix)
    return {key[cut:] for key in keys if key.startswith(prefix) and "." not in key[cut:]}


def read_document(
    document: JsonDocument, tables: Tables, progress: Progress, *, is_widget: bool
) -> None:
    """Add the records of a document. What is wrong with single values is reported.

    Raises ArchiveError, its finding in the report too, if the document is not JSON or beyond a
    limit.
    """
    with whole(document) as mark:
        reader = _DocumentReader(document, tables, progress)
        if mark == "{" and is_widget:
            reader.read_widget()
        elif mark == "{":
            reader.read_object()
        elif mark == "[":
            reader.read_list(None)
        elif mark:
            document.value()


class _DocumentReader:
    def __init__(self, document: JsonDocument, tables: Tables, progress: Progress) -> None:
        self._document = document
        self._tables = tables
        self._progress = progress
        self._read = 0

    def read_widget(self) -> None:
        """Read the document of the schedule widget."""
        for key, mark in self._document.members():
            if mark == "[" and key in _WIDGET:
                self.read_list(_WIDGET[key])
            else:
                self._keep(self._tables.says, key)

    def read_object(self) -> None:
        """Read a page of records, or a single one."""
        says: dict[str, Any] = {}
        sorts: Counter[str] | None = None
        for key, mark in self._document.members():
            if mark == "[" and (key == "results" or (key == "slots" and "code" not in says)):
                sorts = self.read_list(None)
            else:
                self._keep(says, key)
        if sorts is None:
            self._add(says, sort_of(says.keys()))
        elif isinstance(count := says.get("count"), int):
            for sort, number in sorts.most_common(1):
                self._tables.pages[sort] += number
                self._tables.counts[sort] = max(self._tables.counts[sort], count)
        elif "version" in says:
            self._tables.says["version"] = says["version"]

    def _keep(self, says: dict[str, Any], key: str) -> None:
        value = self._document.member(key, self._document.value())
        if value not in EMPTY:
            says[key] = value

    def read_list(self, sort: str | None) -> Counter[str]:
        """Read a list of records, and count what they are."""
        document = self._document
        sorts: Counter[str] = Counter()
        for _, value in document.elements(self._read):
            record = document.record(value)
            if record is None:
                continue
            found = sort or sort_of(record.keys())
            sorts[found or ""] += 1
            self._add(record, found)
            self._read += 1
            if self._read % EVERY == 0:
                self._progress("Reading the submissions", self._read, 0)
        document.count(None)
        return sorts

    def _add(self, record: dict[str, Any], sort: str | None) -> None:
        if sort == TALK:
            self._tables.add_talk(record)
        elif sort is not None:
            self._tables.add(sort, record)
        elif record:
            self._tables.unknown[self._document.entry or ""] += 1


def _asks(question: dict[str, Any]) -> str:
    return text_of(question.get("question")) or ""
