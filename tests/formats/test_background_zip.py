"""A zip that another thread writes has what was written to it, or raises what went wrong."""

import zipfile
from io import BytesIO, RawIOBase
from typing import Any

import pytest

from eventimport.formats.background_zip import PIECE, BackgroundZip


class FullDisk(RawIOBase):
    """A sink with space for a number of bytes."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.left = size

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self.left -= len(content)
        if self.left < 0:
            raise OSError("the disk is full")
        return len(content)


def stored(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, (2024, 2, 29, 12, 0, 0))


def test_it_has_all_entries_in_their_order() -> None:
    sink = BytesIO()
    with BackgroundZip(sink) as archive:
        archive.begin(stored("empty"))
        for name in ("a", "b"):
            archive.begin(stored(name), is_large=name == "b")
            for number in range(20):
                archive.write(f"{name}{number}\n".encode() * 1000)
    with zipfile.ZipFile(sink) as read:
        assert read.namelist() == ["empty", "a", "b"]
        assert read.read("empty") == b""
        for name in ("a", "b"):
            expected = b"".join(f"{name}{number}\n".encode() * 1000 for number in range(20))
            assert read.read(name) == expected
        assert read.testzip() is None


def write_to(sink: Any, error: Exception | None = None) -> BackgroundZip:
    with BackgroundZip(sink) as archive:
        archive.begin(stored("a"))
        for _ in range(20):
            archive.write(bytes(PIECE))
        if error is not None:
            raise error
    return archive


@pytest.mark.parametrize("size", [0, 10, PIECE, 20 * PIECE + 60])
def test_an_error_of_the_sink_is_raised(size: int) -> None:
    # The last size has space for all but the directory at the end.
    with pytest.raises(OSError, match="the disk is full"):
        write_to(FullDisk(size))


def test_an_error_of_the_writer_is_raised() -> None:
    sink = BytesIO()
    with pytest.raises(ValueError, match="mine"):
        write_to(sink, ValueError("mine"))
    # The thread has ended: nothing more is written.
    written = sink.getvalue()
    assert zipfile.ZipFile(BytesIO(written)).namelist() == ["a"]
