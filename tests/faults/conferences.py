"""Conferences whose archives use the same ids; every record and file tells whose it is."""

from io import BytesIO
from typing import Any, Final

from PIL import Image
from tests.formats.planning import zip_of

SPEAKERS: Final = 6
MOVED: Final = SPEAKERS + 1 + 1 + 1
"""A photo for each speaker, the event's logo, a sponsor's, and slides."""

LINKS: Final = frozenset((str(number), str(number)) for number in range(1, SPEAKERS + 1))


def mark(number: int) -> str:
    """What all texts of a conference end in."""
    return f"of conference {number}"


def colour(number: int) -> tuple[int, int, int]:
    """The colour of a conference's pictures."""
    return 20 + number * 37 % 200, 20 + number * 59 % 200, 20 + number * 83 % 200


def picture(number: int) -> bytes:
    """A photo of that colour alone."""
    target = BytesIO()
    Image.new("RGB", (40, 30), colour(number)).save(target, format="PNG")
    return target.getvalue()


def conference(number: int) -> bytes:
    """The archive of a conference."""
    of = mark(number)
    ids = range(1, SPEAKERS + 1)
    documents: dict[str, Any] = {
        "event": {
            "id": 1,
            "name": f"Event {of}",
            "timezone": "UTC",
            "logo_url": "/images/logo.png",
            "copyright": {"holder": f"Holder {of}"},
            "social_links": [{"id": 1, "name": f"Site {of}", "link": "https://example.org"}],
        },
        "forms": [{"id": 1, "form": "session", "field_identifier": "title", "name": f"Title {of}"}],
        "microlocations": [{"id": 1, "name": f"Room {of}"}],
        "sponsors": [{"id": 1, "name": f"Sponsor {of}", "logo": "/images/logo.png"}],
        "speakers": [
            {"id": i, "name": f"Speaker {i} {of}", "photo": f"/images/{i}.png"} for i in ids
        ],
        "tracks": [{"id": i, "name": f"Track {i} {of}"} for i in (1, 2)],
        "session_types": [{"id": 1, "name": f"Talk {of}", "length": "00:30"}],
        "sessions": [
            {
                "id": i,
                "title": f"Session {i} {of}",
                "slides": "/slides/1.pdf" if i == 1 else None,
                "video": "/videos/missing.mp4" if i == 2 else None,
                "track": {"id": 1 + i % 2},
                "microlocation": {"id": 1},
                "session_type": {"id": 1},
                "speakers": [{"id": i}],
            }
            for i in ids
        ],
    }
    files = {f"images/{i}.png": picture(number) for i in ids}
    files["images/logo.png"] = picture(number)
    files["slides/1.pdf"] = f"%PDF-1.7 {of}".encode() * 500
    return zip_of(documents, files)
