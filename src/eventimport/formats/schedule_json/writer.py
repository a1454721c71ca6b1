"""A conference → schedule.json, as the first schema of the format demands.

The document is written event by event. `duration` and `end` are both there, and agree.
"""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import time
from typing import Any, BinaryIO, Final

from eventimport.conference.kinds import Kind
from eventimport.conference.web_links import MASTODON, SITES
from eventimport.formats.format import WriteOptions
from eventimport.formats.schedules.addresses import http_address
from eventimport.formats.schedules.arranging import Arranged
from eventimport.formats.schedules.identities import Rules
from eventimport.formats.schedules.losses import SORTS, Keeps, Losses
from eventimport.formats.schedules.stored_programme import (
    Day,
    Person,
    Room,
    StoredProgramme,
    Talk,
    generator_version,
    slot_of,
    version_of,
    writer_of,
)
from eventimport.formats.schedules.written_values import Link, hex_color, iso, text_of

SCHEMA: Final = "https://c3voc.de/schedule/schema.json"

KEEPS: Final = Keeps(
    title="schedule.json",
    fields={
        Kind.EVENT: frozenset(
            {
                *("name", "description", "starts_at", "ends_at", "timezone"),
                *("external_event_url", "logo_url"),
            }
        ),
        Kind.MICROLOCATION: frozenset({"name", "position"}),
        Kind.TRACK: frozenset({"name", "color", "position"}),
        Kind.SESSION_TYPE: frozenset({"name", "length", "position"}),
        Kind.SPEAKER: frozenset(
            {"name", "photo_url", "short_biography", "website", MASTODON, *SITES}
        ),
        Kind.SESSION: frozenset(
            {
                *("title", "subtitle", "short_abstract", "long_abstract", "starts_at", "ends_at"),
                *("language", "slides_url", "audio_url", "video_url"),
            }
        ),
    },
    extra={
        Kind.EVENT: frozenset(
            {
                *("acronym", "version", "days", "daysCount", "timeslot_duration", "base_url"),
                *("color", "colors", "keywords", "schedule_days", "day_change", "generator"),
                *("$schema", "texts"),
            }
        ),
        Kind.MICROLOCATION: frozenset(
            {"guid", "slug", "type", "stream_id", "description", "capacity", "url", "features"}
        ),
        Kind.TRACK: frozenset({"slug"}),
        Kind.SPEAKER: frozenset({"guid", "id", "code", "links", "url", "texts"}),
        Kind.SESSION: frozenset(
            {
                *("id", "guid", "code", "slug", "url", "logo", "links", "attachments"),
                *("recording", "recording_license", "do_not_record", "do_not_stream"),
                *("feedback_url", "origin_url", "texts"),
                *("pentabarf:event-id", "pentabarf:event-slug"),
            }
        ),
    },
    sorts=frozenset(SORTS)
    - {"long-session", "control-characters", "two-texts", "same-name", "same-type", "language"},
)

_RULES: Final = Rules(
    acronym=re.compile(r"[a-z0-9_-][a-z0-9_]{3,}(?:-2[0-9]{3}-[a-z]+)?"),
    slug=re.compile("[a-z0-9_-]+[a-z0-9]"),
    code=re.compile("[A-Z0-9]+"),
)
_REQUIRED: Final = frozenset({"subtitle", "track", "language", "abstract"})
"""What the schema requires of sessions, if only as null."""

_ZONE: Final = re.compile("[A-Z][a-z]+/[A-Z][a-z]+.*|UTC")
_LINK_TYPES: Final = frozenset(
    {"slides", "paper", "web", "blog", "article", "media", "related", "activitypub"}
)
_ROOM_TYPES: Final = frozenset(
    {
        *("lecturehall", "stage", "workshop", "outside", "online", "project", "bbb"),
        *("hangar", "other"),
    }
)
_RECORDING: Final = frozenset(
    {
        *("record_by_default", "not_recorded_by_default", "recording_forbidden"),
        *("recording_not_possible", "unknown"),
    }
)


class _Writer:
    def __init__(self, sink: BinaryIO, options: WriteOptions, losses: Losses) -> None:
        self._sink = sink
        self._options = options
        self._losses = losses

    def write(self, programme: StoredProgramme) -> None:
        self._programme, options = programme, self._options
        version = generator_version(options.version, programme.flavour)
        generator = {"name": options.generator, "version": version, "url": options.base_url}
        self._put(f'{{"$schema": {_json(SCHEMA)},\n"generator": {_json(generator)},\n')
        self._put(f'"schedule": {{"version": {_json(version_of(programme, options))},\n')
        self._put(f'"base_url": {_json(programme.base_url)},\n"conference": ')
        # The days come last: everything before them is small.
        self._put(f'{_json(self._conference())[:-1]},\n"days": [')
        with closing(Arranged([room.name for room in programme.rooms])) as arranged:
            for talk in programme.talks():
                day = programme.day_of(talk.starts)
                arranged.add(day, talk.room, talk.starts, self._event(talk))
            by_date = {day.day: day for day in programme.days}
            separator = "\n"
            for date, rooms in arranged.days():
                self._put(separator)
                self._put_day(by_date[date], rooms)
                separator = ",\n"
        self._put("]}}}\n")

    def _put(self, text: str) -> None:
        self._sink.write(text.encode())

    def _put_day(self, day: Day, rooms: Iterator[tuple[str, Iterator[bytes]]]) -> None:
        said = {
            "index": day.index,
            "date": day.day.isoformat(),
            "day_start": iso(day.starts),
            "day_end": iso(day.ends),
        }
        self._put(f'{_json(said)[:-1]}, "rooms": {{')
        separator = "\n"
        for name, events in rooms:
            self._put(f"{separator}{_json(name)}: [")
            separator = "\n"
            for event in events:
                self._put(separator)
                self._sink.write(event)
                separator = ",\n"
            self._put("]")
            separator = ",\n"
        self._put("}}")

    def _conference(self) -> dict[str, Any]:
        programme, extra = self._programme, self._programme.extra
        values = programme.event.values
        zone_name = values.get("timezone", "UTC")
        if not _ZONE.fullmatch(zone_name):
            self._losses.add("time-zone")
            zone_name = None
        days = programme.days or [programme.only_day(self._options.now)]
        first, last = days[0].day.isoformat(), days[-1].day.isoformat()
        starts = programme.moment("starts_at", whole=time(0))
        words = extra.get("keywords")
        return _given(
            {
                "acronym": programme.acronym,
                "title": programme.title,
                "description": text_of(programme.event, "description", programme.flavour),
                "start": starts or first,
                "end": programme.moment("ends_at", whole=time(23, 59)) or max(last, starts or ""),
                "daysCount": len(programme.days),
                "timeslot_duration": slot_of(programme),
                "time_zone_name": zone_name,
                "logo": http_address(values.get("logo_url")),
                "url": programme.url,
                "colors": _colors(extra),
                "keywords": words if _are_texts(words) else None,
                "tracks": [
                    _given(
                        {
                            "name": track.name,
                            "slug": self._slug(track.slug),
                            "color": track.color,
                        }
                    )
                    for track in programme.tracks
                ],
                "rooms": [self._room(room) for room in programme.rooms],
            }
        )

    def _slug(self, given: Any) -> str | None:
        return given if isinstance(given, str) and _RULES.slug.fullmatch(given) else None

    def _room(self, room: Room) -> dict[str, Any]:
        extra = room.extra
        features = extra.get("features")
        is_known = isinstance(features, dict) and (
            features.get("recording", "unknown") in _RECORDING
        )
        capacity, described = extra.get("capacity"), extra.get("description")
        stream = extra.get("stream_id")
        return _given(
            {
                "name": room.name,
                "slug": self._slug(extra.get("slug")),
                "type": extra.get("type") if extra.get("type") in _ROOM_TYPES else None,
                "guid": room.guid,
                "stream_id": stream if isinstance(stream, str) else None,
                "description": described if isinstance(described, (str, dict)) else None,
                "capacity": capacity if type(capacity) in (int, float) else None,
                "url": http_address(extra.get("url")),
                "features": features if is_known else None,
            }
        )

    def _event(self, talk: Talk) -> str:
        identity, stream = talk.identity, talk.extra.get("do_not_stream")
        said: dict[str, Any] = {
            name: text
            for name, text in talk.said().items()
            if text is not None or name in _REQUIRED
        }
        said |= {
            "guid": identity.guid,
            "id": identity.id,
            "type": talk.type or "",
            "links": self._links(talk.links),
        }
        said |= _given(
            {
                "code": identity.code,
                "end": iso(talk.ends) if talk.ends is not None else None,
                "recording_license": talk.licence,
                "do_not_record": talk.opted_out,
                "do_not_stream": stream if isinstance(stream, (bool, str)) else None,
                "attachments": self._links(talk.attachments) or None,
            }
        )
        return f'{_json(said)[:-1]}, "persons": [{", ".join(talk.persons)}]}}'

    def person(self, person: Person) -> str:
        """A speaker."""
        code = person.code if person.code and _RULES.code.fullmatch(person.code) else None
        said = _given(
            {
                "name": person.name,
                "id": person.id if person.has_id else None,
                "guid": person.guid,
                "code": code,
                "avatar": person.avatar,
                "biography": person.biography,
                "url": person.url,
                "links": self._links(person.links) or None,
            }
        )
        return _json(said)

    def _links(self, links: Iterable[Link]) -> list[dict[str, Any]]:
        """The links that have an address."""
        return [said for link in links if (said := self._link(link)) is not None]

    def _link(self, link: Link) -> dict[str, Any] | None:
        if link.url is None:
            self._losses.add("link")
            return None
        is_known = link.type in _LINK_TYPES
        title = link.title if is_known else link.title or link.type
        return _given({"url": link.url, "type": link.type if is_known else None, "title": title})


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _given(said: dict[str, Any]) -> dict[str, Any]:
    """What has a value: the schema allows null in few places."""
    return {name: value for name, value in said.items() if value is not None}


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _colors(extra: dict[str, Any]) -> dict[str, str] | None:
    """The colours of the conference, of either format."""
    given = extra.get("colors", extra.get("color"))
    if not isinstance(given, dict):
        return None
    named = {str(name).removeprefix("@"): hex_color(value) for name, value in given.items()}
    return {name: color for name, color in named.items() if color is not None} or None


write: Final = writer_of(KEEPS, _RULES, _Writer)
