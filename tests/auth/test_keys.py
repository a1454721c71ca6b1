"""Replacing SECRET_KEY: the first key signs, all verify, and no signature passes for another."""

from uuid import uuid4

import pytest

from eventimport.auth import (
    AuthConfig,
    Bearer,
    InvalidTokenError,
    LinkTokens,
    PreviewTokens,
    Tokens,
)
from eventimport.settings import Settings

OLD, NEW = "the old key of the tests, which signs", "the new key of the tests, which signs"
BEFORE = AuthConfig(secret_key=OLD)
ROTATED = AuthConfig(secret_key=NEW, previous_keys=(OLD,))
AFTER = AuthConfig(secret_key=NEW)


def test_what_the_old_key_signed_is_valid_until_the_key_goes() -> None:
    link = uuid4()
    access, preview, sealed = (
        Tokens(BEFORE).issue(7, 3),
        PreviewTokens(BEFORE).issue(5),
        LinkTokens(BEFORE).issue(link),
    )

    assert Tokens(ROTATED).verify(access) == Bearer(7, 3)
    assert PreviewTokens(ROTATED).opens(preview, 5)
    assert LinkTokens(ROTATED).verify(sealed) == link
    with pytest.raises(InvalidTokenError):
        Tokens(AFTER).verify(access)
    assert not PreviewTokens(AFTER).opens(preview, 5)
    with pytest.raises(InvalidTokenError):
        LinkTokens(AFTER).verify(sealed)


def test_the_first_key_signs() -> None:
    link = uuid4()
    assert Tokens(AFTER).verify(Tokens(ROTATED).issue(7)) == Bearer(7)
    assert PreviewTokens(AFTER).opens(PreviewTokens(ROTATED).issue(5), 5)
    assert LinkTokens(AFTER).verify(LinkTokens(ROTATED).issue(link)) == link


def test_a_damaged_link_is_invalid() -> None:
    sealed = LinkTokens(AFTER).issue(uuid4())
    for damaged in (sealed[:-1], sealed + "=", uuid4().hex + sealed[32:], "", "ü" * 64):
        with pytest.raises(InvalidTokenError):
            LinkTokens(AFTER).verify(damaged)


@pytest.mark.parametrize("given", [f"{OLD[:8]}x", '["a", ', "[1]", f'["{OLD}", "{"x" * 32}"]'])
def test_previous_keys_are_checked(given: str) -> None:
    with pytest.raises(ValueError, match="previous_secret_keys"):
        settings(given)


def test_previous_keys_are_a_list() -> None:
    assert settings(f'["{OLD}", "{NEW}2"]').auth.keys == (NEW, OLD, f"{NEW}2")
    plain = "ecb1b8d9c3a94a4f8d2c3b6e5f1a7d90"
    assert settings(f"{plain}, {plain[::-1]}").auth.keys == (NEW, plain, plain[::-1])
    assert settings("").auth.keys == (NEW,)
    assert OLD not in repr(settings(f'["{OLD}"]')) + repr(ROTATED)


def settings(previous: str) -> Settings:
    return Settings(
        database_url="postgresql://127.0.0.1/unused",
        redis_url="redis://127.0.0.1/0",
        secret_key=NEW,
        previous_secret_keys=previous,
    )
