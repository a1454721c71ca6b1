"""The texts that people meet follow the style of this project: plain English in standard terms."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import pytest
from tests import user_texts
from tests.user_texts import Text
from typer.main import get_command

from eventimport.cli import app
from eventimport.settings import describe_settings

MOST_WORDS: Final = 25
"""Words of a sentence."""

MOST_TITLE_WORDS: Final = 6

_MODAL = "can|cannot|can't|may|must|might|would|could|should|has|had|wants|wishes|needs|sets|does"

BANNED: Final = {
    pattern: re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # reported, says, shows
        r"\btold\b",
        r"\btells?\b",
        # accepts, is rejected, returns
        r"\b(?:is|are|was|were|be|been|not) taken\b(?! down)",
        r"\btakes?\b(?![- ]downs?\b)"
        r"(?! (?:up to|effect|turns|precedence|place|longer|over|part|too long|about"
        r"|(?:more|less) than|at most|\w+ (?:to \w+ )?(?:bytes|seconds|minutes|memory)))",
        r"\b(?:gives?|given)\b(?! (?:up|back)\b)",
        # unavailable
        r"\b(?:is|are|was|were|be) away\b",
        # a media file, media files
        r"\bmedium\b",
        r"\bmedia\b(?!(?:[ -](?:files?|types?|range|processes)\b|[/.:_]))",
        # image
        r"\bpictures?\b",
        # invalid upload form
        r"\bnot as (?:it|they) should be\b",
        # the client, you, the owner, no other user
        r"\b(?:whoever|whatever|whomever|nobody|no one|everybody|everyone|somebody|someone)\b",
        rf"\bone (?:{_MODAL})\b",
        r"\b(?:the|that|this|such an?|no|each|every|any|another|same|only|first|last) one\b"
        r"(?! \w)",
        # only
        r"\balone\b",
        # this many, "that …"
        r"\bso (?:many|much|few)\b",
        r"\b(?:thereof|whereof|hereby|of which|wherein|therein)\b",
        # unknown X, not a valid X
        r"\bthere (?:is|are) (?:no|not) such\b",
        r"\b(?:is|are|was|were) no (?!longer\b|more than\b)",
        # warnings
        r"\bto mind\b",
        # package; quota
        r"\b(?:no )?room (?:for|left)\b",
        # rejects
        r"\brefus(?:e|es|ed|al|als|ing)\b",
    )
}
"""What is not written, each as a pattern; the comment above it says what to write instead."""

EXCEPTIONS: Final[dict[str, str]] = {
    # A phrase, and why it may stay.
    "connection refused": "the operating system's own words",
    "given name": "a header of tables that others write",
    "profile picture": "a header of tables that others write",
}


def banned_in(text: str) -> Iterator[str]:
    """The phrases of a text that are not written here."""
    prose = _without_code(text)
    for phrase in EXCEPTIONS:
        prose = re.sub(re.escape(phrase), "", prose, flags=re.IGNORECASE)
    for pattern in BANNED.values():
        yield from (match[0] for match in pattern.finditer(prose))


def _without_code(text: str) -> str:
    return re.sub(r"`[^`]*`|https?://\S+|“[^”]*”", "N", text)


def long_sentences_in(text: str) -> Iterator[str]:
    """The sentences of a text with too many words."""
    prose = re.sub(r"\be\.g\.|\bi\.e\.", "", _without_code(text))
    for sentence in re.split(r"(?<=[.!?:])[)”\"]?\s+|\n\s*\n|\n\s*[-*] ", prose):
        if len([word for word in sentence.split() if re.search(r"\w", word)]) > MOST_WORDS:
            yield " ".join(sentence.split())


def settings_texts() -> Iterator[Text]:
    """The descriptions of all settings."""
    for setting in describe_settings():
        yield Text(f"settings/{setting.variable}", 0, setting.description)


def help_texts() -> Iterator[Text]:
    """What `--help` of the program and of each command says."""
    commands: list[tuple[str, Any]] = [("eventimport", get_command(app))]
    for name, command in commands:
        commands += (
            (f"{name} {key}", sub) for key, sub in getattr(command, "commands", {}).items()
        )
        yield Text(name, 0, command.help or "")
        for parameter in command.params:
            yield Text(f"{name} {parameter.name}", 0, getattr(parameter, "help", "") or "")


SOURCES: Final[dict[str, Callable[[], Iterable[Text]]]] = {
    "messages": user_texts.messages,
    "templates": user_texts.templates,
    "scripts": user_texts.scripts,
    "documents": user_texts.documents,
    "settings": settings_texts,
    "help": help_texts,
}


def faults(texts: Iterable[Text], *, length: bool) -> list[str]:
    """One line for each text that breaks the rules."""
    found = []
    for text in texts:
        found += [f"{text}: “{phrase}” in: {text.text}" for phrase in banned_in(text.text)]
        if length:
            found += [f"{text}: too long: {sentence}" for sentence in long_sentences_in(text.text)]
    return found


@pytest.mark.parametrize("source", SOURCES)
def test_words(source: str) -> None:
    texts = list(SOURCES[source]())
    found = faults(texts, length=source != "documents")

    assert len(texts) > 20
    assert not found, f"{len(found)} faults:\n" + "\n".join(found)


def test_openapi_words(openapi_document: dict[str, Any]) -> None:
    texts = list(user_texts.described(openapi_document))
    found = faults(texts, length=True)

    assert len(texts) > 200
    assert not found, f"{len(found)} faults:\n" + "\n".join(found)


def test_titles_are_short_noun_phrases() -> None:
    titles = list(user_texts.titles())
    wrong = [
        f"{title}: {title.text}"
        for title in titles
        if len(title.text.split()) > MOST_TITLE_WORDS
        or title.text.endswith(".")
        or re.match(r"(?:The|There|This|It)\b", title.text)
        or re.search(r"\b(?:is|are|was|were|has|have|cannot|can't|can)\b", title.text)
    ]

    assert len(titles) > 50
    assert not wrong, f"{len(wrong)} titles:\n" + "\n".join(wrong)


IN_DOCSTRINGS: Final = re.compile(
    r"\b(?:told|tells?|nobody|no one|whoever|everybody|everyone|somebody|someone|alone|so many"
    r"|thereof|of which|medium|pictures?|(?:is|are|was|were) away|no such|to mind|room for)\b",
    re.IGNORECASE,
)
"""What docstrings do not say, either."""


def test_docstrings() -> None:
    texts = list(user_texts.docstrings())
    found = [
        f"{text}: “{match[0]}” in: {text.text}"
        for text in texts
        for match in IN_DOCSTRINGS.finditer(_without_code(text.text))
    ]

    assert len(texts) > 1_000
    assert not found, f"{len(found)} faults:\n" + "\n".join(found)
