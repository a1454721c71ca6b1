"""The event's page as a zip: what is in it, and that it loads nothing from elsewhere."""

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from tests.formats.planning import conference_of, zip_of
from tests.formats.round_trips import OPTIONS, stored
from tests.formats.test_nothing_lost import conferences

from eventimport.conference.report import Report
from eventimport.conference.stored import StoredConference
from eventimport.formats.html.writer import write

OURS = "https://events.example.org/media/"
DOCUMENTS: dict[str, Any] = {
    "event": {"id": 1, "name": "Tea & Cables", "timezone": "Europe/Berlin"},
    "microlocations": [{"id": 1, "name": "Spout", "position": 2}, {"id": 2, "name": "Lid"}],
    "speakers": [
        {
            "id": 1,
            "name": "Zoë <Lee>",
            "photo_url": f"{OURS}zoe.png",
            "email": "zoe@secret.example",
            "short_biography": "<p>Pours <b>tea</b>.</p><script>x</script>",
        },
        {"id": 2, "name": "Ann", "photo_url": "https://tracker.example/ann.png"},
    ],
    "sessions": [
        {
            "id": 1,
            "title": "Opening",
            "state": "accepted",
            "starts_at": "2027-05-01T09:00:00+00:00",
            "microlocation": {"id": 1},
            "speakers": [{"id": 1}],
        },
        {"id": 2, "title": "Rejected", "state": "rejected"},
    ],
}


def media(url: str) -> Iterator[bytes] | None:
    return iter([b"image of ", url.encode()]) if url.startswith(OURS) else None


def page_of(conference: StoredConference) -> tuple[zipfile.ZipFile, str, Report]:
    report, sink = Report(), io.BytesIO()
    write(conference, media, sink, OPTIONS, report)
    archive = zipfile.ZipFile(sink)
    assert archive.testzip() is None
    return archive, archive.read("index.html").decode(), report


def test_the_page_and_its_images_are_in_the_zip() -> None:
    conference = stored(conference_of(zip_of(DOCUMENTS), Report()))
    archive, page, report = page_of(conference)
    assert archive.namelist() == ["index.html", "page.css", "media/1.png"]
    assert archive.read("media/1.png") == f"image of {OURS}zoe.png".encode()
    assert "Tea &amp; Cables" in page
    assert "Zoë &lt;Lee&gt;" in page
    assert "11:00" in page
    assert 'src="media/1.png"' in page
    for hidden in ("zoe@secret", "<script", "tracker.example", "Rejected"):
        assert hidden not in page
    assert "not-public" in {finding.code for finding in report.findings}
    archive.close()


@settings(max_examples=25)
@given(conferences())
def test_no_page_loads_anything_from_elsewhere(documents: dict[str, Any]) -> None:
    report = Report()
    conference = conference_of(zip_of(documents), report)
    if report.errors:
        return
    archive, page, _ = page_of(stored(conference))
    assert set(re.findall(r'<(?:img|link|script)[^>]* (?:src|href)="([^"]*)"', page)) <= {
        "page.css",
        *archive.namelist(),
    }
    assert "<script" not in page
    archive.close()
