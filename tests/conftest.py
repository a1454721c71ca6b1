"""The servers that tests run against, and a migrated database for each process of the run.

One PostgreSQL and one Valkey serve a whole run, all of xdist's workers included: those of
DATABASE_URL and REDIS_URL, else embedded ones. Nothing that lies on given servers is touched:
databases are made and dropped under names of the run's own, and Redis database numbers are taken
from the one after the URL's on. Tests that don't ask for a server don't start one.
"""

import asyncio
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import asyncpg
import coverage
import httpx
import hypothesis
import pytest
from redis import Redis
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from tests.untraced_greenlets import rest_in_greenlets

import eventimport.database.engine as database_engine
import eventimport.resources
from eventimport.database import migrations
from eventimport.database.models import Base, User
from eventimport.embedded import start_postgres, start_valkey
from eventimport.main import create_app
from eventimport.queue import QueueConfig
from eventimport.settings import Settings

# No test fails because the machine is slow or busy, or because a run tries other examples than the
# run before. Those are tried with `--hypothesis-profile=exploring`.
hypothesis.settings.register_profile(
    "exploring",
    parent=hypothesis.settings(),
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "repeatable",
    parent=hypothesis.settings.get_profile("exploring"),
    derandomize=True,
)
hypothesis.settings.load_profile("repeatable")

TESTS = Path(__file__).parent
T = TypeVar("T")
MakeUser = Callable[..., Awaitable[User]]


def run_apart(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread and loop of its own, whatever loop this thread has."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, coroutine).result()


async def execute(url: str, *statements: str) -> None:
    """Run statements one by one, outside of any transaction."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def renamed(url: str, database: str) -> str:
    """The URL of another database of the same server, as asyncpg takes it."""
    changed = make_url(url).set(drivername="postgresql", database=database)
    return changed.render_as_string(hide_password=False)


class Servers:
    """The servers of a run, each started when it is first asked for."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    @cached_property
    def _folder(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="eventimport-tests-"))
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    @cached_property
    def postgres_url(self) -> str:
        """A database from which others can be made."""
        url = os.environ.get("DATABASE_URL")
        if not url:
            server = start_postgres(self._folder / "postgres", durable=False)
            url = self._stack.enter_context(server).url
        return renamed(url, make_url(url).database or "postgres")

    @cached_property
    def template(self) -> str:
        """The name of a migrated database that nobody is connected to."""
        url = self.postgres_url
        name = f"eventimport_test_{secrets.token_hex(4)}"
        run_apart(execute(url, f"CREATE DATABASE {name}"))
        self._stack.callback(lambda: run_apart(execute(url, f"DROP DATABASE {name} WITH (FORCE)")))
        with ThreadPoolExecutor(1) as executor:
            executor.submit(migrations.upgrade, renamed(url, name)).result()
        return name

    @cached_property
    def redis_url(self) -> str:
        """Its path is the number before the first that tests may use."""
        url = os.environ.get("REDIS_URL")
        if not url:
            server = start_valkey(self._folder / "valkey", durable=False)
            url = self._stack.enter_context(server).url
        return url

    def stop(self) -> None:
        self._stack.close()


class GivenServers:
    """The same servers, as a worker of xdist is told of them."""

    def __init__(self, postgres_url: str, template: str, redis_url: str) -> None:
        self.postgres_url = postgres_url
        self.template = template
        self.redis_url = redis_url


SERVERS = pytest.StashKey[Servers | GivenServers]()


def pytest_configure(config: pytest.Config) -> None:
    told = getattr(config, "workerinput", None)
    config.stash[SERVERS] = GivenServers(**told["servers"]) if told else Servers()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    servers = node.config.stash[SERVERS]
    node.workerinput["servers"] = {
        "postgres_url": servers.postgres_url,
        "template": servers.template,
        "redis_url": servers.redis_url,
    }


MARKS_OF_FOLDERS = {"faults": pytest.mark.faults, "fuzz": pytest.mark.fuzz}
MARKS_OF_FIXTURES = {
    "archives": pytest.mark.real_archives,
    "cases": pytest.mark.real_archives,
    "real_formats": pytest.mark.real_archives,
    "database_url": pytest.mark.servers,
    "redis_url": pytest.mark.servers,
    "s3_endpoint": pytest.mark.servers,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of some folders, and those that use some fixtures."""
    for item in items:
        if item.path.is_relative_to(TESTS):
            folder = item.path.relative_to(TESTS).parts[0]
            if folder in MARKS_OF_FOLDERS:
                item.add_marker(MARKS_OF_FOLDERS[folder])
        for fixture in MARKS_OF_FIXTURES.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(MARKS_OF_FIXTURES[fixture])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure no coverage in the thread of a test that is marked so: it would take twice as long.

    The threads and processes that the test starts are measured.
    """
    tracer = sys.gettrace()
    if item.get_closest_marker("without_coverage"):
        sys.settrace(None)
    try:
        return (yield)
    finally:
        if sys.gettrace() is not tracer:
            sys.settrace(tracer)


def pytest_sessionfinish() -> None:
    """Save the coverage now: xdist kills a worker whose exit takes longer than ten seconds."""
    measured = coverage.Coverage.current()
    if measured is not None:
        measured.save()


def pytest_unconfigure(config: pytest.Config) -> None:
    servers = config.stash[SERVERS]
    if isinstance(servers, Servers):
        servers.stop()


@pytest.fixture(scope="session")
def worker_number(pytestconfig: pytest.Config) -> int:
    """Which of xdist's workers this process is, from 0."""
    told = getattr(pytestconfig, "workerinput", None)
    return int(told["workerid"].removeprefix("gw")) if told else 0


@pytest.fixture(scope="session")
def database_url(pytestconfig: pytest.Config, worker_number: int) -> Iterator[str]:
    """A migrated database of this process alone, `postgresql://…`; emptied after each test."""
    servers = pytestconfig.stash[SERVERS]
    name = f"{servers.template}_{worker_number}"
    run_apart(execute(servers.postgres_url, f"CREATE DATABASE {name} TEMPLATE {servers.template}"))
    with pytest.MonkeyPatch.context() as patch:
        for module in (database_engine, eventimport.resources):
            patch.setattr(module, "create_engine", lend_engine)
        yield renamed(servers.postgres_url, name)
    run_apart(execute(servers.postgres_url, f"DROP DATABASE {name} WITH (FORCE)"))


IDLE_ENGINES: dict[tuple[Any, ...], list[AsyncEngine]] = {}
"""The engines that no test uses, by what they were made of."""

_new_engine = database_engine.create_engine


class LentEngine(AsyncEngine):
    """An engine with its own events, over a pool and compiled statements that tests share.

    Compiling the statements of a test again costs more than the test.
    """

    def __init__(self, key: tuple[Any, ...]) -> None:
        idle = IDLE_ENGINES.setdefault(key, [])
        config, *options = key
        lender = idle.pop() if idle else _new_engine(config, **dict(options))
        self._lender: AsyncEngine | None = lender
        super().__init__(lender.sync_engine.execution_options())
        self._idle = idle

    async def dispose(self, close: bool = True) -> None:
        """Close the connections, which belong to the test's event loop."""
        await super().dispose(close)
        if self._lender is not None:
            self._idle.append(self._lender)
            self._lender = None


def lend_engine(config: database_engine.DatabaseConfig, **options: Any) -> AsyncEngine:
    """What `create_engine` returns in the tests."""
    return LentEngine((config, *sorted(options.items())))


class Cleaner:
    """Empties the database over a connection that it keeps: connecting anew costs 20 ms."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: asyncpg.Connection | None = None
        self._executor = ThreadPoolExecutor(1)
        self._runner = asyncio.Runner()

    def clean(self) -> None:
        """Empty all tables."""
        self._run(self._clean())

    def close(self) -> None:
        """Close the connection."""
        self._run(self._close())
        self._executor.submit(self._runner.close).result()
        self._executor.shutdown()

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._executor.submit(self._runner.run, coroutine).result()

    async def _clean(self) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._url)
        await self._connection.execute(EMPTY_TABLES)

    async def _close(self) -> None:
        if self._connection is not None:
            await self._connection.close()


@pytest.fixture(scope="session")
def cleaner(database_url: str) -> Iterator[Cleaner]:
    """Empties this process's database."""
    cleaner = Cleaner(database_url)
    yield cleaner
    cleaner.close()


@pytest.fixture(autouse=True)
def clean_database(request: pytest.FixtureRequest) -> Iterator[None]:
    """Empties the database after each test that used it, directly or by another fixture.

    Numbers go on counting, so that no test can rely on an id.
    """
    uses_database = "database_url" in request.fixturenames
    cleaner = request.getfixturevalue("cleaner") if uses_database else None
    yield
    if cleaner is not None:
        cleaner.clean()


# DELETE is quicker than TRUNCATE for a few rows; many rows are for TRUNCATE.
EMPTY_TABLES = f"""
SET lock_timeout = '60s';
DO $$
DECLARE
    name text;
    large text[] := '{{}}';
BEGIN
    FOREACH name IN ARRAY ARRAY[{", ".join(f"'{t.name}'" for t in Base.metadata.sorted_tables)}]
    LOOP
        IF pg_relation_size(name::regclass) > 1048576 THEN
            large := large || name;
        END IF;
    END LOOP;
    IF large <> '{{}}' THEN
        EXECUTE 'TRUNCATE ' || array_to_string(large, ', ') || ' CASCADE';
    END IF;
END $$;
{"".join(f"DELETE FROM {t.name}; " for t in reversed(Base.metadata.sorted_tables))}
"""


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine over the process's database."""
    # A test on a slow machine may wait for long within a transaction.
    config = database_engine.DatabaseConfig(
        url=database_url, application_name="tests", idle_timeout=0
    )
    engine = database_engine.create_engine(config)
    yield engine
    await engine.dispose()


@pytest.fixture
def session_factory(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """Makes sessions over the process's database."""
    return database_engine.session_factory(engine)


@pytest.fixture
def make_user(session_factory: async_sessionmaker[AsyncSession]) -> MakeUser:
    """Writes an account and gives it back: `await make_user(email=…, is_admin=True)`."""

    async def make(
        *,
        email: str | None = None,
        password_hash: str = "no password fits",
        is_admin: bool = False,
    ) -> User:
        async with session_factory.begin() as session:
            user = User(
                email=email or f"user-{secrets.token_hex(4)}@example.org",
                password_hash=password_hash,
                is_admin=is_admin,
            )
            session.add(user)
            await session.flush()
            await session.refresh(user)
        return user

    return make


@pytest.fixture(scope="session")
def redis_database(pytestconfig: pytest.Config, worker_number: int) -> str:
    """The URL of this process's Redis database, which only `redis_url` empties."""
    url = urlsplit(pytestconfig.stash[SERVERS].redis_url)
    number = int(url.path.strip("/") or 0) + 1 + worker_number
    return url._replace(path=f"/{number}").geturl()


@pytest.fixture
def redis_url(redis_database: str) -> Iterator[str]:
    """A Redis database of this process alone, empty before the test and after."""
    with Redis.from_url(redis_database) as redis:
        redis.flushdb()
        yield redis_database
        redis.flushdb()


@pytest.fixture(scope="session", autouse=True)
def cheap_coverage() -> Iterator[None]:
    """Has coverage's tracer rest while SQLAlchemy runs."""
    with pytest.MonkeyPatch.context() as patch:
        if coverage.Coverage.current() is not None:
            rest_in_greenlets(patch)
        yield


@pytest.fixture(scope="session", autouse=True)
def patience_with_redis() -> Iterator[None]:
    """Has clients of Redis wait for a busy machine. One that gives up goes on without Redis, which
    is not what tests of Redis look at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(eventimport.resources, "LIMITER_TIMEOUT", 60.0)
        *others, _timeout = QueueConfig.__init__.__defaults__ or ()
        patch.setattr(QueueConfig.__init__, "__defaults__", (*others, 60.0))
        yield


@pytest.fixture(scope="session", autouse=True)
def certificates_once() -> Iterator[None]:
    """Has a process of the run read the system's certificates once, and not in each test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx, "create_ssl_context", cache(httpx.create_ssl_context))
        yield


@pytest.fixture(scope="session")
def openapi_document() -> dict[str, Any]:
    """The OpenAPI document, which depends on no setting. No test may change it."""
    settings = Settings(
        database_url="postgresql://127.0.0.1/unused",
        redis_url="redis://127.0.0.1/0",
        secret_key="a key for tests, which guards nothing",
    )
    return create_app(settings).openapi()


@pytest.fixture(scope="session")
def archives() -> list[Path]:
    """The shared sample archives, in the folder that EVENTIMPORT_ARCHIVES names."""
    folder = os.environ.get("EVENTIMPORT_ARCHIVES")
    if not folder:
        pytest.skip("EVENTIMPORT_ARCHIVES is not set")
    found = sorted(Path(folder).glob("*.zip"))
    assert found, f"no archives in {folder}"
    return found


@pytest.fixture(scope="session")
def cases() -> Path:
    """The folder of the shared small cases, which EVENTIMPORT_CASES names."""
    folder = os.environ.get("EVENTIMPORT_CASES")
    if not folder:
        pytest.skip("EVENTIMPORT_CASES is not set")
    return Path(folder)


@pytest.fixture(scope="session")
def real_formats() -> Path:
    """The folder of real schedules in other formats, which EVENTIMPORT_FORMATS names."""
    folder = os.environ.get("EVENTIMPORT_FORMATS")
    if not folder:
        pytest.skip("EVENTIMPORT_FORMATS is not set")
    return Path(folder)
