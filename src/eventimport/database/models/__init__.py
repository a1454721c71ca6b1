"""All models, so that importing this module fills `Base.metadata`."""

from eventimport.database.models.audit_entry import AuditEntry
from eventimport.database.models.base import Base
from eventimport.database.models.event import (
    CustomForm,
    Event,
    EventCopyright,
    EventInvitation,
    EventRole,
    SocialLink,
    SpeakersCall,
)
from eventimport.database.models.idempotency_key import IdempotencyKey
from eventimport.database.models.media import MediaItem, MediaOutcome
from eventimport.database.models.notification import Notification
from eventimport.database.models.outgoing_mail import MailKind, MailStatus, OutgoingMail
from eventimport.database.models.people import Speaker, Sponsor
from eventimport.database.models.periodic_job import PeriodicJob
from eventimport.database.models.program import (
    EventSession,
    Microlocation,
    SessionSpeaker,
    SessionType,
    Track,
)
from eventimport.database.models.service_setting import ServiceSetting
from eventimport.database.models.stored_object import (
    ObjectLink,
    ObjectPurpose,
    ObjectRecord,
    ObjectState,
)
from eventimport.database.models.task import (
    EXPORT_JOBS,
    IMAGE_JOBS,
    IMPORT_JOBS,
    MEDIA_FETCHES,
    OPEN_STATUSES,
    ExportJob,
    ExportRequest,
    ExportView,
    ImageJob,
    ImportFinding,
    ImportJob,
    ImportStatus,
    MediaFetch,
    Task,
    TaskKind,
)
from eventimport.database.models.user import AccountLink, PersonalAccessToken, SignIn, User

__all__ = [
    "EXPORT_JOBS",
    "IMAGE_JOBS",
    "IMPORT_JOBS",
    "MEDIA_FETCHES",
    "OPEN_STATUSES",
    "AccountLink",
    "AuditEntry",
    "Base",
    "CustomForm",
    "Event",
    "EventCopyright",
    "EventInvitation",
    "EventRole",
    "EventSession",
    "ExportJob",
    "ExportRequest",
    "ExportView",
    "IdempotencyKey",
    "ImageJob",
    "ImportFinding",
    "ImportJob",
    "ImportStatus",
    "MailKind",
    "MailStatus",
    "MediaFetch",
    "MediaItem",
    "MediaOutcome",
    "Microlocation",
    "Notification",
    "ObjectLink",
    "ObjectPurpose",
    "ObjectRecord",
    "ObjectState",
    "OutgoingMail",
    "PeriodicJob",
    "PersonalAccessToken",
    "ServiceSetting",
    "SessionSpeaker",
    "SessionType",
    "SignIn",
    "SocialLink",
    "Speaker",
    "SpeakersCall",
    "Sponsor",
    "Task",
    "TaskKind",
    "Track",
    "User",
]
