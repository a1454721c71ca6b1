"""Foreign text cannot drive a terminal."""

import json
import re
import sys
import unicodedata

import pytest

from eventimport.observability.visible_text import visible, visible_json

ALL = "".join(map(chr, range(sys.maxunicode + 1)))
DRIVES = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def drivers(text: str) -> set[str]:
    """What is in the text that a terminal might obey."""
    return {c for c in text if unicodedata.category(c) in DRIVES} - {"\u200c", "\u200d"}


@pytest.mark.slow
@pytest.mark.without_coverage
def test_no_character_drives_a_terminal() -> None:
    assert drivers(visible(ALL)) == set()
    assert drivers(visible(ALL, keep="\n\t")) == {"\n", "\t"}
    assert drivers(visible_json([ALL, {ALL: 1}])) == set()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
        ("a\x9b31mb\x7f", r"a\x9b31mb\x7f"),
        ("safe\u202egnp.exe", r"safe\u202egnp.exe"),
        ("\u2066x\u2069\u061c\u200e", r"\u2066x\u2069\u061c\u200e"),
        ("two\u2028lines\nthree\r\n", r"two\u2028lines\x0athree\x0d\x0a"),
        ("\U000e0041", r"\U000e0041"),
        ("Größe, 東京, “q”, 👩\u200d🔬", "Größe, 東京, “q”, 👩\u200d🔬"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_json_says_the_same() -> None:
    value = {"a\x9b": ["\u202e", "é", "\U000e0041", "\n", 1.5, None], "b": {"c\x7f": "東京"}}

    for indent in (None, 2):
        written = visible_json(value, indent=indent)
        assert json.loads(written) == value
        assert re.search("é", written)
        assert drivers(written) <= {"\n"}
