"""Texts that need no cleaning are recognised without judging each tag, with the same result."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventimport.conference import rich_text

PARTS = [
    *(
        "<p>",
        "</p>",
        "<b>",
        "</b>",
        "<br>",
        "<br/>",
        "<i>",
        "</i>",
        "<ul>",
        "<li>",
        "</li>",
        "</ul>",
    ),
    *(
        '<a href="http://x.example">',
        '<a href="http://x.example" rel="noopener noreferrer">',
        "</a>",
    ),
    *('<em title="q">', "</em>", "<script>", "<List>", "a < b", "a[i]<b[i]", "&amp;", "&", "&lt;"),
    *(
        "<!-- c -->",
        "<td>",
        "<table>",
        "\n",
        "\xa0",
        '"',
        "x",
        ' rel="noopener noreferrer"',
        "<div>",
    ),
]


@given(st.lists(st.sampled_from(PARTS), max_size=12).map("".join))
def test_a_short_text_is_cleaned_as_a_long_one(text: str) -> None:
    limits = rich_text.DEFAULT_LIMITS
    fast = rich_text.clean(text, limits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rich_text, "SHORT", -1)
        assert rich_text.clean(text, limits) == fast


def test_the_limits_of_markup_hold_for_short_texts() -> None:
    limits = rich_text.TextLimits(max_tags=10, max_depth=3)
    found = rich_text.clean("<b><i><u><s>x</s></u></i></b>", limits)
    assert found.over_limit
    assert found.text == "x"
