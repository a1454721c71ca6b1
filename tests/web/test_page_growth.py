"""What pages make of a text costs time that grows with its length, and not faster.

The one kind of test here about cost: it compares, it asserts no seconds.
"""

import time
from collections.abc import Callable

import pytest

from eventimport.routers.pages.links import profile, web_url
from eventimport.routers.pages.people import initials
from eventimport.routers.pages.rich_text import to_html
from eventimport.visible_text import visible, visible_json

TEXTS: dict[str, Callable[[int], str]] = {
    "links": lambda n: "http://a.b " * n,
    "lines of links": lambda n: "http://a.b\n" * n,
    "paragraphs of links": lambda n: "http://a.b\n\n" * n,
    "dots": lambda n: "http://" + "." * n,
    "links that end in dots": lambda n: "http://... " * n,
    "schemes": lambda n: "http://" * n,
    "ampersands": lambda n: "&" * n,
    "references": lambda n: "&amp;&#65;" * n,
    "line breaks": lambda n: "a" + "\n" * n + "a",
    "line breaks and spaces": lambda n: "a\n" + " " * n + "a",
    "nested blocks": lambda n: "<div>" * n,
    "nested lists": lambda n: "<ul><li>" * n,
    "nested tables": lambda n: "<table><td>" * n,
    "formatting to repeat": lambda n: "".join(f"<b title={i}>" for i in range(n)) + "<p>" * n,
    "open and closed": lambda n: "<p>a<b></b>" * n,
    "not closed, with other ends": lambda n: "<b></i>" * n,
    "empty paragraphs": lambda n: "<p>" + "<br>" * n + "</div>",
    "spaces in paragraphs": lambda n: "<p>&nbsp;" * n,
    "headings": lambda n: "<h1>" * n,
    "brackets": lambda n: "<" * n,
    "half tags": lambda n: "<a " * n,
    "comments": lambda n: "<!--" * n,
    "hosts": lambda n: "a." * n + "!",
    "words": lambda n: "a " * n,
    "controls": lambda n: "\x1b" * n,
}
FUNCTIONS: dict[str, Callable[[str], object]] = {
    "to_html": to_html,
    "web_url": web_url,
    "profile": lambda text: profile("github", text),
    "initials": initials,
    "visible": visible,
    "visible_json": visible_json,
}
SIZE = 4_000
FACTOR = 16
LINEAR = 3


def cost(function: Callable[[str], object], text: str) -> float:
    """The smallest processor time of three calls, in seconds."""
    times = []
    for _ in range(3):
        start = time.thread_time()
        function(text)
        times.append(time.thread_time() - start)
    return min(times)


@pytest.mark.parametrize("kind", TEXTS)
def test_cost_grows_with_length(kind: str) -> None:
    for name, function in FUNCTIONS.items():
        for _ in range(2):
            small = max(cost(function, TEXTS[kind](SIZE)), 1e-4)
            large = cost(function, TEXTS[kind](FACTOR * SIZE))
            if large <= LINEAR * FACTOR * small:
                break
        else:
            pytest.fail(f"{name}: {small:.4f} s, then {large:.4f} s for {FACTOR} times as much")


def test_deep_markup_is_shown_as_text() -> None:
    assert to_html("<div>" * 50 + "deep" + "</div>" * 50) == "<div>" * 50 + "deep" + "</div>" * 50
    assert to_html("<div>" * 500 + "a &lt; b") == "<p>a &lt; b</p>"
    assert to_html("<p>one</p>" * 500).count("<p>one</p>") == 500
    assert to_html("<p>one" * 500).count("<p>one</p>") == 500
