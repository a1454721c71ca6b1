"""Values in JSON documents: what says nothing, and texts in place of numbers, objects or lists."""

from collections.abc import Callable
from typing import Any, Final

from eventimport.conference import values

EMPTY: Final[tuple[Any, ...]] = (None, "", [], {})
"""Values that say nothing."""


def said(raw: dict[str, Any]) -> dict[str, Any]:
    """The members of an object that say something."""
    return {key: value for key, value in raw.items() if value not in EMPTY}


def keep_said(extra: dict[str, Any], key: str, value: Any) -> None:
    """Keep a value that says something."""
    if value not in EMPTY:
        extra[key] = value


def as_list(value: Any) -> list[Any]:
    """The elements of a list; a value in place of a list is its only element."""
    return value if isinstance(value, list) else [] if value in EMPTY else [value]


def text_of(value: Any, language: str | None = None) -> str | None:
    """A value as a text: in this language if it is in several. None if it is not a text."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, dict):
        found = values.translation(value, language)
        return found[1].strip() if found else None
    return values.source_key(value)


def address_of(value: Any) -> str | None:
    """The address of an image or a link: a text, or an object with a `url`."""
    if isinstance(value, dict):
        value = value.get("url") or value.get("href")
    return value.strip() or None if isinstance(value, str) else None


def by_number(key: str) -> Callable[[dict[str, Any]], tuple[bool, float]]:
    """Sorts objects by a number that they say; those that do not say it come last."""

    def order(raw: dict[str, Any]) -> tuple[bool, float]:
        number = raw.get(key)
        return (False, number) if isinstance(number, (int, float)) else (True, 0)

    return order
