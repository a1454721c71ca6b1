"""What is kept of finished imports, and for how long."""

from datetime import timedelta
from typing import Final, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, model_validator

from eventimport.settings.work import WorkSettings

CENTURY: Final = 36_500
"""The most days that can be set: counted back from now, they must still give a date."""


class CleanUpSettings(WorkSettings):
    """Clean-up."""

    clean_up_interval: PositiveFloat = Field(
        3600.0,
        description="Seconds between two clean-ups. One of the workers runs them.",
    )
    archive_retention_days: NonNegativeInt = Field(
        30,
        le=CENTURY,
        description="Days for which the archive of an import is kept after the import has ended.",
    )
    export_hours: PositiveFloat = Field(
        24.0,
        le=24 * CENTURY,
        description="Hours for which the link to an exported file works. The clean-up then deletes"
        " the file.",
    )
    orphan_age_hours: PositiveFloat = Field(
        24.0,
        le=24 * CENTURY,
        description="Hours after which the clean-up deletes a stored file that nothing uses."
        " An upload must not last longer than this.",
    )
    mail_retention_days: NonNegativeInt = Field(
        30,
        le=CENTURY,
        description="Days for which the record of a sent or abandoned mail is kept.",
    )

    deleted_retention_days: NonNegativeInt = Field(
        30,
        le=CENTURY,
        description="Days for which deleted events, and deleted parts of events, can be restored."
        " The clean-up then removes their rows and files.",
    )
    audit_retention_days: NonNegativeInt = Field(
        365,
        le=CENTURY,
        description="Days for which an entry of the audit log is kept.",
    )

    @model_validator(mode="after")
    def _imports_end_before(self) -> Self:
        # What waits for the database goes on for twice that long.
        hours = 2 * self.import_timeout / 3600
        if self.orphan_age_hours <= hours:
            raise ValueError(
                f"ORPHAN_AGE_HOURS must be more than {hours:g}, twice the"
                " IMPORT_TIMEOUT. Otherwise the clean-up could delete files that"
                " an import is storing"
            )
        return self

    @property
    def archive_retention(self) -> timedelta:
        """How long the archive of a finished import is kept."""
        return timedelta(days=self.archive_retention_days)

    @property
    def export_lifetime(self) -> timedelta:
        """How long the link to an exported file works."""
        return timedelta(hours=self.export_hours)

    @property
    def orphan_age(self) -> timedelta:
        """How old a file that nothing uses must be to be deleted."""
        return timedelta(hours=self.orphan_age_hours)

    @property
    def mail_retention(self) -> timedelta:
        """How long the record of a mail is kept."""
        return timedelta(days=self.mail_retention_days)

    @property
    def deleted_retention(self) -> timedelta:
        """How long what was deleted can be restored."""
        return timedelta(days=self.deleted_retention_days)

    @property
    def audit_retention(self) -> timedelta:
        """How long an entry of the audit log is kept."""
        return timedelta(days=self.audit_retention_days)
