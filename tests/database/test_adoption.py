"""The migration adopts what was stored before it, and keeps the responses to keys."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url

from eventimport.database.migrations import downgrade, upgrade

BEFORE = "0003"
JOB = "00000000-0000-0000-0000-000000000001"
RUNNING = "00000000-0000-0000-0000-000000000002"
DONE = "00000000-0000-0000-0000-000000000003"
A, B, C, D, E = ("a" * 24, "b" * 24, "c" * 24, "d" * 24, "e" * 24)
LOCAL = "https://here.example/media/"
BUCKET = "https://bucket.s3.example/"
PHOTO = f"events/1/speakers/1/photo_url/{A}/Zoë.png"
PHOTO_URL = f"{LOCAL}events/1/speakers/1/photo_url/{A}/Zo%C3%AB.png"
ICON_URL = f"{LOCAL}events/1/speakers/1/photo_url/{A}-icon/Zo%C3%AB.jpg"
SLIDES = f"events/1/sessions/1/slides_url/{B}/a.pdf"
LEFT = f"events/1/sponsors/1/logo_url/{C}/b.png"
FOREIGN = f"https://other.example/media/events/1/events/1/logo_url/{D}/c.png"

ROWS = f"""
INSERT INTO users (id, email, password_hash) OVERRIDING SYSTEM VALUE
    VALUES (1, 'a@example.org', ''), (2, 'b@example.org', '');
INSERT INTO events (id, identifier, name, logo_url, original_image_url)
    OVERRIDING SYSTEM VALUE
    VALUES (1, 'a1234567', 'C', '{FOREIGN}', '{LOCAL}uploads/1/{E}/d%20.png?v=2');
INSERT INTO event_roles (event_id, user_id, role) VALUES (1, 1, 'owner');
INSERT INTO speakers (id, event_id, name, photo_url, icon_image_url, small_image_url)
    OVERRIDING SYSTEM VALUE VALUES
    (1, 1, 'Ada', '{PHOTO_URL}', '{ICON_URL}', 'https://elsewhere.example/s.png'),
    (2, 1, 'Bob', '{PHOTO_URL}', NULL, '{LOCAL}uploads/2/{D}/not-an-owner.png');
INSERT INTO sessions (id, event_id, title, slides_url) OVERRIDING SYSTEM VALUE
    VALUES (1, 1, 'T', '{BUCKET}{SLIDES}');
INSERT INTO sponsors (id, event_id, name) OVERRIDING SYSTEM VALUE VALUES (1, 1, 'S');
INSERT INTO service_settings (key, value)
    VALUES ('installation', '"x"'), ('storage-place', '"s3"');
INSERT INTO import_jobs (id, user_id, status, archive_storage, archive_key, archive_size, event_id)
    VALUES
    ('{JOB}', 1, 'SUCCESS', 'local', 'private/imports/{JOB}/archive.zip', 7, 1),
    ('{RUNNING}', 1, 'PENDING', 's3', 'private/imports/{RUNNING}/archive.zip', 8, NULL),
    ('{DONE}', 1, 'FAILURE', 'local', NULL, 9, NULL);
INSERT INTO media_items (import_job_id, event_id, table_name, row_id, field, source, origin,
    media_type, outcome, object_key, url, size) VALUES
    ('{JOB}', 1, 'speakers', 1, 'photo_url', 'a', 'archive', 'image', 'MOVED', '{PHOTO}',
        '{PHOTO_URL}', 5),
    ('{JOB}', 1, 'sessions', 1, 'slides_url', 'b', 'archive', 'document', 'MOVED', '{SLIDES}',
        '{BUCKET}{SLIDES}', 6),
    ('{JOB}', 1, 'sponsors', 1, 'logo_url', 'c', 'archive', 'image', 'PLANNED', '{LEFT}', NULL,
        NULL),
    ('{JOB}', 1, 'events', 1, 'logo_url', 'd', 'remote', 'image', 'REFUSED', NULL, NULL, NULL);
INSERT INTO idempotency_keys
    (user_id, key, token, route, lease_until, fingerprint, status, body, headers) VALUES
    (1, 'answered', gen_random_uuid(), 'POST /v1/upload/file', NULL, 'x', 200, '{{}}', '{{}}'),
    (1, 'claimed', gen_random_uuid(), 'POST /v1/upload/file', now(), NULL, NULL, NULL, NULL);
"""


@pytest.fixture
async def url(database_url: str) -> AsyncIterator[str]:
    """A database as it was before, with rows in it."""
    own = make_url(database_url)
    name = f"{own.database}_before"
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"CREATE DATABASE {name}")
    changed = own.set(database=name).render_as_string(hide_password=False)
    await asyncio.to_thread(upgrade, changed, BEFORE)
    other = await asyncpg.connect(changed)
    await other.execute(ROWS)
    await other.close()
    yield changed
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


async def fetch(url: str, statement: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


async def test_what_rows_name_is_adopted(url: str) -> None:
    await asyncio.to_thread(upgrade, url)

    objects = await fetch(
        url, "SELECT storage, key, purpose, state, user_id, size FROM stored_objects"
    )
    icon = f"events/1/speakers/1/photo_url/{A}-icon/Zoë.jpg"
    assert set(objects) == {
        ("local", f"private/imports/{JOB}/archive.zip", "archive", "KEPT", 1, 7),
        ("s3", f"private/imports/{RUNNING}/archive.zip", "archive", "KEPT", 1, 8),
        ("local", PHOTO, "media", "KEPT", 1, 5),
        ("local", icon, "media", "KEPT", 1, 0),
        ("s3", SLIDES, "media", "KEPT", 1, 6),
        ("local", LEFT, "media", "STORING", 1, 0),
        ("local", f"uploads/1/{E}/d .png", "upload", "KEPT", 1, 0),
    }
    assert len(objects) == 7
    links = await fetch(
        url,
        "SELECT o.key, l.user_id, l.import_job_id::text, l.event_id, l.table_name, l.row_id,"
        " l.field FROM object_links l JOIN stored_objects o ON o.id = l.object_id",
    )
    upload = f"uploads/1/{E}/d .png"
    assert sorted(links, key=str) == sorted(
        [
            (f"private/imports/{JOB}/archive.zip", None, JOB, None, None, None, None),
            (f"private/imports/{RUNNING}/archive.zip", None, RUNNING, None, None, None, None),
            (PHOTO, None, None, 1, "speakers", 1, "photo_url"),
            (PHOTO, None, None, 1, "speakers", 2, "photo_url"),
            (icon, None, None, 1, "speakers", 1, "icon_image_url"),
            (SLIDES, None, None, 1, "sessions", 1, "slides_url"),
            (upload, 1, None, None, None, None, None),
            (upload, None, None, 1, "events", 1, "original_image_url"),
        ],
        key=str,
    )
    assert await fetch(url, "SELECT key FROM service_settings") == [("storage-place",)]


async def test_responses_to_keys_stay(url: str) -> None:
    await asyncio.to_thread(upgrade, url)

    assert await fetch(url, "SELECT key, status, body FROM idempotency_keys") == [
        ("answered", 200, "{}")
    ]


async def test_the_way_back_keeps_what_was_known(url: str) -> None:
    await asyncio.to_thread(upgrade, url)
    await asyncio.to_thread(downgrade, url, BEFORE)

    items = await fetch(url, "SELECT object_key FROM media_items ORDER BY id")
    assert items == [(PHOTO,), (SLIDES,), (None,), (None,)]
    await asyncio.to_thread(upgrade, url)
    assert len(await fetch(url, "SELECT id FROM stored_objects")) == 6


async def test_an_empty_database_has_nothing_to_adopt(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("TRUNCATE users, events, import_jobs CASCADE")
    await connection.close()

    await asyncio.to_thread(upgrade, url)

    assert await fetch(url, "SELECT id FROM stored_objects") == []
