"""Passwords and keys that are easy to guess."""

import random
import secrets
from base64 import urlsafe_b64encode

import pytest

from eventimport.auth.keys import weakness_of_key
from eventimport.auth.passwords import weakness_of_password

ADDRESS = "ada.lovelace@tea-house.example"
WEAK = """
password Password1! P@ssw0rd123 p4ssw0rd passwordpassword eventimport EventImport! eventimport2027
qwertyuiop 12345678 87654321 abcdefgh aaaaaaaa abcabcabc abababab!! iloveyou1 letmein!! 2027-05-01
admin123 lovelace ada12345 adalovelace teahouse1 ada.lovelace@tea-house.example secret-key welcome1
11112222 test1234 asdfghjkl qwerty12 changeme!
"""
STRONG = [
    *("correct horse", "tea and cables", "a good password", "demo-password", "tr0ub4dor&3"),
    *("kX9$mQ2p", "blue lantern fox", "Wolkenkratzer", "x8f2k1q0", "8241907735520186"),
]
WEAK_KEYS = [
    *("x" * 32, "secret" * 6, "changeme" * 4, "0123456789" * 4, "a" * 31 + "b", "swordfish" * 4),
    *("abcdefghijklmnopqrstuvwxyz012345", "supercalifragilisticexpialidocious"),
    *("change-me-change-me-change-me-change-me-1", "this-is-a-very-secret-key-change-me"),
    *("your-secret-key-goes-here-please-change", "my-super-secret-key-for-eventimport"),
    *("0123456789abcdef0123456789abcdef", "swordfishswordfishswordfishswordfish1!"),
]


@pytest.mark.parametrize("password", WEAK.split())
def test_a_password_that_is_easy_to_guess(password: str) -> None:
    assert "easy to guess" in (weakness_of_password(password, email=ADDRESS, min_length=8) or "")


@pytest.mark.parametrize("password", STRONG)
def test_a_password_that_is_not(password: str) -> None:
    assert weakness_of_password(password, email=ADDRESS, min_length=8) is None
    told = weakness_of_password(password, email=ADDRESS, min_length=len(password) + 1)
    assert "MIN_PASSWORD_LENGTH" in (told or "")


@pytest.mark.parametrize("key", WEAK_KEYS)
def test_a_key_that_is_no_secret(key: str) -> None:
    assert "must be random" in (weakness_of_key(key) or "")


def test_random_secrets_are_accepted() -> None:
    for _ in range(300):
        assert weakness_of_key(secrets.token_hex(16)) is None
        assert weakness_of_key(secrets.token_urlsafe(24)) is None
    # The same passwords each time: a short one may look like a common word by chance.
    generator = random.Random(2027)
    for _ in range(300):
        password = urlsafe_b64encode(generator.randbytes(8)).decode().rstrip("=")
        assert weakness_of_password(password, email=ADDRESS, min_length=8) is None, password
    assert weakness_of_password("-42XzU7I_20", email=ADDRESS, min_length=8) is None
    assert weakness_of_key("a key for tests, which guards nothing") is None
    assert weakness_of_key("too short") == "must have at least 32 characters"
