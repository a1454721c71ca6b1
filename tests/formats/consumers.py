"""The rules of apps that read schedules, as far as they are stricter than the formats' schemas.

EventFahrplan, giggity, the FOSDEM companion and Engelsystem reject a whole file, or leave out what
breaks these rules.
"""

import io
import json
import re
import zipfile
from datetime import datetime

from icalendar import Calendar
from lxml import etree

_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")


def check(name: str, data: bytes) -> None:
    """A document is accepted by the apps that read its format."""
    if name == "schedule-xml":
        check_schedule_xml(data)
    elif name == "schedule-json":
        check_schedule_json(data)
    elif name == "ical":
        for event in Calendar.from_ical(data).walk("VEVENT"):
            # giggity drops other events.
            assert str(event["LOCATION"])
            assert "DTEND" in event or "DURATION" in event or event["DTSTART"]
    else:
        check_xcal(data)


def check_schedule_xml(data: bytes) -> None:
    # giggity looks at the beginning only, and does not accept a DOCTYPE.
    assert b"<schedule" in data[:1024]
    assert b"<conference" in data[:1024]
    assert b"<!DOCTYPE" not in data
    root = etree.fromstring(data)
    for name in ("acronym", "title", "base_url"):
        assert root.find(f"conference/{name}") is not None, name
    ids = set()
    for day in root.findall("day"):
        int(day.attrib["index"])
        for name in ("start", "end"):
            assert datetime.fromisoformat(day.get(name, "")).tzinfo is not None
        for event in day.iter("event"):
            number = int(event.attrib["id"])
            assert 0 < number < 2**31
            assert number not in ids
            ids.add(number)
            start = event.findtext("start") or ""
            assert re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", start)
            # Three parts are read as days by one app and as seconds by another; giggity rejects a
            # file with a duration of 24 hours.
            assert re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", event.findtext("duration") or "")
            date = event.findtext("date") or ""
            assert len(date) > 10
            moment = datetime.fromisoformat(date)
            assert moment.tzinfo is not None
            assert f"{moment:%H:%M}" == start
            optout = event.findtext("recording/optout")
            # Engelsystem takes all that is not “false” for true.
            assert optout in {None, "true", "false"}
            for person in event.iter("person"):
                int(person.attrib["id"])
            for link in (*event.iter("link"), *event.iter("attachment")):
                assert link.get("href") or link.text


def check_schedule_json(data: bytes) -> None:
    conference = json.loads(data)["schedule"]["conference"]
    ids = []
    for day in conference["days"]:
        for room, events in day["rooms"].items():
            for event in events:
                ids.append(event["id"])
                assert event["room"] == room
                starts = datetime.fromisoformat(event["date"])
                assert f"{starts:%H:%M}" == event["start"]
                hours, minutes = map(int, event["duration"].split(":"))
                if "end" in event:
                    length = datetime.fromisoformat(event["end"]) - starts
                    assert int(length.total_seconds()) // 60 == hours * 60 + minutes
                for person in event["persons"]:
                    assert not {"name", "public_name"} <= person.keys()
                    assert "@" not in person.get("guid", "")
    assert len(ids) == len(set(ids))


def check_xcal(data: bytes) -> None:
    root = etree.fromstring(data)
    calendar = root.find("vcalendar")
    assert calendar is not None
    for event in calendar.findall("vevent"):
        for name in ("uid", "summary", "location", "dtstart"):
            # A session may have no title.
            assert event.findtext(name) or name == "summary"
        assert re.fullmatch(r"\d{8}T\d{6}", event.findtext("dtstart") or "")
        assert not any(_ADDRESS.search(each.text or "") for each in event.findall("attendee"))


def check_open_event(data: bytes) -> None:
    """What open-event-wsgen needs to make a site: it asks for keys without looking for them."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = ("event", "sessions", "speakers", "tracks", "microlocations", "sponsors")
        found = {name: json.loads(archive.read(name)) for name in names}
    assert isinstance(found["event"]["social-links"], list)
    speakers = {speaker["id"] for speaker in found["speakers"]}
    for session in found["sessions"]:
        # A track that is null hangs it.
        for key in ("track", "microlocation", "session-type"):
            assert session[key] == {} or {"id", "name"} <= session[key].keys()
        assert {speaker["id"] for speaker in session["speakers"]} <= speakers
        assert {"audio-url", "video-url", "slides-url", "signup-url"} <= session.keys()
    sessions = {session["id"] for session in found["sessions"]}
    for speaker in found["speakers"]:
        assert {session["id"] for session in speaker["sessions"]} <= sessions
        assert {"photo-url", "short-biography", "long-biography"} <= speaker.keys()
    for sponsor in found["sponsors"]:
        assert "logo-url" in sponsor
        assert sponsor["level"] is None or isinstance(sponsor["level"], str)
