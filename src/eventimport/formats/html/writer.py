"""A conference → a zip with `index.html`, its style sheet and the stored images that it shows.

Nothing is loaded from elsewhere when the page is opened. Sessions are rendered one by one.
"""

import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from eventimport.conference.conference import Record
from eventimport.conference.kinds import DELETED, SHAPES, Kind
from eventimport.conference.report import Report
from eventimport.conference.stored import StoredConference
from eventimport.conference.web_links import MASTODON, SITES, profile_url, web_url
from eventimport.formats.format import OpenMedia, WriteOptions
from eventimport.formats.html.rich_text import LINK_REL, to_html
from eventimport.formats.schedules.arranging import Arranged
from eventimport.formats.schedules.losses import Keeps, Losses
from eventimport.formats.schedules.stored_programme import is_shown
from eventimport.formats.schedules.written_values import in_offset, one_line

_IMAGES: Final = (
    *("photo_url", "thumbnail_image_url", "small_image_url", "icon_image_url", "logo_url"),
    *("large_image_url", "original_image_url"),
)
"""Media fields whose first stored image is shown."""

_PRIVATE: Final = frozenset(
    {
        *("email", "mobile", "gender", "heard_from", "speaking_experience"),
        *("sponsorship_required", "comments", DELETED),
    }
)
"""What a page never shows, also in an export for the event's owner."""


_UNUSED: Final = {
    Kind.EVENT: SHAPES[Kind.EVENT].flags
    | {*("payment_country", "payment_currency", "refund_policy", "placeholder_url")}
    | {"public_stream_link"},
    Kind.SOCIAL_LINK: frozenset({"identifier"}),
    Kind.SPEAKER: frozenset({"is_email_overridden", "order"}),
    Kind.SESSION: SHAPES[Kind.SESSION].flags
    | {*("state", "submitted_at", "created_at", "last_modified_at", "average_rating")}
    | {*("rating_count", "favourite_count", "website", "twitter", "facebook", "github", "gitlab")}
    | {*("linkedin", "instagram", "mastodon")},
}
"""What a page does not show of these kinds."""


def _shown(kind: Kind) -> frozenset[str]:
    return frozenset(SHAPES[kind].fields) - _PRIVATE - _UNUSED.get(kind, frozenset())


KEEPS: Final = Keeps(
    title="HTML",
    fields={
        Kind.EVENT: _shown(Kind.EVENT),
        Kind.SOCIAL_LINK: _shown(Kind.SOCIAL_LINK),
        Kind.SPONSOR: _shown(Kind.SPONSOR),
        Kind.EVENT_COPYRIGHT: _shown(Kind.EVENT_COPYRIGHT),
        Kind.MICROLOCATION: frozenset({"name", "position"}),
        Kind.TRACK: frozenset({"name", "position"}),
        Kind.SESSION_TYPE: frozenset({"name", "position"}),
        Kind.SPEAKER: _shown(Kind.SPEAKER),
        Kind.SESSION: _shown(Kind.SESSION),
    },
)

FOLDER: Final = "media"
_CHUNK: Final = 64 * 1024
_TEMPLATES: Final = Path(__file__).parent / "templates"


@dataclass(slots=True)
class _Images:
    """The stored images of the page, each with its name in the zip."""

    open_media: OpenMedia
    names: dict[str, str] = field(default_factory=dict)

    def of(self, record: Record) -> str | None:
        """The path of the first stored image of a record."""
        for name in _IMAGES:
            url = record.values.get(name)
            if isinstance(url, str) and (path := self._path(url)) is not None:
                return path
        return None

    def _path(self, url: str) -> str | None:
        if url not in self.names:
            chunks = self.open_media(url)
            if chunks is None:
                return None
            if hasattr(chunks, "close"):
                chunks.close()
            suffix = PurePosixPath(urlsplit(url).path).suffix[:8]
            suffix = suffix if suffix[1:].isalnum() and suffix.isascii() else ""
            self.names[url] = f"{FOLDER}/{len(self.names) + 1}{suffix}"
        return self.names[url]


def write(
    conference: StoredConference,
    open_media: OpenMedia,
    sink: BinaryIO,
    options: WriteOptions,
    report: Report,
) -> None:
    """Write the page. What it does not show is reported."""
    losses = Losses(KEEPS, report)
    for kind in KEEPS.fields:
        for record in conference.records(kind):
            losses.note(kind, record)
    images = _Images(open_media)
    page = _Page(conference, images, options, losses)
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(_entry("index.html", options), "w", force_zip64=True) as file:
            for piece in page.pieces():
                file.write(piece)
        archive.writestr(_entry("page.css", options), (_TEMPLATES / "page.css").read_bytes())
        for url, name in images.names.items():
            with archive.open(_entry(name, options), "w", force_zip64=True) as file:
                for chunk in open_media(url) or ():
                    file.write(chunk)
    losses.report(conference)


def _entry(name: str, options: WriteOptions) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, options.now.timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


class _Page:
    def __init__(
        self,
        conference: StoredConference,
        images: _Images,
        options: WriteOptions,
        losses: Losses,
    ) -> None:
        self._conference = conference
        self._images = images
        self._options = options
        self._losses = losses
        environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals["link_rel"] = LINK_REL
        self._templates = environment
        self._names = {
            kind: self._names_of(kind)
            for kind in (Kind.MICROLOCATION, Kind.TRACK, Kind.SESSION_TYPE, Kind.SPEAKER)
        }
        self._sessions_of: dict[int, list[tuple[int, str]]] = {}

    def pieces(self) -> Iterator[bytes]:
        """The page, piece by piece."""
        yield self._render("beginning.html", **self._event())
        rooms = list(dict.fromkeys(filter(None, self._rooms_in_order())))
        with closing(Arranged(rooms)) as arranged:
            self._arrange(arranged)
            yield b'<section id="schedule"><h2>Schedule</h2>\n'
            for day, in_rooms in arranged.days():
                yield self._render("day.html", day=day)
                for name, sessions in in_rooms:
                    yield self._render("room.html", name=name)
                    yield from sessions
                    yield b"</section>\n"
                yield b"</section>\n"
            yield b"</section>\n"
        yield from self._speakers()
        yield self._render("end.html", **self._others())

    def _arrange(self, arranged: Arranged) -> None:
        """Render all sessions that have a time."""
        session = self._templates.get_template("session.html")
        links = self._conference.links()
        link = next(links, None)
        for record in self._conference.records(Kind.SESSION):
            speakers = []
            while link is not None and link[0] <= record.new_id:
                if link[0] == record.new_id and link[1] in self._names[Kind.SPEAKER]:
                    speakers.append(link[1])
                link = next(links, None)
            if not is_shown(record):
                self._losses.add("not-public")
                continue
            starts = record.values.get("starts_at")
            if not isinstance(starts, datetime):
                self._losses.add("no-time")
                continue
            local = in_offset(starts, self._conference.zone)
            room = self._name(Kind.MICROLOCATION, record, "microlocation_id")
            title = one_line(record.values.get("title", "")) or "Untitled session"
            for speaker in speakers:
                self._sessions_of.setdefault(speaker, []).append((record.new_id, title))
            rendered = self._session(session, record, local, title, speakers)
            arranged.add(local.date(), room, local, rendered)

    def _session(
        self,
        template: Template,
        record: Record,
        starts: datetime,
        title: str,
        speakers: list[int],
    ) -> str:
        values = record.values
        ends = values.get("ends_at")
        names = {"Slides": "slides_url", "Audio": "audio_url", "Video": "video_url"}
        short, long = values.get("short_abstract", ""), values.get("long_abstract", "")
        tags = [
            self._name(Kind.TRACK, record, "track_id"),
            self._name(Kind.SESSION_TYPE, record, "session_type_id"),
            values.get("level"),
            values.get("language"),
        ]
        return template.render(
            id=record.new_id,
            title=title,
            subtitle=values.get("subtitle"),
            starts=starts,
            ends=in_offset(ends, self._conference.zone) if isinstance(ends, datetime) else None,
            speakers=[(key, self._names[Kind.SPEAKER][key]) for key in speakers],
            tags=[tag for tag in tags if tag],
            texts=[to_html(text) for text in dict.fromkeys((short, long)) if text],
            links=[
                (text, url) for text, name in names.items() if (url := web_url(values.get(name)))
            ],
        )

    def _event(self) -> dict[str, Any]:
        values, zone = self._conference.event.values, self._conference.zone
        times = [values.get(name) for name in ("starts_at", "ends_at")]
        social = [
            (record.values.get("name"), web_url(record.values.get("link")))
            for record in self._conference.records(Kind.SOCIAL_LINK)
        ]
        named = [
            ("Website", web_url(values.get("external_event_url"))),
            ("Tickets", web_url(values.get("ticket_url"))),
            *social,
        ]
        return {
            "name": values.get("name", ""),
            "image": self._images.of(self._conference.event),
            "days": [in_offset(time, zone).date() for time in times if isinstance(time, datetime)],
            "zone": values.get("timezone", "UTC"),
            "place": values.get("location_name") or values.get("searchable_location_name"),
            "owner": values.get("owner_name"),
            "texts": [
                to_html(values[name])
                for name in ("description", "owner_description", "code_of_conduct")
                if name in values
            ],
            "links": [(text or url, url) for text, url in named if url],
            "page": self._options.event_url,
        }

    def _speakers(self) -> Iterator[bytes]:
        yield b'<section id="speakers"><h2>Speakers</h2>\n'
        for record in self._conference.records(Kind.SPEAKER):
            if record.new_id not in self._names[Kind.SPEAKER]:
                continue
            values = record.values
            links = [("Website", web_url(values.get("website")))]
            links += [
                (site.capitalize(), profile_url(site, values.get(site)))
                for site in (*SITES, MASTODON)
            ]
            yield self._render(
                "speaker.html",
                id=record.new_id,
                name=self._names[Kind.SPEAKER][record.new_id],
                photo=self._images.of(record),
                role=_joined(values, "position", "organisation"),
                place=_joined(values, "city", "country"),
                biography=to_html(values.get("long_biography") or values.get("short_biography")),
                sessions=self._sessions_of.get(record.new_id, []),
                links=[(text, url) for text, url in links if url],
            )
        yield b"</section>\n"

    def _others(self) -> dict[str, Any]:
        sponsors = [
            {
                "name": record.values.get("name") or "Unnamed sponsor",
                "type": record.values.get("type"),
                "url": web_url(record.values.get("url")),
                "logo": self._images.of(record),
                "text": to_html(record.values.get("description")),
            }
            for record in self._conference.records(Kind.SPONSOR)
        ]
        rights = next(self._conference.records(Kind.EVENT_COPYRIGHT), None)
        said = rights.values if rights is not None else {}
        return {"sponsors": sponsors, "rights": _joined(said, "holder", "licence")}

    def _rooms_in_order(self) -> list[str]:
        rooms = sorted(
            self._conference.records(Kind.MICROLOCATION),
            key=lambda each: (each.values.get("position", 2**31), each.new_id),
        )
        return [self._names[Kind.MICROLOCATION].get(room.new_id, "") for room in rooms]

    def _names_of(self, kind: Kind) -> dict[int, str]:
        unnamed = "Unnamed speaker" if kind is Kind.SPEAKER else ""
        return {
            record.new_id: one_line(record.values.get("name", "")) or unnamed
            for record in self._conference.records(kind)
            if DELETED not in record.values
        }

    def _name(self, kind: Kind, record: Record, column: str) -> str:
        return self._names[kind].get(record.foreign_keys.get(column, 0), "")

    def _render(self, name: str, /, **values: Any) -> bytes:
        return self._templates.get_template(name).render(**values).encode()


def _joined(values: dict[str, Any], *names: str) -> str:
    return ", ".join(str(values[name]).strip() for name in names if values.get(name))
