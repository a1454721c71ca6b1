"""Local disk: what is on it when something fails, and after a crash."""

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from tests.stored_files import keys_in

from eventimport.storage import partial_file
from eventimport.storage.config import LocalConfig
from eventimport.storage.local import LocalStorage
from eventimport.storage.partial_file import BUFFER_BYTES, NewEntries, PartialFile, new_buffer
from eventimport.storage.protocol import ObjectNotFoundError, StorageError

KEY = "uploads/1/abc/a.bin"
SIZE = 40_000_000
WRITES = -(-SIZE // BUFFER_BYTES)
FILE_FSYNC, LAST_FSYNC = 1, 3
"""Of the file, of the folder that got a new one, and of the new folder that got the file."""


async def stream(size: int = SIZE) -> AsyncIterator[bytes]:
    """So many bytes, in chunks."""
    for start in range(0, size, 250_000):
        yield b"x" * min(250_000, size - start)


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    """A storage whose root does not exist yet."""
    return LocalStorage(LocalConfig(root=tmp_path / "deep" / "root"))


def files(tmp_path: Path) -> list[str]:
    """All files of the storage."""
    return [path.name for path in tmp_path.rglob("*") if path.is_file()]


def fail_at(monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> list[int]:
    """Let the n-th call of a function of `os` fail as a full disk does."""
    real = getattr(os, name)
    calls: list[int] = []

    def function(*args: Any, **kwargs: Any) -> Any:
        calls.append(len(calls) + 1)
        if len(calls) == number:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args, **kwargs)

    monkeypatch.setattr(os, name, function)
    return calls


def go_through_the_cache(monkeypatch: pytest.MonkeyPatch, *, cached: bool) -> None:
    """Let the file system be one that cannot be written directly, or, on any, seem one that can:
    the calls are the same, whatever the tests run on."""
    monkeypatch.setattr(partial_file, "set_direct", lambda _, on: on and not cached)


@pytest.mark.parametrize(
    ("name", "number"),
    [("write", number) for number in (1, 2, 15, WRITES)]
    + [("write, cached", number) for number in (1, 2, 15, WRITES)]
    + [("fsync", number) for number in (FILE_FSYNC, 2, LAST_FSYNC)]
    + [("rename", 1)],
)
async def test_a_failing_disk_leaves_nothing(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    name, _, cached = name.partition(", ")
    go_through_the_cache(monkeypatch, cached=bool(cached))
    await storage.put("uploads/1/other/b.bin", stream(1), content_type="x/y")
    calls = fail_at(monkeypatch, name, number)
    with pytest.raises(StorageError, match="No space left"):
        await storage.put(KEY, stream(), content_type="x/y")
    # Folders are synced at the same time.
    assert len(calls) == number or (name == "fsync" and len(calls) > number)
    assert files(tmp_path) == ["b.bin"]
    monkeypatch.undo()
    await storage.put(KEY, stream(), content_type="x/y")
    assert (await storage.path(KEY)).stat().st_size == SIZE


@pytest.mark.parametrize("direct_io", [True, False])
async def test_only_large_files_go_past_the_cache_if_they_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direct_io: bool
) -> None:
    asked: list[bool] = []

    def set_direct(_descriptor: int, *, on: bool) -> bool:
        asked.append(on)
        return False

    monkeypatch.setattr(partial_file, "set_direct", set_direct)
    storage = LocalStorage(LocalConfig(root=tmp_path, direct_io=direct_io))

    await storage.put("uploads/1/abc/small", stream(1), content_type="x/y")
    assert asked == []
    await storage.put(KEY, stream(), content_type="x/y")

    assert asked == ([True] if direct_io else [])
    assert (await storage.path(KEY)).stat().st_size == SIZE


@pytest.mark.parametrize("refusal", [None, "at once", "when written to", "when half is written"])
async def test_a_file_system_may_refuse_to_be_written_directly(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, refusal: str | None
) -> None:
    content = os.urandom(3_000_001)
    real = os.write
    calls = 0

    def write(descriptor: int, part: Any) -> int:
        nonlocal calls
        calls += 1
        if calls == 1 and refusal == "when written to":
            raise OSError(errno.EINVAL, "Invalid argument")
        if calls == 2 and refusal == "when half is written":
            return real(descriptor, part[: len(part) // 2])
        return real(descriptor, part)

    if refusal != "at once":
        monkeypatch.setattr(os, "write", write)
    else:
        go_through_the_cache(monkeypatch, cached=True)

    async def source() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 300_007):
            yield content[start : start + 300_007]

    stored = await storage.put(KEY, source(), content_type="x/y")
    assert stored.size == len(content)
    assert (await storage.path(KEY)).read_bytes() == content


@pytest.mark.parametrize("cached", [True, False])
async def test_short_writes_are_made_good(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, cached: bool
) -> None:
    go_through_the_cache(monkeypatch, cached=cached)
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, part: write(file, part[:100_000]))
    content = os.urandom(3_000_000)

    async def source() -> AsyncIterator[bytes]:
        yield content[:1_500_000]
        yield content[1_500_000:]

    await storage.put(KEY, source(), content_type="x/y")
    assert (await storage.path(KEY)).read_bytes() == content


FILES: Final = [f"events/1/speakers/{number}/photo.png" for number in range(20)]


async def put_all(storage: LocalStorage, keys: Sequence[str]) -> list[Any]:
    """Store files at the same time; the errors of those that failed."""
    puts = (storage.put(key, stream(5), content_type="x/y") for key in keys)
    results = await asyncio.gather(*puts, return_exceptions=True)
    return [result for result in results if isinstance(result, BaseException)]


async def test_files_of_the_same_time_are_synced_together(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file and each new folder once, and the folder that holds them once; all contents are
    written before the disk is waited for."""
    await storage.put("events/1/speakers/a", stream(1), content_type="x/y")
    calls: list[str] = []
    for name in ("write", "fsync", "rename"):
        real = getattr(os, name)

        def function(*args: Any, name: str = name, real: Any = real) -> Any:
            calls.append(name)
            return real(*args)

        monkeypatch.setattr(os, name, function)
    assert await put_all(storage, FILES) == []
    written = [name for name in calls if name != "rename"]
    assert written == ["write"] * len(FILES) + ["fsync"] * (2 * len(FILES) + 1)
    assert calls.index("rename") == 2 * len(FILES)


@pytest.mark.parametrize("name", ["write", "fsync", "rename"])
async def test_of_files_that_are_synced_together_only_the_failing_one_fails(
    storage: LocalStorage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    await storage.put("events/1/speakers/a", stream(1), content_type="x/y")
    fail_at(monkeypatch, name, 3)
    errors = await put_all(storage, FILES)
    assert [type(error) for error in errors] == [StorageError]
    assert files(tmp_path).count("photo.png") == len(FILES) - 1


async def test_no_file_is_kept_if_a_folder_cannot_be_synced(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await storage.put("events/1/speakers/a", stream(1), content_type="x/y")
    fail_at(monkeypatch, "fsync", len(FILES) + 4)
    assert len(await put_all(storage, FILES)) == len(FILES)
    assert files(tmp_path) == ["a"]


async def test_cancelling_one_of_several_files_leaves_the_others(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await storage.put("events/1/speakers/a", stream(1), content_type="x/y")
    begun, go_on = threading.Event(), threading.Event()
    real = os.fsync

    def slow(descriptor: int) -> None:
        begun.set()
        go_on.wait()
        real(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    puts = [asyncio.create_task(put_all(storage, [key])) for key in FILES]
    await asyncio.to_thread(begun.wait)
    puts[5].cancel()
    go_on.set()
    results = await asyncio.gather(*puts, return_exceptions=True)
    assert isinstance(results.pop(5), asyncio.CancelledError)
    assert results == [[]] * (len(FILES) - 1)
    assert files(tmp_path).count("photo.png") == len(FILES) - 1


def test_a_folder_that_another_thread_has_just_made_is_synced_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that is done first does not rely on the other."""
    synced: list[Path] = []
    monkeypatch.setattr(partial_file, "_sync_directory", synced.append)
    slow, quick = NewEntries(), NewEntries()
    slow.make_folder(tmp_path / "a" / "b")
    quick.make_folder(tmp_path / "a" / "b" / "c")
    quick.sync()
    # Several threads sync them, in any order.
    assert sorted(synced) == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    slow.sync()
    later = NewEntries()
    later.make_folder(tmp_path / "a" / "b" / "d")
    del synced[:]
    later.sync()
    assert synced == [tmp_path / "a" / "b"]


async def test_nothing_is_seen_before_it_is_whole(storage: LocalStorage, tmp_path: Path) -> None:
    seen: list[object] = []

    async def source() -> AsyncIterator[bytes]:
        async for chunk in stream():
            seen.append(await storage.stat(KEY))
            seen.extend(await keys_in(storage))
            yield chunk

    await storage.put(KEY, source(), content_type="x/y")
    assert set(seen) == {None}
    assert await storage.stat(KEY) is not None


async def test_deleting_prunes_empty_folders_alone(storage: LocalStorage, tmp_path: Path) -> None:
    await storage.put("uploads/1/abc/a.bin", stream(1), content_type="x/y")
    await storage.put("uploads/1/abd/b.bin", stream(1), content_type="x/y")
    root = tmp_path / "deep" / "root"
    await storage.delete("uploads/1/abc/a.bin")
    assert sorted(path.name for path in (root / "uploads" / "1").iterdir()) == ["abd"]
    await storage.delete("uploads/1/abd/b.bin")
    assert [path.name for path in root.iterdir()] == [".incoming"]


@pytest.mark.parametrize("pruned", ["a", "a/b"])
async def test_folders_that_a_deletion_prunes_meanwhile_are_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pruned: str
) -> None:
    real = os.mkdir
    pruning = iter([tmp_path / pruned])

    def mkdir(path: Any, *args: Any, **kwargs: Any) -> None:
        real(path, *args, **kwargs)
        if str(path) == str(tmp_path / pruned) and (folder := next(pruning, None)):
            folder.rmdir()

    monkeypatch.setattr(os, "mkdir", mkdir)
    storage = LocalStorage(LocalConfig(root=tmp_path))
    await storage.put("a/b/c.bin", stream(1), content_type="x/y")
    assert files(tmp_path) == ["c.bin"]


@pytest.mark.parametrize("function", ["stat", "unlink"])
async def test_a_disk_that_cannot_be_read_is_reported_as_any_storage_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    storage = LocalStorage(LocalConfig(root=tmp_path))
    await storage.put(KEY, stream(1), content_type="x/y")
    real = getattr(os, function)

    def fail(path: Any, *args: Any, **kwargs: Any) -> Any:
        if str(path).startswith(str(tmp_path)):
            raise OSError(errno.EIO, "Input/output error")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(StorageError, match="Input/output error"):
        await (storage.delete(KEY) if function == "unlink" else storage.stat(KEY))


async def test_a_root_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    storage = LocalStorage(LocalConfig(root=tmp_path / "file" / "root"))
    with pytest.raises(StorageError):
        await storage.put(KEY, stream(), content_type="x/y")


def test_discarding_waits_for_a_commit_and_undoes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = PartialFile(tmp_path, tmp_path / "a" / "b", prefix="x")
    file.write(new_buffer())
    begun, go_on = threading.Event(), threading.Event()
    real = os.fsync

    def slow(descriptor: int) -> None:
        begun.set()
        go_on.wait()
        real(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    committing = threading.Thread(target=file.commit, args=(new_buffer()[:1],))
    committing.start()
    begun.wait()
    discarding = threading.Thread(target=file.discard)
    discarding.start()
    go_on.set()
    committing.join()
    discarding.join()
    assert files(tmp_path) == []


def test_nothing_is_written_after_discarding(tmp_path: Path) -> None:
    file = PartialFile(tmp_path, tmp_path / "a", prefix="x")
    file.discard()
    with pytest.raises(FileNotFoundError):
        file.write(new_buffer())
    with pytest.raises(FileNotFoundError):
        file.commit(new_buffer())
    assert files(tmp_path) == []


def test_urls_begin_with_the_given_host(tmp_path: Path) -> None:
    storage = LocalStorage(LocalConfig(root=tmp_path, base_url="https://static.example/"))
    assert storage.public_url("a/b c.png") == "https://static.example/media/a/b%20c.png"
    assert LocalStorage(LocalConfig(root=tmp_path)).public_url("a") == "/media/a"


@pytest.mark.parametrize(
    ("key", "file_mode", "folder_mode"),
    [("private/imports/1/archive.zip", 0o600, 0o700), ("uploads/1/a.png", 0o644, 0o755)],
)
async def test_no_other_account_can_read_private_objects(
    storage: LocalStorage, tmp_path: Path, key: str, file_mode: int, folder_mode: int
) -> None:
    old = os.umask(0o022)
    try:
        await storage.put(key, stream(10), content_type="x/y")
    finally:
        os.umask(old)

    path = await storage.path(key)
    root = tmp_path / "deep" / "root"
    assert path.stat().st_mode & 0o777 == file_mode
    folders = [folder for folder in path.parents if root in folder.parents]
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {folder_mode}
    assert (root / ".incoming").stat().st_mode & 0o777 == 0o700


async def test_folders_of_earlier_versions_are_closed(
    storage: LocalStorage, tmp_path: Path
) -> None:
    private = tmp_path / "deep" / "root" / "private"
    private.mkdir(parents=True, mode=0o755)

    await storage.put(KEY, stream(10), content_type="x/y")

    assert private.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "folder", ["PRIVATE", "Private", "pr\N{LATIN SMALL LETTER DOTLESS I}vate", "alias", "a/b"]
)
async def test_another_name_of_the_private_folder_is_private(
    storage: LocalStorage, tmp_path: Path, folder: str
) -> None:
    await storage.put("private/imports/1/archive.zip", stream(10), content_type="x/y")
    root = tmp_path / "deep" / "root"
    # As a disk does that takes two names for one.
    (root / folder).parent.mkdir(exist_ok=True)
    (root / folder).symlink_to(root / "private")

    assert await storage.stat(f"{folder}/imports/1/archive.zip")
    with pytest.raises((ObjectNotFoundError, ValueError)):
        await storage.public_path(f"{folder}/imports/1/archive.zip")
