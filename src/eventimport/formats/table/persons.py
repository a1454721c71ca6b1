"""Names of speakers in one cell → persons."""

import re
from collections.abc import Iterable
from typing import Final

from eventimport.formats.schedules.schedule import Person

_BLANKS: Final = re.compile(r"[^\S\n\r]+")
"""Runs of them would make the other patterns slow."""

_CERTAIN: Final = re.compile(r"\s*(?:[;\n\r]+|!\$!)\s*")
"""What no name holds."""

_LIKELY: Final = re.compile(r"\s*,\s*(?:and\s+|und\s+)?|\s+(?:&|and|und)\s+")


class People:
    """The persons of a source. Those that a table lists are found by id and by name."""

    def __init__(self) -> None:
        self._by_id: dict[str, Person] = {}
        self._by_name: dict[str, Person | None] = {}

    def add(self, person: Person) -> None:
        """Add a person whom a table lists. A name that two have leads to neither."""
        if person.id is not None:
            self._by_id.setdefault(person.id, person)
        name = _key(person.name)
        self._by_name[name] = None if name in self._by_name else person

    def find(self, name: str) -> Person:
        """The person of this name, as a session names it."""
        known = self._by_name.get(_key(name))
        return Person(name=name) if known is None else Person(name=known.name, id=known.id)

    def of_ids(self, ids: Iterable[str]) -> list[Person] | None:
        """The persons with these ids. None if one of them is not listed."""
        found = [self._by_id.get(each) for each in ids]
        known = [person for person in found if person is not None]
        if not known or len(known) < len(found):
            return None
        return [Person(name=person.name, id=person.id) for person in known]

    def named_in(self, cell: str) -> list[str]:
        """The names in a cell, in their order. A comma stands between names if the names are
        listed, or if each part has at least two words: “Lamp, Ann” is one name."""
        names: list[str] = []
        for part in _CERTAIN.split(_BLANKS.sub(" ", cell.strip())):
            names += self._split(part) if part else []
        return list(dict.fromkeys(names))

    def _split(self, text: str) -> list[str]:
        if _key(text) in self._by_name:
            return [text]
        parts = [part for part in _LIKELY.split(text) if part]
        if all(_key(part) in self._by_name or " " in part for part in parts):
            return parts
        return [text]


def ids_in(cell: str) -> list[str]:
    """The ids in a cell."""
    return [each for each in re.split(r"[\s,;]+", cell.strip()) if each]


def _key(name: str) -> str:
    return " ".join(name.split()).casefold()
