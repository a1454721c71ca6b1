"""Texts that are easy to guess: repeated texts, sequences, and words from the top of every list.

A small list and rules about its words refuse what attackers try first: `Password1!` and
`p4ssw0rdp4ssw0rd` as well as `password`.
"""

import re
from collections.abc import Collection
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

SERVICE_WORDS: Final = ("eventimport", "event", "events", "import", "imports", "conference")

COMMON_WORDS: Final = set(Path(__file__).with_name("common_words.txt").read_text().split()) | set(
    SERVICE_WORDS
)

_LOOK_ALIKES: Final = str.maketrans("0134578@$!|", "oieastbasil")
_SECOND_LOOK_ALIKES: Final = str.maketrans("1!|", "lll")
_SEPARATORS: Final = re.compile(r"[\W_]+")
_ENDS: Final = "0123456789!?.,;:*+-_#$@ "
_NOT_LETTERS: Final = re.compile(r"[^a-z]+")
_KEYBOARD: Final = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop")
MIN_LETTERS: Final = 3
MIN_CORE: Final = 4
MAX_OTHERS: Final = 6
"""Digits and signs beside a common word that do not make it a good secret."""
MIN_DIGITS: Final = 16
"""Digits that a text of nothing but digits must have: shorter ones are dates and numbers."""


def is_predictable(text: str, personal: Collection[str] = ()) -> bool:
    """Whether the text is a repeated text, a sequence, a short number, or only common words and
    `personal` ones, also if other letters disguise them."""
    plain = text.lower()
    digits = _SEPARATORS.sub("", plain)
    if digits.isdigit() and len(digits) < MIN_DIGITS:
        return True
    core = plain.strip(_ENDS)
    texts = (plain, core) if MIN_CORE <= len(core) >= len(plain) - MAX_OTHERS else (plain,)
    if any(_is_repeated(each) or _is_sequence(each) for each in texts):
        return True
    words = COMMON_WORDS | {part for word in personal for part in _parts(word)}
    return any(
        len(letters) >= MIN_LETTERS
        and len(plain) - len(letters) <= max(MAX_OTHERS, len(letters))
        and _is_made_of(letters, words)
        for letters in _readings(plain)
    )


def _readings(plain: str) -> set[str]:
    """The letters of the text, with and without the digits that stand for letters."""
    stripped = plain.strip(_ENDS)
    texts = {plain, stripped}
    texts |= {each.translate(_SECOND_LOOK_ALIKES).translate(_LOOK_ALIKES) for each in texts} | {
        each.translate(_LOOK_ALIKES) for each in texts
    }
    return {_NOT_LETTERS.sub("", each) for each in texts}


def _parts(word: str) -> set[str]:
    """A personal word as a whole, and what separators divide it into."""
    lower = word.lower()
    parts = {_NOT_LETTERS.sub("", lower), *_NOT_LETTERS.split(lower)}
    return {part for part in parts if len(part) >= 3}


def _is_made_of(letters: str, words: Collection[str]) -> bool:
    """Whether the letters are nothing but words of the list, one after another."""
    longest = max(map(len, words))
    reachable = [True] + [False] * len(letters)
    for end in range(1, len(letters) + 1):
        reachable[end] = any(
            reachable[start] and letters[start:end] in words
            for start in range(max(0, end - longest), end)
        )
    return reachable[-1]


def _is_repeated(text: str) -> bool:
    """Whether the text repeats something of at most half its length, or few characters."""
    if len(set(text)) <= 3:
        return True
    borders = [0] * len(text)
    for position in range(1, len(text)):
        length = borders[position - 1]
        while length and text[position] != text[length]:
            length = borders[length - 1]
        borders[position] = length + (text[position] == text[length])
    return len(text) - borders[-1] <= len(text) / 2


def _is_sequence(text: str) -> bool:
    """Whether the text goes up or down the alphabet or a row of keys, with at most two jumps, and
    one in a short text."""
    jumps = sum(pair not in _neighbours() for pair in pairwise(text))
    return jumps <= min(2, len(text) // 4)


@cache
def _neighbours() -> frozenset[tuple[str, str]]:
    rows = (*_KEYBOARD, "abcdefghijklmnopqrstuvwxyz", "0123456789")
    pairs = {pair for row in rows for pair in pairwise(row)}
    return frozenset(pairs | {(second, first) for first, second in pairs})
