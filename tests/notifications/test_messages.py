"""What users are told, and that nothing in an archive can make it say something else."""

import base64
import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventimport.notifications.mail import (
    UnusableAddressError,
    encoded,
    message_id_of,
    parse_sender,
    write_mail,
)
from eventimport.notifications.messages import (
    MAX_LISTED,
    Ending,
    Words,
    headline,
    media_summary,
    summary,
    words_for_mail,
)

JOB_ID = UUID("11111111-2222-3333-4444-555555555555")
URL = "https://events.example/events/abc"
ERROR = {
    "status": "422",
    "code": "json-syntax",
    "title": "Archive rejected",
    "detail": "sessions.json, line 12, column 3: a comma is missing",
    "meta": {"severity": "error", "entry": "sessions.json", "line": 12, "column": 3},
}
NOWHERE = {"status": "500", "code": "worker-lost", "title": "T", "detail": "The workers died."}
WARNING = {
    "severity": "warning",
    "code": "no-such-track",
    "message": "There is no such track",
    "entry": "sessions",
    "record": 3,
    "source_id": "7",
    "field": "track",
}


def ending(**changes: Any) -> Ending:
    """An import that went well, but for the changes."""
    return Ending(
        **{
            "job_id": JOB_ID,
            "succeeded": True,
            "dry_run": False,
            "file_name": "lantern.zip",
            "event_name": "Lantern Open",
            "event_url": URL,
            "service_url": "https://service.example/",
            "totals": {"repair": 3, "warning": 1, "error": 0},
            "media": {"MISSING": 2, "MOVED": 34},
            "errors": [],
            "error_count": 0,
            "warnings": [WARNING],
            **changes,
        }
    )


def failure(*errors: dict[str, Any], **changes: Any) -> Ending:
    """An import that failed before its event was known."""
    return ending(
        succeeded=False,
        event_name=None,
        event_url=None,
        errors=errors,
        error_count=len(errors),
        warnings=[],
        media={},
        **changes,
    )


class Shown(HTMLParser):
    """What a person sees of an HTML body, and its elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def shown(html: str) -> str:
    """The visible text."""
    return " ".join("".join(Shown(html).text).split())


def test_an_event_is_told_with_its_name_and_url() -> None:
    told = ending()
    words = words_for_mail(told)

    assert headline(told) == words.subject == "“Lantern Open” was imported"
    assert summary(told) == (
        f"The event is at {URL}. The report has 3 repairs and 1 warning."
        " 34 of 36 media files were stored: 2 missing."
    )
    assert f"Event: Lantern Open\nURL:   {URL}\n" in words.text
    assert "- sessions, record 4 (id 7), track:\n  There is no such track\n" in words.text
    assert Shown(words.html).links == [URL, "https://service.example/"]
    assert "sessions, record 4 (id 7), track" in shown(words.html)
    for body in (words.text, words.html):
        assert "3 repairs and 1 warning" in body
        assert "34 of 36 media files were stored: 2 missing." in body
        assert "There is no such track" in body
        assert str(JOB_ID) in body
        assert "lantern.zip" in body


def test_a_failure_is_told_with_the_place_of_each_error() -> None:
    told = failure(ERROR, NOWHERE)
    words = words_for_mail(told)

    assert headline(told) == words.subject == "The import of “lantern.zip” failed"
    assert summary(told) == (
        "sessions.json, line 12, column 3: a comma is missing. There is 1 more error."
    )
    assert "Nothing was imported." in words.text
    assert "- sessions.json, line 12, column 3:\n  a comma is missing\n" in words.text
    assert "- The workers died.\n" in words.text
    visible = shown(words.html)
    for part in ("sessions.json, line 12, column 3", "a comma is missing", "The workers died."):
        assert part in visible
    assert "/events/" not in words.text + words.html


@pytest.mark.parametrize(
    ("told", "subject"),
    [
        (ending(dry_run=True, event_url=None), "“Lantern Open” can be imported"),
        (failure(ERROR, dry_run=True), "“lantern.zip” cannot be imported"),
        (failure(ERROR, file_name=None), "The import of the archive failed"),
        (failure(ERROR, file_name=None, dry_run=True), "The archive cannot be imported"),
        (ending(event_name="N" * 500), f"“{'N' * 119}…” was imported"),
    ],
)
def test_headlines(told: Ending, subject: str) -> None:
    assert words_for_mail(told).subject == subject


def test_a_dry_run_says_that_nothing_was_written() -> None:
    told = ending(dry_run=True, event_url=None)
    words = words_for_mail(told)

    assert summary(told).startswith("This was a dry run. Nothing was imported.")
    for body in (words.text, words.html):
        assert "Nothing was imported" in body
        assert "None" not in body


def test_long_lists_are_cut_and_say_so() -> None:
    errors = [{**ERROR, "detail": f"error {number}"} for number in range(MAX_LISTED + 30)]
    cut = words_for_mail(failure(*errors))
    warned = words_for_mail(
        ending(totals={"warning": 1_234}, warnings=[WARNING] * (MAX_LISTED + 1))
    )

    assert cut.text.count("error ") == MAX_LISTED
    assert "- … and 30 more\n" in cut.text
    assert "… and 30 more" in shown(cut.html)
    assert warned.text.count("There is no such track") == MAX_LISTED
    assert "- … and 1,214 more\n" in warned.text


def test_an_import_without_findings() -> None:
    told = ending(totals={"repair": 0, "warning": 0, "error": 0}, warnings=[])

    assert "The report has no findings." in words_for_mail(told).text
    assert "warnings" not in words_for_mail(told).text


@pytest.mark.parametrize(
    ("media", "told"),
    [
        ({}, ""),
        ({"MOVED": 1}, "1 media file was stored."),
        ({"MISSING": 1}, "0 of 1 media file was stored: 1 missing."),
        ({"MOVED": 1_036}, "All 1,036 media files were stored."),
        (
            {"NOT_AN_IMAGE": 1, "MISSING": 2},
            "0 of 3 media files were stored: 2 missing, 1 not an image.",
        ),
    ],
)
def test_what_became_of_the_media(media: dict[str, int], told: str) -> None:
    assert media_summary(media) == told


HOSTILE = '<script>alert(1)</script>"\'><a href="https://evil.example">&amp;'


def test_markup_in_an_archive_is_text_in_the_mail() -> None:
    error = {"detail": HOSTILE, "meta": {"entry": HOSTILE, "field": HOSTILE}}
    mails = [
        words_for_mail(
            ending(event_name=HOSTILE, file_name=HOSTILE, warnings=[{"message": HOSTILE}])
        ),
        words_for_mail(failure(error, file_name=HOSTILE)),
    ]
    clean = [words_for_mail(ending()), words_for_mail(failure(ERROR))]

    for hostile, harmless in zip(mails, clean, strict=True):
        assert {*Shown(hostile.html).tags} <= {*Shown(harmless.html).tags}
        assert Shown(hostile.html).links == Shown(harmless.html).links
        assert HOSTILE in shown(hostile.html)
        assert HOSTILE in hostile.text


def parsed(words: Words) -> EmailMessage:
    """The mail as a receiver reads it."""
    mail = write_mail(
        words,
        sender="Imports <imports@example.org>",
        address="ada@example.org",
        message_id=message_id_of(JOB_ID, "https://service.example"),
        date=datetime(2026, 3, 1, tzinfo=UTC),
    )
    read = message_from_bytes(mail.content, policy=policy.default)
    assert isinstance(read, EmailMessage)
    return read


HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version"]


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\x1e"])
def test_a_name_adds_no_header(end: str) -> None:
    name = f"Lantern{end}Bcc: eve@evil.example{end}{end}Hello"

    mail = parsed(words_for_mail(ending(event_name=name)))

    assert mail["Subject"] == "“Lantern Bcc: eve@evil.example Hello” was imported"
    assert [name for name in mail if name != "Content-Type"] == HEADERS


INJECTION = "=0D=0ABcc:_eve@evil.example=0D=0A=0D=0AHello"
INJECTED = base64.b64encode(b"x\r\nBcc: eve@evil.example\r\n\r\nHello").decode()
WORDS = [
    f"=?utf-8?q?{INJECTION}?=",
    f"=?utf-8?b?{INJECTED}?=",
    f"=?ISO-8859-1?Q?{INJECTION}?=",
    f"a =?utf-8?q?{INJECTION}?= b",
    f"=?utf-8?q?=3D=3Futf-8=3Fq=3F{INJECTION.replace('=', '=3D')}=3F=3D?=",
    f"=?utf-8?b?{base64.b64encode(f'=?utf-8?b?{INJECTED}?='.encode()).decode()}?=",
    f"Größe =?utf-8?q?{INJECTION}?=",
    "=?utf-8?q?=00=1B=7F=C2=9B?=",
    "=?utf-8?q?" + "=0D=0A" * 60 + "?=",
    "=?",
    "a?=b=?c",
]
ENCODED_WORD = re.compile(r"=\?utf-8\?b\?([A-Za-z0-9+/]+=*)\?=")


def raw_headers(content: bytes) -> dict[str, str]:
    """The headers as bytes say them, whatever this Python's parser makes of them."""
    head = content.partition(b"\r\n\r\n")[0].decode()
    lines = re.sub(r"\r\n[ \t]", "\n", head).split("\r\n")
    return dict(line.split(": ", 1) for line in lines)


def text_of(value: str) -> str:
    """What a receiver shows of a header's value: each encoded word is decoded once."""
    words = value.split("\n")
    found = [ENCODED_WORD.fullmatch(word) for word in words]
    if not all(found):
        assert len(words) == 1
        return value
    return "".join(base64.b64decode(word[1]).decode() for word in found if word)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("given", ["event_name", "file_name"])
def test_an_encoded_word_is_text(word: str, given: str) -> None:
    words = words_for_mail(ending(**{"event_name": None, "file_name": None, given: word}))
    mail = write_mail(
        words,
        sender="Imports <imports@example.org>",
        address="ada@example.org",
        message_id="<a@x>",
        date=datetime(2026, 3, 1, tzinfo=UTC),
    )

    headers = raw_headers(mail.content)

    assert [*headers] == [*HEADERS[:-1], *(n for n in headers if n.startswith(("Content", "MIME")))]
    assert text_of(headers["Subject"]) == words.subject
    assert word[:40] in words.subject
    head = mail.content.partition(b"\r\n\r\n")[0]
    assert all(len(line) <= 76 for line in head.split(b"\r\n"))
    assert b"=?utf-8?q?" not in head.lower()
    assert b"evil" not in head


@pytest.mark.parametrize("word", WORDS[:-2])
def test_an_encoded_word_is_no_address(word: str) -> None:
    for address in (f"{word}@example.org", f"ada@{word}", f"{word} <ada@example.org>"):
        with pytest.raises(UnusableAddressError):
            write_mail(
                Words("S", "T", "H"),
                sender="a@x.example",
                address=address,
                message_id="<a@x>",
                date=datetime(2026, 3, 1, tzinfo=UTC),
            )
    assert parse_sender(f"{word} <a@x.example>").display_name == word


@pytest.mark.parametrize("name", [*WORDS, "Größe", "Imports, Ltd.", 'A "b" \\ c', "x" * 200, "a.b"])
def test_the_name_of_a_sender(name: str) -> None:
    quoted = name.replace("\\", r"\\").replace('"', r"\"")
    mail = write_mail(
        Words("S", "T", "H"),
        sender=f'"{quoted}" <imports@example.org>',
        address="ada@example.org",
        message_id="<a@x>",
        date=datetime(2026, 3, 1, tzinfo=UTC),
    )

    phrase, _, address = raw_headers(mail.content)["From"].rpartition(" ")

    assert address == "<imports@example.org>"
    shown = re.sub(r"\\(.)", r"\1", phrase[1:-1]) if phrase.startswith('"') else text_of(phrase)
    assert shown == name


@pytest.mark.parametrize("control", ["\r\n", "\n", "\r", "\0", "\x1b", "\x85", "\u2028", "\ud800"])
def test_a_header_has_no_control_characters(control: str) -> None:
    with pytest.raises(ValueError, match="control"):
        encoded(f"a{control}b")
    with pytest.raises(UnusableAddressError):
        parse_sender(f'"a{control}b" <a@x.example>')


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
places = st.fixed_dictionaries(
    {},
    optional={
        "entry": texts,
        "source_id": texts,
        "field": texts,
        "line": st.integers(1),
        "record": st.integers(0),
        "value": texts,
    },
)
endings = st.builds(
    Ending,
    job_id=st.just(JOB_ID),
    succeeded=st.booleans(),
    dry_run=st.booleans(),
    file_name=st.none() | texts,
    event_name=st.none() | texts,
    event_url=st.just(URL),
    service_url=st.just("https://service.example/"),
    totals=st.dictionaries(st.sampled_from(["repair", "warning", "error"]), st.integers(0)),
    media=st.dictionaries(st.sampled_from(["MOVED", "MISSING", "TOO_LARGE"]), st.integers(0)),
    errors=st.lists(
        st.fixed_dictionaries({"detail": texts, "title": texts}, optional={"meta": places}),
        max_size=3,
    ),
    error_count=st.integers(0, 5),
    warnings=st.lists(st.builds(lambda place, text: {**place, "message": text}, places, texts)),
)


@given(endings)
def test_every_end_can_be_told(told: Ending) -> None:
    words = words_for_mail(told)
    mail = parsed(words)

    assert mail["Subject"] == words.subject == headline(told)
    assert len(words.subject.splitlines()) == 1
    assert len(summary(told)) < 2_000
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", words.text + words.html)
    bodies = [part.get_content().splitlines() for part in mail.iter_parts()]
    assert bodies == [words.text.splitlines(), words.html.splitlines()]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://service.example/path", "service.example"),
        ("http://localhost:8000", "localhost"),
        ("http://[::1]:8000", "eventimport.invalid"),
        ("https://größe.example", "eventimport.invalid"),
    ],
)
def test_a_message_id_is_the_same_each_time(url: str, host: str) -> None:
    assert message_id_of(JOB_ID, url) == f"<import-{JOB_ID}@{host}>"


@pytest.mark.parametrize(
    "sender",
    ["", "nobody", "a@x.example, b@x.example", "a@x.example\nBcc: b@x.example", "@x.example", "<>"],
)
def test_what_is_no_sender(sender: str) -> None:
    with pytest.raises(UnusableAddressError):
        parse_sender(sender)


@pytest.mark.parametrize(
    ("sender", "written"),
    [
        ("imports@example.org", "imports@example.org"),
        ("Größe <imports@example.org>", "Größe <imports@example.org>"),
        ('"Imports, Ltd." <imports@intranet>', '"Imports, Ltd." <imports@intranet>'),
    ],
)
def test_senders(sender: str, written: str) -> None:
    assert str(parse_sender(sender)) == written


@pytest.mark.parametrize("address", ["", "ada", "ada@", "@x", "ada@x.example\nBcc: b@x", "ä@"])
def test_who_can_get_no_mail(address: str) -> None:
    with pytest.raises(UnusableAddressError):
        write_mail(
            Words("S", "T", "H"),
            sender="a@x.example",
            address=address,
            message_id="<a@x>",
            date=datetime(2026, 3, 1, tzinfo=UTC),
        )
