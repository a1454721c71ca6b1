"""What tests expect of real schedules: counts, times and digests. Nothing of the files is in the
project."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from eventimport.conference.conference import Conference, Record
from eventimport.conference.kinds import Kind


@dataclass(frozen=True)
class Expected:
    """`counts` are rooms, speakers, tracks, types, sessions, and links of speakers; `digest` is
    that of all sessions. `rows` are some of them in their order: the place in it, the start in UTC,
    the minutes, the number of speakers, and digests of room, track and title."""

    counts: list[int]
    digest: int
    rows: list[tuple[int, str, int, int, int, int, int]]


def speakers_of(session: Record) -> list[str]:
    return [str(reference.label) for reference in session.references.get("speakers", ())]


def digest(text: str | None) -> int:
    return int(hashlib.sha256(" ".join((text or "").split()).encode()).hexdigest()[:8], 16)


def label(session: Record, name: str) -> str | None:
    return next((each.label for each in session.references.get(name, ())), None)


def minutes(session: Record) -> int:
    return int((session.values["ends_at"] - session.values["starts_at"]).total_seconds()) // 60


def described(session: Record) -> list[Any]:
    return [
        session.values["starts_at"].isoformat(),
        minutes(session),
        digest(label(session, "microlocation")),
        digest(label(session, "track")),
        digest(session.values["title"]),
        [digest(name) for name in speakers_of(session)],
    ]


def in_order(conference: Conference) -> list[Record]:
    """The sessions by their starts and titles."""
    return sorted(
        conference.records[Kind.SESSION],
        key=lambda each: (
            each.values["starts_at"],
            digest(each.values["title"]),
            digest(each.key),
        ),
    )


def assert_expected(conference: Conference, expected: Expected) -> None:
    """A conference has the counts, sessions and digest that are expected."""
    counts = conference.counts()
    tables = ("microlocations", "speakers", "tracks", "session_types", "sessions")
    ordered = in_order(conference)
    links = sum(len(speakers_of(each)) for each in ordered)
    assert [*(counts[table] for table in tables), links] == expected.counts
    for row in expected.rows:
        session = ordered[row[0]]
        starts, lasts, room, track, title, persons = described(session)
        assert (row[0], starts, lasts, len(persons), room, track, title) == (
            row[0],
            f"{row[1].replace(' ', 'T')}:00+00:00",
            *row[2:],
        )
    assert digest(json.dumps([described(each) for each in ordered])) == expected.digest
