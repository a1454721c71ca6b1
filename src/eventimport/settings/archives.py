"""The limits of an archive and of its report."""

from pydantic import Field, PositiveInt
from pydantic_settings import BaseSettings

from eventimport.conference.rich_text import TextLimits
from eventimport.formats.limits import ArchiveLimits
from eventimport.settings.values import GIB, MIB


class ArchiveSettings(BaseSettings):
    """Limits of archives and reports."""

    max_archive_bytes: PositiveInt = Field(
        512 * MIB, description="Maximum size of an archive or another file to import, in bytes."
    )
    max_archive_entries: PositiveInt = Field(
        10_000, description="Maximum number of entries in an archive."
    )
    max_entry_bytes: PositiveInt = Field(
        256 * MIB,
        description="Maximum size of one entry of an archive after decompression, or of a file"
        " that is not an archive, in bytes.",
    )
    max_inflated_bytes: PositiveInt = Field(
        2 * GIB,
        description="Maximum size of all entries of an archive after decompression, in bytes.",
    )
    max_inflation_ratio: PositiveInt = Field(
        200,
        description="Maximum ratio of an entry's size after decompression to its compressed size.",
    )
    inflation_ratio_from_bytes: PositiveInt = Field(
        64 * MIB,
        description="Size of an entry after decompression from which MAX_INFLATION_RATIO"
        " applies, in bytes.",
    )
    max_lzma_dictionary_bytes: PositiveInt = Field(
        64 * MIB,
        description="Maximum dictionary size of an LZMA-compressed entry, in bytes of memory.",
    )
    max_document_bytes: PositiveInt = Field(
        128 * MIB, description="Maximum size of one document, such as a JSON or XML file, in bytes."
    )
    max_record_bytes: PositiveInt = Field(
        4 * MIB, description="Maximum size of one record of a JSON or XML document, in bytes."
    )
    max_records: PositiveInt = Field(
        200_000, description="Maximum number of records in all documents of an import."
    )
    max_record_values: PositiveInt = Field(
        100_000,
        description="Maximum number of JSON values or XML elements in one record, including those"
        " within others.",
    )
    max_values: PositiveInt = Field(
        2_000_000,
        description="Maximum number of JSON values or XML elements in all documents of an import."
        " Each needs up to 150 bytes of memory while an import runs.",
    )
    max_instances: PositiveInt = Field(
        5_000,
        description="Maximum number of times that the recurring events of a calendar happen,"
        " all of them together, and of further slots of pretalx's sessions. Each is imported as a"
        " session.",
    )
    max_text_length: PositiveInt = Field(
        1_000_000, description="Maximum length of one text value, in characters."
    )
    max_text_tags: PositiveInt = Field(
        20_000,
        description="Maximum number of HTML tags in one text, and a fifth of the maximum for"
        " `&` and `<`. A text with more loses all its markup.",
    )
    max_text_depth: PositiveInt = Field(
        100,
        description="Maximum nesting depth of HTML elements in one text. A text that nests"
        " deeper loses all its markup.",
    )
    max_json_depth: PositiveInt = Field(32, description="Maximum nesting depth of a JSON document.")

    max_findings: PositiveInt = Field(
        10_000, description="Maximum number of findings that a report lists. It counts all of them."
    )
    max_report_bytes: PositiveInt = Field(
        MIB,
        description="Maximum size of all findings of a report as JSON, in bytes. The report"
        " counts those that do not fit.",
    )

    @property
    def archive_limits(self) -> ArchiveLimits:
        """The limits for reading an archive."""
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
            max_instances=self.max_instances,
            texts=TextLimits(max_tags=self.max_text_tags, max_depth=self.max_text_depth),
        )
