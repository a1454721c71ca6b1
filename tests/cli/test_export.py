"""`eventimport export`, against services that answer as the real one does, and worse."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest
from tests.cli.test_client import TASK, problem, task
from typer.testing import CliRunner, Result

from eventimport.cli import app, client, client_command
from eventimport.cli.client import Client

CONTENT = bytes(range(256)) * 1000
RESULT = {
    "download_url": "https://elsewhere.example/exports/secret/ab3de6f0-openevent.zip",
    "format": "openevent",
    "report": {
        "total": 1,
        "findings": [{"severity": "warning", "message": "It has no place for sponsors."}],
    },
}
Handler = Callable[[httpx.Request], httpx.Response]
Export = Callable[..., Result]


class Broken(httpx.SyncByteStream):
    """A connection that breaks in the middle of the content."""

    def __iter__(self):  # type: ignore[no-untyped-def]
        yield CONTENT[:1000]
        raise httpx.ReadError("connection reset")


class Service:
    """A service with one event; its tasks and downloads take the answers given."""

    def __init__(self) -> None:
        self.tasks = [task("STARTED"), task("SUCCESS", RESULT)]
        self.downloads = [httpx.Response(200, content=CONTENT)]
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        match request.url.path:
            case "/v1/auth/session":
                return httpx.Response(200, json={"access_token": "a token"})
            case "/v1/events/ab3de6f0/export/sessions/csv" | "/v1/events/ab3de6f0/export/openevent":
                return httpx.Response(202, json={"task_url": TASK})
            case _ if request.url.path == TASK:
                return self.tasks.pop(0)
            case "/exports/secret/ab3de6f0-openevent.zip":
                return self.downloads.pop(0)
        return problem(404, f"Unknown {request.url.path}.")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Service:
    service = Service()
    transport = httpx.MockTransport(service)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(client_command, "Client", partial(Client, transport=transport))
    for name in ("FIRST_POLL_SECONDS", "SLOWEST_POLL_SECONDS", "SLOWEST_RETRY_SECONDS"):
        monkeypatch.setattr(client, name, 0.0)
    return service


def run(*arguments: str) -> Result:
    command = ["export", *arguments, "--email", "a@example.org"]
    return CliRunner().invoke(app, command, env={"EVENTIMPORT_PASSWORD": "right"})


def test_it_writes_the_file_and_shows_what_the_format_cannot_say(
    service: Service, tmp_path: Path
) -> None:
    result = run("ab3de6f0")
    assert result.exit_code == 0, result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["ab3de6f0-openevent.zip"]
    assert (tmp_path / "ab3de6f0-openevent.zip").read_bytes() == CONTENT
    assert "It has no place for sponsors." in result.stdout


def test_the_output_may_be_a_file_or_a_folder(service: Service, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for output, written in (
        ("a.zip", "a.zip"),
        ("folder", "folder/ab3de6f0-openevent.zip"),
    ):
        service.tasks = [task("SUCCESS", RESULT)]
        service.downloads = [httpx.Response(200, content=CONTENT)]
        result = run("ab3de6f0", "--format", "sessions/csv", "--output", output, "--json")
        assert json.loads(result.stdout)["file"] == written
        assert (tmp_path / written).read_bytes() == CONTENT


def test_a_broken_download_goes_on_where_it_was(service: Service, tmp_path: Path) -> None:
    service.downloads = [
        httpx.Response(200, headers={"content-length": "256000"}, stream=Broken()),
        problem(503, "Try again."),
        httpx.Response(206, content=CONTENT[1000:]),
    ]
    assert run("ab3de6f0").exit_code == 0
    assert service.requests[-1].headers["range"] == "bytes=1000-"
    assert (tmp_path / "ab3de6f0-openevent.zip").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("event", "answer", "expected"),
    [
        ("unknown", None, (1, "Unknown /v1/events/unknown/export/openevent.")),
        ("ab3de6f0", problem(410, "The link has expired."), (2, "The link has expired.")),
        ("ab3de6f0", httpx.ReadError("reset"), (2, "The download failed: reset")),
        ("ab3de6f0", KeyboardInterrupt(), (130, "The file is still on the service")),
    ],
)
def test_what_goes_wrong_is_shown_and_leaves_no_file(
    service: Service, tmp_path: Path, event: str, answer: object, expected: tuple[int, str]
) -> None:
    class Raising(httpx.SyncByteStream):
        def __iter__(self):  # type: ignore[no-untyped-def]
            yield b"x"
            assert isinstance(answer, BaseException)
            raise answer

    service.downloads = [
        answer if isinstance(answer, httpx.Response) else httpx.Response(200, stream=Raising())
        for _ in range(10)
    ]
    result = run(event)
    assert (result.exit_code, list(tmp_path.iterdir())) == (expected[0], [])
    assert expected[1] in " ".join(result.stderr.split())
