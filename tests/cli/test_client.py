"""`eventimport import`, against services that answer as the real one does, and worse."""

import json
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from eventimport.cli import app, client, client_command
from eventimport.cli.client import Client

TASK = "/v1/tasks/3f0e8f0c-2f5a-4e55-9f0e-111111111111"
EVENT = {
    "id": "24",
    "identifier": "ab3de6f0",
    "event_name": "Lantern [Open]",
    "url": "https://events.example/events/ab3de6f0",
    "report": {
        "counts": {"events": 1, "microlocations": 5, "event_copyrights": 1, "sessions": 42},
        "media": {"archive": 3, "missing": 0, "remote": 0, "items": []},
        "totals": {"repair": 1, "warning": 0, "error": 0},
        "findings": [
            {
                "severity": "repair",
                "code": "no-offset",
                "message": "read as local time",
                "entry": "sessions",
                "record": 7,
                "source_id": "508",
                "field": "starts_at",
            }
        ],
    },
}
FAILURE = {
    "errors": [
        {
            "status": "422",
            "code": "json-syntax",
            "title": "No",
            "detail": "tracks, line 3: a comma",
        },
        {
            "status": "422",
            "code": "bad-time",
            "title": "No",
            "detail": "not a time",
            "meta": {"entry": "sessions", "record": 4, "field": "ends_at"},
        },
    ]
}

Answer = httpx.Response | BaseException


def task(state: str, result: Any = None, **progress: Any) -> httpx.Response:
    told = {"stage": None, "done": 0, "total": 0, "message": None, **progress}
    return httpx.Response(200, json={"state": state, "progress": told, "result": result})


def problem(status: int, detail: str) -> httpx.Response:
    return httpx.Response(status, json={"errors": [{"status": str(status), "detail": detail}]})


class Service:
    """A service with one account; its tasks take the answers given, one at each poll."""

    def __init__(self) -> None:
        self.tasks: Iterator[Answer] = iter(())
        self.upload: Answer | None = None
        self.uploads: list[Answer] = []
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path == "/v1/auth/session":
            request.read()
            if json.loads(request.content) == {"email": "a@example.org", "password": "right"}:
                return httpx.Response(200, json={"access_token": "a token"})
            return problem(401, "Wrong e-mail address or password.")
        if request.headers.get("Authorization") != "Bearer a token":
            return problem(401, "Sign in first.")
        if request.method == "POST":
            request.read()
            answer = (
                self.uploads.pop(0)
                if self.uploads
                else self.upload or httpx.Response(202, json={"task_url": TASK})
            )
        else:
            assert request.url.path == TASK
            answer = next(self.tasks)
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    service = Service()
    monkeypatch.delenv("EVENTIMPORT_TOKEN", raising=False)
    transport = httpx.MockTransport(service)
    monkeypatch.setattr(client_command, "Client", partial(Client, transport=transport))
    monkeypatch.setattr(client, "FIRST_POLL_SECONDS", 0.0)
    monkeypatch.setattr(client, "SLOWEST_POLL_SECONDS", 0.0)
    monkeypatch.setattr(client, "SLOWEST_RETRY_SECONDS", 0.0)
    return service


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "größer.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("event", "{}" + " " * 300_000)
    return path


Import = Callable[..., Result]


@pytest.fixture
def run(service: Service, archive: Path) -> Import:
    def run(*arguments: str, password: str | None = "right") -> Result:
        command = ["import", str(archive), "--email", "a@example.org", *arguments]
        return CliRunner().invoke(app, command, env={"EVENTIMPORT_PASSWORD": password})

    return run


def test_shows_the_event_and_its_findings(service: Service, run: Import, archive: Path) -> None:
    service.tasks = iter(
        [
            task("PENDING"),
            task("STARTED", stage="write", done=120, total=491, message="Importing sessions"),
            task("SUCCESS", EVENT),
        ]
    )
    result = run("--strict")
    assert result.exit_code == 0, result.stderr
    for expected in (
        "Lantern [Open]",
        "https://events.example/events/ab3de6f0",
        "1 event, 5 rooms, 1 copyright notice",
        "3 in the archive",
        "1 repair",
        "sessions, record 8 (id 508), starts_at: read as local time",
    ):
        assert expected in result.stdout
    upload = service.requests[1]
    assert upload.url.params == httpx.QueryParams(strict="true", dry_run="false")
    assert archive.read_bytes() in upload.content
    assert "größer.zip".encode() in upload.content


def test_shows_how_missing_media_files_are_fetched(service: Service, run: Import) -> None:
    findings_url = f"/v1/import-jobs/{TASK.rpartition('/')[2]}/findings"
    for outcomes, shown in (
        ({"MOVED": 2, "UNREACHABLE": 1, "NOT_STORED": 3}, True),
        ({"MOVED": 2, "NOT_AN_IMAGE": 1}, False),
    ):
        report = {"media": {"outcomes": outcomes}, "findings_url": findings_url}
        service.tasks = iter([task("SUCCESS", {**EVENT, "report": report})])
        command = f"`eventimport fetch-media {TASK.rpartition('/')[2]}`"
        hint = f"4 media files are missing. Fetch them with {command}."
        assert (hint in run().stdout) is shown


def test_json_is_all_that_goes_to_standard_output(service: Service, run: Import) -> None:
    service.tasks = iter([task("SUCCESS", EVENT)])
    result = run("--json", "--dry-run")
    assert json.loads(result.stdout) == EVENT
    assert service.requests[1].url.params["dry_run"] == "true"


def test_a_failed_import_lists_every_error_with_its_place(service: Service, run: Import) -> None:
    service.tasks = iter([task("FAILURE", FAILURE)])
    result = run()
    assert result.exit_code == 1
    assert "tracks, line 3: a comma" in result.stderr
    assert "sessions, record 5, ends_at: not a time" in result.stderr
    assert not result.stdout


def test_a_failed_import_as_json(service: Service, run: Import) -> None:
    service.tasks = iter([task("FAILURE", FAILURE)])
    result = run("--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == FAILURE


def test_a_revoked_import_has_failed(service: Service, run: Import) -> None:
    service.tasks = iter([task("REVOKED")])
    result = run()
    assert result.exit_code == 1
    assert result.stderr.endswith("The import was cancelled.\n")


@pytest.mark.parametrize("status", [400, 413, 415])
def test_an_archive_that_is_not_taken(service: Service, run: Import, status: int) -> None:
    service.upload = problem(status, "The file is not a zip.")
    result = run()
    assert result.exit_code == 1
    assert "The file is not a zip." in result.stderr


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ((), "/v1/events/import/auto"),
        (("--format", "json"), "/v1/events/import/json"),
        (("--format", "../../admin?a=b#c"), "/v1/events/import/..%2F..%2Fadmin%3Fa%3Db%23c"),
    ],
)
def test_the_format_is_a_part_of_the_path(
    service: Service, run: Import, arguments: tuple[str, ...], path: str
) -> None:
    run("--no-wait", *arguments)
    assert service.requests[1].url.raw_path.decode().partition("?")[0] == path


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((), {}),
        (("--timezone", "Europe/Berlin"), {"timezone": "Europe/Berlin"}),
        (("--name", "Süd & Nord", "--language", "de"), {"name": "Süd & Nord", "language": "de"}),
        (("--strict", "--dry-run"), {"strict": "true", "dry_run": "true"}),
    ],
)
def test_options_are_query_parameters(
    service: Service, run: Import, arguments: tuple[str, ...], options: dict[str, str]
) -> None:
    run("--no-wait", *arguments)
    sent = dict(service.requests[1].url.params)
    assert sent == {"strict": "false", "dry_run": "false"} | options


def test_an_unknown_format_is_answered_with_the_known_ones(service: Service, run: Import) -> None:
    service.upload = problem(404, "“csv” is not a known format. The formats are: openevent.")
    result = run("--format", "csv")
    assert result.exit_code == 2
    assert "The formats are: openevent." in " ".join(result.stderr.split())


def uploads_of(service: Service) -> list[httpx.Request]:
    return [request for request in service.requests if request.url.path.startswith("/v1/events")]


def test_an_upload_is_sent_again_under_the_same_key(
    service: Service, run: Import, archive: Path
) -> None:
    service.uploads = [
        httpx.ReadError("gone"),
        httpx.Response(502, text="<h1>Bad gateway</h1>"),
        problem(503, "Later."),
        problem(504, "Later."),
    ]
    result = run("--no-wait")
    assert (result.exit_code, result.stdout) == (0, f"{TASK}\n")
    uploads = uploads_of(service)
    assert len(uploads) == 5
    assert len({request.headers["Idempotency-Key"] for request in uploads}) == 1
    assert all(archive.read_bytes() in request.content for request in uploads)


def test_a_url_is_left_to_the_service(service: Service) -> None:
    source = "https://events.example/schedule.xml"
    service.uploads = [problem(503, "Later.")]
    command = ["import", source, "--email", "a@example.org", "--no-wait", "--format", "auto"]
    result = CliRunner().invoke(app, command, env={"EVENTIMPORT_PASSWORD": "right"})
    assert (result.exit_code, result.stdout) == (0, f"{TASK}\n")
    first, second = uploads_of(service)
    assert json.loads(first.content) == json.loads(second.content) == {"url": source}
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]


@pytest.mark.parametrize(
    ("name", "reason"), [("missing.zip", "does not exist"), (".", "directory")]
)
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str, reason: str) -> None:
    result = CliRunner().invoke(app, ["import", str(tmp_path / name), "--email", "a@example.org"])
    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.split())


def test_each_upload_has_a_key_of_its_own(service: Service, run: Import) -> None:
    run("--no-wait")
    run("--no-wait")
    assert len({request.headers["Idempotency-Key"] for request in uploads_of(service)}) == 2


@pytest.mark.parametrize("answer", [httpx.ConnectError("refused"), problem(503, "refused")])
def test_an_upload_is_not_sent_for_ever(service: Service, run: Import, answer: Answer) -> None:
    service.upload = answer
    result = run()
    assert result.exit_code == 2
    assert "refused" in result.stderr
    assert len(uploads_of(service)) == client.UPLOAD_TRIES


@pytest.mark.parametrize("status", [400, 401, 409, 422, 429, 500])
def test_what_is_refused_is_not_sent_again(service: Service, run: Import, status: int) -> None:
    service.upload = problem(status, "No.")
    assert run().exit_code > 0
    assert len(uploads_of(service)) == 1


@pytest.mark.parametrize(
    ("given", "pauses"),
    [("7", [7.0, 7.0]), ("3600", [30.0, 30.0]), ("Fri, 31 Dec 1999", [1.0, 2.0]), (None, [1, 2])],
)
def test_how_long_to_wait_is_for_the_service_to_say(
    service: Service,
    run: Import,
    monkeypatch: pytest.MonkeyPatch,
    given: str | None,
    pauses: list[float],
) -> None:
    monkeypatch.setattr(client, "SLOWEST_RETRY_SECONDS", 30.0)
    slept: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", slept.append)
    headers = {"Retry-After": given} if given else {}
    service.uploads = [httpx.Response(503, headers=headers) for _ in range(2)]
    assert run("--no-wait").exit_code == 0
    assert slept == pauses


def test_no_wait_prints_the_task(service: Service, run: Import) -> None:
    result = run("--no-wait")
    assert (result.exit_code, result.stdout) == (0, f"{TASK}\n")
    assert json.loads(run("--no-wait", "--json").stdout) == {"task_url": TASK}


def test_a_wrong_password(service: Service, run: Import) -> None:
    result = run(password="wrong")
    assert result.exit_code == 2
    assert "Wrong e-mail address or password." in result.stderr


def test_no_password_and_no_terminal(service: Service, run: Import) -> None:
    result = run(password=None)
    assert result.exit_code == 2
    assert "EVENTIMPORT_PASSWORD" in result.stderr
    assert not service.requests


def test_a_service_that_is_not_there(service: Service, run: Import) -> None:
    service.upload = httpx.ConnectError("refused")
    result = run("--url", "http://127.0.0.1:1/")
    assert result.exit_code == 2
    assert "http://127.0.0.1:1" in result.stderr


def test_a_service_that_fails_is_no_failed_import(service: Service, run: Import) -> None:
    service.upload = httpx.Response(500, text="<h1>Oops</h1>")
    assert run().exit_code == 2


def test_an_answer_that_is_not_ours(service: Service, run: Import) -> None:
    service.upload = httpx.Response(202, text="welcome to the hotel's network")
    assert run().exit_code == 2


def test_watching_outlives_a_service_that_is_away(service: Service, run: Import) -> None:
    service.tasks = iter(
        [httpx.ReadError("gone"), problem(503, "Later."), task("STARTED"), task("SUCCESS", EVENT)]
    )
    assert run().exit_code == 0


def test_watching_ends_when_the_service_stays_away(
    service: Service, run: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PATIENCE_SECONDS", 0.0)
    service.tasks = iter([problem(503, "Later."), problem(503, "Later."), task("SUCCESS", EVENT)])
    result = run()
    assert result.exit_code == 2
    assert "Later." in result.stderr


def test_watching_ends_at_once_when_the_token_has_expired(service: Service, run: Import) -> None:
    service.tasks = iter([problem(401, "Sign in first."), task("SUCCESS", EVENT)])
    assert run().exit_code == 2


def test_interrupted_while_watching(service: Service, run: Import) -> None:
    service.tasks = iter([KeyboardInterrupt()])
    result = run()
    assert result.exit_code == 130
    assert TASK in result.stderr


ATTACKS = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\u2066\x7f\r\u2028[red]"


def drivers(text: str) -> set[str]:
    """What is in the text that a terminal might obey, but for our own line breaks."""
    bad = {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"}}
    return bad - {"\n"}


def hostile_result() -> dict[str, Any]:
    """A result with foreign text wherever there is text."""
    finding = {"severity": ATTACKS, "message": ATTACKS, "entry": ATTACKS, "field": ATTACKS}
    report = {"counts": {ATTACKS: 3}, "totals": {}, "media": {}, "findings": [finding]}
    return {"event_name": ATTACKS, "identifier": ATTACKS, "url": ATTACKS, "report": report}


@pytest.mark.parametrize("options", [[], ["--json"]])
@pytest.mark.parametrize("state", ["SUCCESS", "FAILURE", ATTACKS])
def test_no_foreign_text_drives_the_terminal(
    service: Service, run: Import, state: str, options: list[str]
) -> None:
    errors = [{"detail": ATTACKS, "title": ATTACKS, "meta": {"entry": ATTACKS, "field": "x"}}]
    result = {**hostile_result(), "errors": errors}
    service.tasks = iter(
        [task("STARTED", message=ATTACKS), task(state, result), task("FAILURE", result)]
    )

    done = run(*options)

    assert drivers(done.stdout + done.stderr) == set()
    assert "owned" in done.stdout + done.stderr
    if options:
        assert json.loads(done.stdout) == result


@pytest.mark.parametrize("status", [422, 500])
def test_no_refusal_drives_the_terminal(service: Service, run: Import, status: int) -> None:
    service.upload = problem(status, ATTACKS)

    done = run()

    assert drivers(done.stdout + done.stderr) == set()
    assert "owned" in done.stderr


def test_no_file_name_drives_the_terminal(service: Service, archive: Path) -> None:
    hostile = archive.rename(archive.with_name("evil\x1b[2J\u202e.zip"))
    service.tasks = iter([task("SUCCESS", {})])

    command = ["import", str(hostile), "--email", "a@example.org"]
    done = CliRunner().invoke(app, command, env={"EVENTIMPORT_PASSWORD": "right"})

    assert done.exit_code == 0
    assert drivers(done.stdout + done.stderr) == set()
    assert "evil" in done.stderr


def test_fetching_what_is_missing(service: Service) -> None:
    def run(*arguments: str) -> Result:
        command = ["fetch-media", *arguments, "--email", "a@example.org"]
        return CliRunner().invoke(app, command, env={"EVENTIMPORT_PASSWORD": "right"})

    for missing, status in ((0, 0), (2, 1)):
        result = {"stored": 3, "missing": missing, "outcomes": {}}
        message = f"Media files stored: 3; missing: {missing}"
        service.tasks = iter([task("SUCCESS", result, message=message)])
        # The URL of the import's task works as well as the id.
        done = run(TASK)
        assert (done.exit_code, done.stdout.strip()) == (status, message)
    path = f"/v1/import-jobs/{TASK.rpartition('/')[2]}/fetch-media"
    assert service.requests[1].url.path == path

    service.upload = problem(409, "It has no media files that can be fetched again.")
    refused = run(TASK)
    assert (refused.exit_code, "no media files" in refused.stderr) == (1, True)

    service.upload = problem(503, "The database is unavailable.")
    assert run(TASK).exit_code == 2


def test_a_personal_access_token_needs_no_password(service: Service, archive: Path) -> None:
    service.tasks = iter([task("SUCCESS", {"event_name": "Tea"})])
    command = ["import", str(archive)]
    none: dict[str, str | None] = {"EVENTIMPORT_PASSWORD": None, "EVENTIMPORT_EMAIL": None}

    done = CliRunner().invoke(app, command, env={**none, "EVENTIMPORT_TOKEN": " a token\n"})
    lost = CliRunner().invoke(app, command, env={**none, "EVENTIMPORT_TOKEN": None})

    assert done.exit_code == 0, done.output
    assert "/v1/auth/session" not in [request.url.path for request in service.requests]
    assert lost.exit_code == 2
    assert "EVENTIMPORT_TOKEN" in lost.stderr
