"""The commands that run and prepare the service."""

import asyncio
import os
import re
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from eventimport.auth import Passwords
from eventimport.cli import app

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def environment(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> pytest.MonkeyPatch:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("SECRET_KEY", "a key for tests, which guards nothing")
    monkeypatch.delenv("EVENTIMPORT_PASSWORD", raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    "command", [["serve"], ["worker"], ["migrate"], ["user", "add", "--email", "a@b.org"]]
)
def test_without_settings_a_command_says_what_is_missing(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY"):
        assert f"{name}: is not set" in result.stderr


async def test_user_add(environment: pytest.MonkeyPatch, engine: AsyncEngine) -> None:
    environment.setenv("EVENTIMPORT_PASSWORD", "a good password")
    command = ["user", "add", "--email", "Boss@example.org", "--admin"]
    result = await asyncio.to_thread(CliRunner().invoke, app, command)
    assert result.exit_code == 0, result.output
    async with engine.connect() as connection:
        row = (await connection.execute(text("select * from users"))).one()
    assert (row.email, row.is_admin) == ("Boss@example.org", True)
    assert await Passwords().verify(row.password_hash, "a good password")


def test_user_add_says_that_the_address_is_taken(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("EVENTIMPORT_PASSWORD", "a good password")
    assert CliRunner().invoke(app, ["user", "add", "--email", "a@example.org"]).exit_code == 0
    again = CliRunner().invoke(app, ["user", "add", "--email", "A@example.org"])
    assert again.exit_code == 2
    assert "A@example.org" in again.stderr


@pytest.mark.parametrize(
    ("email", "password", "told"),
    [("nobody", "a good password", "email"), ("a@example.org", "short", "password")],
)
def test_user_add_refuses_what_sign_up_refuses(
    environment: pytest.MonkeyPatch, email: str, password: str, told: str
) -> None:
    environment.setenv("EVENTIMPORT_PASSWORD", password)
    result = CliRunner().invoke(app, ["user", "add", "--email", email])
    assert result.exit_code == 2
    assert told in result.stderr
    assert password not in result.output


def test_migrate_may_run_again(environment: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(app, ["migrate"])
    assert result.exit_code == 0
    assert "up to date" in result.stdout


@pytest.mark.parametrize("command", [["dev"], ["demo", "."]])
def test_a_port_in_use(command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "event.json").write_text("{}")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(app, [*command, "--port", port, "--data-dir", "data"])
    assert result.exit_code == 2
    assert f"Port {port} is in use" in result.stderr


def make_conference(folder: Path) -> None:
    (folder / "images").mkdir(parents=True)
    (folder / "event.json").write_text('{"name": "A"}')
    (folder / "sessions").write_text("[]")
    (folder / "images" / "photo.json").write_text("not a document")
    (folder / ".hidden").write_text("x")
    (folder / "images" / ".DS_Store").write_text("x")
    (folder / "link").symlink_to("/etc/hostname")


def test_archive(tmp_path: Path) -> None:
    folder = tmp_path / "conference.2027"
    make_conference(folder)
    result = CliRunner().invoke(app, ["archive", str(folder)])
    assert result.exit_code == 0, result.stderr
    with zipfile.ZipFile(tmp_path / "conference.2027.zip") as archive:
        assert archive.namelist() == ["event", "images/photo.json", "sessions"]
        assert archive.read("event") == b'{"name": "A"}'


def test_archive_gives_the_same_bytes_again(tmp_path: Path) -> None:
    zips: list[bytes] = []
    for name in ("a", "b"):
        make_conference(tmp_path / name)
        os.utime(tmp_path / name / "sessions", (0, len(zips)))
        target = tmp_path / f"{name}.zip"
        CliRunner().invoke(app, ["archive", str(tmp_path / name), "-o", str(target)])
        zips.append(target.read_bytes())
    assert zips[0] == zips[1]


def test_archive_of_a_directory_without_an_event(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["archive", str(tmp_path)])
    assert result.exit_code == 2
    assert "event.json" in result.stderr


@pytest.mark.parametrize("script", ["settings_table", "losses_table"])
def test_the_tables_of_the_readme_are_in_step(script: str) -> None:
    command = [sys.executable, f"scripts/{script}.py", "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_make_lists_every_target() -> None:
    targets = set(re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in listed.splitlines() if line.startswith("  ")} == targets


@pytest.mark.parametrize(
    ("given", "told"), [("python2.7", "3.11"), ("/nowhere/python3", "/nowhere/python3")]
)
def test_a_python_that_will_not_do(given: str, told: str) -> None:
    found = subprocess.run(
        ["sh", "scripts/find-python"],
        cwd=ROOT,
        env={**os.environ, "PYTHON": given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1
    assert told in found.stderr
