"""Object keys: all parts are ours but the last, which is a cleaned file name."""

import re
import secrets
import unicodedata
from uuid import UUID

from eventimport.storage.protocol import Visibility

PRIVATE_FOLDER = "private"
PRIVATE_PREFIX = f"{PRIVATE_FOLDER}/"
MAX_KEY_BYTES = 1024
"""S3's own limit; the other backends keep to it too."""
MAX_NAME_BYTES = 100
MAX_EXTENSION_BYTES = 16
MAX_READ = 1000
"""Characters read at both ends of a file name."""
FALLBACK_NAME = "file"
RANDOM_BYTES = 16
"""128 bits: the address of a public object cannot be guessed."""

_SEPARATORS = re.compile(r"[/\\]")
_FORBIDDEN = re.compile(r"[\\\x00-\x1f\x7f]")
_RUNS = re.compile(r"-{2,}")


class InvalidKeyError(ValueError):
    """A key that no backend accepts."""


def archive_key(job_id: UUID) -> str:
    """The private key of an import job's source, whatever format it has."""
    return f"{PRIVATE_PREFIX}imports/{job_id}/source"


def export_key(task_id: UUID, attempt: int) -> str:
    """The private key of the file that an attempt at an export makes."""
    return f"{PRIVATE_PREFIX}exports/{task_id}/{attempt}"


def withdrawn_key(key: str) -> str:
    """The private key of a public object while it is withdrawn."""
    return f"{PRIVATE_PREFIX}withdrawn/{key}"


def media_key(event_id: int, table: str, row_id: int, field: str, filename: str) -> str:
    """A new public key for the media file of a row's field."""
    place = f"events/{event_id}/{table}/{row_id}/{field}"
    return f"{place}/{secrets.token_hex(RANDOM_BYTES)}/{safe_name(filename)}"


def probe_key() -> str:
    """A new private key for an object that only shows whether a storage works."""
    return f"{PRIVATE_PREFIX}probes/{secrets.token_hex(12)}"


def upload_key(user_id: int, filename: str) -> str:
    """A new public key for a file that a user uploads."""
    return f"uploads/{user_id}/{secrets.token_hex(RANDOM_BYTES)}/{safe_name(filename)}"


def safe_name(name: str) -> str:
    """The file name's last part without characters that are special in paths or headers.

    Letters, marks and digits of all scripts stay; a run of anything else becomes one hyphen. The
    result has 1 to 100 bytes of UTF-8, begins with no dot, and keeps a short extension.
    """
    last = _SEPARATORS.split(name)[-1]
    # Longer names are cut before they are normalised: ordering marks needs quadratic time.
    last = last[:MAX_READ] + last[MAX_READ:][-MAX_READ:]
    cleaned = "".join(_clean(character) for character in unicodedata.normalize("NFC", last))
    cleaned = _RUNS.sub("-", cleaned).rstrip("-. ")
    stem, dot, extension = cleaned.rpartition(".")
    if not dot or len(extension.encode()) > MAX_EXTENSION_BYTES:
        stem, dot, extension = cleaned, "", ""
    kept = _cut(stem.lstrip("-. "), MAX_NAME_BYTES - len((dot + extension).encode()))
    return (kept.rstrip("-.") or FALLBACK_NAME) + dot + extension


def visibility_of(key: str) -> Visibility:
    """Who may see the object: the key's first part decides.

    Disks may take other spellings of `private` for the same folder: in another case, in another
    Unicode form, with invisible characters, or with dots and spaces at the end.
    """
    first = unicodedata.normalize("NFKC", key.partition("/")[0])
    visible = "".join(c for c in first if unicodedata.category(c) not in {"Cf", "Mn"})
    folder = visible.casefold().strip(". ")
    return Visibility.PRIVATE if folder == PRIVATE_FOLDER else Visibility.PUBLIC


def check_key(key: str) -> str:
    """The key itself, if a backend may use it. Raises InvalidKeyError.

    Rejects empty, dotted and over-long parts, backslashes and control characters: such a key would
    leave a local backend's root, or meet its temporary files.
    """
    try:
        size = len(key.encode())
    except UnicodeEncodeError as error:
        raise InvalidKeyError(f"key {key!r} is not valid Unicode") from error
    if not 0 < size <= MAX_KEY_BYTES:
        raise InvalidKeyError(f"a key has 1 to {MAX_KEY_BYTES} bytes, not {size}")
    for part in key.split("/"):
        if not part or part.startswith(".") or len(part.encode()) > 255:
            raise InvalidKeyError(f"key {key!r} has an empty, dotted or over-long part")
    if _FORBIDDEN.search(key):
        raise InvalidKeyError(f"key {key!r} has a backslash or a control character")
    return key


def check_public(key: str) -> str:
    """The key itself, if it is a public object's. Raises ValueError."""
    if visibility_of(check_key(key)) is Visibility.PRIVATE:
        raise ValueError(f"{key!r} is private: it has no URL")
    return key


def _clean(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] in "LMN" or character in "._":
        return character
    return "" if category[0] == "C" else "-"


def _cut(text: str, limit: int) -> str:
    return text.encode()[:limit].decode(errors="ignore")
