"""The example conference is complete, of a handy size, and imports without a finding."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from eventimport.cli.example_archive import write_archive
from eventimport.conference.plan import Plan, make_plan, provisional_ids
from eventimport.conference.report import Report
from eventimport.embedded.server import free_port
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import ArchiveLimits
from eventimport.formats.openevent.reader import read
from eventimport.formats.source import Source

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "lantern-open-2027"
DOCUMENTS = {path.stem: json.loads(path.read_text()) for path in EXAMPLE.glob("*.json")}


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for child in value:
            yield from texts(child)
    elif isinstance(value, str):
        yield value


@pytest.fixture
def planned(tmp_path: Path) -> tuple[Plan, Report]:
    """The example, as the worker reads and plans it."""
    target = tmp_path / "example.zip"
    write_archive(EXAMPLE, target)
    report = Report()
    with target.open("rb") as file, Source.open(file, ArchiveLimits(), report) as source:
        conference = read(source, ReadOptions(), report)
    ids = provisional_ids(conference.counts())
    return make_plan(conference, ids, "a0000000", report), report


def test_it_imports_even_strictly(planned: tuple[Plan, Report]) -> None:
    _, report = planned
    assert [str(finding.as_dict()) for finding in report.findings] == []


def test_all_of_it_is_planned(planned: tuple[Plan, Report]) -> None:
    plan, _ = planned
    documents = {
        "events": [DOCUMENTS["event"]],
        "social_links": DOCUMENTS["event"]["social_links"],
        "custom_forms": DOCUMENTS["forms"],
        "event_copyrights": [DOCUMENTS["event"]["event_copyright"]],
        "speakers_calls": [DOCUMENTS["event"]["speakers_call"]],
    }
    for table in ("microlocations", "sponsors", "speakers", "tracks", "session_types", "sessions"):
        documents[table] = DOCUMENTS[table]
    links = [link for session in DOCUMENTS["sessions"] for link in session["speakers"]]
    expected = {table: len(records) for table, records in documents.items()}
    assert plan.counts == {**expected, "session_speakers": len(links)}
    named = {text for text in texts(list(DOCUMENTS.values())) if text.startswith("/")}
    assert {item.source for item in plan.media} == named
    assert not any(item.missing for item in plan.media)


def test_no_medium_is_there_for_nothing() -> None:
    named = {text.removeprefix("/") for text in texts(list(DOCUMENTS.values()))}
    there = {
        path.relative_to(EXAMPLE).as_posix()
        for path in EXAMPLE.rglob("*")
        if path.is_file() and path.suffix != ".json"
    }
    assert there
    assert there <= named


def test_it_stays_small() -> None:
    assert sum(path.stat().st_size for path in EXAMPLE.rglob("*") if path.is_file()) < 400_000


@pytest.mark.slow
def test_demo_imports_it_over_http(tmp_path: Path) -> None:
    """The whole service as processes of their own, from empty servers to the event's URL."""
    port = free_port()
    command = [sys.executable, "-m", "eventimport.cli", "demo", str(EXAMPLE), "--once"]
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "PUBLIC_URL", "FRONTEND_URL"}
    }
    demo = subprocess.run(
        [*command, "--port", str(port), "--data-dir", str(tmp_path / "data")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert DOCUMENTS["event"]["name"] in demo.stdout
    assert re.search(rf"http://127\.0\.0\.1:{port}/events/[a-f][0-9a-f]{{7}}\b", demo.stdout)
    assert "demo-password" in demo.stderr
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False)
