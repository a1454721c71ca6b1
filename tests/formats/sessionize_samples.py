"""What Sessionize's API answers, invented: the same conference in its four views."""

import copy
from typing import Any, Final

ANN: Final = "5b0c7a52-53a7-4f4e-9a0e-000000000001"
BEA: Final = "5b0c7a52-53a7-4f4e-9a0e-000000000002"

PLAIN: Final[dict[str, Any]] = {
    "sessions": [
        {
            "id": "101",
            "title": "Opening",
            "description": "How lamps work.",
            "startsAt": None,
            "endsAt": None,
            "speakers": [ANN],
            "categoryItems": [],
            "questionAnswers": [],
            "roomId": None,
        }
    ],
    "speakers": [
        {
            "id": ANN,
            "firstName": "Ann",
            "lastName": "Lamp",
            "fullName": "Ann Lamp",
            "bio": "Makes lamps.",
            "tagLine": "Lamp maker",
            "profilePicture": None,
            "links": [],
            "sessions": [101],
            "categoryItems": [],
            "questionAnswers": [],
        }
    ],
    "questions": [],
    "categories": [],
    "rooms": [],
}
"""The view “All” of a programme that is not scheduled yet. Nothing in it is worth a finding."""

_LUNCH: Final[dict[str, Any]] = {
    "id": "5b0c7a52-53a7-4f4e-9a0e-00000000000a",
    "title": "Lunch",
    "description": None,
    "startsAt": "2027-05-01T12:00:00",
    "endsAt": "2027-05-01T13:00:00",
    "isServiceSession": True,
    "isPlenumSession": True,
    "speakers": [],
    "categoryItems": [],
    "questionAnswers": [],
    "roomId": 7,
    "liveUrl": None,
    "recordingUrl": None,
    "status": None,
    "isInformed": False,
    "isConfirmed": False,
}

ALL: Final[dict[str, Any]] = {
    "sessions": [
        {
            "id": "101",
            "title": "Lamps & <Wicks>",
            "description": "First line\r\nsecond line",
            "startsAt": "2027-05-01T09:00:00",
            "endsAt": "2027-05-01T09:45:00",
            "isServiceSession": False,
            "isPlenumSession": False,
            "speakers": [BEA, ANN],
            "categoryItems": [11, 12, 21, 31, 41],
            "questionAnswers": [{"questionId": 5, "answerValue": "No whale oil"}],
            "roomId": 8,
            "liveUrl": "https://live.example.org/lamps",
            "recordingUrl": "https://videos.example.org/lamps.mp4",
            "status": "Accepted",
            "isInformed": True,
            "isConfirmed": True,
        },
        {
            **copy.deepcopy(_LUNCH),
            "id": "102",
            "title": "Wicks",
            "startsAt": None,
            "endsAt": None,
            "isServiceSession": False,
            "isPlenumSession": False,
            "speakers": [BEA],
            "roomId": None,
            "status": "Waitlisted",
        },
        _LUNCH,
    ],
    "speakers": [
        {
            **PLAIN["speakers"][0],
            "profilePicture": "https://images.example.org/ann.jpg",
            "isTopSpeaker": True,
            "links": [
                {
                    "title": "LinkedIn",
                    "url": "https://www.linkedin.com/in/ann",
                    "linkType": "LinkedIn",
                },
                {"title": "Blog", "url": "https://ann.example.org/", "linkType": "Blog"},
                {
                    "title": "Sessionize",
                    "url": "https://s.example.org/ann",
                    "linkType": "Sessionize",
                },
            ],
            "sessions": [101],
            "categoryItems": [51],
            "questionAnswers": [{"questionId": 6, "answerValue": "Vegan"}],
        },
        {
            "id": BEA,
            "firstName": "Bea",
            "lastName": "Wick",
            "fullName": "Dr. Bea Wick",
            "bio": None,
            "tagLine": "",
            "profilePicture": None,
            "isTopSpeaker": False,
            "links": [],
            "sessions": [101, 102],
            "categoryItems": [],
            "questionAnswers": [],
        },
    ],
    "questions": [
        {"id": 5, "question": "Allergies to oil", "questionType": "Long_Text", "sort": 2},
        {"id": 6, "question": "Food", "questionType": "Short_Text", "sort": 1},
        {"id": 9, "question": "Shoes", "questionType": "Number", "sort": 3},
    ],
    "categories": [
        {
            "id": 1,
            "title": "Which track fits best?",
            "type": "session",
            "sort": 0,
            "items": [
                {"id": 11, "name": "Light", "sort": 1},
                {"id": 12, "name": "Oil", "sort": 2},
                {"id": 13, "name": "Dark", "sort": 3},
            ],
        },
        {
            "id": 2,
            "title": "Level",
            "type": "session",
            "sort": 1,
            "items": [{"id": 21, "name": "Novice"}],
        },
        {
            "id": 3,
            "title": "Session format",
            "type": "session",
            "sort": 2,
            "items": [{"id": 31, "name": "Talk"}],
        },
        {
            "id": 4,
            "title": "Audience",
            "type": "session",
            "sort": 3,
            "items": [{"id": 41, "name": "Owls"}],
        },
        {
            "id": 5,
            "title": "Topics you know",
            "type": "speaker",
            "sort": 4,
            "items": [{"id": 51, "name": "Glass"}],
        },
    ],
    "rooms": [{"id": 8, "name": "Attic", "sort": 1}, {"id": 7, "name": "Cellar", "sort": 0}],
}
"""The view “All”."""

_IN_VIEWS: Final[dict[str, Any]] = {
    **{key: value for key, value in ALL["sessions"][0].items() if key != "categoryItems"},
    "speakers": [{"id": BEA, "name": "Dr. Bea Wick"}, {"id": ANN, "name": "Ann Lamp"}],
    "room": "Attic",
    "categories": [
        {
            "id": 1,
            "name": "Which track fits best?",
            "categoryItems": [{"id": 11, "name": "Light"}, {"id": 12, "name": "Oil"}],
            "sort": 0,
        },
        {"id": 2, "name": "Level", "categoryItems": [{"id": 21, "name": "Novice"}], "sort": 1},
        {
            "id": 3,
            "name": "Session format",
            "categoryItems": [{"id": 31, "name": "Talk"}],
            "sort": 2,
        },
        {"id": 4, "name": "Audience", "categoryItems": [{"id": 41, "name": "Owls"}], "sort": 3},
    ],
    "questionAnswers": [
        {
            "id": 5,
            "question": "Allergies to oil",
            "questionType": "Long_Text",
            "answer": "No whale oil",
            "sort": 2,
            "answerExtra": None,
        }
    ],
}
_LUNCH_IN_VIEWS: Final = {**_LUNCH, "categories": [], "room": "Cellar"}

SESSIONS: Final[list[dict[str, Any]]] = [
    {
        "groupId": "1",
        "groupName": "Saturday",
        "isDefault": True,
        "sessions": [_IN_VIEWS, _LUNCH_IN_VIEWS],
    },
    {"groupId": "2", "groupName": "All rooms", "isDefault": False, "sessions": [_LUNCH_IN_VIEWS]},
]
"""The view “Sessions”. A session is in both groups."""

GRID: Final[list[dict[str, Any]]] = [
    {
        "date": "2027-05-01T00:00:00",
        "isDefault": True,
        "rooms": [
            {
                "id": 7,
                "name": "Cellar",
                "sessions": [_LUNCH_IN_VIEWS],
                "hasOnlyPlenumSessions": False,
            },
            {"id": 8, "name": "Attic", "sessions": [_IN_VIEWS], "hasOnlyPlenumSessions": False},
        ],
        "timeSlots": [
            {
                "slotStart": "09:00:00",
                "rooms": [{"id": 8, "name": "Attic", "session": _IN_VIEWS, "index": 1}],
            }
        ],
    }
]
"""The view “Schedule grid”."""

SPEAKERS: Final[list[dict[str, Any]]] = [
    {
        **{key: value for key, value in each.items() if key != "categoryItems"},
        "sessions": [{"id": number, "name": name}],
        "categories": [],
        "questionAnswers": [],
    }
    for each, (number, name) in zip(
        ALL["speakers"], [(101, "Lamps & <Wicks>"), (102, "Wicks")], strict=True
    )
]
"""The view “Speakers”."""
