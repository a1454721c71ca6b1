"""The notifications about the ends of imports, as the settings want them."""

from functools import partial

from eventimport.conference.report import Report
from eventimport.database.endings import EndedImport, NewReport, Tell
from eventimport.database.models import ImportStatus
from eventimport.database.outbox import DueMail, Told
from eventimport.notifications.mail import message_id_of
from eventimport.notifications.messages import Ending, headline, summary
from eventimport.settings import Settings


def words_of(settings: Settings) -> Tell:
    """What finds the words, and whether there is mail. It raises nothing: an import whose end could
    not be told would never end."""

    def tell(ended: EndedImport) -> Told:
        ending = ending_of(ended, settings)
        mailed = settings.mail is not None
        return Told(
            title=headline(ending),
            message=summary(ending),
            message_id=message_id_of(ended.job_id, settings.public_url) if mailed else None,
        )

    return tell


def new_report_of(settings: Settings) -> NewReport:
    """What makes an empty report, with the limits of the settings."""
    return partial(Report, settings.max_findings, settings.max_report_bytes)


def ending_of(job: EndedImport | DueMail, settings: Settings) -> Ending:
    """The end of an import as the messages know it."""
    identifier = job.event_identifier
    return Ending(
        job_id=job.job_id,
        succeeded=job.status == ImportStatus.SUCCESS,
        dry_run=job.dry_run,
        file_name=job.file_name,
        event_name=job.event_name,
        event_url=f"{settings.event_base_url}/events/{identifier}" if identifier else None,
        service_url=f"{settings.public_url}/",
        totals=job.totals or {},
        media=job.media or {},
        errors=job.errors,
        error_count=job.error_count,
        warnings=job.warnings if isinstance(job, DueMail) else (),
    )
