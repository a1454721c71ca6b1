"""What an archive may hold."""

from pydantic import Field, PositiveInt
from pydantic_settings import BaseSettings

from eventimport.conference.rich_text import TextLimits
from eventimport.formats.limits import ArchiveLimits
from eventimport.settings.values import GIB, MIB


class ArchiveSettings(BaseSettings):
    """The limits of an archive and of its report."""

    max_archive_bytes: PositiveInt = Field(
        512 * MIB, description="The largest zip that is accepted, in bytes."
    )
    max_archive_entries: PositiveInt = Field(10_000, description="Entries in a zip.")
    max_entry_bytes: PositiveInt = Field(256 * MIB, description="One entry, inflated, in bytes.")
    max_inflated_bytes: PositiveInt = Field(
        2 * GIB, description="All entries of a zip, inflated, in bytes."
    )
    max_inflation_ratio: PositiveInt = Field(
        200, description="How many times its compressed size an entry may have inflated."
    )
    inflation_ratio_from_bytes: PositiveInt = Field(
        64 * MIB,
        description="Inflated bytes of an entry from which MAX_INFLATION_RATIO applies.",
    )
    max_lzma_dictionary_bytes: PositiveInt = Field(
        64 * MIB,
        description="Dictionary that an LZMA-compressed entry may need, in bytes of memory.",
    )
    max_document_bytes: PositiveInt = Field(
        128 * MIB, description="One JSON document of an archive, in bytes."
    )
    max_record_bytes: PositiveInt = Field(
        4 * MIB, description="One record of a JSON document, in bytes."
    )
    max_records: PositiveInt = Field(200_000, description="Records in all documents of an archive.")
    max_record_values: PositiveInt = Field(
        100_000, description="JSON values of one record, those in lists and objects included."
    )
    max_values: PositiveInt = Field(
        2_000_000,
        description="JSON values in all documents of an archive. While an import runs, each takes "
        "up to 150 bytes of memory.",
    )
    max_text_length: PositiveInt = Field(1_000_000, description="One text value, in characters.")
    max_text_tags: PositiveInt = Field(
        20_000,
        description="HTML tags in one text, and a fifth of its `&` and `<`. From a text with more, "
        "all markup is removed.",
    )
    max_text_depth: PositiveInt = Field(
        100,
        description="HTML elements within each other in one text. From a text that nests deeper, "
        "all markup is removed.",
    )
    max_json_depth: PositiveInt = Field(32, description="How deep a JSON document may be nested.")

    max_findings: PositiveInt = Field(
        10_000, description="Findings that a report lists. It counts the others."
    )
    max_report_bytes: PositiveInt = Field(
        MIB,
        description="All findings of a report, as JSON, in bytes. It counts those that do not fit.",
    )

    @property
    def archive_limits(self) -> ArchiveLimits:
        """What the reader of archives holds to."""
        return ArchiveLimits(
            max_entries=self.max_archive_entries,
            max_entry_bytes=self.max_entry_bytes,
            max_total_bytes=self.max_inflated_bytes,
            max_ratio=self.max_inflation_ratio,
            ratio_from_bytes=self.inflation_ratio_from_bytes,
            max_lzma_dictionary_bytes=self.max_lzma_dictionary_bytes,
            max_document_bytes=self.max_document_bytes,
            max_record_bytes=self.max_record_bytes,
            max_record_values=self.max_record_values,
            max_values=self.max_values,
            max_string_length=self.max_text_length,
            max_depth=self.max_json_depth,
            max_records=self.max_records,
            texts=TextLimits(max_tags=self.max_text_tags, max_depth=self.max_text_depth),
        )
