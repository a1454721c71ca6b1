"""Rows as JSON: a list of objects whose keys are the headers of columns, as pretalx and Sched
export it."""

import json
from collections.abc import Iterator
from typing import Any, Final

from eventimport.conference.report import Report
from eventimport.conference.values import translation
from eventimport.formats.bounded_json.document import JsonCounts, JsonDocument
from eventimport.formats.bounded_json.outline import outline
from eventimport.formats.format import text_of
from eventimport.formats.schedules.document import whole
from eventimport.formats.source import Source
from eventimport.formats.table.headers import find_header
from eventimport.formats.table.sheets import Cell, Row, Sheet

_IDENTIFIERS: Final = frozenset({"ID", "event_key"})
"""The key that each row of pretalx or Sched has. Rows without it may be any program's records."""


def begins_as_rows(beginning: bytes) -> bool:
    """Whether a document that begins so is a list of rows with a known header."""
    if not text_of(beginning).startswith(b"["):
        return False
    keys = [key[1:] for key in outline(beginning, mark="[") if key.startswith(".")]
    return not _IDENTIFIERS.isdisjoint(keys) and find_header([keys]) is not None


def read_rows(
    source: Source, name: str | None, title: str, language: str | None, report: Report
) -> Sheet:
    """The rows of a document. Of a text in several languages, the one in `language` is the cell;
    the others have columns of their own.

    Raises ArchiveError, its finding in the report too, if the document is not JSON or beyond a
    limit.
    """
    entry = name or title
    document = JsonDocument(
        source.read_document(name),
        entry,
        entry=entry,
        limits=source.limits,
        report=report,
        counts=JsonCounts(),
        check=source.check,
    )
    records: list[tuple[int, dict[str, Cell]]] = []
    with whole(document) as mark:
        if mark == "[":
            for _, value in document.elements():
                if (record := document.record(value)) is not None:
                    line, _ = document.stream.location(document.reader.start)
                    records.append((line, dict(_cells(record, language))))
            document.count(None)
        elif mark:
            document.value()
    columns = [*dict.fromkeys(key for _, cells in records for key in cells)]
    rows = [Row(1, [*columns])]
    rows += [Row(line, [cells.get(key) for key in columns]) for line, cells in records]
    return Sheet(entry, None, iter(rows))


def _cells(record: dict[str, Any], language: str | None) -> Iterator[tuple[str, Cell]]:
    for key, value in record.items():
        found = translation(value, language) if isinstance(value, dict) else None
        if found is not None:
            yield key, found[1]
            for other, text in value.items():
                if text and other != found[0]:
                    yield f"{key} ({other})", text
        elif isinstance(value, list):
            yield key, "\n".join(map(_named, value))
        else:
            yield key, _text(value) if isinstance(value, dict) else value


def _named(value: Any) -> str:
    """An element of a list as a text: a person is an object with a name."""
    name = value.get("name") if isinstance(value, dict) else value
    return name if isinstance(name, str) else _text(value)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
