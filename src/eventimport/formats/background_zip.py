"""A zip that one thread compresses and writes while another makes its content: zlib works without
Python's lock, so that two processors share the work."""

import zipfile
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from types import TracebackType
from typing import IO, Any, BinaryIO, Final, Self

PIECE: Final = 256 * 1024
"""Bytes that are best written at once. Between two pieces, the thread waits for Python's lock."""

_AHEAD: Final = 3
"""Pieces that wait to be compressed."""


class BackgroundZip:
    """A context manager. Its calls return before they are carried out, and raise the errors of
    earlier ones."""

    def __init__(self, sink: BinaryIO) -> None:
        self._archive = zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED)
        self._entry: IO[bytes] = BytesIO()
        self._thread = ThreadPoolExecutor(1, "zip")
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._thread:
            self._waiting.append(self._thread.submit(self._close))
        if error is None:
            for done in self._waiting:
                done.result()

    def begin(self, entry: zipfile.ZipInfo, *, is_large: bool = False) -> None:
        """Begin the next entry. Its size may be more than 2 GiB if it `is_large`."""

        def begin() -> None:
            self._entry.close()
            self._entry = self._archive.open(entry, "w", force_zip64=is_large)

        self._run(begin)

    def write(self, content: bytes) -> None:
        """Write a part of the entry. Waits while several are not compressed yet."""

        def write() -> None:
            self._entry.write(content)

        self._run(write)

    def _run(self, call: Callable[[], Any]) -> None:
        while len(self._waiting) > _AHEAD:
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(call))

    def _close(self) -> None:
        try:
            self._entry.close()
        finally:
            self._archive.close()
