"""Archives of made-up conferences of any size, as the Open Event server exports them.

A scale of 1 is a large conference: 500 sessions, 190 speakers, 300 links between them, 12 tracks,
20 rooms, 8 session types, 30 sponsors; about 720 kB of JSON. One in six of the long texts holds
markup, as in the real archives. All text is made of a fixed list of words by a fixed seed: the same
scale is the same archive, on every machine.
"""

import json
import random
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SESSIONS, SPEAKERS, LINKS, TRACKS, ROOMS, TYPES, SPONSORS = 500, 190, 300, 12, 20, 8, 30
WORDS = [
    *("open", "event", "data", "room", "talk", "speaker", "schedule", "code", "harbour", "light"),
    *("paper", "river", "build", "measure", "garden", "network", "letter", "window", "engine"),
    *("morning", "answer", "bridge", "über", "façade", "naïve", "東京", "software"),
]
START = datetime(2027, 5, 1, 7, tzinfo=UTC)


def write_archive(path: Path, scale: int) -> dict[str, int]:
    """Write the archive; returns the number of records of each document, and of links."""
    source = random.Random(scale)
    counts = {
        "speakers": SPEAKERS * scale,
        "tracks": TRACKS * scale,
        "microlocations": ROOMS * scale,
        "session_types": TYPES,
        "sponsors": SPONSORS * scale,
        "sessions": SESSIONS * scale,
    }
    links: set[tuple[int, int]] = set()
    while len(links) < LINKS * scale:
        links.add((source.randrange(counts["sessions"]), source.randrange(counts["speakers"])))
    speakers_of: dict[int, list[int]] = {}
    for session, speaker in sorted(links):
        speakers_of.setdefault(session, []).append(speaker)
    documents: dict[str, Any] = {
        "event": _event(source),
        "meta": {"root_url": "https://example.org/"},
        "microlocations": [
            {"id": i + 1, "name": f"Room {i + 1}", "floor": i % 5, "latitude": 48.2, "room": None}
            for i in range(counts["microlocations"])
        ],
        "sponsors": [
            {"id": i + 1, "name": f"Sponsor {i + 1}", "level": i % 5, "url": "https://example.org"}
            for i in range(counts["sponsors"])
        ],
        "speakers": (_speaker(source, i) for i in range(counts["speakers"])),
        "tracks": [
            {"id": i + 1, "name": f"Track {i + 1}", "color": "#3366aa", "font_color": "#ffffff"}
            for i in range(counts["tracks"])
        ],
        "session_types": [
            {"id": i + 1, "name": f"Type {i + 1}", "length": f"00:{15 + 5 * i}"}
            for i in range(counts["session_types"])
        ],
        "sessions": (
            _session(source, i, counts, speakers_of.get(i, ())) for i in range(counts["sessions"])
        ),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, document in documents.items():
            with archive.open(name, "w") as entry:
                for chunk in _json(document):
                    entry.write(chunk.encode())
    return {**counts, "session_speakers": len(links)}


def _json(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        yield json.dumps(document, ensure_ascii=False)
        return
    separator = "["
    for record in document:
        yield separator + json.dumps(record, ensure_ascii=False)
        separator = ",\n"
    yield "]"


def _text(source: random.Random, words: int) -> str:
    return " ".join(source.choices(WORDS, k=words))


def _rich(source: random.Random, words: int) -> str:
    half = words // 2
    return f"<p>{_text(source, half)}</p><p><b>{_text(source, 2)}</b> {_text(source, half)}</p>"


def _event(source: random.Random) -> dict[str, Any]:
    return {
        "id": 1,
        "name": "A large conference",
        "timezone": "Europe/Vienna",
        "starts_at": START.isoformat(),
        "ends_at": (START + timedelta(days=4)).isoformat(),
        "description": _rich(source, 60),
        "privacy": "public",
        "state": "published",
        "social_links": [{"id": 1, "name": "Site", "link": "https://example.org"}],
    }


def _speaker(source: random.Random, index: int) -> dict[str, Any]:
    return {
        "id": index + 1,
        "name": f"{_text(source, 2).title()} {index}",
        "email": f"speaker{index}@example.org",
        "organisation": _text(source, 2),
        "position": _text(source, 2),
        "country": "AT",
        "city": "Wien",
        "website": "https://example.org/s",
        "twitter": None,
        "short_biography": _text(source, 40),
        "long_biography": (_rich if index % 6 == 0 else _text)(source, 50),
        "is_featured": index % 10 == 0,
        "sessions": None,
    }


def _session(
    source: random.Random, index: int, counts: dict[str, int], speakers: Any
) -> dict[str, Any]:
    start = START + timedelta(minutes=15 * (index % 400))
    return {
        "id": index + 1,
        "title": f"{_text(source, 5)} {index}",
        "subtitle": None,
        "short_abstract": _text(source, 25),
        "long_abstract": (_rich if index % 6 == 0 else _text)(source, 50),
        "comments": "",
        "language": "en",
        "level": "1",
        "state": "accepted",
        "starts_at": start.isoformat(),
        "ends_at": (start + timedelta(minutes=30)).isoformat(),
        "track": {
            "id": index % counts["tracks"] + 1,
            "name": f"Track {index % counts['tracks'] + 1}",
        },
        "microlocation": {
            "id": index % counts["microlocations"] + 1,
            "name": f"Room {index % counts['microlocations'] + 1}",
        },
        "session_type": {"id": index % TYPES + 1, "name": f"Type {index % TYPES + 1}"},
        "speakers": [{"id": speaker + 1} for speaker in speakers],
        "slides": None,
        "video": None,
        "audio": None,
        "signup_url": None,
        "average_rating": 0.0,
        "is_locked": False,
    }
