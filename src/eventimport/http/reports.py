"""Reports and their findings as types, so that OpenAPI knows them.

They are stored as `conference.report` describes them, and are sent as they are stored: routes do
not validate them. Members that are not known are left out.
"""

from typing import Annotated, Any, Final, NotRequired, TypeAlias

from pydantic import ConfigDict, Field, SerializeAsAny, SkipValidation, with_config
from typing_extensions import TypedDict

from eventimport.conference.report import Severity
from eventimport.database.models import MediaOutcome

FORBID: Final = ConfigDict(extra="forbid")
"""Also keeps a type from the configuration of the model that it is a part of, such as aliases."""

Quoted: TypeAlias = str | int | float | bool
"""What `conference.report.excerpt` makes of a value."""

Code = Annotated[str, Field(description="A stable word for programs to compare.")]
Quote = Annotated[Quoted, Field(description="The value that was found, or the beginning of it.")]


@with_config(FORBID)
class Place(TypedDict, total=False):
    """A place in the imported file. Only what is known is present."""

    entry: Annotated[str, Field(description="The name of the file in the archive.")]
    record: Annotated[int, Field(description="The number of the record in its file, from 0.")]
    source_id: Annotated[str, Field(description="The id of the record in the file.")]
    field: Annotated[str, Field(description="The field of the record.")]
    line: Annotated[int, Field(description="The line, from 1.")]
    column: Annotated[int, Field(description="The column, from 1.")]
    title: Annotated[str, Field(description="The title or name of the record.")]


@with_config(FORBID)
class FindingPlace(Place, total=False):
    """A place of a finding, with what differs there from the first place."""

    value: Quote
    message: Annotated[str, Field(description="Only if it differs from the finding's.")]


@with_config(FORBID)
class Finding(Place):
    """A finding. Findings of one cause are one finding: the place and the value are the first."""

    severity: Severity
    code: Code
    message: str
    value: NotRequired[Quote]
    count: Annotated[int, Field(description="How often this was found.")]
    places: Annotated[list[FindingPlace], Field(description="The first places.")]


@with_config(FORBID)
class FindingTotals(TypedDict):
    """The number of occurrences of each severity."""

    repair: int
    warning: int
    error: int


@with_config(FORBID)
class Report(TypedDict):
    """What was found, and how often."""

    totals: FindingTotals
    total: Annotated[int, Field(description="The number of findings.")]
    omitted: Annotated[
        int, Field(description="The number of occurrences whose findings exceeded MAX_FINDINGS.")
    ]
    findings: Annotated[list[Finding], Field(description="The first findings, the gravest first.")]


@with_config(FORBID)
class MediaFile(TypedDict):
    """A media file of an import, and what became of it."""

    table: Annotated[str, Field(description="The table of the record that has the file.")]
    row_id: Annotated[str, Field(description="The id of this record.")]
    field: str
    source: Annotated[str, Field(description="The reference to the file in the imported file.")]
    origin: Annotated[str, Field(description="`archive`, `remote` or `inline`.")]
    outcome: MediaOutcome
    url: NotRequired[str | None]
    detail: NotRequired[Annotated[str | None, Field(description="Why it is not stored.")]]


@with_config(FORBID)
class MediaReport(TypedDict, total=False):
    """The media files of an import: how many come from where, and what became of them."""

    archive: int
    missing: Annotated[int, Field(description="Files that the archive names, but does not hold.")]
    remote: int
    total: int
    outcomes: Annotated[dict[str, int], Field(description="The number of files per outcome.")]
    items: Annotated[list[MediaFile], Field(description="The first files, unstored ones first.")]


@with_config(FORBID)
class ImportReport(Report):
    """The report of an import. A failed import only has findings."""

    counts: NotRequired[Annotated[dict[str, int], Field(description="Written rows per table.")]]
    media: NotRequired[MediaReport]
    first_import: NotRequired[
        Annotated[
            dict[str, Any],
            Field(description="The report of an earlier import, as an exported archive has it."),
        ]
    ]
    error_count: NotRequired[
        Annotated[int, Field(description="The number of errors of a failed import.")]
    ]


@with_config(FORBID)
class TaskReport(ImportReport):
    """The report of an import, as its task has it."""

    format: Annotated[str, Field(description="The format of the file, also if it was detected.")]
    findings_url: Annotated[str, Field(description="The URL that lists all findings.")]
    dry_run: NotRequired[Annotated[bool, Field(description="True after a dry run.")]]


StoredReport = Annotated[SerializeAsAny[ImportReport] | None, SkipValidation]
"""A report that is sent as it is stored: an earlier version may have stored other members."""
