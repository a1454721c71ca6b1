"""The database's URL, in the spellings that people use."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from eventimport.database.engine import DatabaseConfigError, driver_url


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_the_usual_schemes_mean_asyncpg(scheme: str) -> None:
    url = driver_url(f"{scheme}://ada:p%40ss@db.example.org:5433/events?sslmode=require")
    assert url.drivername == "postgresql+asyncpg"
    assert (url.username, url.password) == ("ada", "p@ss")
    assert (url.host, url.port, url.database) == ("db.example.org", 5433, "events")
    assert dict(url.query) == {"ssl": "require"}


@pytest.mark.parametrize(
    "url", ["", "mysql://ada:secret@db/events", "ada:secret@db", "postgresql://ada:secret@db:x/e"]
)
def test_other_urls_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(DatabaseConfigError) as caught:
        driver_url(url)
    assert "secret" not in str(caught.value)


async def test_errors_do_not_repeat_the_parameters(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        with pytest.raises(DBAPIError) as caught:
            await connection.execute(text("SELECT CAST(:email AS jsonb)"), {"email": "ada@x.org"})
    assert "[SQL parameters hidden" in str(caught.value)


async def test_the_session_reckons_in_utc(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert await connection.scalar(text("SHOW timezone")) == "UTC"
