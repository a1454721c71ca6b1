"""Archives that are damaged and altered at random, each told by its seed alone."""

import json
import random
import string
import zipfile
from collections.abc import Callable
from io import BytesIO
from typing import Any, Final

from tests.formats.planning import zip_of

Random = random.Random

BASE: Final[dict[str, Any]] = {
    "event": {
        "id": 1,
        "name": "Conference",
        "timezone": "Europe/Berlin",
        "starts_at": "2027-05-01T09:00:00",
        "ends-at": "2027-05-02T18:00:00+02:00",
        "latitude": 52.5,
        "longitude": "13.4",
        "logo_url": "/images/a.png",
        "description": "<p>All of <b>it</b></p>",
        "external_event_url": "https://example.org",
        "has_session_speakers": True,
        "copyright": {"holder": "H", "year": 2027, "logo": "https://example.org/l.png"},
        "call_for_papers": {"announcement": "Speak!", "starts_at": "2027-01-01T00:00:00Z"},
        "social_links": [{"id": 1, "name": "Site", "link": "https://example.org"}],
        "hashtag": "#conf",
    },
    "forms": [
        {"id": 1, "form": "session", "field_identifier": "title", "is_required": 1, "max": 3},
        {"id": 2, "session_form": '{"title": {"include": 1, "require": 0}}', "speaker_form": "{}"},
    ],
    "microlocations": [{"id": 3, "name": "Room 3", "floor": 2, "latitude": 0.1, "position": 1}],
    "sponsors": [{"id": 1, "name": "S", "level": "1", "logo": "/images/a.png"}],
    "speakers": [
        {"id": 1, "name": "Ada", "photo": "/images/a.png", "sessions": [{"id": 7, "title": "T"}]},
        {"id": 2, "name": "Grace", "email": "g@example.org", "featured": False},
    ],
    "tracks": [{"id": 1, "name": "Web", "color": "#fff", "sessions": [{"id": 7}]}],
    "session_types": [{"id": 1, "name": "Talk", "length": "00:30"}],
    "sessions": [
        {
            "id": 7,
            "title": "T",
            "level": "2",
            "short_abstract": "<script>x</script>Short",
            "starts_at": "2027-05-01T10:00:00",
            "ends_at": "2027-05-01T11:00:00",
            "slides": "/slides/1.pdf",
            "video": "https://example.org/v.mp4",
            "track": {"id": 1, "name": "Web"},
            "microlocation": {"id": 3, "name": "Room 3"},
            "session_type": {"id": 1, "name": "Talk"},
            "speakers": [{"id": 1, "name": "Ada"}, {"id": 2}],
        },
        {"id": "8", "title": "U", "track_id": 1, "microlocation-id": 3, "speakers": [2]},
    ],
    "meta": {"root_url": "https://example.org"},
}
FILES: Final = {"images/a.png": b"\x89PNG\r\n\x1a\n" + bytes(100), "slides/1.pdf": b"%PDF-1.4"}

TIMES: Final = [
    "0001-01-01T00:00:00",
    "0001-01-01T00:00:00+14:00",
    "0002-01-01T00:00:00+23:59",
    "9998-12-31T23:59:59-23:59",
    "9999-12-31T23:59:59.999999-14:00",
    "2027-02-30T00:00:00",
    "2027-05-01",
    "2027-05-01T10:00:00.123456789+05:30",
    "2027-05-01T10:00:00+23:59:59.999999",
    "20270501T100000Z",
    "2027-W18-6",
    "1891-03-15T00:00:00",
    "2027-03-28T02:30:00",
    "2027-10-31T02:30:00",
    "12:00",
    "tomorrow",
    "",
]
NUMBERS: Final = [
    0,
    -1,
    2**31 - 1,
    2**31,
    -(2**31) - 1,
    2**63,
    -(2**63) - 1,
    10**40,
    10**400,
    1e308,
    -1e308,
    5e-324,
    0.1,
    -0.0,
    1.0,
    3.7,
    1e15,
]
TEXTS: Final = [
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "x\udfff\ud800y",
    "\ufeff",
    "\ufffe\uffff",
    "\U0010ffff",
    "\x7f\x80\x9f",
    "\u202e\u2066",
    "e\u0301" * 50,
    "ß" * 300,
    "<script>alert(1)</script>",
    "<b" * 200,
    "&#0;&#x110000;&#xd800;",
    "javascript:alert(1)",
    "java\tscript:x",
    "data:text/html,x",
    "http://",
    "https://[::1",
    "https://example.org:99999/a.png",
    "//example.org/a.png",
    "/images/../../etc/passwd",
    "images\\a.png",
    "/images/a.png",
    "file:///etc/passwd",
    "http://\0/x",
    "true",
    "null",
    "NaN",
    "-1",
    "٣",
    "1_000",
    " 3 ",
    "1e400",
    "0x10",
    "99:99",
    "00:30",
    "1.5",
    "US / Pacific",
    "Europe/Berlin",
    "../Europe/Berlin",
    "Factory",
    "posixrules",
    "x" * 5000,
    '{"title": 1}',
    "[" * 500,
    '{"title": {"include": 1e400}}',
    '{"\\ud800": 1}',
    "é".encode("latin-1").decode("latin-1") + "\u2028",
]


def odd_value(chance: Random) -> Any:  # noqa: PLR0911 - a table of kinds
    """A value that some field may not be ready for."""
    match chance.randrange(9):
        case 0 | 1:
            return chance.choice(NUMBERS)
        case 2 | 3:
            return chance.choice(TEXTS)
        case 4:
            return chance.choice(TIMES)
        case 5:
            return chance.choice([None, True, False, [], {}, [[]], [None], {"id": None}, {"": ""}])
        case 6:
            return [odd_value(chance) for _ in range(chance.randrange(4))]
        case 7:
            names = ["id", "name", "title", chance.choice(TEXTS)]
            return {name: odd_value(chance) for name in names if chance.random() < 0.5}
        case _:
            text = "".join(chance.choice(string.printable) for _ in range(chance.randrange(30)))
            return chance.choice([text, float(chance.randrange(10**6)) / 7, text.encode().hex()])


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a document."""
    found: list[tuple[Any, Any]] = []
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(inner):
        found.append((value, key))
        if isinstance(item, (dict, list)):
            found += _places(item)
    return found


def altered_values(chance: Random) -> bytes:
    """A good zip of documents in which values, keys and records are changed."""
    documents = json.loads(json.dumps(BASE))
    for _ in range(chance.randint(1, 6)):
        container, key = chance.choice(_places(documents))
        match chance.randrange(6):
            case 0 | 1 | 2:
                container[key] = odd_value(chance)
            case 3:
                del container[key]
            case 4 if isinstance(container, dict):
                container[chance.choice(TEXTS)] = container.pop(key)
            case 4:
                container.append(odd_value(chance))
            case _:
                other, other_key = chance.choice(_places(documents))
                container[key] = json.loads(_dumps(other[other_key]))
    return zip_of(
        {_printable(name) or "event": _encoded(content) for name, content in documents.items()},
        FILES,
    )


def _printable(name: str) -> str:
    return "".join(character for character in name if character.isprintable())


def _dumps(value: Any) -> str:
    return json.dumps(value)


def _encoded(value: Any) -> bytes:
    return _dumps(value).encode()


def altered_text(chance: Random) -> bytes:
    """A good zip in which the JSON text of one document is damaged."""
    documents = {name: _encoded(content) for name, content in BASE.items()}
    name = chance.choice(list(documents))
    documents[name] = _damaged(documents[name], chance, JSON_PIECES)
    return zip_of(documents, FILES)


JSON_PIECES: Final = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b'"',
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\\u",
    b"null",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"-",
    b"9" * 5000,
    b"[" * 3000,
    b'{"a":' * 500,
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\x00",
    b"\n",
    b"/* */",
    b"  ",
]


def altered_bytes(chance: Random) -> bytes:
    """The bytes of a zip, damaged anywhere."""
    return _damaged(GOOD, chance, ZIP_PIECES)


ZIP_PIECES: Final = [
    b"PK\x03\x04",
    b"PK\x01\x02",
    b"PK\x05\x06",
    b"PK\x06\x06",
    b"PK\x06\x07",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x00",
    b"\x01\x00\x08\x00",
    b"\xff" * 16,
]


def altered_structure(chance: Random) -> bytes:
    """A zip of odd entries: moved, doubled, renamed, in folders, of other types, or missing."""
    odd = chance.choice([0.03, 0.3])
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        members = [*((name, _encoded(value)) for name, value in BASE.items()), *FILES.items()]
        for name, content in members:
            for _ in range(chance.choice([0, 2]) if chance.random() < odd else 1):
                rename = chance.choice(RENAMED) if chance.random() < odd else str
                info = zipfile.ZipInfo(rename(name))
                info.compress_type = chance.choice([0, 8])
                if chance.random() < odd:
                    info.external_attr = chance.choice([0, 0o755, 0o120777, 0o40755]) << 16
                    info.compress_type = chance.choice([0, 8, 12, 14])
                archive.NameToInfo.pop(info.filename, None)
                archive.writestr(
                    info, chance.choice([b"", GOOD]) if chance.random() < odd / 5 else content
                )
    data = buffer.getvalue()
    return _damaged(data, chance, ZIP_PIECES) if chance.random() < 0.2 else data


RENAMED: Final[list[Callable[[str], str]]] = [
    lambda name: name + ".json",
    lambda name: "folder/" + name,
    lambda name: "folder/inner/" + name,
    lambda name: "../" + name,
    lambda name: "/" + name,
    lambda name: name.upper(),
    lambda name: name.replace("_", "-"),
    lambda name: name + "/",
    lambda name: "__MACOSX/" + name,
    lambda name: "\u202e" + name,
    lambda name: "C:\\" + name,
    lambda name: "a" * 300 + name,
    lambda name: "event",
]


def _damaged(data: bytes, chance: Random, pieces: list[bytes]) -> bytes:
    result = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 3, 8])):
        at = chance.randrange(len(result) + 1)
        match chance.randrange(6):
            case 0 if at < len(result):
                result[at] ^= 1 << chance.randrange(8)
            case 1:
                result[at:at] = chance.choice(pieces)
            case 2:
                piece = chance.choice(pieces)
                result[at : at + len(piece)] = piece
            case 3:
                del result[at : at + chance.choice([1, 1, 4, 30, 300])]
            case 4:
                length = chance.choice([1, 4, 40, 400])
                source = chance.randrange(len(result) + 1)
                result[at:at] = result[source : source + length]
            case _ if chance.random() < 0.2:
                del result[at:]
            case _:
                result[at : at + 4] = chance.randbytes(4)
    return bytes(result)


GOOD: Final = zip_of({name: _encoded(content) for name, content in BASE.items()}, FILES)
KINDS: Final[dict[str, Callable[[Random], bytes]]] = {
    "values": altered_values,
    "text": altered_text,
    "bytes": altered_bytes,
    "structure": altered_structure,
}


def mutant(kind: str, seed: int) -> bytes:
    """The archive of this kind and seed: the same one each time."""
    return KINDS[kind](Random(f"{kind} {seed}"))
