"""The names of documents, in the many spellings that files have."""

import re
from typing import Final

DOCUMENTS: Final = (
    "event",
    "social_links",
    "forms",
    "microlocations",
    "sponsors",
    "speakers",
    "tracks",
    "session_types",
    "sessions",
    "meta",
    "config",
)
"""The canonical names of documents."""

_BY_LETTERS: Final = {name.replace("_", ""): name for name in DOCUMENTS}
_GUESSED_BY_LETTERS: Final = {
    **{letters.removesuffix("s"): name for letters, name in _BY_LETTERS.items() if name != "meta"},
    "events": "event",
    "customforms": "forms",
    "customform": "forms",
    "rooms": "microlocations",
    "locations": "microlocations",
    "talks": "sessions",
}
_SEPARATORS: Final = re.compile("[-_ .]")
_EXTENSIONS: Final = re.compile(r"(?:\.(?:json5?|jsn|js|txt|text|bak|old|orig))+$")
_COPY: Final = re.compile(
    r"(?:[ _-]*\(\d{1,4}\)|[ _-]+(?:\d{1,4}|(?:copy|copie|kopie|copia|final|new)(?:[ _-]*\d{1,4})?"
    r"|(?:copy|kopie|copia)?[ _-]*\(\d{1,4}\)))+$"
)
_COPY_OF: Final = re.compile(r"^(?:copy|kopie|copie|copia) (?:of|von|de|di) ")
_LONGEST_DOCUMENT_NAME: Final = 100


def document_named(base: str) -> tuple[str, int] | None:
    """The canonical name of the document that a file of this base name is, and how far it is from
    the name that it should have: 0 is that name (`event`, `session-types.json`), 1 another spelling
    (`Event.JSON`, `sessionTypes`), 2 a guess (`speaker.json`, `speakers (1).json`,
    `event.json.txt`). None for all other names.
    """
    if len(base) > _LONGEST_DOCUMENT_NAME:
        return None
    name = base.casefold()
    plain = name.removesuffix(".json")
    known = _BY_LETTERS.get(_SEPARATORS.sub("", plain))
    if known is not None:
        stem = base.removesuffix(".json")
        return known, 0 if stem.replace("-", "_") == known else 1
    stem = _COPY_OF.sub("", _COPY.sub("", _EXTENSIONS.sub("", name)))
    stem = _SEPARATORS.sub("", _EXTENSIONS.sub("", stem))
    guess = _BY_LETTERS.get(stem) or _GUESSED_BY_LETTERS.get(stem)
    return (guess, 2) if guess is not None else None


def is_document(entry: str) -> bool:
    """Whether an entry of this name is a document, whatever folder it is in."""
    return document_named(entry.rpartition("/")[2]) is not None
