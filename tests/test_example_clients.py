"""The sources of the example clients: no casts, exact versions, no package registry named."""

import ast
import json
import re
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parent.parent / "examples" / "clients"
PYTHON = CLIENTS / "python" / "import_conference.py"
TYPESCRIPT = CLIENTS / "typescript"
# What is neither code nor a type: comments, strings, and templates but for what they insert.
NO_CODE = re.compile(r"//[^\n]*|/\*.*?\*/|\"[^\"\n]*\"|`[^`]*`", re.DOTALL)
CAST = re.compile(r"\b(?:as|any)\b|[\w)\]]!(?!=)|@ts-|=\s*<")


def casts(source: str) -> list[str]:
    """What in a source of TypeScript silences the type checker."""
    inserted = " ".join(re.findall(r"\$\{([^}]*)\}", source))
    silenced = re.findall(r"@ts-\w+", source)
    return silenced + CAST.findall(NO_CODE.sub('""', source)) + CAST.findall(inserted)


@pytest.mark.parametrize(
    "line",
    [
        "const task = data as Task;",
        "const task: any = data;",
        "const id = url.split('/').pop()!;",
        "console.log(`${task!.state}`);",
        "// @ts-ignore",
        "// @ts-expect-error",
        "const task = <Task>data;",
    ],
)
def test_casts_are_found(line: str) -> None:
    assert casts(line)


def test_typescript_has_no_casts() -> None:
    programs = [path for path in TYPESCRIPT.glob("*.ts") if path.is_file()]
    assert {"with-hey-api.ts", "with-openapi-fetch.ts"} <= {path.name for path in programs}
    assert {
        path.name: casts(path.read_text()) for path in programs if casts(path.read_text())
    } == {}


def test_python_has_no_casts() -> None:
    source = PYTHON.read_text()
    names = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    assert names.isdisjoint({"Any", "cast"})
    assert "type: ignore" not in source
    assert "noqa" not in source


def test_packages_are_pinned_and_no_registry_is_named() -> None:
    package = json.loads((TYPESCRIPT / "package.json").read_text())
    versions = {**package["dependencies"], **package["devDependencies"]}
    assert [name for name, version in versions.items() if not version[0].isdigit()] == []

    # A lock file names the registry that its packages come from.
    assert (TYPESCRIPT / ".npmrc").read_text() == "package-lock=false\n"
