"""What the readers of schedules share: sessions with rooms, tracks and persons by name.

A reader of such a format, be it XML, JSON or a calendar, makes one `Schedule` (`schedule.py`) and
gives it what the source says. The schedule decides what is the same in all of these formats: which
time zone local times are in (`zone_choice.py`), when sessions begin and end (`slots.py`), which
persons are the same person, and how texts become HTML (`flavours.py`):

    schedule = Schedule.of(source, options, report, entry)
    schedule.event.update(name="FOSDEM 2026", starts_at="2026-01-31")
    schedule.named_zone = "Europe/Brussels"
    schedule.list_room("Janson", extra={"slug": "janson"})
    schedule.add(
        Session(
            fields={"title": "Opening", "long_abstract": "<p>…"},
            slot=slot_by_day_rules(date=None, day="2026-01-31", start="09:30", duration="00:25"),
            room="Janson",
            track="Keynotes",
            session_type="keynote",
            persons=[Person(name="Ann", id="7")],
            guid=None,
            id="11",
            extra={"slug": "opening"},
        )
    )
    conference = schedule.finish()
"""
