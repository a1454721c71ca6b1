"""Image processes: their limits, and what becomes of them."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from eventimport.media.image_processes import (
    ImageProcessError,
    ImageProcesses,
    ImageProcessesConfig,
    _Child,
)
from eventimport.media.images import ImageLimits, ImageRefusedError, ImageSize

pytestmark = pytest.mark.slow

LIMITS = ImageLimits()
ICON = {"icon": ImageSize(width=35, height=35)}
Open = Callable[..., ImageProcesses]


def drawn(width: int = 60, height: int = 40, name: str = "PNG", **options: Any) -> bytes:
    target = BytesIO()
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    image.save(target, format=name, **options)
    return target.getvalue()


def gif_of_comments(size: int) -> bytes:
    """One comment of so many bytes in blocks of one byte: Pillow copies all for each block."""
    head, tail = drawn(name="GIF")[:-1], b"\x3b"
    end = head.index(b"\x2c")
    return head[:end] + b"\x21\xfe" + b"\x01x" * size + b"\x00" + head[end:] + tail


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """Opens image processes; keywords are their configuration. What does not test the time limit
    has none that a busy machine exceeds."""
    all_opened: list[ImageProcesses] = []

    def make(**config: Any) -> ImageProcesses:
        all_opened.append(ImageProcesses(ImageProcessesConfig(**{"timeout": 600.0, **config})))
        return all_opened[-1]

    yield make
    for one in all_opened:
        await one.close()


async def gone(pid: int) -> None:
    """Wait until there is no process of this id, or only what its parent has not collected."""
    async with asyncio.timeout(60):
        while lives(pid):  # noqa: ASYNC110 - what ends is no child of ours
            await asyncio.sleep(0.02)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[int]:
    """The process ids of the children that are sent an image, each when it has begun."""
    pids: asyncio.Queue[int] = asyncio.Queue()
    ask = _Child.ask

    async def tell(self: _Child, *request: Any) -> Any:
        pids.put_nowait(self.process.pid)
        return await ask(self, *request)

    monkeypatch.setattr(_Child, "ask", tell)
    return pids


async def at_work(asked: asyncio.Queue[int]) -> int:
    """Wait until a child spends processor time on an image; its process id."""
    async with asyncio.timeout(60):
        pid = await asked.get()
        before = ticks_of(pid)
        while ticks_of(pid) - before < 10:  # noqa: ASYNC110 - it is another process's time
            await asyncio.sleep(0.02)
        return pid


def ticks_of(pid: int) -> int:
    """The hundredths of a second that a process has computed for."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


async def test_a_child_lives_on_from_image_to_image(opened: Open) -> None:
    images = opened(processes=1)
    assert images.pids == frozenset()
    info, made = await images.check(drawn(), LIMITS, ICON)
    assert (info.content_type, info.width, info.height) == ("image/png", 60, 40)
    assert {name: (size.width, size.height) for name, size in made.items()} == {"icon": (35, 23)}
    pids = images.pids
    assert len(pids) == 1
    with pytest.raises(ImageRefusedError) as caught:
        await images.check(b"no image", LIMITS, {})
    assert caught.value.code == "not-an-image"
    image, made = await images.process(drawn(name="JPEG"), LIMITS, ICON)
    assert (image.content_type, list(made)) == ("image/jpeg", ["icon"])
    assert Image.open(BytesIO(image.data)).size == (60, 40)
    assert images.pids == pids


async def test_so_many_children_and_no_more(opened: Open) -> None:
    images = opened(processes=2)
    await asyncio.gather(*(images.check(drawn(), LIMITS, {}) for _ in range(8)))
    assert len(images.pids) == 2


async def test_one_owner_leaves_a_child_for_others(opened: Open) -> None:
    images = opened(processes=3)
    inside: list[str] = []
    leave, other = asyncio.Event(), asyncio.Event()

    async def upload(owner: int, name: str) -> None:
        async with images.turn(owner):
            inside.append(name)
            if owner == 2:
                other.set()
            await leave.wait()

    tasks = [asyncio.create_task(upload(1, name)) for name in "abcd"]
    tasks.append(asyncio.create_task(upload(2, "other")))
    async with asyncio.timeout(60):
        await other.wait()
    assert inside == ["a", "b", "other"]
    tasks[2].cancel()
    leave.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert inside == ["a", "b", "other", "d"]
    async with asyncio.timeout(60), images.turn(1):
        assert (await images.check(drawn(), LIMITS, {}))[0].width == 60


async def test_an_image_that_takes_too_long_costs_its_child_and_nothing_else(
    opened: Open, asked: asyncio.Queue[int]
) -> None:
    images = opened(processes=1)
    patient = images._config
    await images.check(drawn(), LIMITS, {})
    (pid,) = images.pids
    assert await asked.get() == pid
    # However quick the machine is, a child that is stopped takes too long.
    os.kill(pid, signal.SIGSTOP)
    images._config = replace(patient, timeout=0.2)
    slow = asyncio.create_task(images.check(drawn(), LIMITS, {}))
    assert await asked.get() == pid
    # However slow it is, the next image has time enough.
    images._config = patient
    waiting = asyncio.create_task(images.check(drawn(), LIMITS, {}))
    with pytest.raises(ImageRefusedError, match="IMAGE_TIMEOUT") as caught:
        await slow
    assert caught.value.code == "too-slow"
    assert (await waiting)[0].width == 60
    await gone(pid)
    assert images.pids
    assert pid not in images.pids


async def test_an_image_that_needs_too_much_memory(opened: Open) -> None:
    images = opened(processes=1, memory_bytes=128 * 1024 * 1024)
    large = drawn(7000, 7000)
    for ask in (images.check, images.process):
        with pytest.raises(
            ImageRefusedError, match=r"128 MiB.*IMAGE_PROCESS_MEMORY_BYTES"
        ) as caught:
            await ask(large, LIMITS, {})
        assert caught.value.code == "too-much-memory"
    assert (await images.check(drawn(), LIMITS, {}))[0].width == 60


async def test_a_photo_of_the_most_pixels_fits_into_the_default_memory(opened: Open) -> None:
    images = opened(processes=1)
    exif = Image.Exif()
    exif[0x0112] = 6
    large = drawn(8000, 6250, "JPEG", exif=exif)
    sizes = {"large": ImageSize(width=1300, height=500), **ICON}
    image, made = await images.process(large, LIMITS, sizes)
    assert (image.width, image.height) == (6250, 8000)
    assert set(made) == {"large", "icon"}


async def test_a_child_that_dies_idle_is_replaced(opened: Open) -> None:
    images = opened(processes=1)
    await images.check(drawn(), LIMITS, {})
    (pid,) = images.pids
    os.kill(pid, signal.SIGKILL)
    assert (await images.check(drawn(), LIMITS, {}))[0].width == 60
    assert pid not in images.pids


async def test_an_image_that_kills_its_child_twice_is_refused(
    opened: Open, asked: asyncio.Queue[int]
) -> None:
    images = opened(processes=1)
    checking = asyncio.create_task(images.check(gif_of_comments(10_000_000), LIMITS, {}))
    for _ in range(2):
        os.kill(await at_work(asked), signal.SIGKILL)
    with pytest.raises(ImageRefusedError, match="IMAGE_PROCESS_MEMORY_BYTES") as caught:
        await checking
    assert caught.value.code == "unprocessable"
    assert (await images.check(drawn(), LIMITS, {}))[0].width == 60


async def test_a_cancelled_caller_holds_up_no_other(
    opened: Open, asked: asyncio.Queue[int]
) -> None:
    images = opened(processes=1)
    await images.check(drawn(), LIMITS, {})
    await asked.get()
    slow = asyncio.create_task(images.check(gif_of_comments(10_000_000), LIMITS, {}))
    pid = await at_work(asked)
    waiting = asyncio.create_task(images.check(drawn(), LIMITS, {}))
    slow.cancel()
    async with asyncio.timeout(60):
        assert (await waiting)[0].width == 60
    with pytest.raises(asyncio.CancelledError):
        await slow
    await gone(pid)


async def test_closing_ends_children_at_work(opened: Open, asked: asyncio.Queue[int]) -> None:
    images = opened(processes=2)
    await asyncio.gather(*(images.check(drawn(), LIMITS, {}) for _ in range(4)))
    for _ in range(4):
        await asked.get()
    pids = images.pids
    slow = asyncio.create_task(images.check(gif_of_comments(10_000_000), LIMITS, {}))
    await at_work(asked)
    await images.close()
    assert not any(lives(pid) for pid in pids)
    with pytest.raises(ImageProcessError):
        await slow
    with pytest.raises(ImageProcessError):
        await images.check(drawn(), LIMITS, {})


PARENT = """
import asyncio, sys
from eventimport.media.image_processes import ImageProcesses, ImageProcessesConfig
from eventimport.media.images import ImageLimits

async def main():
    images = ImageProcesses(ImageProcessesConfig(processes=2, timeout=600.0))
    both = [images.check(sys.stdin.buffer.read(), ImageLimits(), {})]
    task = asyncio.gather(*both, return_exceptions=True)
    while True:
        await asyncio.sleep(0.05)
        if images.pids:
            print(*images.pids, flush=True)
            break
    await task
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "content", [b"no image", gif_of_comments(10_000_000)], ids=["idle", "busy"]
)
async def test_children_end_with_a_parent_that_is_killed(content: bytes) -> None:
    with subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdin
        assert parent.stdout
        parent.stdin.write(content)
        parent.stdin.close()
        pids = [int(pid) for pid in (await asyncio.to_thread(parent.stdout.readline)).split()]
        assert pids
        assert all(lives(pid) for pid in pids)
        parent.kill()
    for pid in pids:
        await gone(pid)


async def test_a_child_ignores_the_terminals_signals(opened: Open) -> None:
    images = opened(processes=1)
    await images.check(drawn(), LIMITS, {})
    (pid,) = images.pids
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)
    await images.check(drawn(), LIMITS, {})
    assert images.pids == {pid}


def test_a_child_knows_nothing_of_the_service() -> None:
    script = "import eventimport.media.image_child, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    ).stdout.split()
    assert "PIL.Image" in loaded
    foreign = {"fastapi", "starlette", "sqlalchemy", "asyncpg", "pydantic", "httpx", "asyncio"}
    assert not foreign & {name.partition(".")[0] for name in loaded}


async def test_a_child_has_none_of_our_secrets(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "nobody-should-see-this")
    images = opened(processes=1)
    await images.check(drawn(), LIMITS, {})
    (pid,) = images.pids
    environment = Path(f"/proc/{pid}/environ")
    assert b"nobody-should-see-this" not in environment.read_bytes()  # noqa: ASYNC240


def exif_segments(number: int) -> bytes:
    data = drawn(name="JPEG")
    body = b"Exif\0\0x"
    segment = b"\xff\xe1" + (len(body) + 2).to_bytes(2) + body
    return data[:2] + segment * number + data[2:]


@pytest.mark.parametrize("number", [65, 120_000])
async def test_a_jpeg_of_many_exif_segments_is_refused_before_it_is_decoded(
    opened: Open, number: int
) -> None:
    images = opened(processes=1)
    with pytest.raises(ImageRefusedError, match="64 EXIF segments") as caught:
        await images.check(exif_segments(number), LIMITS, {})
    assert caught.value.code == "damaged"
    assert (await images.check(exif_segments(64), LIMITS, {}))[0].width == 60


async def test_a_jpeg_of_many_segments_is_refused(opened: Open) -> None:
    data = drawn(name="JPEG")
    images = opened(processes=1)
    with pytest.raises(ImageRefusedError, match="10,000 segments"):
        await images.check(data[:2] + b"\xff\xe5\x00\x02" * 1_000_000 + data[2:], LIMITS, {})
