"""What the columns of a table are, by their headers.

No standard exists: the names are those that this service, pretalx, Sessionize, Indico and Sched
write, and what people call such columns in English and German.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from eventimport.conference.kinds import DELETED, SHAPES, Kind
from eventimport.formats.table.sheets import Cell

START_DAYS: Final = ("start date", "start day", "beginn datum", "startdatum", "begin date")
"""Columns of days if the table has no other. Their cells may also have the time."""

_BOTH: Final = {"id": ("id", "code", "guid", "uid", "nr", "no", "number", "nummer")}

_SESSION: Final = {
    "id": (*_BOTH["id"], "session id", "proposal id", "event key", "friendly id", "talk id"),
    "title": (
        *("title", "session title", "proposal title", "talk title", "talk", "session"),
        *("event name", "titel", "vortragstitel", "vortrag", "thema des vortrags", "veranstaltung"),
        *("subject", "betreff"),
    ),
    "subtitle": ("subtitle", "untertitel"),
    "short_abstract": (
        "abstract",
        "short abstract",
        "summary",
        "kurzbeschreibung",
        "teaser",
        "zusammenfassung",
    ),
    "long_abstract": ("description", "long abstract", "details", "beschreibung", "inhalt"),
    "date": ("date", "day", "datum", "tag", *START_DAYS),
    "starts_at": (
        *("start", "starts", "starts at", "start time", "begin", "begins", "time"),
        *("from", "scheduled at", "event start", "beginn", "anfang", "uhrzeit", "zeit", "von"),
        *("startzeit", "beginn uhrzeit", "beginn zeit"),
    ),
    "end_date": ("end date", "end day", "ende datum", "enddatum"),
    "ends_at": (
        *("end", "ends", "ends at", "end time", "until", "to", "finish"),
        *("event end", "ende", "bis", "endzeit", "ende uhrzeit", "ende zeit"),
    ),
    "duration": (
        *("duration", "length", "scheduled duration", "minutes", "duration min", "dauer"),
        *("duration minutes", "dauer min", "dauer in minuten", "minuten"),
    ),
    "room": (
        *("room", "room name", "location", "venue", "hall", "stage", "microlocation"),
        *("raum", "ort", "saal", "bühne"),
    ),
    "track": ("track", "track name", "topic", "stream", "strang", "themenbereich"),
    "type": (
        *("type", "session type", "session format", "format", "submission type", "proposal type"),
        *("event type", "kind", "art", "typ", "vortragsart", "einreichungstyp", "einreichungsart"),
    ),
    "speakers": (
        *("speakers", "speaker", "speaker name", "speaker names", "presenter", "presenters"),
        *("referent", "referenten", "referentinnen", "referent innen", "vortragende"),
        *("sprecher", "sprecherinnen", "vortragender", "name", "names", "who", "wer"),
        "namen der vortragenden",
    ),
    "speaker_ids": ("speaker ids", "speaker id", "speaker codes", "ids der vortragenden"),
    "language": ("language", "sprache", "locale", "content locale"),
    "level": ("level", "niveau", "difficulty", "schwierigkeit"),
    "state": ("state", "status", "proposal state", "einreichungsstatus"),
    "comments": ("comments",),
    "slides_url": ("slides url", "slides", "folien"),
    "audio_url": ("audio url", "audio"),
    "video_url": ("video url", "video", "recording link", "recording"),
    "signup_url": ("signup url", "sign up", "anmeldung"),
    "submitted_at": ("submitted at",),
}
_SPEAKER: Final = {
    "id": (*_BOTH["id"], "speaker id", "speaker code"),
    "name": ("name", "speaker name", "full name", "speaker", "public name", "fullname"),
    "first_name": ("first name", "firstname", "given name", "vorname"),
    "last_name": ("last name", "lastname", "surname", "family name", "nachname"),
    "email": ("email", "e mail", "mail", "email address", "e mail adresse"),
    "mobile": ("mobile", "phone", "phone number", "telefon", "handy"),
    "short_biography": (
        *("biography", "bio", "short biography", "about", "biografie", "kurzbiografie"),
        *("about you", "biographie", "über dich"),
    ),
    "long_biography": ("long biography",),
    "organisation": (
        *("organisation", "organization", "company", "your company", "affiliation", "employer"),
        *("firma", "organisation firma", "unternehmen"),
    ),
    "position": (
        *("position", "job title", "your job title", "tagline", "tag line", "role", "funktion"),
    ),
    "photo_url": (
        "photo url",
        "photo",
        "picture",
        "profile picture",
        "avatar",
        "image",
        "bild",
        "foto",
    ),
    "country": ("country", "land"),
    "city": ("city", "stadt", "wohnort"),
    "gender": ("gender",),
    "website": ("website", "homepage", "web", "url", "blog", "webseite"),
    "twitter": ("twitter", "x", "x twitter", "twitter handle"),
    "facebook": ("facebook",),
    "github": ("github",),
    "linkedin": ("linkedin",),
    "instagram": ("instagram",),
    "mastodon": ("mastodon",),
    "heard_from": ("heard from",),
    "speaking_experience": ("speaking experience",),
    "sponsorship_required": ("sponsorship required",),
    "is_featured": ("is featured", "featured"),
    "sessions": (
        *("sessions", "proposal titles", "talks", "session titles", "vorträge", "proposal ids"),
        *("session ids", "einreichungs ids"),
    ),
}

_OF_SCHED: Final = "event key"
_SCHED: Final = {"name": "title", "event type": "track", "event subtype": "type"}
"""What columns are in an export of Sched: its events are sessions."""

SPEAKERS: Final = "speakers"
"""A column whose cells name any number of speakers. Several columns may."""

SPEAKER: Final = "one speaker"
"""A numbered column below “Speakers”: each cell names one."""

_MOST: Final = 200
"""Characters of a header; longer cells are texts."""

_NOT_WORD: Final = re.compile(r"[\W_]+")
_BRACKETS: Final = re.compile(r"\((?:user )?(?:url|id|text)\)", re.IGNORECASE)


def _vocabulary(kind: Kind, names: dict[str, tuple[str, ...]]) -> dict[str, str]:
    known = {name.replace("_", " "): name for name in SHAPES[kind].fields if name != DELETED}
    for field, headers in names.items():
        known |= dict.fromkeys(headers, field)
    return known


_KNOWN: Final = {
    Kind.SESSION: _vocabulary(Kind.SESSION, _SESSION),
    Kind.SPEAKER: _vocabulary(Kind.SPEAKER, _SPEAKER),
}
_LABELS: Final = {
    Kind.SESSION: frozenset({"title"}),
    Kind.SPEAKER: frozenset({"name", "first_name", "last_name"}),
}
"""The columns without which a table is not one of this kind."""


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a table: `kind` is what its rows are, `fields` what each column is, if that is
    known, `names` what the columns are called. `index` is its row, from 0."""

    kind: Kind
    index: int
    fields: list[str | None]
    names: list[str]

    @property
    def known(self) -> int:
        """How many columns are known."""
        return sum(field is not None for field in self.fields)


def find_header(rows: Iterable[Sequence[Cell]]) -> Header | None:
    """The header among the first rows of a table: the row in which most columns are known, at least
    two of them. None if no row is one."""
    best: Header | None = None
    above: Sequence[Cell] = ()
    for index, cells in enumerate(rows):
        for kind in (Kind.SESSION, Kind.SPEAKER):
            header = _read(kind, index, cells, above)
            if header is not None and (best is None or header.known > best.known):
                best = header
        above = cells
    return best


def _read(kind: Kind, index: int, cells: Sequence[Cell], above: Sequence[Cell]) -> Header | None:
    known = _KNOWN[kind]
    names = [_name(cell) for cell in cells]
    if kind is Kind.SESSION and _OF_SCHED in map(_simple, names):
        known = known | _SCHED
    fields: list[str | None] = []
    group: str | None = None
    for place, name in enumerate(names):
        if place < len(above) and above[place] not in (None, ""):
            group = known.get(_simple(_name(above[place])))
        field = known.get(_simple(name)) if len(name) <= _MOST else None
        if field == "date" and "date" in fields and _simple(name) in START_DAYS:
            field = "starts_at"
        if field is None and name.isdecimal() and group == SPEAKERS:
            field = SPEAKER
        # Of two columns that are the same, the first counts.
        fields.append(field if field not in fields or field in {SPEAKERS, SPEAKER} else None)
    if _LABELS[kind].isdisjoint(filter(None, fields)) or sum(map(bool, fields)) < 2:
        return None
    return Header(kind, index, fields, names)


def is_group(cell: Cell) -> bool:
    """Whether a cell above a header only says what the columns below it are."""
    return _KNOWN[Kind.SESSION].get(_simple(_name(cell))) == SPEAKERS


def _name(cell: Cell) -> str:
    if isinstance(cell, float) and cell == int(cell):
        cell = int(cell)
    return " ".join(str(cell).split()) if cell is not None else ""


def _simple(name: str) -> str:
    return _NOT_WORD.sub(" ", _BRACKETS.sub("", name).casefold()).strip()
