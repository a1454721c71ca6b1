"""What an object is of, as its key tells."""

import re
from dataclasses import dataclass
from uuid import UUID

from eventimport.storage.keys import (
    ARCHIVE_PREFIX,
    EVENT_PREFIX,
    PRIVATE_PREFIX,
    InvalidKeyError,
    archive_key,
    check_key,
)
from eventimport.storage.probe import PROBE_PREFIX

OWNED_PREFIXES = (EVENT_PREFIX, PRIVATE_PREFIX + EVENT_PREFIX, ARCHIVE_PREFIX, PROBE_PREFIX)
"""Below these lies all that an owner can be told of. What users upload has none: it is theirs."""

# Eighteen digits are always a number of the database's.
_MEDIUM = re.compile(
    r"(?:private/)?events/([1-9][0-9]{0,17})/[a-z_]+/[0-9]+/[a-z_]+/([0-9a-f]{24})(?:-[a-z]+)?/[^/]+"
)
_PROBE = re.compile(re.escape(PROBE_PREFIX) + r"[0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class MediumOf:
    """A medium of an event, or a smaller size of one. `token` is the key's random part, which a
    picture and its sizes share with nothing else."""

    event_id: int
    token: str


@dataclass(frozen=True, slots=True)
class ArchiveOf:
    """The archive of an import job."""

    job_id: UUID


@dataclass(frozen=True, slots=True)
class ProbeOf:
    """What was written to see whether the backend works; nothing refers to it, ever."""


Owner = MediumOf | ArchiveOf | ProbeOf


def owner_of(key: str) -> Owner | None:
    """What the object is of; None where the key is not exactly as we make them, for then it is not
    ours."""
    try:
        check_key(key)
    except InvalidKeyError:
        return None
    if found := _MEDIUM.fullmatch(key):
        return MediumOf(int(found[1]), found[2])
    if _PROBE.fullmatch(key):
        return ProbeOf()
    return _archive(key)


def _archive(key: str) -> ArchiveOf | None:
    try:
        job_id = UUID(key.removeprefix(ARCHIVE_PREFIX).partition("/")[0])
    except ValueError:
        return None
    return ArchiveOf(job_id) if key == archive_key(job_id) else None
