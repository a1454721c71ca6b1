"""The fetches of one import: limits, over real sockets on the loopback."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import cast

import httpcore
import pytest
from tests.media.test_fetch import Names, Server, ok, redirect, serving
from tests.storage_doubles import MemoryStorage

from eventimport.media.fetch import Fetcher, FetchError, FetchLimits
from eventimport.media.image_processes import ImageProcesses, ImageProcessesConfig
from eventimport.media.sources import ImportFetches, ImportFetchLimits
from eventimport.media.transfer import MediaRecords, MediaTransfer, TransferConfig

LOOPBACK = ("127.0.0.1",)


@dataclass
class Result:
    """What became of each link."""

    outcomes: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as server:
        yield server


async def fetch_all(
    links: Sequence[str], limits: ImportFetchLimits | None = None, **fetch_limits: float
) -> Result:
    """Fetch links in eight lanes, as an import may."""
    names = Names(a_test=[LOOPBACK], b_test=[LOOPBACK], dead_test=[["127.0.0.2"]])
    names.answers["127.0.0.1"] = [LOOPBACK]
    result = Result()
    waiting = list(reversed(links))
    async with Fetcher(
        FetchLimits(allow_list=("127.0.0.0/8",), **fetch_limits),  # type: ignore[arg-type]
        resolve=names,
    ) as fetcher:
        fetches = ImportFetches(fetcher, limits or ImportFetchLimits())

        async def lane() -> None:
            while waiting:
                try:
                    async with fetches.open(waiting.pop()) as fetched:
                        async for _ in fetched.chunks:
                            pass
                    result.outcomes.append("MOVED")
                except FetchError as error:
                    result.outcomes.append(error.outcome)
                    result.details.append(error.detail)

        async with asyncio.timeout(60):
            await asyncio.gather(*(lane() for _ in range(8)))
    return result


async def test_requests_of_an_import_are_counted_redirects_too(server: Server) -> None:
    server.answers["/"] = redirect("/there")
    server.answers["/there"] = ok(b"x")
    result = await fetch_all([server.url("/")] * 50, ImportFetchLimits(max_requests=20))
    assert len(server.requests) == 20
    assert Counter(result.outcomes)["MOVED"] >= 6
    assert "MAX_FETCHES_PER_IMPORT" in result.details[-1]


async def test_requests_to_one_host_are_counted(server: Server) -> None:
    server.answers["/"] = ok(b"x")
    links = [server.url("/", "a.test")] * 30 + [server.url("/", "b.test")] * 5
    result = await fetch_all(links, ImportFetchLimits(max_requests_per_host=10))
    assert Counter(result.outcomes) == {"MOVED": 15, "REFUSED": 20}
    assert len(server.requests) == 15
    assert all("MAX_FETCHES_PER_HOST" in detail for detail in result.details)


async def test_so_many_connections_at_once(server: Server) -> None:
    """Four to one host, although eight may be open in all."""
    open_now: Counter[str] = Counter()
    most: Counter[str] = Counter()
    full = asyncio.Event()

    async def answer(writer: asyncio.StreamWriter) -> None:
        host = server.requests[-1].partition("Host: ")[2].partition(":")[0]
        open_now[host] += 1
        most[host] = max(most[host], open_now[host])
        most["all"] = max(most["all"], open_now.total())
        if open_now.total() == 8:
            full.set()
        await full.wait()
        writer.write(ok(b"x"))
        await writer.drain()
        open_now[host] -= 1

    server.answers["/"] = answer
    links = [server.url("/", host) for host in ("a.test", "b.test")] * 12
    result = await fetch_all(links)
    assert Counter(result.outcomes) == {"MOVED": 24}
    assert most == {"a.test": 4, "b.test": 4, "all": 8}


async def test_a_dead_host_is_given_up_and_the_rest_is_settled(server: Server) -> None:
    server.answers["/"] = ok(b"x")
    dead = [f"http://dead.test:{server.port}/{number}" for number in range(1000)]
    result = await fetch_all([*dead, server.url("/", "a.test")])
    assert Counter(result.outcomes) == {"UNREACHABLE": 1000, "MOVED": 1}
    assert len(set(result.details)) == 1


async def test_a_name_is_looked_up_once_for_all_files_of_an_import(server: Server) -> None:
    """A look-up that fails is repeated with the next file."""
    server.answers["/"] = b"HTTP/1.1 404 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    names = Names(a_test=[LOOPBACK])
    async with Fetcher(FetchLimits(allow_list=LOOPBACK), resolve=names) as fetcher:
        fetches = ImportFetches(fetcher, ImportFetchLimits())

        async def fetch(host: str) -> None:
            with pytest.raises(FetchError):
                async with fetches.open(server.url("/", host)):
                    pass

        await asyncio.gather(*(fetch("a.test") for _ in range(20)))
        for _ in range(3):
            await fetch("unknown.test")
    assert len(server.requests) == 20
    assert Counter(names.asked) == {"a.test": 1, "unknown.test": 3}


async def test_a_host_that_accepts_no_connection_is_asked_a_few_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """1,000 links end within two rounds of connections, which is less than five timeouts."""
    begun = 0

    async def connect(*_args: object, **_options: object) -> httpcore.AsyncNetworkStream:
        nonlocal begun
        begun += 1
        await asyncio.sleep(0)
        raise httpcore.ConnectTimeout("nothing answered")

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect)
    result = await fetch_all([f"http://dead.test/{number}" for number in range(1000)])
    assert Counter(result.outcomes) == {"UNREACHABLE": 1000}
    assert 5 <= begun <= 2 * ImportFetchLimits().at_once_per_host


@dataclass(frozen=True)
class Item:
    """A sponsor's logo."""

    id: int
    table_name: str = "sponsors"
    row_id: int = 1
    field: str = "logo_url"


@dataclass(frozen=True)
class Linked:
    """A file behind a link."""

    source: str
    items: tuple[Item, ...]
    event_id: int = 1
    origin: str = "remote"
    is_image: bool = True
    entry: None = None
    last: bool = False


class Links:
    """The records of an import that has nothing but links."""

    def __init__(self, links: Sequence[str]) -> None:
        self.left = [Linked(link, (Item(number),)) for number, link in enumerate(links)]
        self.settled: list[tuple[Collection[int], str]] = []

    async def planned(self, limit: int, *, last: object) -> Sequence[Linked]:
        taken, self.left = self.left[:limit], self.left[limit:]
        return taken

    async def counts(self) -> dict[str, int]:
        return {"PLANNED": len(self.left)}

    async def stored_bytes(self) -> int:
        return 0

    async def settle(self, ids: Collection[int], outcome: str, detail: str) -> None:
        self.settled.append((ids, outcome))


async def test_the_links_to_a_dead_host_are_settled_together() -> None:
    records = Links([f"http://127.0.0.1:1/{number}" for number in range(400)])
    told: list[tuple[str, int, int]] = []
    images = ImageProcesses(ImageProcessesConfig())
    async with Fetcher(FetchLimits(allow_list=LOOPBACK)) as fetcher:
        transfer = MediaTransfer(
            cast("MediaRecords", records),
            MemoryStorage(),
            fetcher,
            images,
            TransferConfig(),
            show=lambda *progress: told.append(progress),
        )
        await transfer.run(lambda name: iter(()))
    assert sorted(number for ids, _ in records.settled for number in ids) == list(range(400))
    assert {outcome for _, outcome in records.settled} == {"UNREACHABLE"}
    assert len(records.settled) <= 12
    assert told[-1] == ("Storing media files", 400, 400)


async def test_a_host_that_answers_errors_is_given_up(server: Server) -> None:
    server.answers["/"] = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
    result = await fetch_all([server.url("/")] * 100)
    assert Counter(result.outcomes) == {"UNREACHABLE": 100}
    assert 5 <= len(server.requests) <= 8


async def test_missing_files_are_not_the_hosts_failure(server: Server) -> None:
    result = await fetch_all([server.url(f"/{number}") for number in range(50)])
    assert Counter(result.outcomes) == {"UNREACHABLE": 50}
    assert len(server.requests) == 50


async def test_failures_count_only_in_a_row(server: Server) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        if len(server.requests) % 3:
            writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
        else:
            writer.write(ok(b"x"))
        await writer.drain()

    server.answers["/"] = answer
    result = await fetch_all([server.url("/")] * 60, ImportFetchLimits(at_once_per_host=1))
    assert Counter(result.outcomes) == {"UNREACHABLE": 40, "MOVED": 20}


async def test_drips_are_given_up(server: Server) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not server.held.is_set():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    server.answers["/"] = drip
    result = await fetch_all([server.url("/")] * 40, min_rate=10_000, slow_after=0.05)
    assert Counter(result.outcomes) == {"UNREACHABLE": 40}
    assert len(server.requests) <= 8


async def test_all_fetches_of_an_import_end_in_time(server: Server) -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        await server.held.wait()

    server.answers["/"] = silent
    result = await fetch_all([server.url("/")] * 40, ImportFetchLimits(total_timeout=0.2))
    assert Counter(result.outcomes) == {"UNREACHABLE": 40}
    assert all("FETCH_TOTAL_TIMEOUT" in detail for detail in result.details)
    assert len(server.requests) <= 4


@pytest.mark.parametrize("as_date", [False, True])
async def test_a_host_that_asks_to_wait_is_asked_again_then(server: Server, as_date: bool) -> None:
    loop = asyncio.get_running_loop()
    asked: list[float] = []
    value = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)

    async def answer(writer: asyncio.StreamWriter) -> None:
        asked.append(loop.time())
        if len(asked) == 1:
            wait = value if as_date else "1"
            writer.write(
                f"HTTP/1.1 429 Slow\r\nRetry-After: {wait}\r\nContent-Length: 0\r\n\r\n".encode()
            )
        else:
            writer.write(ok(b"x"))
        await writer.drain()

    server.answers["/"] = answer
    result = await fetch_all([server.url("/")], ImportFetchLimits(at_once_per_host=1))
    assert result.outcomes == ["MOVED"]
    assert len(asked) == 2
    assert asked[1] - asked[0] > (0 if as_date else 0.99)


async def test_a_wait_beyond_the_total_is_not_begun(server: Server) -> None:
    server.answers["/"] = b"HTTP/1.1 503 X\r\nRetry-After: 86400\r\nContent-Length: 0\r\n\r\n"
    result = await fetch_all([server.url("/")] * 30)
    assert Counter(result.outcomes) == {"UNREACHABLE": 30}
    assert "FETCH_TOTAL_TIMEOUT" in result.details[0]
    assert len(server.requests) <= 4
