"""Rendered persons, and rendered sessions in the order of days and rooms, with memory for their
positions only."""

import struct
from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import lru_cache
from tempfile import SpooledTemporaryFile
from typing import Final, Generic, TypeVar

_IN_MEMORY: Final = 4 * 1024 * 1024
_RECENT: Final = 500
"""Texts that are kept in memory: the speakers of one session often have more of them."""

_Item = TypeVar("_Item")
_SIZE_BITS: Final = 32
_KEY: Final = struct.Struct(">IIQIQI")


class Rendered(Generic[_Item]):
    """What `render` makes of items, by their numbers. Close it."""

    def __init__(self, render: Callable[[_Item], str]) -> None:
        self._render = render
        self._file = SpooledTemporaryFile[bytes](_IN_MEMORY)
        self._places: dict[int, int] = {}
        self._end = 0
        self._read = lru_cache(_RECENT)(self._read_at)

    def close(self) -> None:
        """Delete the file that holds the texts."""
        self._file.close()

    def __contains__(self, number: int) -> bool:
        return number in self._places

    def __len__(self) -> int:
        return len(self._places)

    def add(self, number: int, item: _Item) -> None:
        """Render an item. Add all of them before the first is read."""
        data = self._render(item).encode()
        self._file.write(data)
        self._places[number] = self._end << _SIZE_BITS | len(data)
        self._end += len(data)

    def __getitem__(self, number: int) -> str:
        """The text of an item."""
        return self._read(self._places[number])

    def _read_at(self, place: int) -> str:
        self._file.seek(place >> _SIZE_BITS)
        return self._file.read(place & (1 << _SIZE_BITS) - 1).decode()


class Arranged:
    """Rendered sessions by day and room; close it. `rooms` are the names of all rooms in their
    order; the place of sessions without a room is the last. Sessions of one room and day are
    ordered by their starts."""

    def __init__(self, rooms: list[str]) -> None:
        self._order = {name: index for index, name in enumerate(rooms)}
        self._rooms = [*rooms, ""]
        self._file = SpooledTemporaryFile[bytes](_IN_MEMORY)
        self._keys: list[bytes] = []
        self._position = 0

    def close(self) -> None:
        """Delete the file that holds the sessions."""
        self._file.close()

    def add(self, day: date, room: str, starts: datetime, rendered: str) -> None:
        """Keep a rendered session until all are known."""
        data = rendered.encode()
        self._file.write(data)
        place = self._order.get(room, len(self._order))
        moment = int(starts.timestamp()) if starts.year > 1 else 0
        count, self._position = len(self._keys), self._position + len(data)
        key = (day.toordinal(), place, moment, count, self._position - len(data), len(data))
        self._keys.append(_KEY.pack(*_unsigned(key)))

    def days(self) -> Iterator[tuple[date, Iterator[tuple[str, Iterator[bytes]]]]]:
        """Each day with its rooms, and each of these with its sessions. To be read in this order,
        once."""
        self._keys.sort()
        index = 0
        while index < len(self._keys):
            end = self._end(index, 1)
            yield date.fromordinal(_KEY.unpack(self._keys[index])[0]), self._of_day(index, end)
            index = end

    def _of_day(self, index: int, last: int) -> Iterator[tuple[str, Iterator[bytes]]]:
        while index < last:
            end = self._end(index, 2)
            yield self._rooms[_KEY.unpack(self._keys[index])[1]], self._of_room(index, end)
            index = end

    def _of_room(self, index: int, last: int) -> Iterator[bytes]:
        for key in self._keys[index:last]:
            *_, position, size = _KEY.unpack(key)
            self._file.seek(position)
            yield self._file.read(size)

    def _end(self, index: int, parts: int) -> int:
        """The index after the last key that begins as the one at this index."""
        beginning = self._keys[index][: parts * 4]
        while index < len(self._keys) and self._keys[index].startswith(beginning):
            index += 1
        return index


def _unsigned(key: tuple[int, ...]) -> tuple[int, ...]:
    """The key with its moment moved, so that packed keys are in the order of their numbers."""
    day, place, moment, *rest = key
    return day, place, moment + 2**61, *rest
