"""What of `extra` anyone may see."""

from eventimport.conference.kinds import Kind
from eventimport.exports.feeds import public_extra

EXTRA = {
    "slug": "tea-7-steeping",
    "links": [{"@href": "https://tea.example"}],
    "id": "7",
    "note": "secret",
    "answers": ["secret"],
    "texts": {
        "long_abstract": {"flavour": "markdown", "source": "*tea*"},
        "comments": {"flavour": "markdown", "source": "secret"},
    },
}


def test_only_what_schedules_say_is_public() -> None:
    found = public_extra(Kind.SESSION, EXTRA, {"comments"})
    assert found.keys() == {"slug", "links", "id", "texts"}
    assert found["texts"].keys() == {"long_abstract"}
    assert "secret" not in str(found)
    assert public_extra(Kind.SPONSOR, EXTRA, ()) == {}


def test_texts_of_any_shape_are_left_out() -> None:
    assert public_extra(Kind.SESSION, {"texts": "secret"}, ()) == {}
