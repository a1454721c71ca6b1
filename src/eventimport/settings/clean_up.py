"""What is kept of finished imports, and for how long."""

from datetime import timedelta
from typing import Final, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, model_validator

from eventimport.settings.work import WorkSettings

CENTURY: Final = 36_500
"""Days that stand for ever: what is counted back from now must still be a date."""


class CleanUpSettings(WorkSettings):
    """The clean-up, and what it leaves alone."""

    clean_up_interval: PositiveFloat = Field(
        3600.0,
        description="How often what is not needed any more is removed, by one of the workers, in"
        " seconds.",
    )
    archive_retention_days: NonNegativeInt = Field(
        30,
        le=CENTURY,
        description="How long the archive of an import is kept once that has ended, in days.",
    )
    orphan_age_hours: PositiveFloat = Field(
        24.0,
        le=24 * CENTURY,
        description="Hours after which the clean-up deletes a stored file that nothing uses. No"
        " upload may take longer.",
    )
    mail_retention_days: NonNegativeInt = Field(
        30,
        le=CENTURY,
        description="How long it is remembered that a mail was sent, or given up, in days.",
    )

    @model_validator(mode="after")
    def _imports_end_before(self) -> Self:
        # What waits for the database goes on for twice that long.
        hours = 2 * self.import_timeout / 3600
        if self.orphan_age_hours <= hours:
            raise ValueError(
                f"ORPHAN_AGE_HOURS must be more than {hours:g}, twice the IMPORT_TIMEOUT: else the"
                " clean-up could delete files that an import is just storing"
            )
        return self

    @property
    def archive_retention(self) -> timedelta:
        """How long the archive of an import that has ended is kept."""
        return timedelta(days=self.archive_retention_days)

    @property
    def orphan_age(self) -> timedelta:
        """How old a file that nothing uses must be to be deleted."""
        return timedelta(hours=self.orphan_age_hours)

    @property
    def mail_retention(self) -> timedelta:
        """How long what became of a mail is remembered."""
        return timedelta(days=self.mail_retention_days)
