"""The rows of an event, made ready for its template."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from eventimport.database.conference_reader import AnyRow
from eventimport.database.event_page import EventContents, is_public
from eventimport.formats.html.rich_text import to_html
from eventimport.formats.ical import ICAL
from eventimport.formats.schedule_json import SCHEDULE_JSON
from eventimport.formats.schedule_xml import SCHEDULE_XML
from eventimport.formats.xcal import XCAL
from eventimport.pages.colours import readable
from eventimport.pages.links import Link, StoredMedia, web_url
from eventimport.pages.people import (
    SpeakerCard,
    SponsorLevel,
    speaker_cards,
    sponsor_levels,
)
from eventimport.pages.schedule import Day, SessionCard, cards, days
from eventimport.pages.times import Moment, Zone, span


@dataclass(frozen=True, slots=True)
class FeedLink:
    """A public feed of the event."""

    text: str
    type: str
    path: str


_FEEDS = (
    ("Calendar", ICAL.media_type, "ics"),
    (SCHEDULE_XML.title, SCHEDULE_XML.media_type, "xml"),
    (SCHEDULE_JSON.title, SCHEDULE_JSON.media_type, "json"),
    (XCAL.title, XCAL.media_type, "xcal"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """What the template of an event's page shows. `style` are the colours of its tracks, as CSS."""

    event: AnyRow
    is_public: bool
    starts: Moment | None
    ends: Moment | None
    dates: str
    zone: str
    place: str | None
    map_url: str | None
    picture: str | None
    logo: str | None
    description: Markup
    organiser: Markup
    code_of_conduct: Markup
    call: Markup
    links: Sequence[Link]
    tracks: Sequence[AnyRow]
    days: Sequence[Day]
    unscheduled: Sequence[SessionCard]
    session_count: int
    hidden_sessions: int
    is_brief: bool
    speakers: Sequence[SpeakerCard]
    levels: Sequence[SponsorLevel]
    rights: AnyRow | None
    holder_url: str | None
    licence_url: str | None
    style: str
    feeds: Sequence[FeedLink]


def view(contents: EventContents, media: StoredMedia) -> EventView:
    """The view of an event. Takes a while for a large one: its texts are cleaned here."""
    event, rights = contents.event, contents.rights
    zone = Zone.named(event.timezone)
    starts = zone.moment(event.starts_at) if event.starts_at else None
    ends = zone.moment(event.ends_at) if event.ends_at else None
    sessions = cards(contents, zone)
    used = {card.track.id for card in sessions if card.track is not None}
    offset = f" ({zone.offset(event.starts_at)})" if event.starts_at else ""
    return EventView(
        event=event,
        is_public=is_public(event),
        starts=starts,
        ends=ends,
        dates=span(starts.day, ends.day if ends else None) if starts else "",
        zone=zone.name if offset == f" ({zone.name})" else zone.name + offset,
        place=_place(event),
        map_url=_map_url(event),
        picture=media.first(event.large_image_url, event.original_image_url),
        logo=media.first(event.logo_url),
        description=to_html(event.description),
        organiser=to_html(event.owner_description),
        code_of_conduct=to_html(event.code_of_conduct),
        call=to_html(contents.call.announcement) if contents.call else Markup(),
        links=_links(contents),
        tracks=[row for row in contents.tracks if row.id in used],
        days=days(sessions, contents),
        unscheduled=[card for card in sessions if card.starts is None],
        session_count=len(sessions),
        hidden_sessions=contents.hidden_sessions,
        is_brief=contents.is_brief,
        speakers=speaker_cards(contents, sessions, media),
        levels=sponsor_levels(contents, media),
        rights=rights if rights and (rights.holder or rights.licence) else None,
        holder_url=web_url(rights.holder_url) if rights else None,
        licence_url=web_url(rights.licence_url) if rights else None,
        style=track_style(contents.tracks),
        feeds=[
            FeedLink(text, kind, f"/events/{event.identifier}/schedule.{suffix}")
            for text, kind, suffix in _FEEDS
        ],
    )


def track_style(tracks: Sequence[AnyRow]) -> str:
    """One rule a track, for the class `track-<id>`. Made only of numbers and parsed colours: an
    archive puts nothing of its own into a stylesheet."""
    rules = []
    for row in tracks:
        colours = readable(row.color, row.font_color)
        rules.append(f".track-{row.id}{{--track:{colours.background};--track-text:{colours.text}}}")
    return "".join(rules)


def _place(event: AnyRow) -> str | None:
    place: str | None = event.location_name or event.searchable_location_name
    return place


def _map_url(event: AnyRow) -> str | None:
    """For coordinates: 0, 0 means that they are not set, as in archives."""
    latitude, longitude = event.latitude, event.longitude
    if not latitude or not longitude or abs(latitude) > 90 or abs(longitude) > 180:
        return None
    mark = f"mlat={latitude:.6f}&mlon={longitude:.6f}"
    return f"https://www.openstreetmap.org/?{mark}#map=16/{latitude:.6f}/{longitude:.6f}"


def _links(contents: EventContents) -> list[Link]:
    event = contents.event
    named = [("Website", event.external_event_url), ("Tickets", event.ticket_url)]
    named += [(row.name.strip(), row.link) for row in contents.social_links]
    found: dict[str, Link] = {}
    for text, value in named:
        url = web_url(value)
        if url is not None:
            found.setdefault(url, Link(text or url, url))
    return list(found.values())
