"""How much a command loads before it does anything: `--help` and `import` are no web service."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

REPORT = "; print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"

SMALL_CLIENT = """\
import contextlib, sys, httpx, rich.markdown, rich.progress, tenacity, typer.rich_utils
with contextlib.suppress(httpx.ConnectError):
    httpx.get("http://127.0.0.1:1")
"""
"""A program that asks an HTTP service and prints what it answers, with the libraries of ours."""

COMMAND = """\
import contextlib, sys
from eventimport.cli import main
with contextlib.suppress(SystemExit):
    main()
"""


def loaded(program: str, *arguments: str) -> set[str]:
    """The top-level modules that a program has loaded when it ends."""
    command = [sys.executable, "-c", f"{program}\nimport sys{REPORT}", *arguments]
    environment = {"EVENTIMPORT_PASSWORD": "a good password"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return set(ended.stderr.splitlines()[-1].split())


@pytest.fixture(scope="module")
def enough() -> set[str]:
    return loaded(SMALL_CLIENT) | sys.stdlib_module_names | {"eventimport"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        *(
            [*command.split(), "--help"]
            for command in (
                "import", "serve", "worker", "migrate", "clean-up", "user", "user add", "archive",
                "dev", "demo",
            )
        ),
        ["import", "a.zip", "--email", "a@example.org", "--url", "http://127.0.0.1:1"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_command_that_needs_no_web_stack_loads_none(
    arguments: list[str], enough: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.zip").write_bytes(b"")
    found = loaded(COMMAND, *arguments)
    assert "eventimport" in found
    assert found - enough == set()


def test_the_service_loads_more(enough: set[str]) -> None:
    stack = {"fastapi", "starlette", "pydantic", "sqlalchemy", "asyncpg", "redis", "jinja2", "PIL"}
    assert stack <= loaded("import eventimport.main") - enough
