"""What of a text, and of an exception, may stand in a log."""

import re
import traceback
from collections.abc import Iterator
from typing import Final

MAX_CHAIN: Final = 5
WITHHELD: Final = "(message left out: it may contain personal data)"

# Each pattern can begin only where no earlier attempt has looked already: all are linear.
_REPLACEMENTS: Final = (
    (re.compile(r"(?<![\w-])(?>[\w-]*?\beyJ)[\w-]++\.[\w-]++\.[\w-]*"), "[token]"),
    (re.compile(r"\bei[pr]_[\w-]{16,}+"), "[token]"),
    (re.compile(r"\b(Bearer|JWT|Basic)\s+[^\s'\",]+", re.IGNORECASE), r"\1 [token]"),
    (re.compile(r"(?<=://)[^\s/@'\"]*@"), "[credentials]@"),
    (re.compile(r"(?<![^\s'\")])([^\s'\")?]*+\?)[^\s'\")=]*+=[^\s'\")]*"), r"\1[query]"),
    (
        re.compile(
            r"(?<![^\s@<>'\"(),:=/\[\]])[^\s@<>'\"(),:=/\[\]]++@[^\s@<>'\"(),]+\.[^\s@<>'\"(),]+"
        ),
        "[e-mail]",
    ),
    # An object's key ends with the name of the file that was uploaded.
    (
        re.compile(r"\b((?:events/\d+/\w+/\d+/\w+|uploads/\d+)/[\w-]+/)[^\s'\"]+"),
        r"\1[file]",
    ),
)

_PLAIN: Final = (AttributeError, ImportError, NameError, NotImplementedError, TypeError)
"""Their messages name code, not data."""
_PLAIN_MODULES: Final = ("redis.", "eventimport.storage.", "eventimport.queue", "eventimport.jobs.")


def redact(text: str) -> str:
    """The text without tokens, credentials, queries of URLs, e-mail addresses and file names."""
    for pattern, replacement in _REPLACEMENTS:
        text = pattern.sub(replacement, text)
    return text


def traceback_of(error: BaseException) -> str:
    """Where it was raised, and for which reasons; of the messages, only those that are known to
    hold nothing that a user has sent."""
    parts = []
    for number, (link, reason) in enumerate(_chain(error)):
        if number:
            parts.append(f"{link}\n")
        parts.extend(traceback.format_list(traceback.extract_tb(reason.__traceback__)))
        parts.append(f"{type(reason).__module__}.{type(reason).__qualname__}: {_message(reason)}\n")
    return "".join(parts).rstrip()


def reason_of(error: BaseException) -> str:
    """The exception and what it came from, in one line, with the messages of `traceback_of`."""
    *_, (_, origin) = _chain(error)
    return _line(error) if origin is error else f"{_name(error)}, caused by {_line(origin)}"


def _name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _line(error: BaseException) -> str:
    message = _message(error)
    return f"{_name(error)}: {message}" if message else _name(error)


def _chain(error: BaseException) -> Iterator[tuple[str, BaseException]]:
    """The exception, then what it came from; of a group, its members as well."""
    waiting = [("", error)]
    for _ in range(MAX_CHAIN):
        if not waiting:
            return
        link, current = waiting.pop(0)
        yield link, current
        if current.__cause__ is not None:
            waiting.append(("caused by", current.__cause__))
        elif current.__context__ is not None and not current.__suppress_context__:
            waiting.append(("while handling", current.__context__))
        if isinstance(current, BaseExceptionGroup):
            waiting += [("which holds", member) for member in current.exceptions]


def _message(error: BaseException) -> str:
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return f"SQLSTATE {state}"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, _PLAIN) or type(error).__module__.startswith(_PLAIN_MODULES):
        return redact(str(error))
    return WITHHELD if str(error) else ""
