"""Persons of a JSON document, in the spellings of all its producers."""

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from eventimport.conference.web_links import MASTODON, SITES, site_named
from eventimport.formats.schedules.json_values import EMPTY, address_of, said, text_of
from eventimport.formats.schedules.media_fields import MediaFields
from eventimport.formats.schedules.schedule import Person

_NAMES: Final = ("public_name", "full_public_name", "name", "display_name")
"""Where a name is, the public one first."""

_IDENTITIES: Final = ("guid", "code", "id")
_TEXTS: Final = {
    "biography": "short_biography",
    "bio": "short_biography",
    "abstract": "short_biography",
    "description": "long_biography",
}
_ADDRESSES: Final = ("email", "mail", "contact")
_PHOTOS: Final = ("avatar", "avatar_url", "photo", "image")
WEBSITE: Final = frozenset({"website", "homepage"})
"""What the producers call the link to a person's own website, in lower case."""


class PersonReader:
    """Reads persons. `listed` are those that the document lists beside the sessions; `websites` is
    what it calls links to their own websites."""

    def __init__(
        self,
        media: MediaFields,
        language: str | None,
        listed: Iterable[dict[str, Any]],
        *,
        websites: frozenset[str] = WEBSITE,
    ) -> None:
        self._media = media
        self._language = language
        self._websites = websites
        self._names: dict[tuple[str, str], str] = {}
        for raw in listed:
            name = self._name(raw)
            for identity in _IDENTITIES:
                key = text_of(raw.get(identity))
                if name and key:
                    self._names.setdefault((identity, key), name)

    def read(self, raw: Any) -> Person | None:
        """Read a person. None if it has no name, and none of its ids is that of a listed one."""
        if isinstance(raw, str):
            raw = {"name": raw}
        if not isinstance(raw, dict):
            return None
        says = said(raw)
        name = self._name(says)
        identities = {key: text_of(says.get(key)) for key in _IDENTITIES}
        if name is None:
            known = (self._names.get((key, text)) for key, text in identities.items() if text)
            name = next(filter(None, known), None)
        if name is None:
            return None
        for key, text in identities.items():
            if text is not None:
                del says[key]
        for key in _NAMES:
            if key in says and (says[key] == name or text_of(says[key]) == name):
                del says[key]
        person = Person(name=name, extra=says)
        person.guid, person.code, person.id = identities.values()
        self._read_fields(person)
        return person

    def _name(self, raw: dict[str, Any]) -> str | None:
        for key in _NAMES:
            if key in raw and (name := text_of(raw[key], self._language)):
                return name
        return None

    def _read_fields(self, person: Person) -> None:
        fields, extra = person.fields, person.extra
        if not extra:
            return
        for key, name in _TEXTS.items():
            if key in extra and name not in fields and isinstance(extra[key], (str, dict)):
                fields[name] = extra.pop(key)
        for key in _ADDRESSES:
            address = extra.get(key)
            if isinstance(address, str) and "@" in address and "email" not in fields:
                fields["email"] = extra.pop(key).strip().removeprefix("mailto:")
        if isinstance(extra.get("links"), (list, dict)):
            self._read_links(fields, extra)
        for key in _PHOTOS:
            if key in extra and (address := address_of(extra[key])):
                value = extra.pop(key)
                if isinstance(value, dict) and len(value) > 1:
                    extra[f"{key}_"] = value
                self._media.add(fields, extra, "photo_url", key, address)
                break

    def _read_links(self, fields: dict[str, Any], extra: dict[str, Any]) -> None:
        """Take the links to the sites that a speaker has fields for; keep the others."""
        links = extra.pop("links")
        kept = []
        for link in links if isinstance(links, list) else [links]:
            if link in EMPTY:
                continue
            address = address_of(link)
            says = link if isinstance(link, dict) else {}
            site = self._site_of(says, address) if address else None
            if address and address.lower().startswith("mailto:"):
                site, address = "email", address[7:]
            if site is None or site in fields:
                kept.append(link)
                continue
            fields[site] = address
            if any(self._site_named(text) != site for key, text in says.items() if key not in _URL):
                kept.append(link)
        if kept:
            extra["links"] = kept

    def _site_named(self, name: Any) -> str | None:
        if not isinstance(name, str):
            return None
        key = name.strip().casefold()
        if key == "activitypub":
            return MASTODON
        return "website" if key in self._websites else site_named(key)

    def _site_of(self, link: dict[str, Any], address: str) -> str | None:
        """The field of the site that a link leads to, by what the link says of itself, else by its
        host. What it says comes first: of a Mastodon server, the host says nothing."""
        named = [self._site_named(link.get(key)) for key in _SAYS]
        for site in named:
            if site is not None and site != "website":
                return site
        try:
            host = (urlsplit(address).hostname or "").removeprefix("www.")
        except ValueError:
            return None
        for site, known in SITES.items():
            if any(host == each or host.endswith(f".{each}") for each in known.hosts):
                return site
        return "website" if "website" in named[1:] else None


_URL: Final = frozenset({"url", "href"})
_SAYS: Final = ("service", "linkType", "title", "type")
