"""Passwords: hashing them, and refusing those that are easy to guess."""

from functools import cache
from typing import Final

import anyio
import anyio.to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from eventimport.auth.weak_secrets import is_predictable

MIN_PASSWORD_LENGTH: Final = 8
"""The setting MIN_PASSWORD_LENGTH can only demand more."""
MAX_PASSWORD_LENGTH: Final = 128
CONCURRENT_HASHES: Final = 4
"""Each argon2 hash takes 64 MiB while it runs."""


def weakness_of_password(password: str, *, email: str, min_length: int) -> str | None:
    """What is wrong with a new password for the account with this address; None if nothing is."""
    if len(password) < min_length:
        return (
            f"The password is shorter than {min_length} characters. The limit is set by"
            " MIN_PASSWORD_LENGTH."
        )
    local_part, _, domain = email.lower().rpartition("@")
    if is_predictable(password, (email, local_part, domain)):
        return (
            "The password is easy to guess: a common word, a sequence, a number, or your address."
            " Use several uncommon words, or a password manager."
        )
    return None


@cache
def _decoy_hash() -> str:
    return PasswordHasher().hash("a password that belongs to no account")


class Passwords:
    """Hashes and verifies passwords with argon2id, in threads, a bounded number at a time."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._limiter = anyio.CapacityLimiter(CONCURRENT_HASHES)

    async def hash(self, password: str) -> str:
        """The hash to be stored, its parameters and salt included."""
        return await anyio.to_thread.run_sync(self._hasher.hash, password, limiter=self._limiter)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the password is right. Without a hash (unknown user), it needs the same time."""
        matches = await anyio.to_thread.run_sync(
            self._matches, password_hash, password, limiter=self._limiter
        )
        return matches and password_hash is not None

    def needs_rehash(self, password_hash: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def _matches(self, password_hash: str | None, password: str) -> bool:
        # Made for each password, also if it is not needed: the first call takes longer.
        decoy = _decoy_hash()
        try:
            return self._hasher.verify(password_hash or decoy, password)
        except (VerificationError, InvalidHashError):
            return False
