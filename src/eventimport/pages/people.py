"""Speakers and sponsors of an event, as they are shown."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from eventimport.database.conference_reader import AnyRow
from eventimport.database.event_page import EventContents
from eventimport.formats.html.rich_text import to_html
from eventimport.pages.links import PROFILES, Link, StoredMedia, profile, web_url
from eventimport.pages.schedule import SessionCard

METALS = ("diamond", "platinum", "gold", "silver", "bronze")
"""Names of levels with a known order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerCard:
    """A speaker. `photo` and `small_photo` are stored images; `initials` replace them if there are
    none."""

    id: int
    name: str
    initials: str
    photo: str | None
    small_photo: str | None
    role: str
    place: str
    is_featured: bool
    biography: Markup
    links: Sequence[Link]
    sessions: Sequence[SessionCard]


@dataclass(frozen=True, slots=True, kw_only=True)
class SponsorCard:
    """A sponsor, with a logo if there is a stored one."""

    name: str
    url: str | None
    logo: str | None
    description: Markup


@dataclass(frozen=True, slots=True)
class SponsorLevel:
    """The sponsors of one level."""

    name: str
    sponsors: Sequence[SponsorCard]


def speaker_cards(
    contents: EventContents, sessions: Sequence[SessionCard], media: StoredMedia
) -> list[SpeakerCard]:
    """The speakers: the featured first, then by name."""
    sessions_of: dict[int, list[SessionCard]] = defaultdict(list)
    for card in sessions:
        for speaker in card.speakers:
            sessions_of[speaker.id].append(card)
    found = [
        SpeakerCard(
            id=row.id,
            name=row.name or "Unnamed speaker",
            initials=initials(row.name),
            photo=media.first(row.thumbnail_image_url, row.photo_url, row.small_image_url),
            small_photo=media.first(row.small_image_url),
            role=_joined(row.position, row.organisation),
            place=_joined(row.city, row.country),
            is_featured=row.is_featured,
            biography=to_html(row.long_biography or row.short_biography),
            links=_speaker_links(row),
            sessions=sessions_of.get(row.id, ()),
        )
        for row in contents.speakers
    ]
    return sorted(found, key=lambda card: (not card.is_featured, card.name.casefold(), card.id))


def sponsor_levels(contents: EventContents, media: StoredMedia) -> list[SponsorLevel]:
    """The sponsors by level, the highest first, and within it in the archive's order."""
    levels: dict[tuple[int | None, str], list[SponsorCard]] = defaultdict(list)
    for row in contents.sponsors:
        levels[row.level, (row.type or "").strip()].append(
            SponsorCard(
                name=row.name or "Unnamed sponsor",
                url=web_url(row.url),
                logo=media.first(row.logo_url),
                description=to_html(row.description),
            )
        )
    direction = -1 if _larger_is_higher(levels) else 1
    ordered = sorted(
        levels, key=lambda key: (key[0] is None, direction * (key[0] or 0), key[1].casefold())
    )
    return [SponsorLevel(key[1] or "Sponsors", levels[key]) for key in ordered]


def initials(name: str) -> str:
    """The first letters of the first and the last word of a name."""
    words = [word for word in name.split() if word[0].isalnum()]
    chosen = [words[0], words[-1]] if len(words) > 1 else words
    return "".join(word[0] for word in chosen).upper() or "?"


def _larger_is_higher(levels: dict[tuple[int | None, str], list[SponsorCard]]) -> bool:
    """Archives count levels from the top or from the bottom, and don't say which; two levels that
    are named after metals show the direction."""
    ranked = sorted(
        (rank, level)
        for level, name in levels
        for rank, metal in enumerate(METALS)
        if level is not None and metal in name.casefold()
    )
    return any(upper[1] > lower[1] for upper, lower in pairwise(ranked) if upper[0] < lower[0])


def _joined(*parts: str | None) -> str:
    return ", ".join(part.strip() for part in parts if part and part.strip())


def _speaker_links(row: AnyRow) -> list[Link]:
    website = web_url(row.website)
    found = [Link("Website", website)] if website else []
    for site in (*PROFILES, "mastodon"):
        link = profile(site, getattr(row, site))
        if link is not None:
            found.append(link)
    return found
