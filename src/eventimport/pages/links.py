"""Links to other places, of which only those to the web are made."""

from dataclasses import dataclass

from eventimport.conference.web_links import SITES, profile_url, web_url

__all__ = ["PROFILES", "Link", "profile", "web_url"]

PROFILES = tuple(SITES)
"""The columns that hold profiles, but for Mastodon's."""

NAMES = {"github": "GitHub", "linkedin": "LinkedIn"}
"""How sites spell themselves, where it isn't with one capital letter."""


@dataclass(frozen=True, slots=True)
class Link:
    """A text, and where it leads."""

    text: str
    url: str


def profile(site: str, value: str | None) -> Link | None:
    """A link to a person's page on a site: `value` is a URL, or a name there."""
    url = profile_url(site, value)
    return Link(NAMES.get(site, site.capitalize()), url) if url else None
