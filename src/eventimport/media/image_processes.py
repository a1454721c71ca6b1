"""Child processes that decode images, so that no image can stop or exhaust this process.

A decoder runs in C code that no thread can be taken out of, and may need any amount of memory. In
a process of its own it has limits on both, and is killed if it exceeds them. The children live on
from image to image; only one that was killed or has died is replaced.
"""

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

from eventimport.errors import EventImportError, size_in_words
from eventimport.media.image_child import HEAD, Message, encode
from eventimport.media.images import (
    ImageInfo,
    ImageLimits,
    ImageRefusedError,
    ImageSize,
    ProcessedImage,
)

_CHUNK: Final = 256 * 1024
_LARGEST_HEAD: Final = 64 * 1024
_START_TIMEOUT: Final = 60.0
"""Seconds for a child to start; a busy machine may need several."""
_ENVIRONMENT: Final = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
"""What a child sees of our environment: no secrets, in case a decoder can be made to run code."""
# Memory goes back to the system after each image, instead of staying with an idle child.
_ALLOCATOR: Final = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "1048576"}

logger = logging.getLogger(__name__)


class ImageProcessError(EventImportError):
    """No image process could be started, or they were closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageProcessesConfig:
    """`processes` is the number of children; `timeout` is in seconds for one image;
    `memory_bytes` limits the data of one child (RLIMIT_DATA)."""

    processes: int = 2
    timeout: float = 30.0
    memory_bytes: int = 1024 * 1024 * 1024


class ImageProcesses:
    """A few child processes for images, each started when it is first needed.

    Belongs to one event loop. A caller that is cancelled kills the child that works for it, so
    that the next caller does not wait.
    """

    def __init__(self, config: ImageProcessesConfig) -> None:
        self._config = config
        self._free = asyncio.Semaphore(config.processes)
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._turns: dict[int, _Turn] = {}
        self._closed = False

    @property
    def pids(self) -> frozenset[int]:
        """The process ids of the children that live."""
        return frozenset(child.process.pid for child in (*self._idle, *self._busy))

    @asynccontextmanager
    async def turn(self, owner: int) -> AsyncIterator[None]:
        """Wait until an owner's earlier images leave a child for others.

        Enter it before an image is received: so no owner can hold all children, or the memory of
        many images."""
        turn = self._turns.setdefault(owner, _Turn(max(1, self._config.processes - 1)))
        turn.users += 1
        try:
            async with turn.free:
                yield
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[owner]

    async def check(
        self, content: bytes, limits: ImageLimits, sizes: Mapping[str, ImageSize]
    ) -> tuple[ImageInfo, dict[str, ProcessedImage]]:
        """Decode the image in full, and make smaller sizes of it; its bytes are not changed. Of an
        SVG, a PNG is drawn, too: it is the size "".

        Raises ImageRefusedError, also if the image exceeds a limit of its process."""
        head, made = await self._ask(content, limits, sizes, clean=False)
        return ImageInfo(**head["info"]), made

    async def process(
        self, content: bytes, limits: ImageLimits, sizes: Mapping[str, ImageSize]
    ) -> tuple[ProcessedImage, dict[str, ProcessedImage]]:
        """Encode the image anew, without metadata, and make smaller sizes of it.

        Raises ImageRefusedError, also if the image exceeds a limit of its process."""
        _, made = await self._ask(content, limits, sizes, clean=True)
        return made.pop(""), made

    async def close(self) -> None:
        """Kill the children, also those at work, and wait for their end."""
        self._closed = True
        for child in (*self._idle, *self._busy):
            self._end(child)
        while self._ending:
            await asyncio.wait(self._ending)

    async def _ask(
        self,
        content: bytes,
        limits: ImageLimits,
        sizes: Mapping[str, ImageSize],
        *,
        clean: bool,
    ) -> tuple[dict[str, Any], dict[str, ProcessedImage]]:
        if len(content) > limits.max_bytes:
            raise ImageRefusedError.too_large(limits)
        request = {
            "clean": clean,
            "limits": asdict(limits),
            "sizes": {name: asdict(size) for name, size in sizes.items()},
        }
        head, blobs = await self._exchange(request, content)
        if "refused" in head:
            raise self._refusal(head)
        described = head["made"].items()
        made = {
            name: ProcessedImage(data=data, **values)
            for (name, values), data in zip(described, blobs, strict=True)
        }
        return head, made

    async def _exchange(self, request: Mapping[str, Any], content: bytes) -> Message:
        async with self._free:
            try:
                return await self._with_child(request, content)
            except (OSError, EOFError):
                if self._closed:
                    raise ImageProcessError("the image processes are closed") from None
                logger.warning("an image process ended; the image is decoded once more")
            try:
                return await self._with_child(request, content)
            except (OSError, EOFError):
                raise ImageRefusedError(
                    "unprocessable",
                    "Decoding the image stopped its process. Its memory is limited by"
                    " IMAGE_PROCESS_MEMORY_BYTES, its time by IMAGE_TIMEOUT.",
                ) from None

    async def _with_child(self, request: Mapping[str, Any], content: bytes) -> Message:
        child = await self._take()
        try:
            async with asyncio.timeout(self._config.timeout):
                message = await child.ask(request, content)
        except TimeoutError:
            self._end(child)
            raise ImageRefusedError(
                "too-slow",
                f"Decoding the image exceeded {self._config.timeout:g} seconds."
                " The limit is set by IMAGE_TIMEOUT.",
            ) from None
        except BaseException:
            self._end(child)
            raise
        self._busy.discard(child)
        self._idle.append(child)
        return message

    async def _take(self) -> "_Child":
        """A child for this caller: an idle one that lives, or a new one."""
        if self._closed:
            raise ImageProcessError("the image processes are closed")
        while self._idle:
            child = self._idle.pop()
            if child.process.poll() is None:
                self._busy.add(child)
                return child
            self._end(child)
        try:
            child = _Child(self._config)
        except OSError as error:
            raise ImageProcessError(f"an image process did not start: {error!r}") from error
        self._busy.add(child)
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                await child.start()
        except (TimeoutError, OSError, EOFError) as error:
            self._end(child)
            raise ImageProcessError(f"an image process did not start: {error!r}") from error
        except BaseException:
            self._end(child)
            raise
        return child

    def _end(self, child: "_Child") -> None:
        """Kill a child now, and collect it in the background."""
        self._busy.discard(child)
        if child in self._idle:
            self._idle.remove(child)
        child.process.kill()
        task = asyncio.get_running_loop().create_task(child.collect())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _refusal(self, head: Mapping[str, Any]) -> ImageRefusedError:
        if "cause" in head:
            logger.warning("an image could not be processed: %s", head["cause"])
        if head["refused"] == "too-much-memory":
            size = size_in_words(self._config.memory_bytes)
            message = (
                f"Decoding the image needs more than {size} of memory. The limit is set by"
                " IMAGE_PROCESS_MEMORY_BYTES."
            )
        else:
            message = head.get("message", "The image is damaged: it cannot be decoded in full.")
        return ImageRefusedError(head["refused"], message)


class _Turn:
    """The images of one owner that are received or decoded at the same time."""

    def __init__(self, at_once: int) -> None:
        self.free = asyncio.Semaphore(at_once)
        self.users = 0


class _Child:
    """One child process, and the connection to it."""

    def __init__(self, config: ImageProcessesConfig) -> None:
        self._socket, theirs = socket.socketpair()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        with theirs:
            descriptor = theirs.fileno()
            # A second more than we wait: the child's own limit is for when we no longer do.
            limits = (str(config.memory_bytes), str(config.timeout + 1.0))
            try:
                self.process = subprocess.Popen(  # noqa: S603 - all of it is ours
                    (sys.executable, *_FLAGS, "-m", _MODULE, str(descriptor), *limits),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=(descriptor,),
                    env={**environment, **_ALLOCATOR},
                )
            except BaseException:
                self._socket.close()
                raise

    async def start(self) -> None:
        """Connect, and wait until the child is ready. Raises EOFError if it ends instead."""
        self._socket.setblocking(False)
        self._streams = await asyncio.open_unix_connection(sock=self._socket)
        await self._receive()

    async def ask(self, request: Mapping[str, Any], content: bytes) -> Message:
        """Send a request and return the answer. Raises OSError or EOFError if the child dies."""
        if self._streams is None:
            raise EOFError
        writer = self._streams[1]
        writer.write(encode(request, [content]))
        for start in range(0, len(content), _CHUNK):
            writer.write(content[start : start + _CHUNK])
            await writer.drain()
        return await self._receive()

    async def _receive(self) -> Message:
        if self._streams is None:
            raise EOFError
        reader = self._streams[0]
        (length,) = HEAD.unpack(await reader.readexactly(HEAD.size))
        if length > _LARGEST_HEAD:
            raise EOFError("not an answer")
        head = json.loads(await reader.readexactly(length))
        return head, [await reader.readexactly(size) for size in head["blobs"]]

    async def collect(self) -> None:
        """Wait for the end of the killed process, and close the connection."""
        await asyncio.to_thread(self.process.wait)
        if self._streams is None:
            self._socket.close()
            return
        writer = self._streams[1]
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


_FLAGS: Final = ("-P", "-W", "ignore")
_MODULE: Final = "eventimport.media.image_child"
