"""Children live and end together."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from eventimport.cli.processes import Child, ChildDiedError, Children

pytestmark = pytest.mark.slow


async def forever() -> str:
    await asyncio.Event().wait()
    return "never"


async def test_a_child_that_ends_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    broken = Child("broken", ["no-such-command"], tmp_path / "broken.log")
    with pytest.raises(ChildDiedError, match=r"unexpectedly \(exit status 2\)(.|\n)*no-such"):
        async with Children.start([broken], os.environ) as children:
            await children.until(forever(), asyncio.Event())


async def test_work_that_ends_first_gives_its_result(tmp_path: Path) -> None:
    idle = Child("idle", ["worker"], tmp_path / "idle.log")
    async with Children.start([idle], os.environ) as children:
        assert await children.until(asyncio.sleep(0, "done"), asyncio.Event()) == "done"


async def test_a_stop_ends_the_work() -> None:
    stop = asyncio.Event()
    stop.set()
    async with Children.start([], os.environ) as children:
        assert await children.until(forever(), stop) is None


async def test_one_more_command_to_its_end(tmp_path: Path) -> None:
    told = Child("told", ["--version"], tmp_path / "told.log")
    async with Children.start([], os.environ) as children:
        assert await children.run(told, os.environ) == 0
    assert (tmp_path / "told.log").read_text().startswith("eventimport ")


PARENT = """
import asyncio, os
from eventimport.cli.processes import Child, Children

async def main():
    async with Children.start([Child("API", ["serve", "--port", "0"])], os.environ):
        await asyncio.Event().wait()

asyncio.run(main())
"""


def test_children_end_with_a_parent_that_was_killed() -> None:
    settings = {
        "DATABASE_URL": "postgresql://127.0.0.1/nobody-asks",
        "REDIS_URL": "redis://127.0.0.1/0",
        "SECRET_KEY": "a key for tests, which guards nothing",
    }
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        lines = []
        for line in parent.stdout:
            lines.append(line)
            if "Uvicorn running" in line:
                break
        parent.kill()
        # The child has the same pipe: its end is reached when both are gone.
        rest, _ = parent.communicate(timeout=300)
    assert "Uvicorn running" in lines[-1], lines
    assert "Finished server process" in rest
