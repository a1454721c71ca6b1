"""Every text that people meet, collected from the code, the pages and the documents.

A text in Python is any string literal that reads like prose, wherever it stands, so that a message
cannot escape the tests by way of a constant or a table. SQL and names of keys are not prose.
"""

import ast
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = ROOT / "src" / "eventimport"

VALUE: Final = "N"
"""Stands for what an f-string or a template puts in."""

_PROSE: Final = re.compile(r"[A-Za-z']{2,}[,;:.]? +(?:[A-Za-z'“\"`(]|N\b)|N [a-z]{2,}")
_STATEMENT: Final = re.compile(
    r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|ALTER|DROP|SET|FROM|WHERE|LOCK|NOTIFY|COPY"
    r"|AND|OR|ORDER BY|LEFT|JOIN|ON CONFLICT|VALUES|RETURNING|EXISTS|NOT EXISTS|TRUNCATE)\b"
)
_SQL_CALLS: Final = {"text", "CheckConstraint", "Index", "compile", "execute", "literal_column"}
_TITLED: Final = {"refuse": 2, "Problem": 2}
"""Functions that make a problem, and the position of its title."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text, the file that has it, and its line there (0 if it has none)."""

    where: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.where}:{self.line}"


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def python_files() -> list[Path]:
    """All modules of the package."""
    return sorted(SOURCE.rglob("*.py"))


def _joined(node: ast.AST) -> str | None:
    """The text of a string expression, with `VALUE` for what is put in; None for other nodes."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_joined(value) or VALUE for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            sides = _joined(left), _joined(right)
            return None if sides == (None, None) else "".join(side or VALUE for side in sides)
    return None


def _docstrings(tree: ast.AST) -> dict[int, ast.Constant]:
    """The docstrings of modules, classes and functions, and those below a name, by identity."""
    found = {}
    for node in ast.walk(tree):
        for body in (getattr(node, "body", None), getattr(node, "orelse", None)):
            for statement in body if isinstance(body, list) else ():
                match statement:
                    case ast.Expr(value=ast.Constant(value=str()) as constant):
                        found[id(constant)] = constant
    return found


def docstrings() -> Iterator[Text]:
    """All docstrings of the package."""
    for path in python_files():
        for constant in _docstrings(ast.parse(path.read_text())).values():
            yield Text(_named(path), constant.lineno, str(constant.value))


def messages() -> Iterator[Text]:
    """All literals in the package's code that read like prose: errors, findings, logs, helps."""
    for path in python_files():
        tree = ast.parse(path.read_text())
        seen = set(_docstrings(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _called(node) in _SQL_CALLS:
                seen.update(id(part) for part in ast.walk(node))
            if id(node) in seen:
                continue
            text = _joined(node)
            if text is None:
                continue
            seen.update(id(part) for part in ast.walk(node))
            if _PROSE.search(text) and not _STATEMENT.match(text):
                yield Text(_named(path), getattr(node, "lineno", 0), text)


def _called(call: ast.Call) -> str:
    function = call.func
    return str(getattr(function, "attr", "") or getattr(function, "id", ""))


def titles() -> Iterator[Text]:
    """The titles of all problems."""
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or _called(node) not in _TITLED:
                continue
            position = _TITLED[_called(node)]
            given = [keyword.value for keyword in node.keywords if keyword.arg == "title"]
            given += node.args[position : position + 1]
            for argument in given:
                text = _joined(argument)
                if text is not None:
                    yield Text(_named(path), argument.lineno, text)


_TAG: Final = re.compile(r"</?(?:a|b|em|i|small|span|strong|time|abbr|code|kbd)\b[^>]*>")
_BLOCK: Final = re.compile(
    r"<(?:style|script)\b.*?</(?:style|script)>|<!--.*?-->|<[^>]*>", re.DOTALL
)
_SHOWN: Final = re.compile(r"(?:title|alt|placeholder|aria-label|content)=\"([^\"]*)\"")
_PUT_IN: Final = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_STEERING: Final = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)


def templates() -> Iterator[Text]:
    """What the templates of pages and mails say, tag by tag."""
    paths = [path for path in SOURCE.rglob("templates/*") if path.is_file()]
    for path in sorted(paths):
        source = _STEERING.sub("", _PUT_IN.sub(VALUE, path.read_text()))
        yield from _pieces(path, _BLOCK.sub("\n\n", _TAG.sub("", source)), "\n\n")
        yield from _pieces(path, "\0".join(_SHOWN.findall(source)), "\0")


def _pieces(path: Path, text: str, separator: str) -> Iterator[Text]:
    for piece in re.split(separator.replace("\n\n", r"\n\s*\n"), text):
        shown = html.unescape(" ".join(piece.split()))
        if _PROSE.search(shown):
            yield Text(_named(path), 0, shown)


_LITERAL: Final = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"((?:[^\"\\\n]|\\.)*)\"|'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`",
    re.DOTALL,
)


def scripts() -> Iterator[Text]:
    """The literals of the pages' scripts that read like prose."""
    for path in sorted(SOURCE.rglob("static/*.js")):
        source = path.read_text()
        for match in _LITERAL.finditer(source):
            text = re.sub(r"\$\{[^{}]*\}", VALUE, next(filter(None, match.groups()), ""))
            if _PROSE.search(text):
                yield Text(_named(path), source.count("\n", 0, match.start()) + 1, text)


_FENCE: Final = re.compile(r"^(```|~~~).*?^\1\s*$", re.DOTALL | re.MULTILINE)
_INDENTED: Final = re.compile(r"(?:(?<=\n\n)|\A)(?:(?: {4}|\t)[^\n]*\n+)+")
_ITEM: Final = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )|\n(?=[#>|])")


def documents() -> Iterator[Text]:
    """The README, the documentation and what `make` lists, paragraph by paragraph; no code."""
    paths = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    paths += sorted((ROOT / "docs").rglob("*.md"))
    for path in paths:
        source = _INDENTED.sub("\n\n", _FENCE.sub("\n\n", path.read_text()))
        for block in _ITEM.split(source):
            cells = block.split(" | ") if block.startswith("|") else [block]
            for cell in cells:
                text = " ".join(re.sub(r"^[\s#>|*-]+|\]\([^)]*\)|[*\[]", "", cell).split())
                if _PROSE.search(text):
                    yield Text(_named(path), 0, text)
    makefile = ROOT / "Makefile"
    for number, line in enumerate(makefile.read_text().splitlines(), 1):
        if "## " in line:
            yield Text(_named(makefile), number, line.partition("## ")[2])


def described(document: Any, path: str = "openapi") -> Iterator[Text]:
    """The summaries, descriptions and examples of an OpenAPI document."""
    if isinstance(document, list):
        for number, part in enumerate(document):
            yield from described(part, f"{path}/{number}")
    elif isinstance(document, dict):
        for key, part in document.items():
            if key in {"summary", "description", "title"} and isinstance(part, str):
                yield Text(f"{path}/{key}", 0, part)
            else:
                yield from described(part, f"{path}/{key}")
