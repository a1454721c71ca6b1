"""What pretalx's API and widget answer, invented: the same conference in several forms."""

from typing import Any, Final

PLAIN: Final[dict[str, Any]] = {
    "count": 1,
    "next": None,
    "previous": None,
    "results": [
        {
            "code": "LAMP01",
            "title": "Opening",
            "speakers": [{"code": "ANN001", "name": "Ann Lamp", "biography": "Makes lamps."}],
            "submission_type": "Talk",
            "track": None,
            "tags": [],
            "state": "confirmed",
            "abstract": "How lamps work.",
            "duration": 30,
            "slots": [
                {
                    "id": 1,
                    "room": None,
                    "start": "2027-05-01T09:00:00+00:00",
                    "end": "2027-05-01T09:30:00+00:00",
                }
            ],
        }
    ],
}
"""A page of the API in which nothing is worth a finding."""


def page(*records: dict[str, Any], count: int | None = None) -> dict[str, Any]:
    """A page of the API. `count` is how many records there are in all."""
    total = len(records) if count is None else count
    following = None if total == len(records) else "https://talks.example.org/api/?page=2"
    return {"count": total, "next": following, "previous": None, "results": [*records]}


EVENT: Final[dict[str, Any]] = {
    "name": {"en": "Lamp Days", "de": "Lampentage"},
    "slug": "lamps27",
    "is_public": True,
    "date_from": "2027-05-01",
    "date_to": "2027-05-02",
    "timezone": "Europe/Berlin",
    "email": "team@example.org",
    "primary_color": "#aa5500",
    "logo": "https://talks.example.org/media/logo.png",
    "locale": "de",
    "locales": ["de", "en"],
}
ROOMS: Final[list[dict[str, Any]]] = [
    {
        "id": 8,
        "name": {"en": "Attic", "de": "Dachboden"},
        "description": {"en": "Upstairs"},
        "uuid": "4f0c7a52-53a7-4f4e-9a0e-000000000008",
        "guid": "4f0c7a52-53a7-4f4e-9a0e-000000000008",
        "capacity": 80,
        "position": 2,
    },
    {"id": 7, "name": {"en": "Hall"}, "guid": None, "capacity": None, "position": 1},
]
TRACKS: Final[list[dict[str, Any]]] = [
    {"id": 5, "name": {"en": "Light"}, "description": {"en": "On *light*"}, "color": "#ffcc00"}
]
TYPES: Final[list[dict[str, Any]]] = [
    {"id": 3, "name": {"en": "Talk"}, "default_duration": 45, "deadline": None},
]
TAGS: Final[list[dict[str, Any]]] = [{"id": 9, "tag": "oil", "color": "#000000"}]
QUESTIONS: Final[list[dict[str, Any]]] = [
    {
        "id": 21,
        "question": {"en": "Is there oil?", "de": "Gibt es Öl?"},
        "help_text": {},
        "variant": "boolean",
        "target": "submission",
        "question_required": "required",
        "position": 1,
        "active": True,
        "is_public": False,
    },
    {
        "id": 22,
        "question": {"en": "Profile"},
        "variant": "url",
        "target": "speaker",
        "question_required": "optional",
        "icon": "github",
    },
    {"id": 23, "question": {"en": "Grade"}, "variant": "number", "target": "reviewer"},
]
ANSWERS: Final[list[dict[str, Any]]] = [
    {"id": 31, "question": 21, "answer": "Yes", "submission": "LAMP01", "person": None},
    {
        "id": 32,
        "question": 22,
        "answer": "https://github.com/bea",
        "submission": None,
        "person": "BEA001",
    },
    {"id": 33, "question": 23, "answer": "5", "submission": None, "person": None, "review": 2},
]
RESOURCES: Final[list[dict[str, Any]]] = [
    {
        "id": 41,
        "resource": "https://talks.example.org/media/lamps.pdf",
        "description": "Slides",
        "is_public": True,
    },
    {"id": 42, "resource": "https://lamps.example.org", "description": "All", "is_public": True},
    {"id": 43, "resource": "https://secret.example.org", "description": "Hid", "is_public": False},
]
SLOTS: Final[list[dict[str, Any]]] = [
    {
        "id": 51,
        "room": 8,
        "start": "2027-05-01T09:00:00+02:00",
        "end": "2027-05-01T09:45:00+02:00",
        "submission": "LAMP01",
        "schedule": 2,
        "description": None,
        "duration": 45,
    },
    {
        "id": 52,
        "room": 7,
        "start": "2027-05-02T09:00:00+02:00",
        "end": "2027-05-02T09:45:00+02:00",
        "submission": "LAMP01",
        "schedule": 2,
        "description": None,
        "duration": 45,
    },
    {
        "id": 53,
        "room": 7,
        "start": "2027-05-01T12:00:00+02:00",
        "end": "2027-05-01T13:00:00+02:00",
        "submission": None,
        "schedule": 2,
        "description": {"en": "Lunch", "de": "Mittagessen"},
        "duration": 60,
    },
]
SPEAKERS: Final[list[dict[str, Any]]] = [
    {
        "code": "ANN001",
        "name": "Ann Lamp",
        "biography": "Makes *lamps*.",
        "submissions": ["LAMP01", "LAMP02"],
        "avatar_url": "https://talks.example.org/media/ann.png",
        "email": "ann@example.org",
        "answers": [],
    },
    {
        "code": "BEA001",
        "name": "Bea Wick",
        "biography": None,
        "submissions": ["LAMP01"],
        "avatar_url": None,
        "answers": [32],
    },
]
SUBMISSIONS: Final[list[dict[str, Any]]] = [
    {
        "code": "LAMP01",
        "title": "Lamps & <Wicks>",
        "speakers": ["BEA001", "ANN001"],
        "submission_type": 3,
        "track": 5,
        "tags": [9],
        "state": "confirmed",
        "pending_state": None,
        "abstract": "**Bright** lamps",
        "description": "All of them",
        "duration": 45,
        "slot_count": 2,
        "content_locale": "en",
        "do_not_record": True,
        "image": "https://talks.example.org/media/lamps.png",
        "resources": [41, 42, 43],
        "slots": [51, 52],
        "answers": [31],
        "created": "2027-01-01T10:00:00+01:00",
        "internal_notes": "Check the oil",
    },
    {
        "code": "LAMP02",
        "title": "Oil",
        "speakers": [],
        "submission_type": 3,
        "track": None,
        "tags": [],
        "state": "submitted",
        "pending_state": "accepted",
        "abstract": "Oil",
        "description": "",
        "duration": 45,
        "slots": [],
        "answers": [],
        "resources": [],
    },
]
PAGES: Final[dict[str, Any]] = {
    "event.json": EVENT,
    "submissions.json": page(*SUBMISSIONS),
    "speakers.json": page(*SPEAKERS),
    "rooms.json": page(*ROOMS),
    "slots.json": page(*SLOTS),
    "tracks.json": page(*TRACKS),
    "submission-types.json": page(*TYPES),
    "tags.json": page(*TAGS),
    "questions.json": page(*QUESTIONS),
    "answers.json": page(*ANSWERS),
    "resources.json": page(*RESOURCES),
}
"""All documents of the API, as an organiser sees them."""


def _expanded() -> dict[str, Any]:
    """The submissions with all that they refer to in the place of ids and codes."""
    tables: dict[str, dict[Any, dict[str, Any]]] = {
        "speakers": {each["code"]: each for each in SPEAKERS},
        "tags": {each["id"]: each for each in TAGS},
        "resources": {each["id"]: each for each in RESOURCES},
        "answers": {
            each["id"]: {
                **each,
                "question": next(q for q in QUESTIONS if q["id"] == each["question"]),
            }
            for each in ANSWERS
        },
        "slots": {
            each["id"]: {**each, "room": next(r for r in ROOMS if r["id"] == each["room"])}
            for each in SLOTS
        },
    }
    results = []
    for each in SUBMISSIONS:
        lists = {key: [table[one] for one in each[key]] for key, table in tables.items()}
        one_of = {"submission_type": TYPES[0], "track": TRACKS[0] if each["track"] else None}
        results.append({**each, **lists, **one_of})
    return page(*results)


EXPANDED: Final = _expanded()

LEGACY: Final[list[dict[str, Any]]] = [
    {
        "code": "LAMP01",
        "title": "Lamps & <Wicks>",
        "speakers": [
            {
                "code": "BEA001",
                "name": "Bea Wick",
                "biography": None,
                "avatar": "https://talks.example.org/media/bea.png",
                "email": "bea@example.org",
            },
            {"code": "ANN001", "name": "Ann Lamp", "biography": "Makes lamps.", "avatar": None},
        ],
        "submission_type": {"en": "Talk", "de": "Vortrag"},
        "submission_type_id": 3,
        "track": {"en": "Light"},
        "track_id": 5,
        "state": "accepted",
        "abstract": "**Bright** lamps",
        "description": None,
        "duration": 45,
        "slot_count": 1,
        "content_locale": "en",
        "slot": {
            "room_id": 8,
            "room": {"en": "Attic", "de": "Dachboden"},
            "start": "2027-05-01T09:00:00+02:00",
            "end": "2027-05-01T09:45:00+02:00",
        },
        "resources": [
            {"resource": "https://videos.example.org/1", "description": "Video of a lamp"},
        ],
        "answers": [
            {
                "question": {"id": 21, "question": {"en": "Is there oil?"}},
                "answer": "Yes",
                "answer_file": None,
                "submission": "LAMP01",
                "person": None,
                "review": None,
            }
        ],
        "tags": ["oil"],
        "tag_ids": [9],
    }
]
"""What programs keep of the API as it was until 2024."""

WIDGET: Final[dict[str, Any]] = {
    "talks": [
        {
            "code": "LAMP01",
            "id": number,
            "title": "Lamps & <Wicks>",
            "abstract": "**Bright** lamps",
            "speakers": ["BEA001", "ANN001"],
            "track": 5,
            "start": f"2027-05-0{day}T09:00:00+02:00",
            "end": f"2027-05-0{day}T09:45:00+02:00",
            "room": room,
            "duration": 45,
            "updated": "2027-03-01T12:00:00+00:00",
            "content_locale": "en",
            "do_not_record": False,
        }
        for number, day, room in ((51, 1, 8), (52, 2, 7))
    ]
    + [
        {
            "id": 53,
            "title": {"en": "Lunch", "de": "Mittagessen"},
            "start": "2027-05-01T10:00:00+00:00",
            "end": "2027-05-01T13:00:00+02:00",
            "room": 7,
            "slot_type": "break",
        }
    ],
    "version": "1.2",
    "schedule_id": 2,
    "timezone": "Europe/Berlin",
    "event_start": "2027-05-01",
    "event_end": "2027-05-02",
    "tracks": TRACKS,
    "rooms": [{key: each.get(key) for key in ("id", "name", "description")} for each in ROOMS],
    "speakers": [
        {"code": "ANN001", "name": "Ann Lamp", "avatar": None},
        {"code": "BEA001", "name": "Bea Wick", "avatar": "https://talks.example.org/b.png"},
    ],
}
"""What the schedule on an event's page is made of."""
