"""schedule.json → a conference.

Both schemas are read, and what programs write by them: see `parts.py`. Whatever no field takes is
kept in `extra`, by the name that it has in the document.
"""

from collections.abc import Iterator
from typing import Any, Final

from eventimport.conference.conference import Conference
from eventimport.conference.report import Report
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import report_errors
from eventimport.formats.schedule_json.parts import (
    CONFERENCE,
    LEVELS,
    Parts,
    begins_as_schedule,
    read_parts,
)
from eventimport.formats.schedule_json.sessions import Listed, SessionReader
from eventimport.formats.schedules.document import has_document, open_json
from eventimport.formats.schedules.flavours import Flavour
from eventimport.formats.schedules.json_values import address_of, said, text_of
from eventimport.formats.schedules.media_fields import MediaFields
from eventimport.formats.schedules.persons import PersonReader
from eventimport.formats.schedules.producers import Producer, producer_of
from eventimport.formats.schedules.schedule import Schedule
from eventimport.formats.source import Source

TITLE: Final = "schedule.json"

_EVENT_FIELDS: Final = {
    "title": "name",
    "description": "description",
    "start": "starts_at",
    "end": "ends_at",
}
_PLACES: Final = ("venue", "city")
_ZONES: Final = ("time_zone_name", "timezone", "time_zone")


def has_schedule(source: Source) -> bool:
    """Whether the source is a schedule.json, or a zip with one."""
    return has_document(source, begins_as_schedule)


def read(source: Source, options: ReadOptions, report: Report) -> Conference:
    """Read a schedule.json. Raises ArchiveError, its finding in the report too, if it is not JSON,
    beyond a limit or in another format."""
    document, entry = open_json(source, begins_as_schedule, report, format_title=TITLE)
    parts = read_parts(document, options.progress)
    with report_errors(report):
        return _ConferenceReader(source, options, report, entry, parts).read()


class _ConferenceReader:
    def __init__(
        self, source: Source, options: ReadOptions, report: Report, entry: str, parts: Parts
    ) -> None:
        self._report = report
        self._entry = entry
        self._parts = parts
        self._language = options.language
        self._files = source.index
        self._media = MediaFields(report, entry)
        self._schedule = Schedule.of(source, options, report, entry)

    def read(self) -> Conference:
        parts, schedule = self._parts, self._schedule
        says = self._conference()
        producer = self._producer(says)
        schedule.flavour = producer.flavour
        schedule.language = language = self._language or _language_of(says)
        self._read_event(says)
        persons = PersonReader(self._media, language, parts.persons)
        rooms, tracks = Listed.of(parts.rooms, language), Listed.of(parts.tracks, language)
        self._list_rooms()
        if not parts.is_flat:
            self._list_tracks(self._parts.tracks)
        reader = SessionReader(rooms, tracks, persons, self._media, language, producer.days_first)
        while parts.events:
            # One by one, so that no event is held twice.
            session = reader.read(parts.events.popleft())
            self._media.resolve(self._files)
            schedule.add(session)
        if parts.is_flat:
            self._list_tracks_in_use()
        self._list_persons(persons)
        days = [day.says for day in parts.days if day.says]
        if any(set(day) - {"date"} for day in days):
            schedule.event_extra["schedule_days"] = days
        if parts.repeated:
            schedule.event_extra["repeated_keys"] = dict(parts.repeated)
        self._media.resolve(self._files)
        return schedule.finish()

    def _conference(self) -> dict[str, Any]:
        """What the document says of the event: the conference first, then what is around it. Other
        values of the same keys are kept."""
        says: dict[str, Any] = {}
        for level in LEVELS:
            for key, value in self._parts.says[level].items():
                # Beside the conference, it is the address of the document itself.
                is_own = key == "url" and level != CONFERENCE
                if key not in says and not is_own:
                    says[key] = value
                elif is_own or says[key] != value:
                    self._parts.repeated[key].append(value)
        return says

    def _producer(self, says: dict[str, Any]) -> Producer:
        generator = says.get("generator")
        if isinstance(generator, str):
            generator = {"name": generator}
        if isinstance(generator, dict):
            named = {key: text for key, text in generator.items() if isinstance(text, str)}
            return producer_of(named, {})
        if self._parts.is_flat:
            return Producer(Flavour.MARKDOWN)
        # pretalx named itself only later; of all programs, only it gives persons a code.
        persons = (event.value.get("persons") for event in self._parts.events)
        is_pretalx = any(
            isinstance(person, dict) and "code" in person
            for given in persons
            if isinstance(given, list)
            for person in given
        )
        return Producer(Flavour.MARKDOWN, True) if is_pretalx else Producer(Flavour.PLAIN)

    def _read_event(self, says: dict[str, Any]) -> None:
        schedule, event = self._schedule, self._schedule.event
        for key, name in _EVENT_FIELDS.items():
            if isinstance(says.get(key), (str, dict)):
                event[name] = says.pop(key)
        places = [text_of(says.pop(key)) for key in _PLACES if isinstance(says.get(key), str)]
        if any(places):
            event["location_name"] = ", ".join(filter(None, places))
        schedule.places = [*filter(None, reversed(places))]
        for key in _ZONES:
            if schedule.named_zone is None and isinstance(says.get(key), str):
                schedule.named_zone = text_of(says.pop(key))
        self._read_addresses(says)
        schedule.event_extra.update(says)

    def _read_addresses(self, says: dict[str, Any]) -> None:
        schedule = self._schedule
        base, page = address_of(says.get("base_url")), address_of(says.get("url"))
        self._media.base = base
        if page or base:
            schedule.event["external_event_url"] = page or base
            says.pop("url", None)
        if base and base == (page or base):
            del says["base_url"]
        logo = address_of(says.get("logo"))
        if logo:
            value = says.pop("logo")
            if isinstance(value, dict) and len(value) > 1:
                says["logo_"] = value
            self._media.add(schedule.event, schedule.event_extra, "logo_url", "logo", logo)

    def _list_rooms(self) -> None:
        """List the rooms of the conference, then those that only days name."""
        for name, says in self._named("rooms", self._parts.rooms):
            self._schedule.list_room(name, extra=says)
        for name in self._parts.rooms_of_days:
            self._schedule.list_room(name)

    def _list_tracks(self, tracks: list[dict[str, Any]]) -> None:
        for name, says in self._named("tracks", tracks):
            fields = {"color": says.pop("color", None)}
            colors = says.get("colors")
            if fields["color"] is None and isinstance(colors, dict):
                fields["color"] = text_of(colors.get("light"))
            self._schedule.list_track(name, fields=fields, extra=says)

    def _named(
        self, key: str, records: list[dict[str, Any]]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """The names of rooms or tracks, each with what else is said of it. Those without a name are
        kept in the event's `extra`."""
        unnamed = []
        for record in records:
            says = said(record)
            name = text_of(says.get("name"), self._schedule.language)
            if name is None:
                unnamed.append(says)
                continue
            if not isinstance(says["name"], dict):
                del says["name"]
            yield name, says
        if unnamed:
            self._keep(key, unnamed)

    def _list_tracks_in_use(self) -> None:
        """Add what the second schema says of tracks. A hub lists the tracks of all its parts there;
        those without sessions are kept in `extra` only."""
        used: list[dict[str, Any]] = []
        unused: list[dict[str, Any]] = []
        for track in self._parts.tracks:
            name = text_of(track.get("name"), self._schedule.language)
            is_used = name is not None and self._schedule.has_track(name)
            (used if is_used else unused).append(track)
        self._list_tracks(used)
        if unused:
            self._keep("tracks", unused)

    def _list_persons(self, persons: PersonReader) -> None:
        unnamed = []
        for raw in self._parts.persons:
            person = persons.read(raw)
            if person is None:
                unnamed.append(raw)
                continue
            self._media.resolve(self._files)
            self._schedule.list_person(person)
        if unnamed:
            self._keep("persons", unnamed)

    def _keep(self, key: str, value: Any) -> None:
        if key in self._schedule.event_extra:
            self._parts.repeated[key].append(value)
        else:
            self._schedule.event_extra[key] = value


def _language_of(says: dict[str, Any]) -> str | None:
    """The language of the event: its default, else the first that it names."""
    defaults = says.get("defaults")
    default = defaults.get("language") if isinstance(defaults, dict) else None
    languages = says.get("languages")
    first = languages[0] if isinstance(languages, list) and languages else None
    return next(filter(None, map(text_of, (default, says.get("language"), first))), None)
