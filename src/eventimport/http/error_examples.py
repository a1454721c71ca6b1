"""Examples of error responses for the OpenAPI document: the usual error of each status, and those
of operations whose errors are others."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from eventimport.errors import Problem, document

JOB: Final = "0d3c1f5e-8a54-4a5b-9d1f-3f7a1c0e6b27"
"""The id of a task and its import job."""

ATTRIBUTES: Final = "/data/attributes"

_LINK: Final = Problem(
    *(422, "invalid-link", "Invalid link"),
    "The link was used before or has expired. Request a new one.",
    {"pointer": "/token"},
)
_TAKEN: Final = Problem(
    *(409, "email-taken", "E-mail address already registered"),
    "An account with this e-mail address already exists. Sign in instead.",
    {"pointer": "/email"},
)
_CLOSED: Final = Problem(
    *(403, "sign-up-disabled", "Sign-up disabled"), "Ask an administrator for an account."
)
_REFRESH: Final = Problem(
    *(401, "invalid-refresh-token", "Invalid refresh token"),
    "The refresh token was used before, has expired, or was revoked. Sign in again.",
    {"pointer": "/refresh_token"},
)
_ADMINS: Final = Problem(*(403, "forbidden", "Not allowed"), "Only admins can do this.")
_WRONG_PASSWORD: Final = Problem(
    *(403, "wrong-password", "Wrong password"),
    "The current password is wrong.",
    {"pointer": "/password"},
)
_KEY: Final = Problem(
    *(422, "idempotency-key-reused", "Idempotency key already used"),
    "The key was used for a request to another route or with other content. Repeat that request,"
    " or send this request with a new key.",
    {"header": "Idempotency-Key"},
)
_NO_FORM: Final = Problem(
    *(415, "unsupported-media-type", "Unsupported media type"),
    "The body must be multipart/form-data.",
    {"header": "Content-Type"},
)
_QUOTA: Final = Problem(
    *(413, "upload-quota-exceeded", "Upload quota exceeded"),
    "Your uploads are limited to 10,240 MiB in total, and 12 MiB are left. The limit is set by"
    " MAX_UPLOADED_BYTES_PER_USER. Delete uploads that you no longer need (DELETE"
    " /v1/uploads/{id}).",
    meta={"limit": "MAX_UPLOADED_BYTES_PER_USER", "allowed": 10737418240, "left": 12582912},
)

_SCOPE: Final = Problem(
    *(403, "insufficient-scope", "Scope missing"),
    "This request requires a personal access token with the scope `read`. This token has: import.",
    {"header": "Authorization"},
    {"scopes": ["read"]},
)
_JSON: Final = Problem(*(400, "invalid-json", "Invalid JSON"), "Expecting ',' delimiter at 17.")

USUAL: Final = {
    problem.status: problem
    for problem in (
        Problem(
            *(400, "invalid-parameter", "Invalid parameter"),
            "Unknown query parameter 'colour'.",
            {"parameter": "colour"},
        ),
        Problem(
            *(401, "unauthorized", "Sign-in required"),
            "This request requires a valid access token in the Authorization header.",
            {"header": "Authorization"},
        ),
        Problem(
            *(403, "forbidden", "Not allowed"),
            "Only the event's owner, its editors and admins can do this.",
        ),
        Problem(*(404, "not-found", "Not Found"), "Unknown event 24."),
        Problem(
            *(406, "not-acceptable", "Not acceptable"),
            "Send application/vnd.api+json without parameters other than profile. JSON:API"
            " extensions are not supported.",
            {"header": "Accept"},
        ),
        Problem(
            *(408, "upload-stalled", "Upload stalled"),
            "The client sent nothing for 30 seconds. The limit is set by RECEIVE_TIMEOUT. Send the"
            " upload again.",
        ),
        Problem(
            *(409, "type-mismatch", "Type mismatch"),
            "Expected type '{thing}', got 'room'.",
            {"pointer": "/data/type"},
        ),
        Problem(
            *(410, "link-expired", "Link expired"),
            "The link to this file has expired. EXPORT_HOURS sets how long links work. Export the"
            " event again.",
        ),
        Problem(
            *(412, "changed-meanwhile", "Resource changed"),
            "The resource has changed since you read it. Read it again, and repeat your change.",
            {"header": "If-Match"},
        ),
        Problem(
            *(413, "content-too-large", "Body too large"),
            "The body is larger than 1 MiB. The limit is set by MAX_BODY_BYTES.",
        ),
        Problem(
            *(414, "url-too-long", "URL too long"),
            "The URL is longer than 8 KiB. The limit is set by MAX_URL_BYTES.",
        ),
        Problem(
            *(415, "unsupported-media-type", "Unsupported media type"),
            "Send the body as application/vnd.api+json, without parameters other than profile, or"
            " as application/json.",
            {"header": "Content-Type"},
        ),
        Problem(
            *(416, "no-such-range", "Range not satisfiable"),
            "The requested range is outside of the file, which has 48,213 bytes.",
            {"header": "Range"},
        ),
        Problem(
            *(422, "invalid-value", "Invalid value"),
            "This attribute is read-only. Leave it out, or send it unchanged.",
            {"pointer": f"{ATTRIBUTES}/updated-at"},
        ),
        Problem(
            *(429, "too-many-requests", "Too many requests"),
            "More than 3,000 requests in 60 seconds. The limit is set by REQUESTS_PER_MINUTE. Try"
            " again later.",
        ),
        Problem(
            *(503, "database-unavailable", "Database unavailable"),
            "The service cannot reach its database. Try again later.",
        ),
    )
}
"""The usual error of each status. `{thing}` is the type of the resource."""


def _required(pointer: str) -> Problem:
    """The error of a body without this member."""
    return Problem(*(422, "invalid-value", "Invalid value"), "Field required", {"pointer": pointer})


OF_OPERATIONS: Final[Mapping[str, tuple[Problem, ...]]] = {
    "accept_event_invitation": (_LINK,),
    "cancel_task": (
        Problem(
            *(409, "task-ended", "Task already ended"),
            f"Task {JOB} has ended. Only a waiting or running task can be cancelled.",
        ),
    ),
    "change_event_member": (_required(f"{ATTRIBUTES}/role"),),
    "change_own_email": (_WRONG_PASSWORD, _TAKEN, _required("/email")),
    "change_own_password": (_WRONG_PASSWORD, _required("/old_password")),
    "check_email": (_CLOSED, _required("/email")),
    "confirm_email": (_TAKEN, _LINK),
    "create_personal_token": (
        Problem(
            *(409, "too-many-tokens", "Too many tokens"),
            "You can have at most 50 personal access tokens. The limit is set by"
            " MAX_PERSONAL_ACCESS_TOKENS. Revoke a token first.",
        ),
        Problem(
            *(422, "invalid-value", "Invalid value"),
            "A token can be valid for at most 365 days. The limit is set by"
            " PERSONAL_ACCESS_TOKEN_DAYS.",
            {"pointer": "/expires_in_days"},
        ),
    ),
    "create_user": (
        _CLOSED,
        _TAKEN,
        Problem(
            *(422, "weak-password", "Weak password"),
            "The password is one of the most common passwords. Choose another.",
            {"pointer": "/password"},
        ),
    ),
    "delete_event": (
        Problem(
            *(409, "import-running", "Import not ended"),
            "The media files of the event are still being stored. Delete the event when its import"
            " has ended.",
        ),
    ),
    "delete_own_account": (_WRONG_PASSWORD, _required("/password")),
    "download_export": (
        Problem(*(404, "not-found", "Not Found"), "Unknown link to an exported file."),
    ),
    "erase_from_event": (_required("/email"),),
    "export_event": (
        Problem(
            *(429, "too-many-exports", "Too many exports"),
            "You have 10 exports that have not ended. The limit is set by MAX_EXPORTS_PER_USER."
            " Try again when one of them has ended.",
        ),
    ),
    "fetch_media_files": (
        Problem(
            *(409, "nothing-missing", "No media files to fetch"),
            f"Import job {JOB} has no media files that can be fetched again.",
        ),
    ),
    "forgot_password": (_required("/email"),),
    **dict.fromkeys(
        (
            *(
                "get_schedule_xml",
                "get_schedule_json",
                "get_schedule_calendar",
                "get_schedule_xcal",
            ),
            *("get_session_calendar", "get_speaker_calendar", "get_track_calendar"),
        ),
        (Problem(*(404, "not-found", "Not Found"), "No published event ab3de6f0 has this feed."),),
    ),
    "get_media": (Problem(*(404, "not-found", "Not Found"), "Unknown file /media/7/logo.png."),),
    "import_event": (
        Problem(
            *(404, "unknown-source-type", "Unknown format"),
            "“pdf” is not a known format. To detect the format of a file, use “auto”.",
        ),
        Problem(
            *(413, "limit-exceeded", "Upload too large"),
            "The archive is larger than 512 MiB. The limit is set by MAX_ARCHIVE_BYTES.",
            meta={"limit": "MAX_ARCHIVE_BYTES", "allowed": 536870912},
        ),
        Problem(
            *(415, "other-format", "File in another format"),
            "The file is not iCalendar, but schedule.xml. Import it in the format “schedule-xml”"
            " (/v1/events/import/schedule-xml).",
            {"pointer": "/file"},
        ),
        _KEY,
        Problem(
            *(429, "too-many-imports", "Too many imports"),
            "At most 20 of your imports can wait or run at the same time. The limit is set by"
            " MAX_IMPORTS_PER_USER. Wait until an import has ended.",
        ),
    ),
    "invite_to_event": (_required(f"{ATTRIBUTES}/email"),),
    "list_audit_log": (_ADMINS,),
    "publish_event": (
        Problem(
            *(409, "confirmation-required", "Confirmation required"),
            "The source of the event says that its state is draft. To publish the event anyway,"
            " repeat the request with confirm=true.",
            {"parameter": "confirm"},
        ),
    ),
    "refresh_tokens": (_REFRESH, _required("/refresh_token")),
    "refresh_tokens_by_header": (replace(_REFRESH, source={"header": "Authorization"}),),
    "reinstate_event": (_ADMINS,),
    "reinstate_user_files": (_ADMINS,),
    "reset_forgotten_password": (_LINK,),
    "send_confirmation": (
        Problem(
            *(409, "already-confirmed", "Address already confirmed"),
            "Your e-mail address is confirmed already.",
        ),
    ),
    "sign_in": (
        Problem(
            *(401, "wrong-credentials", "Wrong e-mail address or password"),
            "The e-mail address or the password is wrong.",
        ),
        _required("/password"),
    ),
    "sign_out": (_REFRESH, _required("/refresh_token")),
    "take_down_event": (_ADMINS, _required("/reason")),
    "take_down_user_files": (_ADMINS, _required("/reason")),
    "update_notification": (_required(f"{ATTRIBUTES}/is-read"),),
    "update_settings": (
        _ADMINS,
        Problem(
            *(422, "storage-not-configured", "Storage unusable"),
            "The storage 'gcs' is not configured. Configured storages: local, s3.",
            {"pointer": f"{ATTRIBUTES}/storage-place"},
        ),
    ),
    "upload_file": (_QUOTA, _NO_FORM, _KEY),
    "upload_files": (_QUOTA, _NO_FORM, _KEY),
    "upload_image": (_QUOTA, _KEY),
    "watch_task": (
        Problem(
            *(429, "too-many-event-streams", "Too many event streams"),
            "At most 10 event streams can be open per user. The limit is set by"
            " MAX_EVENT_STREAMS_PER_USER. Close a stream, or poll the task.",
        ),
    ),
}
"""What operations have instead of the usual error of a status."""

_THINGS: Final = {"import-job": "import job", "personal-access-token": "token"}
"""What errors call resources, if it is not their type."""


def error_example(
    status: int, method: str, path: str, operation: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The code of an error that the operation may send with this status, and its document."""
    parameters = operation.get("parameters", ())
    problem = USUAL[status]
    if status == 400 and not any(each["in"] == "query" for each in parameters):
        problem = _JSON
    elif status == 403 and method == "get":
        problem = _SCOPE
    elif status == 404:
        ids = [each["example"] for each in parameters if each["in"] == "path"]
        if ids:
            problem = replace(problem, detail=f"Unknown {_thing(path, 0)} {ids[0]}.")
    elif status == 409:
        problem = replace(problem, detail=problem.detail.format(thing=_thing(path, -1)))
    for own in OF_OPERATIONS.get(operation["operationId"], ()):
        if own.status == status:
            problem = own
    return problem.code, document([problem])


def _thing(path: str, position: int) -> str:
    """The type of resource that the first or the last name in a path leads to."""
    names = [part for part in path.removeprefix("/v1").split("/") if part and part[0] != "{"]
    thing = names[position].removesuffix("s")
    return _THINGS.get(thing, thing)
