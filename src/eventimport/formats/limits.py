"""How much of an archive is read, and the error that says it cannot be."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Self

from eventimport.conference.report import Place, Report
from eventimport.conference.rich_text import DEFAULT_LIMITS, TextLimits
from eventimport.errors import EventImportError, size_in_words

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLimits:
    """The most that an archive may hold. Bytes are inflated bytes, counted while inflating; what
    the archive says of itself can only make it fail sooner."""

    max_entries: int = 10_000
    """Entries in the zip, directories and junk included."""
    max_entry_bytes: int = 256 * MIB
    max_total_bytes: int = 2048 * MIB
    """All entries together."""
    max_ratio: int = 200
    """Inflated over compressed bytes of an entry of more than `ratio_from_bytes` inflated bytes."""
    ratio_from_bytes: int = 64 * MIB
    """An entry of fewer bytes may be compressed as well as it likes: silence and white images."""
    max_lzma_dictionary_bytes: int = 64 * MIB
    """What an entry compressed with LZMA makes the reader hold in memory."""
    max_document_bytes: int = 128 * MIB
    max_record_bytes: int = 4 * MIB
    """The JSON text of one record, or of a document that is one object; counted in characters."""
    max_record_values: int = 100_000
    """Values of one record: objects, lists, and what is in them."""
    max_values: int = 2_000_000
    """Values of all documents together. A value takes up to 150 bytes of memory."""
    max_string_length: int = 1_000_000
    """Characters of one string."""
    max_depth: int = 32
    """Objects and lists within each other, the record itself included."""
    max_records: int = 200_000
    """Records of all documents together."""
    max_instances: int = 5_000
    """Times that the recurring events of a calendar happen, all together."""
    texts: TextLimits = DEFAULT_LIMITS
    """The markup of one text."""


class ArchiveError(EventImportError):
    """An archive, or one entry of it, cannot be used. `code` is that of the finding."""

    def __init__(self, code: str, message: str, place: Place | None = None) -> None:
        self.code = code
        self.message = message
        self.place = place or Place()
        where = str(self.place)
        super().__init__(f"{where}: {message}" if where else message)

    def reported(self, report: Report) -> Self:
        """Report the error, and return it."""
        report.error(self.code, self.message, self.place)
        return self


@contextmanager
def report_errors(report: Report) -> Iterator[None]:
    """Report an ArchiveError that is raised within, and raise it again."""
    try:
        yield
    except ArchiveError as error:
        error.reported(report)
        raise


def document_too_large(limits: ArchiveLimits, entry: str | None) -> ArchiveError:
    """The error that a document is over the limit; `entry` is None if it is the whole source."""
    message = (
        f"The document is larger than {size_in_words(limits.max_document_bytes)}. "
        "The limit is set by MAX_DOCUMENT_BYTES."
    )
    return ArchiveError("document-too-large", message, Place(entry))
