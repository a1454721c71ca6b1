"""The code in docs/clients.md follows a task until it has ended."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.clients.conftest import NODE, ROOT, run

BLOCKS = dict(re.findall(r"```(\w+)\n(.*?)```", (ROOT / "docs/clients.md").read_text(), re.DOTALL))
FOLLOW = """
for await (const task of follow(process.argv[2], process.argv[3])) {
  console.log(task.state, task.progress.message);
}
"""


@pytest.fixture
def task_url(api: httpx.Client, archive: Path) -> str:
    """The URL of an import that has just begun."""
    with archive.open("rb") as file:
        answer = api.post("/v1/events/import/auto", files={"file": file}).raise_for_status()
    return str(answer.json()["task_url"])


def test_polling(api: httpx.Client, task_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    exec(BLOCKS["python"], names)
    task = names["wait_for"](api, task_url)

    assert task["result"]["event_name"] == "Lantern Open 2027"
    assert (task["progress"]["done"], task["progress"]["total"]) == (36, 36)
    assert capsys.readouterr().out.splitlines()[-1] == "SUCCESS Imported"
    with pytest.raises(httpx.HTTPStatusError):
        names["wait_for"](api, "/v1/tasks/00000000-0000-0000-0000-000000000000")
    api.delete(f"/v1/events/{task['result']['id']}").raise_for_status()


def test_server_sent_events(api: httpx.Client, service: str, task_url: str, tmp_path: Path) -> None:
    (tmp_path / "follow.mjs").write_text(BLOCKS["js"] + FOLLOW)
    token = api.headers["Authorization"].removeprefix("Bearer ")
    node = NODE / "bin" / "node"
    printed = run(node, "follow.mjs", f"{service}{task_url}", token, folder=tmp_path)

    assert printed.splitlines()[-1] == "SUCCESS Imported"
    result = api.get(task_url).raise_for_status().json()["result"]
    api.delete(f"/v1/events/{result['id']}").raise_for_status()
