"""Keys: what they say, and what they never contain."""

import unicodedata
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventimport.storage.content_types import content_type_of, shown_in_place
from eventimport.storage.keys import (
    InvalidKeyError,
    archive_key,
    check_key,
    check_public,
    media_key,
    safe_name,
    upload_key,
    visibility_of,
)
from eventimport.storage.protocol import Visibility

ANY_NAME = st.text(st.characters(), max_size=5000)
"""Surrogates and control characters included."""


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("photo.png", "photo.png"),
        ("a b  c.png", "a-b-c.png"),
        ("/etc/passwd", "passwd"),
        ("a/../../b.png", "b.png"),
        ("..\\b.png", "b.png"),
        ("", "file"),
        (".", "file"),
        ("...", "file"),
        (".png", "file.png"),
        ("-rf", "rf"),
        ("a\0b\r\nc\x1b[31m.png", "abc-31m.png"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("e\u0301.png", "é.png"),
        ("हिन्दी.pdf", "हिन्दी.pdf"),
        ("\ud800.png", "file.png"),
        ("a.tar.gz", "a.tar.gz"),
        ("a.b.c.d", "a.b.c.d"),
        ("x" * 300 + ".jpeg", "x" * 95 + ".jpeg"),
        ("日" * 300 + ".png", "日" * 32 + ".png"),
        ("a." + "b" * 300, "a." + "b" * 98),
    ],
    ids=ascii,
)
def test_safe_names(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@given(ANY_NAME)
def test_a_safe_name_is_safe_whatever_the_name(name: str) -> None:
    safe = safe_name(name)
    assert 1 <= len(safe.encode()) <= 100
    assert not safe.startswith((".", "-"))
    assert not set(safe) & set("/\\\"'<>:;&?#% ")
    assert not any(unicodedata.category(character)[0] == "C" for character in safe)
    assert safe_name(safe) == safe
    assert check_key(f"a/{safe}") == f"a/{safe}"


@given(ANY_NAME)
def test_keys_of_any_file_name_are_taken_by_every_backend(name: str) -> None:
    for key in (upload_key(7, name), media_key(1, "speakers", 2, "photo", name)):
        assert check_public(check_key(key)) == key


def test_keys_say_what_the_object_is() -> None:
    key = media_key(1, "speakers", 2, "photo", "../me.png")
    assert key.startswith("events/1/speakers/2/photo/")
    assert key.endswith("/me.png")
    assert upload_key(7, "me.png").startswith("uploads/7/")


def test_no_key_can_be_guessed_from_another() -> None:
    keys = {upload_key(7, "me.png") for _ in range(100)}
    assert len(keys) == 100
    assert all(len(key.split("/")[2]) == 32 for key in keys)


def test_archives_are_private() -> None:
    key = archive_key(UUID(int=5))
    assert key == "private/imports/00000000-0000-0000-0000-000000000005/source"
    assert visibility_of(key) is Visibility.PRIVATE
    assert visibility_of("privateer/a.png") is Visibility.PUBLIC
    with pytest.raises(ValueError, match="private"):
        check_public(key)


@pytest.mark.parametrize("key", ["private/../a", "./private/a", "a/./b", "private", "..."])
def test_a_key_has_one_spelling(key: str) -> None:
    if key == "private":
        assert check_key(key) == key
    else:
        with pytest.raises(InvalidKeyError):
            check_key(key)


@pytest.mark.parametrize(
    ("name", "content_type", "inline"),
    [
        ("a/b.png", "image/png", True),
        ("A.JPG", "image/jpeg", True),
        ("a.webp", "image/webp", True),
        ("a.mp4", "video/mp4", True),
        ("a.mp3", "audio/mpeg", True),
        ("a.txt", "text/plain", True),
        ("a.pdf", "application/pdf", False),
        ("a.html", "text/html", False),
        ("a.svg", "image/svg+xml", False),
        ("a.xml", "text/xml", False),
        ("a.js", "text/javascript", False),
        ("a.css", "text/css", False),
        ("a.zip", "application/zip", False),
        ("a.svgz", "application/gzip", False),
        ("a.tar.gz", "application/gzip", False),
        ("a.unheard-of", "application/octet-stream", False),
        ("html", "application/octet-stream", False),
        ("a.html/b", "application/octet-stream", False),
    ],
)
def test_types_are_told_by_names(name: str, content_type: str, inline: bool) -> None:
    found = content_type_of(name)
    assert found.replace("application/javascript", "text/javascript") == content_type
    assert shown_in_place(found) is inline
