"""How schedules write single values: moments, lengths, colours, texts and links."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from eventimport.conference.conference import Record
from eventimport.conference.rich_text import ADDED_REL, DEFAULT_LIMITS, clean
from eventimport.formats.schedules.addresses import http_address
from eventimport.formats.schedules.flavours import Flavour, read_text
from eventimport.formats.schedules.schedule import TEXTS

_HEADERS: Final = ("#text", "title", "name")
_MEDIA: Final = (("slides_url", "slides"), ("audio_url", "audio"), ("video_url", "video"))


@dataclass(frozen=True, slots=True)
class Link:
    """A link or an attachment. One without an address is only a text."""

    url: str | None
    title: str | None = None
    type: str | None = None
    service: str | None = None


def one_line(text: str) -> str:
    """A text without line breaks and repeated blanks, as readers of schedules read it."""
    return " ".join(text.split())


def stripped(value: Any) -> str | None:
    """A text without blanks around it; None if nothing is left, or it is not a text."""
    return value.strip() or None if isinstance(value, str) else None


def in_offset(moment: datetime, zone: tzinfo) -> datetime:
    """The moment with the offset that the zone has then. The schedules' offsets have whole minutes:
    UTC is used where the zone's has seconds, as before time zones were introduced."""
    try:
        offset = moment.astimezone(zone).utcoffset()
        if offset is not None and not offset.total_seconds() % 60:
            return moment.astimezone(zone)
        return moment.astimezone(UTC)
    except OverflowError:
        return moment.astimezone(UTC)


def iso(moment: datetime) -> str:
    """A moment as schedules write it, without fractions of a second."""
    return moment.replace(microsecond=0).isoformat()


def hours(length: timedelta) -> str:
    """A length as hours and minutes."""
    minutes = int(length.total_seconds()) // 60
    return f"{minutes // 60:02}:{minutes % 60:02}"


def hex_color(value: Any) -> str | None:
    """A colour as `#rrggbb`, if it is hexadecimal."""
    text = value.strip().lower() if isinstance(value, str) else ""
    digits = text.removeprefix("#")
    if not text.startswith("#") or not set(digits) <= set("0123456789abcdef"):
        return None
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    return f"#{digits}" if len(digits) == 6 else None


def text_of(record: Record, name: str, usual: Flavour) -> str | None:
    """A rich text as its source wrote it, unless it was edited since then. `usual` is how a reader
    will read it: a text that it would misread is written as HTML."""
    value = record.values.get(name)
    if not isinstance(value, str):
        return None
    # The import has added this to links.
    value = value.replace(ADDED_REL, "")
    texts = record.extra.get(TEXTS)
    said = texts.get(name) if isinstance(texts, dict) else None
    source = said.get("source") if isinstance(said, dict) else None
    if isinstance(source, str) and _reads_as(source, value, usual):
        return source
    if usual is not Flavour.MARKDOWN or _reads_as(value, value, usual):
        return value
    return f"<p>{value}</p>" if _reads_as(f"<p>{value}</p>", value, usual) else value


def _reads_as(source: str, value: str, usual: Flavour) -> bool:
    read = read_text(source, usual).text
    return value in (read, source) or (
        clean(read, DEFAULT_LIMITS).text.replace(ADDED_REL, "") == value
    )


def links_of(given: Any) -> list[Link]:
    """The links or attachments that a reader kept, of schedule.xml or of schedule.json."""
    found = []
    for each in given if isinstance(given, list) else [given]:
        if isinstance(each, str):
            found.append(Link(http_address(each), None if http_address(each) else each))
        elif isinstance(each, dict):
            said = {key.removeprefix("@"): value for key, value in each.items()}
            texts = (stripped(said.get(name)) for name in _HEADERS)
            title = next(filter(None, texts), None)
            url = http_address(said.get("href") or said.get("url"))
            if url or title:
                link = Link(url, title, stripped(said.get("type")), stripped(said.get("service")))
                found.append(link)
    return found


def attachments_of(values: dict[str, Any], extra: dict[str, Any]) -> list[Link]:
    """The media files of a session, and the attachments that no field took."""
    kept = links_of(extra.get("attachments"))
    found = []
    for name, sort in _MEDIA:
        url = http_address(values.get(name))
        if url is None:
            continue
        same = next((link for link in kept if link.url == url), None)
        if same is not None:
            kept.remove(same)
        found.append(same or Link(url, None, sort))
    return found + kept
