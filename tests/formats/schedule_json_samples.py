"""Small schedules as each producer of schedule.json writes them, made for the tests."""

from typing import Any, Final


def _days(*events: dict[str, Any], room: str = "Hall", **day: Any) -> list[dict[str, Any]]:
    """One day with these events in one room, and an empty room."""
    return [{**day, "rooms": {room: list(events), "Cellar": []}}]


PLAIN: Final[dict[str, Any]] = {
    "schedule": {
        "conference": {
            "title": "Lantern Days",
            "time_zone_name": "Europe/Berlin",
            "days": [
                {
                    "date": "2027-05-01",
                    "rooms": {
                        "Hall": [
                            {
                                "guid": "0f2b3b3a-5d7b-5b0e-8b1c-000000000001",
                                "date": "2027-05-01T10:00:00+02:00",
                                "start": "10:00",
                                "duration": "00:30",
                                "room": "Hall",
                                "title": "Opening",
                                "subtitle": "",
                                "track": "Light",
                                "type": "lecture",
                                "language": "en",
                                "abstract": "Light a lantern.",
                                "persons": [
                                    {
                                        "guid": "0f2b3b3a-5d7b-5b0e-8b1c-00000000000a",
                                        "name": "Ann Lee",
                                    }
                                ],
                                "links": [],
                            }
                        ]
                    },
                }
            ],
        }
    }
}

FRAB_2015: Final[dict[str, Any]] = {
    "schedule": {
        "version": "1",
        "conference": {
            "title": "Lantern Camp 2015",
            "start": "2015-08-07",
            "end": "2015-08-08",
            "daysCount": 2,
            "timeslot_duration": "00:30",
            "days": _days(
                {
                    "id": 38,
                    "guid": "ec04b6ef-f85f-47b0-a799-000000000001",
                    "logo": "/system/logos/38/a.png?1",
                    "date": "2015-08-08T00:30:00+02:00",
                    "start": "00:30",
                    "duration": "01:30",
                    "room": "Hall",
                    "slug": "lc2015-38-night",
                    "title": "Night walk",
                    "subtitle": None,
                    "track": None,
                    "type": "workshop",
                    "language": "de",
                    "abstract": "first line\nsecond < line",
                    "description": "A <b>real</b> tag",
                    "persons": [
                        {"id": 70, "full_public_name": "Ann Lee"},
                        {"id": 70, "full_public_name": "Bo Ek"},
                    ],
                    "links": [{"url": "www.lantern.example", "title": "Camp"}],
                },
                index=0,
                date="2015-08-07",
                day_start="2015-08-07T09:30:00+02:00",
                day_end="2015-08-07T22:00:00+02:00",
            ),
        },
    }
}

FRAB_NOW: Final[dict[str, Any]] = {
    "$schema": "https://c3voc.de/schedule/schema.json",
    "generator": {"name": "frab", "version": "0.8", "url": "https://github.com/frab/frab"},
    "schedule": {
        "version": "Gas lamp",
        "base_url": "https://frab.example/lc19/",
        "conference": {
            "acronym": "lc19",
            "title": "Lantern Camp 2019",
            "time_zone_name": "Europe/Berlin",
            "colors": {"primary": "#123456"},
            "keywords": ["lamps"],
            "days": _days(
                {
                    "id": 386,
                    "guid": "ec04b6ef-f85f-47b0-a799-000000000002",
                    "date": "2019-08-21T11:00:00+02:00",
                    "start": "11:00",
                    "duration": "00:30",
                    "room": "Hall",
                    "slug": "lc19-386-lamps",
                    "url": "https://frab.example/lc19/386.html",
                    "title": "Lamps",
                    "track": "Light",
                    "type": "lecture",
                    "language": "en",
                    "abstract": "*stars* stay",
                    "recording_license": "CC BY",
                    "do_not_record": False,
                    "persons": [
                        {"guid": "p-1", "id": 7, "name": "Ann L.", "public_name": "Ann Lee"},
                        {"id": 8, "public_name": "Bo Ek <bo@example.org>"},
                    ],
                    "attachments": [
                        {"url": "/system/attachments/1/lamps.pdf?1", "title": "Slides"},
                        {"url": "https://frab.example/notes.txt", "title": "Notes"},
                        {"url": "https://frab.example/talk.mp3", "type": "media"},
                    ],
                    "video_download_url": "https://media.example/lamps.mp4",
                },
                index=1,
                date="2019-08-21",
            ),
        },
    },
}

PRETALX_OLD: Final[dict[str, Any]] = {
    "schedule": {
        "version": "v1.1",
        "base_url": "https://pretalx.example/lantern/schedule/",
        "conference": {
            "acronym": "lantern",
            "title": "Lantern Con",
            "time_zone_name": "Europe/Berlin",
            "rooms": [{"name": "Hall", "guid": "r-1", "description": None, "capacity": 300}],
            "days": _days(
                *(
                    {
                        "id": 25,
                        "guid": f"8079583e-8321-506c-95af-00000000000{number}",
                        "date": f"2026-06-0{number}T09:00:00+02:00",
                        "start": "09:00",
                        "duration": "1:04:00",
                        "room": "Hall",
                        "url": "https://pretalx.example/lantern/talk/G9JGWY/",
                        "title": "Lamps",
                        "track": "Light",
                        "type": "Talk",
                        "language": "en",
                        "abstract": "About *lamps*",
                        "description": "",
                        "do_not_record": True,
                        "persons": [
                            {
                                "id": 26,
                                "code": "NQTF8Y",
                                "public_name": "Ann Lee",
                                "biography": "Lights **lamps**",
                                "answers": [{"question": 1, "answer": "yes"}],
                            }
                        ],
                        "answers": [{"question": {"en": "Shirt?"}, "answer": "L"}],
                    }
                    for number in (1, 2)
                ),
                index=1,
                date="2026-06-01",
            ),
        },
    }
}

PRETALX_NOW: Final[dict[str, Any]] = {
    "generator": {"name": "pretalx", "version": "2025.1.0"},
    "schedule": {
        "url": "https://pretalx.example/lantern/schedule/export/schedule.json",
        "version": "1.0",
        "base_url": "https://pretalx.example",
        "conference": {
            "acronym": "lantern",
            "title": "Lantern Con",
            "url": "https://lantern.example",
            "time_zone_name": "Europe/Berlin",
            "logo": "/media/logo.png",
            "tracks": [
                {"name": "Light", "slug": "1-light", "color": "#00ff00"},
                {"name": "Unused", "slug": "2-unused", "color": "#ff0000"},
            ],
            "rooms": [
                {"name": "Hall", "slug": "1-hall", "guid": "r-1", "description": "Big"},
                {"name": "Attic", "slug": "2-attic", "guid": "r-2", "capacity": 20},
            ],
            "days": _days(
                {
                    "guid": "8079583e-8321-506c-95af-000000000011",
                    "code": "G9JGWY",
                    "id": 25,
                    "date": "2026-06-01T09:00:00+02:00",
                    "start": "09:00",
                    "end": "2026-06-01T09:30:00+02:00",
                    "duration": "00:45",
                    "room": "Hall",
                    "title": "Lamps",
                    "track": "1-light",
                    "type": {"en": "Talk", "de": "Vortrag"},
                    "abstract": "About *lamps*",
                    "feedback_url": "https://pretalx.example/lantern/talk/G9JGWY/feedback/",
                    "origin_url": "https://pretalx.example/lantern/talk/G9JGWY/",
                    "do_not_stream": True,
                    "persons": [
                        {
                            "code": "NQTF8Y",
                            "name": "Ann Lee",
                            "public_name": "Ann Lee",
                            "guid": "p-1",
                            "avatar": "https://pretalx.example/media/ann.png",
                            "biography": "Lights **lamps**",
                            "url": "https://pretalx.example/lantern/speaker/NQTF8Y/",
                            "email": "ann@example.org",
                            "links": [
                                {"url": "https://github.com/annlee", "title": "GitHub"},
                                {"url": "https://ann.example", "title": "Website"},
                                {"url": "https://social.example/@ann", "type": "activitypub"},
                                {"url": "https://blog.example", "title": "My blog"},
                                "https://www.linkedin.com/in/ann",
                            ],
                        }
                    ],
                    "links": [{"url": "https://lamps.example", "title": "x", "type": "web"}],
                },
                index=1,
                date="2026-06-01",
            ),
        },
    },
}

HUB: Final[dict[str, Any]] = {
    "schedule": {
        "version": "2027-12-26 20:23",
        "base_url": "https://hub.example/lantern/",
        "conference": {
            "acronym": "lantern27",
            "title": "Lantern 27",
            "start": "2027-12-27T09:30:00+00:00",
            "end": "2027-12-30T17:45:00+00:00",
            "time_zone_name": "Europe/Berlin",
            "url": "https://lantern.example/27/",
            "description": {"en": "Many *lamps*", "de": "Viele *Lampen*"},
            "languages": ["de", "en"],
            "defaults": {"theme": "dark", "language": "de"},
            "tracks": [
                {"guid": "t-1", "name": "Light", "colors": {"light": "#F9B000"}, "slug": "light"},
                {"guid": "t-2", "name": "Unused", "colors": {"light": "#F90000"}, "slug": "unused"},
            ],
            "rooms": [
                {
                    "type": "STAGE",
                    "name": "Hall",
                    "slug": "hall",
                    "guid": "r-1",
                    "stream_id": "s1",
                    "capacity": 3025,
                    "description": {"en": "Level 2", "de": "Ebene 2"},
                    "features": {"recording": "RECORD_BY_DEFAULT"},
                    "parent": {"name": "House", "slug": "house", "guid": "h-1"},
                },
                {"type": "STAGE", "name": "Attic", "guid": "r-2", "capacity": None},
            ],
            "days": [
                {
                    "index": 1,
                    "date": "2027-12-27",
                    "start": "2027-12-27T09:30:00+00:00",
                    "end": "2027-12-28T06:00:00+01:00",
                }
            ],
        },
        "events": [
            {
                "type": "TALK",
                "guid": "270fa44c-821a-577f-8ca3-000000000001",
                "code": "HQCCYH",
                "start": "2027-12-28T00:15:00+01:00",
                "end": "2027-12-28T00:55:00+01:00",
                "duration": "PT40M",
                "room": {"guid": "r-1"},
                "slug": "lantern27-lamps",
                "title": "Lamps",
                "subtitle": None,
                "language": "de",
                "track": {"slug": "light"},
                "abstract": {"de": "Über *Lampen*", "en": "About *lamps*"},
                "description": "Text",
                "logo": {"url": "https://hub.example/lamps.png"},
                "participants": [
                    {"guid": "p-1", "name": "Ann Lee", "role": "SPEAKER"},
                    {"guid": "p-2", "role": "MODERATOR"},
                    {"guid": "p-9", "role": "GUEST"},
                ],
                "links": [{"type": "ORIGIN", "url": "https://hub.example/lamps"}],
                "attachments": [{"type": "SLIDES", "url": "https://hub.example/lamps.pdf"}],
                "state": "DELAYED",
            },
            {
                "type": "BREAK",
                "title": "Lunch",
                "start": "2027-12-28T12:00:00+01:00",
                "end": "2027-12-28T13:00:00+01:00",
            },
            {
                "type": "OTHER",
                "guid": "270fa44c-821a-577f-8ca3-000000000002",
                "title": "Gone",
                "start": "2027-12-28T12:00:00+01:00",
                "end": "2027-12-28T13:00:00+01:00",
                "room": {"name": "Yard", "slug": "yard", "guid": "r-7"},
                "state": "CANCELED",
            },
        ],
        "persons": [
            {
                "guid": "p-1",
                "name": "Ann Lee",
                "biography": "Lights **lamps**",
                "avatar": {"type": "Image", "url": "https://hub.example/ann.png"},
                "links": [
                    {
                        "type": "ACTIVITYPUB",
                        "url": "https://social.example/@ann",
                        "service": "MASTODON",
                    }
                ],
                "url": "https://hub.example/user/ann",
            },
            {"guid": "p-2", "name": "Bo Ek"},
            {"guid": "p-3", "name": "Cy Ode"},
        ],
    },
}

BESIDE: Final[dict[str, Any]] = {
    "version": 3,
    "days": [
        {
            "rooms": {
                "Barn": [
                    {
                        "title": "Wax",
                        "start": "10:00",
                        "duration": 45,
                        "persons": ["Ann Lee", "Bo Ek"],
                        "links": ["https://wax.example"],
                        "attachments": ["https://wax.example/wax.pdf"],
                        "price": {"eur": 3},
                    },
                    {"title": "Late", "start": "01:15", "end": "02:00", "persons": "Ann Lee"},
                ],
                "Yard": [{"title": "Elsewhere", "start": "2027-05-01 12:00", "room": "Barn"}],
            },
            "date": "2027-05-01",
        }
    ],
    "conference": {"acronym": "wax27", "venue": "Old Mill", "city": "Brussels", "x": {"y": [1]}},
}
"""Made by hand: the days beside a conference without a title, and local times without a zone."""

FRAB_EVENTS: Final[dict[str, Any]] = {
    "conference_events": {
        "version": "1",
        "events": [
            {
                "id": 1,
                "title": "Lamps",
                "start_time": "2027-05-01T10:00:00.000+02:00",
                "end_time": "2027-05-01T11:00:00.000+02:00",
                "speakers": [{"id": 3, "full_public_name": "Ann Lee", "image": "/a/ann.png"}],
            },
            {"id": 2, "title": "Unscheduled", "start_time": None, "speakers": []},
        ],
    }
}

DIALECTS: Final = {
    "plain": PLAIN,
    "frab of 2015": FRAB_2015,
    "frab": FRAB_NOW,
    "pretalx until 2023": PRETALX_OLD,
    "pretalx": PRETALX_NOW,
    "hub": HUB,
    "made by hand": BESIDE,
    "frab's events": FRAB_EVENTS,
}
