"""Children live and end together."""

import asyncio
import os
from pathlib import Path

import pytest

from eventimport.cli.processes import Child, ChildDiedError, Children


async def forever() -> str:
    await asyncio.Event().wait()
    return "never"


async def test_a_child_that_ends_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    broken = Child("broken", ["no-such-command"], tmp_path / "broken.log")
    with pytest.raises(ChildDiedError, match=r"broken has ended \(exit status 2\)(.|\n)*no-such"):
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
    environment = {**os.environ, "EVENTIMPORT_PASSWORD": ""}
    lost = Child("lost", ["archive", str(tmp_path / "nowhere")], tmp_path / "lost.log")
    async with Children.start([], environment) as children:
        assert await children.run(lost, environment) == 2
    assert "nowhere" in (tmp_path / "lost.log").read_text()
