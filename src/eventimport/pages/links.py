"""Where the URLs of a page lead: links only to the web, images only to our storages."""

from dataclasses import dataclass

from eventimport.conference.web_links import SITES, profile_url, web_url
from eventimport.resources import Resources

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


class StoredMedia:
    """Distinguishes the URLs of our stored objects from all others: a page shows only these images.

    An image at another place would report to that place who looks at the page, and may change.
    """

    def __init__(self, resources: Resources) -> None:
        storages = (resources.storages.get(name) for name in resources.storages.names)
        self.bases = tuple(sorted({storage.public_url("x")[:-1] for storage in storages}))

    def first(self, *urls: str | None) -> str | None:
        """The first URL that is a stored object's."""
        return next((url for url in urls if url and url.startswith(self.bases)), None)
