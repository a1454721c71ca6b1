"""The example clients: generated from the OpenAPI document, type-checked, and run."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from icalendar import Calendar
from tests.clients.conftest import NODE, NPM, run

Check = Callable[..., None]
NAME = "Lantern Reopened"
OUTPUT = re.compile(
    r"""((PENDING|STARTED)\ .+\n)*
    SUCCESS\ Imported\n
    Lantern\ Open\ 2027\ starts\ at\ 2027-05-20.*\n
    Renamed\ to\ Lantern\ Reopened\n
    ((PENDING|STARTED)\ .+\n)*
    SUCCESS\ Exported\ as\ iCalendar.*\n
    Saved\ (?P<saved>.*)\n""",
    re.VERBOSE,
)


def test_python_is_typed(python_client: Path) -> None:
    (python_client / "mypy.ini").write_text("[mypy]\nstrict = True\n")
    run(sys.executable, "-m", "mypy", "import_conference.py", folder=python_client)


def test_python_runs(python_client: Path, check: Check) -> None:
    check(python_client, sys.executable, "import_conference.py")


def test_typescript_is_typed(typescript_clients: Path) -> None:
    run(*NPM, "run", "check", folder=typescript_clients)


@pytest.mark.parametrize("program", ["with-hey-api.ts", "with-openapi-fetch.ts"])
def test_typescript_runs(typescript_clients: Path, check: Check, program: str) -> None:
    check(typescript_clients, NODE / "bin" / "node", program)


@pytest.fixture
def check(service: str, account: dict[str, str], archive: Path, api: httpx.Client) -> Check:
    """Runs a program, and looks at what it has printed, saved and changed."""

    def check(folder: Path, *program: str | Path) -> None:
        calendar = folder / "schedule.ics"
        arguments = (service, archive, NAME, calendar)
        printed = run(*program, *arguments, folder=folder, environment=account)
        content = calendar.read_bytes()
        match = OUTPUT.fullmatch(printed)
        assert match, printed
        assert match["saved"] == f"{calendar} with {len(content)} bytes"
        assert len(Calendar.from_ical(content).walk("VEVENT")) > 5

        events = api.get("/v1/events").raise_for_status().json()["data"]
        assert [event["attributes"]["name"] for event in events] == [NAME]
        api.delete(f"/v1/events/{events[0]['id']}").raise_for_status()

    return check
