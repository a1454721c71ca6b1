"""The dashboard and the alert rules: each metric that they name exists."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from eventimport.http.readiness import CHECKS

FOLDER = Path(__file__).resolve().parents[2] / "deploy/observability"
METRIC = re.compile(r"\b(?:eventimport|process|python)_\w+")


def rules() -> list[dict[str, Any]]:
    """All alert rules."""
    groups = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> Iterator[dict[str, Any]]:
    """The panels that show something."""
    for panel in json.loads((FOLDER / "dashboard.json").read_text())["panels"]:
        if panel["type"] != "row":
            yield panel


def expressions() -> Iterator[tuple[str, str]]:
    """All expressions, by the name of the rule or panel."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


async def test_each_metric_exists(client: httpx.AsyncClient) -> None:
    names = set()
    for family in text_string_to_metric_families((await client.get("/metrics")).text):
        suffixes = {
            "counter": ("_total",),
            "histogram": ("_bucket", "_sum", "_count"),
            "summary": ("_sum", "_count"),
            "info": ("_info",),
        }.get(family.type, ("",))
        names |= {f"{family.name}{suffix}" for suffix in suffixes}
        # In Prometheus's text format an info is a gauge.
        names.add(family.name)
    used = {(place, name) for place, text in expressions() for name in METRIC.findall(text)}

    assert len(used) > 20
    assert [(place, name) for place, name in sorted(used) if name not in names] == []


def test_each_check_has_an_alert() -> None:
    text = " ".join(rule["expr"] for rule in rules())
    assert [name for name in CHECKS if not re.search(rf'["|]{name}["|]', text)] == []


def test_alerts_say_what_to_do() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"].keys() == {"summary", "description"}, rule["alert"]


def test_panels_do_not_overlap() -> None:
    places: set[tuple[int, int]] = set()
    for panel in panels():
        grid = panel["gridPos"]
        own = {
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert places.isdisjoint(own), panel["title"]
        places |= own


def test_promtool_finds_no_fault() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; it is in Debian's package prometheus")
    for command in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts-test.yaml"]):
        ended = subprocess.run(
            [promtool, *command], cwd=FOLDER, check=False, capture_output=True, text=True
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
