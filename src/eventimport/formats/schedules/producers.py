"""Rules of the programs that write schedules.

Only frab, pretalx and wafer name themselves, since 2019. Pentabarf and FOSDEM's tools are known by
what else the conference says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from eventimport.formats.schedules.flavours import Flavour

_MARKDOWN: Final = ("pretalx", "wafer", "hub", "hubapi")
MARKDOWN_MARK: Final = "+markdown"
"""How the version of our own exports ends if their texts are Markdown."""

_DAYS_FIRST: Final = ("pretalx", "emf")


@dataclass(frozen=True, slots=True)
class Producer:
    """How the texts are usually written, and whether durations of three parts begin with days."""

    flavour: Flavour
    days_first: bool = False


def producer_of(generator: Mapping[str, str], conference: Mapping[str, str]) -> Producer:
    """The producer by the attributes of the generator and the texts of the conference."""
    name = " ".join((generator.get("name", ""), generator.get("system", ""))).casefold()
    words = name.replace("-", " ").replace("_", " ").replace("/", " ").split()
    days_first = any(word.startswith(_DAYS_FIRST) for word in words)
    is_marked = generator.get("version", "").endswith(MARKDOWN_MARK)
    if is_marked or any(word.startswith(_MARKDOWN) for word in words):
        return Producer(Flavour.MARKDOWN, days_first)
    is_pentabarf = not words and bool({"venue", "city", "day_change"} & conference.keys())
    return Producer(Flavour.HTML if is_pentabarf else Flavour.PLAIN, days_first)
