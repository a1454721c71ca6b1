"""What can go wrong, in the one form that every part of the service uses."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MAX_LISTED: Final = 20
"""How many errors a document lists; its `meta` says how many there are."""
MAX_DETAIL: Final = 500
MAX_SOURCE: Final = 200
MAX_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One JSON:API error object.

    `status` is the HTTP status, and `code` a stable kebab-case word that clients may compare.
    `title` is the same for each problem of that code; `detail` says what happened this time.
    `source` has `pointer`, `parameter` or `header`; `meta` is whatever else a program may want to
    read.
    """

    status: int
    code: str
    title: str
    detail: str
    source: Mapping[str, str] | None = None
    meta: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The error object as JSON:API spells it; `status` is a string there."""
        result: dict[str, Any] = {
            "status": str(self.status),
            "code": self.code,
            "title": self.title,
            "detail": shorten(self.detail, MAX_DETAIL),
        }
        if self.source:
            result["source"] = {
                name: shorten(value, MAX_SOURCE) for name, value in self.source.items()
            }
        if self.meta:
            result["meta"] = dict(self.meta)
        return result


class EventImportError(Exception):
    """The base of everything that this package raises on purpose."""


@dataclass(eq=False)
class ProblemError(EventImportError):
    """An error response: one or more problems, and headers to send with them."""

    problems: tuple[Problem, ...]
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__("; ".join(problem.detail for problem in self.problems))

    @property
    def status(self) -> int:
        """The HTTP status of the whole answer: that of the problems, or 400 where they differ."""
        statuses = {problem.status for problem in self.problems}
        return statuses.pop() if len(statuses) == 1 else 400


def refuse(
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    source: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    meta: Mapping[str, Any] | None = None,
) -> ProblemError:
    """A `ProblemError` of one problem, ready to be raised."""
    return ProblemError((Problem(status, code, title, detail, source, meta),), headers or {})


def document(problems: Iterable[Problem]) -> dict[str, Any]:
    """The JSON:API document that carries the first of these problems, and says how many there
    are."""
    given = list(problems)
    result: dict[str, Any] = {
        "errors": [problem.as_dict() for problem in given[:MAX_LISTED]],
        "jsonapi": {"version": "1.1"},
    }
    if len(given) > MAX_LISTED:
        result["meta"] = {"total": len(given)}
    return result


def shorten(text: str, length: int) -> str:
    """The text, cut to this many characters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def size_in_words(size: int) -> str:
    """A number of bytes as people read it: "512 MiB", "1.43 MiB", "16 KiB", "1,000 bytes"."""
    if size >= 2**20:
        mebibytes = size / 2**20
        return f"{mebibytes:,.0f} MiB" if mebibytes >= 100 else f"{mebibytes:.3g} MiB"
    return f"{size:,} bytes" if size % 1024 or not size else f"{size // 1024:,} KiB"


def pointer_to(*names: str) -> str:
    """A JSON pointer to what these names lead to in a body, or to a part of a form."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)


def shown(value: str) -> str:
    """A value that a client has sent, as an error message quotes it."""
    return repr(shorten(value, MAX_SHOWN))
