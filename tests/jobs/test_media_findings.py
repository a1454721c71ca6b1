"""Media that are not stored are findings; strict imports store them first, dry runs check them."""

import base64
import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select
from tests.formats.planning import zip_of
from tests.jobs.conftest import Imports
from tests.media.test_fetch import Server, ok, serving

from eventimport.database.models import ImportFinding, ImportJob
from eventimport.imports.run import run_import
from eventimport.resources import Resources, open_resources
from eventimport.settings import Settings
from eventimport.storage.protocol import StorageError


def drawn(name: str = "PNG") -> bytes:
    content = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(content, name)
    return content.getvalue()


LOGO, PHOTO = drawn(), drawn("JPEG")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>'
DATA_URL = "data:image/png;base64," + base64.b64encode(LOGO).decode()


def archive_of(files: dict[str, bytes], **fields: Any) -> bytes:
    documents = {
        "event": {
            "id": 1,
            "name": "Conference",
            "timezone": "UTC",
            "starts-at": "2027-03-05T09:00:00Z",
            "ends-at": "2027-03-06T18:00:00Z",
            **fields.get("event", {}),
        },
        "speakers": [{"id": 7, "name": "Ada", **fields.get("speaker", {})}],
        "sponsors": [{"id": 3, "name": "Lantern Ltd", **fields.get("sponsor", {})}],
    }
    return zip_of(documents, files)


GOOD = archive_of(
    {"images/logo.png": LOGO, "images/ada.jpg": PHOTO},
    event={"logo-url": "images/logo.png"},
    speaker={"photo-url": "images/ada.jpg"},
    sponsor={"logo-url": "images/logo.png"},
)
DAMAGED = archive_of(
    {"images/logo.png": LOGO, "images/ada.jpg": PHOTO[:-400]},
    event={"logo-url": "images/logo.png"},
    speaker={"photo-url": "images/ada.jpg"},
)
WITHOUT_END = archive_of({"images/ada.jpg": PHOTO[:-2]}, speaker={"photo-url": "images/ada.jpg"})


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as server:
        yield server


@pytest.fixture
async def fetching(settings: Settings, make_user: Callable[..., Any]) -> AsyncIterator[Imports]:
    """Imports that fetch from the loopback."""
    changed = settings.model_copy(
        update={"fetch_media": True, "fetch_allowed_hosts": ("127.0.0.1",)}
    )
    async with open_resources(changed) as resources:
        yield Imports(resources, await make_user())


async def findings_of(resources: Resources, job: ImportJob) -> list[dict[str, Any]]:
    async with resources.sessions() as session:
        chosen = select(ImportFinding.content).filter_by(import_job_id=job.id)
        return [dict(row) for row in await session.scalars(chosen)]


def report_of(job: ImportJob) -> dict[str, Any]:
    assert job.report is not None
    return job.report


def objects(resources: Resources) -> list[Path]:
    root = resources.settings.local_storage_path
    return [path for path in (root / "events").rglob("*") if path.is_file()]


async def test_a_damaged_photo_is_a_warning_that_names_the_speaker(imports: Imports) -> None:
    job = await imports.run(DAMAGED)
    assert job.status == "SUCCESS"
    assert report_of(job)["totals"] == {"repair": 0, "warning": 1, "error": 0}
    (finding,) = report_of(job)["findings"]
    assert (finding["severity"], finding["code"]) == ("warning", "media-not-an-image")
    assert (finding["title"], finding["field"], finding["source_id"]) == ("Ada", "photo_url", "7")
    assert finding["value"] == "images/ada.jpg"
    assert "damaged" in finding["message"]
    assert report_of(job)["total"] == 1
    assert await findings_of(imports.resources, job) == [finding]
    (notification,) = await imports.rows("notifications")
    assert "1 warning" in str(notification)


async def test_a_link_that_cannot_be_fetched_is_a_warning(fetching: Imports) -> None:
    link = "http://127.0.0.1:1/gone.png"
    job = await fetching.run(archive_of({}, sponsor={"logo-url": link}))
    assert job.status == "SUCCESS"
    (finding,) = report_of(job)["findings"]
    assert (finding["code"], finding["title"]) == ("media-unreachable", "Lantern Ltd")
    assert "The link is kept" in finding["message"]


async def test_links_that_are_not_fetched_by_configuration_are_warnings(imports: Imports) -> None:
    job = await imports.run(archive_of({}, sponsor={"logo-url": "https://example.org/a.png"}))
    (finding,) = report_of(job)["findings"]
    assert "FETCH_MEDIA" in finding["message"]


async def test_a_jpeg_without_its_end_is_a_repair(imports: Imports) -> None:
    job = await imports.run(WITHOUT_END)
    assert report_of(job)["totals"] == {"repair": 1, "warning": 0, "error": 0}
    assert report_of(job)["findings"][0]["code"] == "media-repaired"
    assert report_of(job)["media"]["outcomes"] == {"MOVED": 1}


async def test_many_findings_of_one_cause_are_one(imports: Imports) -> None:
    speakers = [{"id": n, "name": f"Speaker {n}", "photo-url": "a.jpg"} for n in range(200)]
    documents = {"event": {"id": 1, "name": "Conference"}, "speakers": speakers}
    job = await imports.run(zip_of(documents, {"a.jpg": b"no image"}))
    media = [one for one in report_of(job)["findings"] if one["code"] == "media-not-an-image"]
    assert [one["count"] for one in media] == [200]


@pytest.mark.parametrize("options", [{}, {"strict": True}], ids=["lenient", "strict"])
async def test_svgs_and_data_urls_are_stored(imports: Imports, options: dict[str, bool]) -> None:
    data = archive_of(
        {"logo.svg": SVG}, event={"logo-url": "logo.svg"}, sponsor={"logo-url": DATA_URL}
    )
    job = await imports.run(data, **options)
    assert job.status == "SUCCESS", job.errors
    assert report_of(job)["findings"] == []
    assert report_of(job)["media"]["outcomes"] == {"MOVED": 2}
    assert len(str(job.report)) < 4_000
    (event,) = await imports.rows("events", job.event_id)
    assert event["logo_url"].endswith(".svg.png")
    root = imports.resources.settings.local_storage_path
    (original,) = (root / "private" / "events").rglob("*.svg")
    assert original.read_bytes() == SVG
    job = await imports.run(data, dry_run=True)
    assert report_of(job)["findings"] == []


@pytest.mark.parametrize("data", [DAMAGED, WITHOUT_END], ids=["damaged", "without end"])
async def test_strict_fails_and_writes_nothing(imports: Imports, data: bytes) -> None:
    job = await imports.run(data, strict=True)
    assert job.status == "FAILURE"
    assert [error["code"] for error in job.errors or []] in (
        ["media-not-an-image"],
        ["media-repaired"],
    )
    assert "Ada" in str(job.errors)
    assert await imports.traces() == {}
    assert objects(imports.resources) == []


async def test_strict_stores_everything_before_the_event(imports: Imports) -> None:
    lenient = await imports.run(GOOD)
    job = await imports.run(GOOD, strict=True)
    assert (job.status, job.errors) == ("SUCCESS", None)
    assert report_of(job)["media"]["outcomes"] == {"MOVED": 3}
    assert lenient.event_id is not None
    assert job.event_id is not None
    known = []
    for event_id in (lenient.event_id, job.event_id):
        (event,) = await imports.rows("events", event_id)
        (speaker,) = await imports.rows("speakers", event_id)
        (sponsor,) = await imports.rows("sponsors", event_id)
        items = [row for row in await imports.rows("media_items") if row["event_id"] == event_id]
        assert event["logo_url"] == sponsor["logo_url"]
        assert {row["outcome"] for row in items} == {"MOVED"}
        assert all(row["url"] and row["moved_at"] for row in items)
        urls = [event["logo_url"], speaker["photo_url"], speaker["thumbnail_image_url"]]
        urls += [speaker["small_image_url"], speaker["icon_image_url"]]
        root = imports.resources.settings.local_storage_path
        known.append([(root / url.partition("/media/")[2]).read_bytes() for url in urls])
    assert known[0] == known[1]


async def test_strict_stores_linked_files_too(fetching: Imports, server: Server) -> None:
    server.answers["/logo.png"] = ok(LOGO)
    linked = archive_of({}, sponsor={"logo-url": server.url("/logo.png")})
    job = await fetching.run(linked, strict=True)
    assert job.status == "SUCCESS", job.errors
    (sponsor,) = await fetching.rows("sponsors", job.event_id)
    assert "/media/events/" in sponsor["logo_url"]
    del server.answers["/logo.png"]
    before = objects(fetching.resources)
    job = await fetching.run(linked, strict=True)
    assert job.status == "FAILURE"
    assert [error["code"] for error in job.errors or []] == ["media-unreachable"]
    assert objects(fetching.resources) == before


async def test_strict_without_storage_fails_and_leaves_nothing(
    imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await imports.accept(GOOD, strict=True)
    storage = imports.resources.storages.active
    put = type(storage).put
    stored = 0

    async def failing(self: Any, key: str, chunks: Any, *, content_type: str) -> Any:
        nonlocal stored
        stored += 1
        if stored > 2:
            raise StorageError("the disk is full", retryable=False)
        return await put(self, key, chunks, content_type=content_type)

    monkeypatch.setattr(type(storage), "put", failing)
    await run_import(imports.resources, job_id)
    job = await imports.job(job_id)
    assert (job.status, (job.errors or [{}])[0]["code"]) == ("FAILURE", "storage-unavailable")
    assert objects(imports.resources) == []
    assert await imports.traces() == {}


async def test_a_dry_run_decodes_the_images_and_fetches_nothing(
    fetching: Imports, server: Server
) -> None:
    data = archive_of(
        {"images/ada.jpg": PHOTO[:-400], "logo.png": LOGO},
        speaker={"photo-url": "images/ada.jpg"},
        event={"logo-url": "logo.png"},
        sponsor={"logo-url": server.url("/logo.png")},
    )
    for strict, status in ((False, "SUCCESS"), (True, "FAILURE")):
        job = await fetching.run(data, dry_run=True, strict=strict)
        assert job.status == status
        assert [one["code"] for one in report_of(job)["findings"]] == ["media-not-an-image"]
        assert report_of(job)["findings"][0]["title"] == "Ada"
    assert server.requests == []
    assert objects(fetching.resources) == []
    assert await fetching.rows("events") == []


async def test_the_shared_case_of_refused_media(imports: Imports, cases: Path) -> None:
    data = (cases / "refused-media.zip").read_bytes()
    job = await imports.run(data)
    assert job.status == "SUCCESS"
    found = report_of(job)
    assert found["media"]["outcomes"] == {"MOVED": 1, "NOT_AN_IMAGE": 1}
    assert [one["code"] for one in found["findings"]] == ["media-not-an-image"]
    before = objects(imports.resources)
    job = await imports.run(data, strict=True)
    assert job.status == "FAILURE"
    assert objects(imports.resources) == before
