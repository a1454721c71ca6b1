"""`eventimport import`, `export`, `fetch-media`: begin a task of a service, and show its result."""

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from eventimport.cli.accounts import ask_password
from eventimport.cli.client import Client, RefusedError, ServiceError, Task
from eventimport.cli.console import IMPORT_FAILED, INTERRUPTED, console, fail, out, plain
from eventimport.conference.report import Place, times_in_words
from eventimport.observability.visible_text import visible, visible_json

MEDIA = {"archive": "in the archive", "missing": "missing", "remote": "linked"}
CONTENTS = {
    "custom_forms": ("form field", "form fields"),
    "event_copyrights": ("copyright notice", "copyright notices"),
    "microlocations": ("room", "rooms"),
    "session_speakers": ("link of a speaker to a session", "links of speakers to sessions"),
    "speakers_calls": ("call for speakers", "calls for speakers"),
}
"""What people call the rows of some tables, one and many. The others are called as their table."""

FINDINGS = {"repair": "repairs", "warning": "warnings", "error": "errors"}
ENDED = {"FAILURE": "failed", "REVOKED": "was cancelled"}
SHOWN_FINDINGS = 20
FETCHED_AGAIN = ("UNREACHABLE", "NOT_STORED")
"""What became of media files that may be stored by another try."""


TOKEN_VARIABLE = "EVENTIMPORT_TOKEN"  # noqa: S105 - a variable's name

Email = Annotated[
    str | None,
    typer.Option(
        envvar="EVENTIMPORT_EMAIL",
        help="The e-mail address of your account. Not needed with EVENTIMPORT_TOKEN.",
    ),
]
ServiceURL = Annotated[str, typer.Option(envvar="EVENTIMPORT_URL", help="The URL of the service.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the task's result as JSON.")]
DEFAULT_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True, slots=True)
class FileOrURL:
    """What is to be imported: a file on this machine, or a URL that the service fetches."""

    value: Path | str


def _file_or_url(value: str) -> FileOrURL:
    """The path of a file that can be read, or a URL."""
    if value.lower().startswith(("http://", "https://")):
        return FileOrURL(value)
    path = Path(value)
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "does not exist"
        raise typer.BadParameter(f"File '{value}' {what}.")
    if not os.access(path, os.R_OK):
        raise typer.BadParameter(f"File '{value}' is not readable.")
    return FileOrURL(path)


def import_archive(
    file: Annotated[
        FileOrURL,
        typer.Argument(
            parser=_file_or_url,
            metavar="file",
            help="The file to import, or its URL; the service fetches it from there.",
        ),
    ],
    *,
    email: Email = None,
    url: ServiceURL = DEFAULT_URL,
    source_format: Annotated[
        str,
        typer.Option(
            "--format",
            help="The format of the file, as the API names it. Default: detected by the content.",
            show_default=False,
        ),
    ] = "auto",
    timezone: Annotated[
        str | None,
        typer.Option(
            help="The event's time zone, such as Europe/Berlin, if the file names none or a wrong "
            "one."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The event's name, instead of the name in the file.")
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(help="The event's language, such as de, and that of sessions that name none."),
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait until the import has ended.")] = True,
    strict: Annotated[bool, typer.Option("--strict", help="Fail if there is any finding.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only check the file: show the report, and import nothing."),
    ] = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Publish the event as soon as it is imported.")
    ] = False,
    confirm: Annotated[
        bool,
        typer.Option(
            "--confirm",
            help="With --publish: also if the file says that the event is private or a draft.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import a conference, in any format that the service reads, through a running service.

    Set the password with EVENTIMPORT_PASSWORD, or enter it at the prompt. Or set EVENTIMPORT_TOKEN
    to a personal access token.

    Exit status: 0 if the file was imported, 1 if it cannot be imported, 2 if the service
    cannot be used.
    """
    given = {"timezone": timezone, "name": name, "language": language}
    options = {option: value for option, value in given.items() if value is not None}
    options |= {"strict": str(strict).lower(), "dry_run": str(dry_run).lower()}
    options |= {"publish": "true"} if publish else {}
    options |= {"confirm": "true"} if confirm else {}
    task = _followed(
        url,
        _sign_in(email),
        lambda client: (
            _upload(client, file.value, source_format, options)
            if isinstance(file.value, Path)
            else client.import_url(file.value, source_format, options)
        ),
        wait=wait,
        as_json=as_json,
    )
    if task is None:
        return
    _show_end(task, _show_success, "The import", as_json=as_json)


def export_event(
    event: Annotated[str, typer.Argument(help="The event's identifier, or its id.")],
    *,
    email: Email = None,
    url: ServiceURL = DEFAULT_URL,
    export_format: Annotated[
        str, typer.Option("--format", help="The format of the file, as the API names it.")
    ] = "openevent",
    output: Annotated[
        Path | None,
        typer.Option(
            help="The file to write, or its folder. Default: a file in the current folder.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Export an event as a file, through a running service.

    Set the password with EVENTIMPORT_PASSWORD, or enter it at the prompt. Or set EVENTIMPORT_TOKEN
    to a personal access token.

    Exit status: 0 if the file was written, 1 if the event cannot be exported, 2 if the service
    cannot be used.
    """
    task = _followed(
        url,
        _sign_in(email),
        lambda client: client.export(event, export_format),
        wait=True,
        as_json=as_json,
    )
    if task is None or task.state != "SUCCESS":
        if task is not None:
            _show_failure(task, "The export")
        raise typer.Exit(IMPORT_FAILED)
    path = _download(url, str(task.result.get("download_url")), output)
    if as_json:
        out.print(visible_json({**task.result, "file": str(path)}, indent=2), markup=False)
        return
    out.print(visible(str(path)), markup=False)
    report = task.result.get("report") or {}
    _show_findings(report.get("findings") or [], report.get("total") or 0)


def _download(url: str, download_url: str, output: Path | None) -> Path:
    """Download an exported file; returns its path. What is incomplete has another name, and is
    deleted."""
    name = PurePosixPath(unquote(urlsplit(download_url).path)).name.lstrip(".") or "export"
    path = output or Path(name)
    path = path / name if path.is_dir() else path
    part = path.with_name(f"{path.name}.part")
    columns = (DownloadColumn(), TimeElapsedColumn())
    try:
        with (
            closing(Client(url)) as client,
            part.open("wb") as file,
            Progress(
                TextColumn("{task.description}"), BarColumn(), *columns, console=console
            ) as progress,
        ):
            bar = progress.add_task(f"Downloading {plain(name)}", total=None)
            client.download(
                download_url,
                file,
                lambda done, total: progress.update(bar, completed=done, total=total),
            )
        part.replace(path)
    except ServiceError as error:
        fail(str(error))
    except OSError as error:
        fail(f"The file cannot be written: {error}")
    except KeyboardInterrupt:
        console.print(f"\nThe file is still on the service: {plain(download_url)}")
        raise typer.Exit(INTERRUPTED) from None
    finally:
        part.unlink(missing_ok=True)
    return path


def fetch_media(
    import_job: Annotated[
        str, typer.Argument(help="The id of the import job, or the URL of its task.")
    ],
    *,
    email: Email = None,
    url: ServiceURL = DEFAULT_URL,
    wait: Annotated[bool, typer.Option(help="Wait until the task has ended.")] = True,
    as_json: AsJson = False,
) -> None:
    """Fetch the media files that an import has not stored, through a running service.

    Set the password with EVENTIMPORT_PASSWORD, or enter it at the prompt. Or set EVENTIMPORT_TOKEN
    to a personal access token.

    Exit status: 0 if no media file is missing, 1 if some are, 2 if the service
    cannot be used.
    """
    job_id = import_job.rstrip("/").rpartition("/")[2]
    task = _followed(
        url,
        _sign_in(email),
        lambda client: client.fetch_media(job_id),
        wait=wait,
        as_json=as_json,
    )
    if task is None:
        return
    _show_end(
        task,
        lambda ended: out.print(plain(ended.progress.get("message") or "Done")),
        "The fetch",
        as_json=as_json,
    )
    if task.result.get("missing"):
        raise typer.Exit(IMPORT_FAILED)


def _sign_in(email: str | None) -> Callable[[Client], None]:
    """What signs a client in: with EVENTIMPORT_TOKEN, or else with the address and its password."""
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if token:
        return lambda client: client.use_token(token)
    if email is None:
        fail(f"Set {TOKEN_VARIABLE} to a personal access token, or name your account with --email.")
    password = ask_password()
    return lambda client: client.sign_in(email, password)


def _followed(
    url: str,
    sign_in: Callable[[Client], None],
    begin: Callable[[Client], str],
    *,
    wait: bool,
    as_json: bool,
) -> Task | None:
    """Begin a task and follow it to its end; None if the user does not want to wait."""
    task_url = None
    try:
        with closing(Client(url)) as client:
            sign_in(client)
            task_url = begin(client)
            if wait:
                task = _watch(client, task_url)
                return replace(task, preview=_preview(client, task))
            shown = visible_json({"task_url": task_url}) if as_json else visible(task_url)
            out.print(shown, markup=False)
            return None
    except RefusedError as error:
        fail(str(error), IMPORT_FAILED)
    except ServiceError as error:
        fail(str(error))
    except KeyboardInterrupt:
        if task_url:
            where = plain(f"{url.rstrip('/')}{task_url}")
            console.print(f"\nThe task continues on the service: {where}")
        raise typer.Exit(INTERRUPTED) from None


def _upload(client: Client, path: Path, source_format: str, options: Mapping[str, str]) -> str:
    columns = (DownloadColumn(), TimeElapsedColumn())
    with (
        Progress(
            TextColumn("{task.description}"), BarColumn(), *columns, console=console
        ) as progress,
        progress.open(path, "rb", description=f"Uploading {plain(path.name)}") as file,
    ):
        return client.upload(path.name, file, source_format, options)


def _watch(client: Client, task_url: str) -> Task:
    task = Task("PENDING", {}, {})
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("Waiting for a worker", total=None)
        for task in client.watch(task_url):
            _show_progress(progress, bar, task)
    return task


def _show_progress(progress: Progress, bar: TaskID, task: Task) -> None:
    if task.ended:
        progress.update(bar, description=plain(task.state.capitalize()), total=1, completed=1)
    elif task.state != "PENDING":
        told = task.progress
        progress.update(
            bar,
            description=plain(told.get("message") or told.get("stage") or task.state),
            total=told.get("total") or None,
            completed=told.get("done") or 0,
        )


def _preview(client: Client, task: Task) -> str | None:
    """Where the imported event can be seen, if only its members see it at its own URL."""
    access, identifier = task.result.get("access") or {}, task.result.get("identifier")
    if task.state != "SUCCESS" or not identifier or access.get("published", True):
        return None
    return client.preview(str(identifier))


def _show_end(
    task: Task, show_success: Callable[[Task], None], what: str, *, as_json: bool
) -> None:
    """Print how a task ended. Ends the command unless it succeeded."""
    if as_json:
        out.print(visible_json(task.result, indent=2), markup=False)
    elif task.state == "SUCCESS":
        show_success(task)
    else:
        _show_failure(task, what)
    if task.state != "SUCCESS":
        raise typer.Exit(IMPORT_FAILED)


def _show_success(task: Task) -> None:
    result = task.result
    report = result.get("report") or {}
    table = Table.grid(padding=(0, 2))
    for name, value in (
        ("Event", result.get("event_name")),
        ("Identifier", result.get("identifier")),
        ("URL", result.get("url")),
        ("Preview", task.preview),
        ("Access", (result.get("access") or {}).get("detail")),
        ("Format", report.get("format")),
        ("Contents", _contents_in_words(report.get("counts") or {})),
        ("Media files", _in_words(report.get("media") or {}, MEDIA)),
        ("Findings", _in_words(report.get("totals") or {}, FINDINGS) or "none"),
    ):
        if value:
            table.add_row(f"[bold]{name}[/]", plain(value))
    out.print(table)
    _show_findings(report.get("findings") or [], report.get("total") or 0)
    outcomes = (report.get("media") or {}).get("outcomes") or {}
    missing = sum(outcomes.get(name, 0) for name in FETCHED_AGAIN)
    job_id = str(report.get("findings_url") or "").removesuffix("/findings").rpartition("/")[2]
    if missing and job_id:
        files = "1 media file is" if missing == 1 else f"{missing:,} media files are"
        out.print(
            visible(f"{files} missing. Fetch them with `eventimport fetch-media {job_id}`."),
            markup=False,
        )


def _show_failure(task: Task, what: str) -> None:
    errors = task.result.get("errors") or []
    ended = ENDED.get(task.state, f"ended as {plain(task.state)}")
    console.print(f"[bold red]{what} {ended}{':' if errors else '.'}[/]")
    for error in errors:
        detail = str(error.get("detail") or error.get("title") or error)
        place = place_of(error.get("meta") or {})
        text = f"{place}: {detail}" if place and place not in detail else detail
        console.print(f"  • {visible(text)}", markup=False)


def _show_findings(findings: list[dict[str, Any]], total: int) -> None:
    for finding in findings[:SHOWN_FINDINGS]:
        message = f"{finding.get('message')}{times_in_words(finding)}"
        text = ": ".join(filter(None, (place_of(finding), message)))
        out.print(visible(f"  {finding.get('severity')}  {text}"), markup=False)
    omitted = max(total, len(findings)) - len(findings[:SHOWN_FINDINGS])
    if omitted > 0:
        out.print(f"  … and {omitted:,} more")


def place_of(described: dict[str, Any]) -> str:
    """The place in the source, in words, of a finding or of an error's `meta`."""
    return str(Place(**{name: described[name] for name in Place.__slots__ if name in described}))


def _contents_in_words(counts: dict[str, int]) -> str:
    words = []
    for table, number in counts.items():
        usual = table.replace("_", " ")
        one, many = CONTENTS.get(table, (usual.removesuffix("s"), usual))
        if number:
            words.append(f"{number:,} {many if number > 1 else one}")
    return ", ".join(words)


def _in_words(counts: dict[str, Any], words: dict[str, str]) -> str:
    counted = [(counts.get(name, 0), word) for name, word in words.items()]
    return ", ".join(
        f"{number:,} {word if number > 1 else word.removesuffix('s')}"
        for number, word in counted
        if number
    )
