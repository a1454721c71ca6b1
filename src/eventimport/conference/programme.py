"""What is odd about a programme as a whole: times, double bookings, and what stays hidden."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from eventimport.conference.conference import Conference, Record, place_of
from eventimport.conference.kinds import Kind
from eventimport.conference.report import Check, Place, Report, go_on, shortened

PUBLIC_STATES: Final = frozenset({"", "accepted", "confirmed"})
"""States of public sessions."""

AROUND: Final = timedelta(days=2)
"""How far before and after an event sessions may be: people arrive early, and events overrun."""

LONGEST: Final = timedelta(days=2)
"""Longer sessions that go on after the event are not sessions."""


def check_programme(
    conference: Conference,
    links: Iterable[tuple[int, int]],
    report: Report,
    check: Check = go_on,
) -> None:
    """Report what an organiser should know of the programme. Foreign keys are set by now; `links`
    are pairs of a session's and a speaker's new id."""
    _Programme(conference, report, check).check(links)


class _Programme:
    def __init__(self, conference: Conference, report: Report, check: Check) -> None:
        self._stop_if_asked = check
        self._conference = conference
        self._report = report
        self._entry = conference.entries[Kind.SESSION]
        self._sessions = conference.records[Kind.SESSION]

    def check(self, links: Iterable[tuple[int, int]]) -> None:
        self._check_order_of_others()
        event = self._conference.event.values
        days = _days_around(event.get("starts_at"), event.get("ends_at"))
        shown: dict[int, Record] = {}
        for session in self._sessions:
            self._stop_if_asked()
            self._check_times(session, days)
            if _is_shown(session):
                shown[session.new_id] = session
            elif "deleted_at" not in session.values:
                self._report_hidden(session)
        self._check_bookings(shown, links)

    def _check_order_of_others(self) -> None:
        for kind, what in ((Kind.EVENT, "event"), (Kind.SPEAKERS_CALL, "call for speakers")):
            entry = self._conference.entries[kind]
            for record in self._conference.records[kind]:
                starts, ends = record.values.get("starts_at"), record.values.get("ends_at")
                if starts is not None and ends is not None and ends < starts:
                    message = f"The {what} ends before it starts. Correct its times in the event."
                    place = place_of(record, entry, "ends_at")
                    self._report.warning("ends-before-start", message, place, str(ends))

    def _check_times(self, session: Record, days: tuple[datetime, datetime] | None) -> None:
        starts, ends = session.values.get("starts_at"), session.values.get("ends_at")
        if starts is None:
            if ends is not None:
                message = "The session has an end, but no start. It is shown without a time."
                self._warn("end-without-start", message, session, "ends_at")
            return
        if ends is not None and ends < starts:
            self._warn(
                "ends-before-start",
                "The session ends before it starts. Correct its times in the event.",
                session,
                "ends_at",
            )
        elif ends is not None and ends == starts:
            message = "The session ends at the time of its start, so that it has no duration."
            self._warn("no-duration", message, session, "ends_at")
        if days is None:
            return
        if not days[0] <= starts <= days[1]:
            message = "The session is not on the days of the event."
            self._warn("outside-event", message, session, "starts_at")
        elif ends is not None and ends > days[1] and ends - starts > LONGEST:
            message = "The session ends long after the event."
            self._warn("outside-event", message, session, "ends_at")

    def _report_hidden(self, session: Record) -> None:
        state = session.values.get("state", "")
        message = f"The public does not see this session, because its state is {state[:40]}."
        place = place_of(session, self._entry, "state")
        self._report.warning("hidden-session", message, place, state)

    def _check_bookings(
        self, shown: Mapping[int, Record], links: Iterable[tuple[int, int]]
    ) -> None:
        in_room: dict[int, list[Record]] = defaultdict(list)
        for session in shown.values():
            room = session.foreign_keys.get("microlocation_id")
            if room is not None:
                in_room[room].append(session)
        of_speaker: dict[int, list[Record]] = defaultdict(list)
        for session_id, speaker_id in sorted(links):
            if session_id in shown:
                of_speaker[speaker_id].append(shown[session_id])
        for kind, code, booked, what in (
            (Kind.MICROLOCATION, "room-booked-twice", in_room, "room"),
            (Kind.SPEAKER, "speaker-booked-twice", of_speaker, "speaker"),
        ):
            names = {
                record.new_id: record.values.get("name", "")
                for record in self._conference.records[kind]
            }
            describe = partial(self._describe_booking, what, names)
            self._report.warnings(code, self._booked_twice(booked), describe, group=what)

    def _booked_twice(
        self, booked: Mapping[int, list[Record]]
    ) -> Iterator[tuple[int, Record, Record]]:
        for key in sorted(booked):
            for one, other in _overlaps(booked[key]):
                self._stop_if_asked()
                yield key, one, other

    def _describe_booking(
        self, what: str, names: Mapping[int, str], overlap: tuple[int, Record, Record]
    ) -> tuple[str, Place, str]:
        key, one, other = overlap
        name = names.get(key, "")
        message = (
            f"The {what} “{shortened(name)}” is booked twice at the same time, for"
            f" “{shortened(one.values.get('title', ''))}” and"
            f" “{shortened(other.values.get('title', ''))}”."
        )
        return message, place_of(other, self._entry), name

    def _warn(self, code: str, message: str, session: Record, field: str) -> None:
        value = session.values.get(field)
        place = place_of(session, self._entry, field)
        self._report.warning(code, message, place, value and value.isoformat())


def _days_around(first: datetime | None, last: datetime | None) -> tuple[datetime, datetime] | None:
    """When sessions of an event may begin; None if it is unknown when the event does."""
    if first is None:
        return None
    return first - AROUND, (first if last is None or last < first else last) + AROUND


def _is_shown(session: Record) -> bool:
    state = session.values.get("state") or ""
    return "deleted_at" not in session.values and state in PUBLIC_STATES


def _overlaps(sessions: list[Record]) -> Iterable[tuple[Record, Record]]:
    """Sessions that begin while an earlier one goes on, each with the one that goes on longest."""
    if len(sessions) < 2:
        return
    # New ids differ, so that the sessions themselves are never compared.
    timed = sorted(
        (starts, ends, session.new_id, session)
        for session in sessions
        if (starts := session.values.get("starts_at")) and (ends := session.values.get("ends_at"))
    )
    latest: tuple[datetime, Record] | None = None
    for starts, ends, _, session in timed:
        if ends <= starts:
            continue
        if latest is not None and starts < latest[0]:
            yield latest[1], session
        if latest is None or ends > latest[0]:
            latest = ends, session
