"""What exporters put around records: objects around lists, JSON:API, lists around one object."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from eventimport.formats.openevent.document_names import document_named

How = Literal["wrapped", "keyed", "one", "lines"]

_ANY_LIST: Final = frozenset(
    {"data", "items", "results", "records", "list", "rows", "values", "nodes", "entries"}
)
_EVENT: Final = frozenset({"event", "events", "data", "conference"})
_JSON_API: Final = frozenset({"type", "id", "attributes", "relationships", "links", "meta"})
_WITHOUT_CONTENT: Final = frozenset({"jsonapi", "links"})
"""Members of a JSON:API document that say nothing of a record: its version, and addresses."""

HOW_WORDS: Final[Mapping[How, str]] = {
    "wrapped": "The list is inside an object. It was read from there.",
    "keyed": "The records are in an object, under their ids. They were read as a list.",
    "lines": "The document contains several objects in a row. They were read as a list.",
    "one": "The document is a single object. It was read as a list of one.",
}


def is_wrapper(key: str, document: str) -> bool:
    """Whether a list under this key is the document itself: `speakers`, `data`, `items`."""
    named = document_named(key)
    return (named is not None and named[0] == document) or key.casefold() in _ANY_LIST


def flattened(raw: dict[str, Any]) -> dict[str, Any] | None:
    """A JSON:API resource object as a plain record; None if it is none."""
    attributes = raw.get("attributes")
    if not isinstance(attributes, dict) or not _JSON_API.issuperset(raw):
        return None
    record = dict(attributes)
    if raw.get("id") is not None:
        record.setdefault("id", raw["id"])
    relationships = raw.get("relationships")
    for name, relationship in relationships.items() if isinstance(relationships, dict) else ():
        if isinstance(relationship, dict) and relationship.get("data"):
            record.setdefault(name, _linkage(relationship["data"]))
    if raw.get("meta"):
        record.setdefault("meta", raw["meta"])
    return record


def _linkage(data: Any) -> Any:
    if isinstance(data, list):
        return [_linkage(item) for item in data]
    if isinstance(data, dict) and set(data) == {"type", "id"}:
        return {"id": data["id"]}
    return data


def records_in(whole: dict[str, Any], document: str) -> tuple[list[Any], dict[str, Any], How]:
    """The records of an object that stands where a list belongs, and what stands beside them."""
    rest = without_furniture(whole)
    wrappers = [
        key
        for key, value in rest.items()
        if isinstance(value, (list, dict)) and is_wrapper(key, document)
    ]
    if len(wrappers) == 1 and flattened(whole) is None:
        inner = rest.pop(wrappers[0])
        if isinstance(inner, list):
            return inner, rest, "wrapped"
        records, beside, _ = records_in(inner, document)
        return records, rest | beside, "wrapped"
    if rest and all(isinstance(value, dict) for value in rest.values()):
        return [_with_id(value, key) for key, value in rest.items()], {}, "keyed"
    return ([rest] if rest else []), {}, "one"


def without_furniture(whole: Mapping[str, Any]) -> dict[str, Any]:
    """The object without the members of a JSON:API document that have no content."""
    return {
        key: value
        for key, value in whole.items()
        if not (key in _WITHOUT_CONTENT and isinstance(value, dict))
    }


def _with_id(record: dict[str, Any], key: str) -> dict[str, Any]:
    return record if record.get("id") is not None else {**record, "id": key}


def unwrapped_event(raw: dict[str, Any]) -> dict[str, Any] | None:
    """The event out of `{"event": {…}}`, `{"data": {…}}` or a JSON:API resource, with what stands
    beside it; included resources are lists under their documents' names. None if nothing is around
    it."""
    event = _unwrapped_once(raw)
    found = event
    while event is not None:
        found, event = event, _unwrapped_once(event)
    return found


def _unwrapped_once(raw: dict[str, Any]) -> dict[str, Any] | None:
    flat = flattened(raw)
    if flat is not None:
        return flat
    keys = [key for key, value in raw.items() if key.casefold() in _EVENT and _only_object(value)]
    if len(keys) != 1 or any(key.casefold() in {"name", "title"} for key in raw):
        return None
    beside = without_furniture(raw)
    inner = _only_object(beside.pop(keys[0]))
    inner = flattened(inner) or inner
    result = {**beside, **inner}
    for key in beside.keys() & inner.keys():
        result[f"{key}_"] = beside[key]
    return _with_included(result)


def _only_object(value: Any) -> dict[str, Any]:
    """The object, or the only one of a list; empty if it is neither."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, dict) else {}


def _with_included(event: dict[str, Any]) -> dict[str, Any]:
    included = event.get("included")
    if not isinstance(included, list):
        return event
    rest = []
    found: dict[str, list[Any]] = {}
    for item in included:
        kind = document_named(item["type"]) if isinstance(item, dict) and _is_typed(item) else None
        record = flattened(item) if kind else None
        if kind is None or record is None:
            rest.append(item)
        else:
            found.setdefault(kind[0], []).append(record)
    result = {key: value for key, value in event.items() if key != "included"}
    # What the event's relationships say of the same records are their ids.
    for document, records in found.items():
        for key in [key for key in result if is_references(result[key]) and _is(key, document)]:
            del result[key]
        result[document] = records
    if rest:
        result["included"] = rest
    return result


def _is_typed(item: dict[str, Any]) -> bool:
    return isinstance(item.get("type"), str)


def _is(key: str, document: str) -> bool:
    named = document_named(key)
    return named is not None and named[0] == document


def is_references(value: Any) -> bool:
    """Whether it is a list of ids without any other values of the records."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, dict) and set(item) == {"id"} for item in value)
    )
