"""The errors that the code makes, as calls in its syntax trees."""

import ast
from collections.abc import Iterator
from pathlib import Path

import eventimport


def raised_problems() -> Iterator[ast.Call]:
    """Each call of `refuse` or `Problem`, except those of the OpenAPI document's examples."""
    for path in Path(eventimport.__file__).parent.rglob("*.py"):
        if path.name != "error_examples.py":
            for node in ast.walk(ast.parse(path.read_text())):
                name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
                if isinstance(node, ast.Call) and name in {"refuse", "Problem"}:
                    yield node


def literals(call: ast.Call) -> list[object]:
    """The status, the code and the title, or those of them that are literals."""
    return [each.value for each in call.args[:3] if isinstance(each, ast.Constant)]
