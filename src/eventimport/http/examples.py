"""Examples of the OpenAPI document's requests and responses, made of its schemas. Those of error
responses are in `error_examples`.

`VALUES` has the only handwritten values, by the names of members. A value for one schema comes
first, as in `TaskEvent.name`, then one for a kind of resource, as in `Track.name`.
"""

import re
from collections.abc import Mapping
from itertools import chain, count
from typing import Any, Final

from eventimport.http.error_examples import JOB, error_example
from eventimport.http.problems import MEDIA_TYPE

REF: Final = "#/components/schemas/"
EXAMPLE_REF: Final = "#/components/examples/"
ERRORS: Final = {"$ref": f"{REF}ErrorDocument"}

PAGE: Final = "https://events.example/events/ab3de6f0"

PLACE: Final = {"entry": "speakers.json", "record": 0, "title": "Ada", "value": 38}
DONE: Final = {"stage": "done", "done": 1, "total": 1, "message": "Done"}
STORING: Final = {"stage": "media", "done": 4, "total": 9, "message": "Storing the media files"}
FAILED: Final = {"stage": "reading", "done": 0, "total": 0, "message": "The import failed"}
REVOKED: Final = {"stage": "reading", "done": 0, "total": 0, "message": "The import was cancelled"}

VALUES: Final[Mapping[str, Any]] = {
    "access_token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.bXlzaWduYXR1cmU",
    "action": "sign-in",
    "actor-id": "7",
    "Access.detail": "The event is published.",
    "Access.preview": "/v1/events/ab3de6f0/preview",
    "Access.publish": "/v1/events/24/publish",
    "announcement": "<p>Send us your talks about hardware.</p>",
    "app-name": "eventimport",
    "archive-size": 48213,
    "ArchiveUpload.file": "The bytes of conference.zip",
    "AuditResource.type": "audit-entry",
    "ChangedMember.id": "9",
    "ChangedUser.attributes": {"first-name": "Ada"},
    "ChangedUser.id": "7",
    "checks": {"database": "ok", "queue": "ok", "storage": "ok", "worker": "ok"},
    "city": "Berlin",
    "client": "203.0.113.9",
    "code": "unknown-key",
    "color": "#0b5394",
    "content-type": "application/pdf",
    "count": 1,
    "country": "Germany",
    "counts": {"events": 1, "sessions": 1, "speakers": 2},
    "created-at": "2027-01-08T10:00:00Z",
    "created_at": "2027-01-08T10:00:00Z",
    "CustomForm.description": "As on the badge",
    "CustomForm.name": "Name",
    "deleted-at": None,
    "done": 4,
    "download_url": "https://events.example/exports/Zk3vXq/ab3de6f0.ics",
    "email": "ada@example.org",
    "entry": "speakers.json",
    "error": 0,
    "Event.description": "<p>Three days of open hardware.</p>",
    "Event.ends-at": "2027-03-21T17:00:00Z",
    "event-identifier": "ab3de6f0",
    "event-id": "24",
    "event-name": "Lantern Open 2027",
    "event-type": "Conference",
    "event-url": PAGE,
    "EventIdentifier.id": "24",
    "EventPatchData.id": "24",
    "EventResource.id": "24",
    "event_id": "24",
    "event_name": "Lantern Open 2027",
    "Event.name": "Lantern Open 2027",
    "Event.state": "published",
    "exists": True,
    "expires-at": "2027-04-08T10:00:00Z",
    "expires_at": "2027-03-20T09:00:00Z",
    "expires_in": 3600,
    "expires_in_days": 90,
    "field": "shoe-size",
    "field-identifier": "name",
    "field-type": "text",
    "file": "The bytes of the file",
    "file-name": "conference.zip",
    "FindingResource.id": f"{JOB}-1",
    "FindingResource.type": "finding",
    "findings-url": f"/v1/import-jobs/{JOB}/findings",
    "findings_url": f"/v1/import-jobs/{JOB}/findings",
    "finished-at": "2027-01-08T10:00:04Z",
    "floor": 2,
    "form": "speaker",
    "format": "openevent",
    "ExportedFile.format": "ical",
    "frontend-url": "https://events.example",
    "holder": "Lantern Open",
    "icon-image-url": "https://events.example/media/7/logo-icon.png",
    "id": "12",
    "identifier": "ab3de6f0",
    "ImageData.data": "data:image/png;base64,iVBORw0KGgo=",
    "ImageSizes.id": "24",
    "ImportResult.id": "24",
    "ImportJobReportResource.id": JOB,
    "ImportJobReportResource.type": "import-job",
    "ImportJobResource.id": JOB,
    "ImportJobResource.type": "import-job",
    "import-job-id": JOB,
    "import_job_id": JOB,
    "InvitationResource.id": JOB,
    "InvitationResource.type": "event-invitation",
    "is-confirmed": True,
    "is-included": True,
    "is_confirmed": True,
    "language": "en",
    "large-image-url": "https://events.example/media/7/logo-large.png",
    "last-used-at": "2027-01-09T02:00:00Z",
    "length": "00:30",
    "licence": "CC BY 4.0",
    "licence-url": "https://creativecommons.org/licenses/by/4.0/",
    "link": "https://social.example/@lantern",
    "location-name": "Lantern Hall, Berlin",
    "logo-url": "https://events.example/media/7/logo.png",
    "long-abstract": "<p>How we begin, and what you will see.</p>",
    "MemberResource.id": "9",
    "MemberResource.type": "event-member",
    "message": "Unknown key “shoe-size”: its values are kept in `extra`.",
    "ImportJobAttributes.message": "Imported",
    "ImportJobReport.message": "Imported",
    "Microlocation.name": "Great Hall",
    "missing": 0,
    "NewPersonalToken.name": "nightly import",
    "NewTokenAttributes.name": "nightly import",
    "NewTokenResource.type": "personal-access-token",
    "NotificationAttributes.message": "The event has 1 session and 2 speakers.",
    "NotificationAttributes.title": "Imported: Lantern Open 2027",
    "ChangedNotification.type": "notification",
    "NotificationResource.type": "notification",
    "NotificationChanges.is-read": True,
    "old_password": "correct horse battery staple",
    "omitted": 0,
    "organisation": "Lantern Labs",
    "original-image-url": "https://events.example/media/7/logo.png",
    "outcomes": {"MOVED": 2},
    "owner-name": "Lantern Open",
    "password": "a new horse, a new staple",
    "photo-url": "https://events.example/media/7/ada.jpg",
    "places": [PLACE],
    "position": 1,
    "Speaker.position": "Engineer",
    "Preview.url": f"{PAGE}?preview=Zk3vXq",
    "privacy": "public",
    "Progress.message": "Imported",
    "OpenTask.progress": STORING,
    "OpenTask.state": "STARTED",
    "FailedTask.progress": FAILED,
    "FailedTask.event": None,
    "RevokedTask.event": None,
    "RevokedTask.progress": REVOKED,
    "SucceededExport.event": None,
    "SucceededExport.progress": DONE,
    "SucceededFetch.event": None,
    "SucceededFetch.progress": DONE,
    "SucceededImageSizes.event": None,
    "SucceededImageSizes.progress": DONE,
    "published": True,
    "published-at": "2027-01-08T10:00:04Z",
    "reason": "state",
    "TakeDown.reason": "The photos are used without the permission of the photographer.",
    "record": 0,
    "refresh_token": "Zk3vXq8hS0mB2nL5tY7uW9aC",
    "repair": 0,
    "result": "24",
    "result-status": "SUCCESS",
    "role": "editor",
    "room": "2.01",
    "scopes": ["import"],
    "Session.ends-at": "2027-03-19T10:30:00Z",
    "Session.starts-at": "2027-03-19T10:00:00Z",
    "Session.state": "confirmed",
    "SettingResource.id": "1",
    "SettingResource.type": "setting",
    "HiddenSessionsMeta.sessions": 3,
    "HiddenSessionsMeta.state": "submitted",
    "SessionType.name": "Talk",
    "severity": "warning",
    "short-abstract": "<p>How we begin.</p>",
    "short-biography": "<p>Ada builds lanterns.</p>",
    "sign-up-enabled": True,
    "size": 48213,
    "sizes": {"icon": "https://events.example/media/7/logo-icon.png"},
    "ImageSizes.sizes": {"icon-image-url": "https://events.example/media/7/logo-icon.png"},
    "slides-url": "https://events.example/media/7/opening.pdf",
    "SocialLink.name": "Mastodon",
    "source-id": "3",
    "Speaker.name": "Ada Lovelace",
    "sponsor-type": "Gold",
    "Sponsor.description": "<p>Lantern Labs makes lanterns.</p>",
    "Sponsor.level": 1,
    "Sponsor.name": "Lantern Labs",
    "stage": "done",
    "started-at": "2027-01-08T10:00:01Z",
    "starts-at": "2027-03-19T09:00:00Z",
    "ImportJobAttributes.starts-at": "2027-01-08T10:00:00Z",
    "ImportJobReport.starts-at": "2027-01-08T10:00:00Z",
    "status": "SUCCESS",
    "ErrorObject.status": "422",
    "Health.status": "ok",
    "Readiness.status": "ok",
    "confirmation": "on",
    "storage": "local",
    "storage-place": "local",
    "stored": 2,
    "subject-id": "7",
    "subject-kind": "user",
    "submitted-at": "2026-11-02T18:20:00Z",
    "subtitle": "Welcome to Lantern Open",
    "taken-down-reason": None,
    "task": JOB,
    "task-url": f"/v1/tasks/{JOB}",
    "task_url": f"/v1/tasks/{JOB}",
    "TaskEvent.id": "24",
    "TaskEvent.name": "Lantern Open 2027",
    "timezone": "Europe/Berlin",
    "title": "Ada",
    "IgnoredPart.detail": "'tickets' is not included: this service has no 'tickets'.",
    "ErrorObject.code": "json-syntax",
    "ErrorObject.detail": "sessions.json, line 3, column 7: a comma is missing.",
    "ErrorObject.title": "Archive rejected",
    "Session.title": "Opening",
    "token": "Zk3vXq8hS0mB2nL5tY7uW9aC",
    "NewTokenAttributes.token": "eip_Zk3vXq8hS0mB2nL5tY7uW9aC",
    "TokenAttributes.name": "nightly import",
    "TokenResource.type": "personal-access-token",
    "topic": "Science & Technology",
    "total": 1,
    "ImportJobAttributes.total": 4,
    "ImportJobReport.total": 4,
    "Progress.total": 4,
    "Track.description": "<p>Things that you can touch.</p>",
    "Track.name": "Hardware",
    "updated-at": "2027-01-08T10:00:04Z",
    "UploadAttributes.file-name": "opening.pdf",
    "UploadResource.type": "upload",
    "UploadedFiles.url": "https://events.example/media/7/opening.pdf",
    "UploadedImage.url": "https://events.example/media/7/logo.png",
    "url": PAGE,
    "Sponsor.url": "https://lantern.example",
    "UploadAttributes.url": "https://events.example/media/7/opening.pdf",
    "UserAttributes.email": "ada@example.org",
    "UserIdentifier.id": "7",
    "UserResource.id": "7",
    "UserResource.type": "user",
    "OwnAccount.id": "7",
    "value": 38,
    "version": "1.1",
    "warning": 1,
    "website": "https://ada.example",
    "year": 2027,
}

OPERATIONS: Final[Mapping[str, Any]] = {
    "get_schedule_json": {
        "schedule": {"version": "1", "conference": {"acronym": "ab3de6f0", "days": []}}
    },
    "list_session_dates": ["2027-03-19", "2027-03-20"],
    "list_session_languages": ["de", "en"],
    "list_session_states": ["accepted", "confirmed"],
}
"""Of responses that are not objects."""

PATH_TEXTS: Final[Mapping[str, Any]] = {
    "event_key": "ab3de6f0",
    "export_format": "ical",
    "file_name": "ab3de6f0.ics",
    "identifier": "ab3de6f0",
    "key": "7/logo.png",
    "resource_id": "24",
    "source_type": "json",
    "token": "Zk3vXq8hS0mB2nL5tY7uW9aC",
}
PATH_NUMBERS: Final[Mapping[str, int]] = {"event_id": 24, "user_id": 7}
"""Parameters of paths. Other numbers are 12, and other texts the id of an import."""

MEDIA_TYPES: Final[Mapping[str, Any]] = {
    "*/*": "The bytes of the file",
    "application/calendar+xml": '<icalendar xmlns="urn:ietf:params:xml:ns:icalendar-2.0"/>',
    "application/octet-stream": "The bytes of the file",
    "application/xml": "<schedule><conference><title>Lantern Open 2027</title></conference>"
    "</schedule>",
    "text/calendar": "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//eventimport//EN\r\n"
    "END:VCALENDAR\r\n",
}
"""Of files, and of feeds."""

_SHOWN: Final = re.compile(
    r"\w+(?:Patch|Creation)Data\.attributes|ChangedUser\.attributes"
    r"|(?!Event(?!Copyright))\w+CreationData\.relationships"
    r"|\w+RelationshipChanges\.event|EventTarget\.data"
    r"|FileUpload\.file|UploadedImage\.sizes|NewPersonalToken\.expires_in_days|SettingChanges\.storage-place"
    r"|(?:Import|Task)Report\.counts"
    r"|Finding(?:Place)?\.(?:entry|record|title|field|value)"
)
"""Optional members that an example has. Those of `…Changes` are shown if they have a value."""

_KIND: Final = re.compile(r"(\w+?)(?:Creation)?(?:Attributes|Changes)")
_PATHS: Final = {
    "audit-entry": "audit-log",
    "event-copyright": "event-copyright",
    "event-invitation": "events/24/invitations",
    "event-member": "events/24/members",
    "finding": f"import-jobs/{JOB}/findings",
}
"""Paths that are not the plural of a type."""
_OF_SESSIONS: Final = {"Event", "Track", "Microlocation", "SessionType"}
"""What sessions have a relationship to."""


class Examples:
    """Makes examples of these schemas. `missing` are the members for which a value is missing, and
    `unused` the names in `VALUES` that no example has."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._schemas = schemas
        self.missing: set[str] = set()
        self.unused = set(VALUES)

    def of(self, name: str) -> dict[str, Any]:
        """The examples of a schema, by their names."""
        # Each alternative is worth an example.
        names = [each["$ref"].removeprefix(REF) for each in self._schemas[name].get("oneOf", ())]
        if names:
            return {key: value for each in names for key, value in self.of(each).items()}
        return {name: self._whole(name)}

    def _whole(self, name: str) -> Any:
        return self._example({"$ref": REF + name}, name, "")

    def _example(self, schema: Mapping[str, Any], place: str, base: str) -> Any:
        """An example of a schema. `place` is its schema and member, and `base` the URL of the
        resource that it is a part of."""
        owner, _, member = place.rpartition(".")
        found, value = self._value(owner, member)
        if "const" in schema:
            return schema["const"]
        if found and self._fits(schema, value):
            return value
        if "$ref" in schema:
            name = str(schema["$ref"]).removeprefix(REF)
            return self._example(self._schemas[name], name, base)
        if "properties" in schema:
            return self._object(schema, place, base)
        return self._plain(schema, place, base)

    def _plain(self, schema: Mapping[str, Any], place: str, base: str) -> Any:
        for choice in schema.get("anyOf", schema.get("oneOf", ())):
            # Without a value, what can be null is null.
            if choice.get("type") in {"null", None, "array"}:
                continue
            return None if {"type": "null"} in schema.get("anyOf", ()) else self._one(choice, place)
        for choice in schema.get("anyOf", schema.get("oneOf", ())):
            return self._example(choice, place, base)
        if schema.get("type") == "array":
            return [self._example(schema["items"], place, base)]
        return self._one(schema, place)

    def _one(self, schema: Mapping[str, Any], place: str) -> Any:
        if "enum" in schema:
            return schema["enum"][0]
        if "examples" in schema:
            return schema["examples"][0]
        kind = schema.get("type")
        if kind == "string":
            if schema.get("format") != "date-time":
                self.missing.add(place)
            return "2027-03-19T09:00:00Z"
        return {"boolean": False, "integer": 1, "number": 1.5, "object": {}}.get(str(kind))

    def _object(self, schema: Mapping[str, Any], owner: str, base: str) -> dict[str, Any]:
        base = self._path_of(schema, owner) or base
        required = schema.get("required", ())
        made = {}
        for member, each in schema["properties"].items():
            if member not in required and not self._is_shown(owner, member):
                continue
            place = f"{owner}.{member}"
            if member == "links":
                made[member] = self._links(each, base)
            elif owner.endswith("Relationships"):
                made[member] = self._example(each, place, f"{base}/{member}")
            else:
                made[member] = self._example(each, place, base)
        return made

    def _links(self, schema: Mapping[str, Any], base: str) -> Any:
        """Links to a resource, a relationship or a page."""
        name = str(schema.get("$ref")).removeprefix(REF)
        resource, _, relationship = base.rpartition("/")
        own = base
        if name in {"RelationshipLinks", "LinkagePageLinks"}:
            own = f"{resource}/relationships/{relationship}"
        page = f"{own}?page[number]=1"
        known = {"self": own, "related": base, "prev": None, "next": None}
        known |= {"first": page, "last": page}
        if "next" in self._schemas[name]["required"]:
            known["self"] = page
        return {member: known[member] for member in self._schemas[name]["required"]}

    def _path_of(self, schema: Mapping[str, Any], owner: str) -> str:
        """The URL of the resource, of the resources of a page, or of a relationship."""
        members = schema["properties"]
        if "type" in members and "attributes" in members:
            kind = self._example(members["type"], f"{owner}.type", "")
            if kind == "setting":
                return "/v1/settings"
            return f"/v1/{_PATHS.get(kind, f'{kind}s')}/{self._value(owner, 'id')[1]}"
        linked, is_linkage, is_list = owner.partition("Linkage")
        if is_linkage:
            name = re.sub("(?<!^)(?=[A-Z])", "-", linked).lower()
            if is_list:
                return f"/v1/events/24/{name}s"
            return f"/v1/{'sessions/12' if linked in _OF_SESSIONS else 'events/24'}/{name}"
        data = members.get("data", {})
        is_page = data.get("type") == "array"
        data = data.get("items", next(iter(data.get("anyOf", ())), data))
        if "$ref" not in data or not {"meta", "links"} & members.keys():
            return ""
        name = str(data["$ref"]).removeprefix(REF)
        path = self._path_of(self._schemas[name], name)
        return path.rpartition("/")[0] if is_page else path

    def _value(self, owner: str, member: str) -> tuple[bool, Any]:
        kind = _KIND.fullmatch(owner)
        names = [f"{owner}.{member}", *([f"{kind[1]}.{member}"] if kind else []), member]
        for name in names:
            if name in VALUES:
                self.unused.discard(name)
                return True, VALUES[name]
        return False, None

    def _is_shown(self, owner: str, member: str) -> bool:
        if _SHOWN.fullmatch(f"{owner}.{member}"):
            return True
        is_change = owner.endswith(("Changes", "CreationAttributes")) and not owner.endswith(
            "RelationshipChanges"
        )
        return is_change and self._value(owner, member)[1] is not None

    def _fits(self, schema: Mapping[str, Any], value: Any) -> bool:
        """Whether a value of this name is one of the schema: a name may be that of others, too."""
        choices = schema.get("anyOf", schema.get("oneOf"))
        if choices:
            return any(self._fits(choice, value) for choice in choices)
        if "$ref" in schema:
            schema = self._schemas[str(schema["$ref"]).removeprefix(REF)]
        if "enum" in schema:
            return value in schema["enum"]
        kind = {str: "string", bool: "boolean", int: "integer", float: "number", dict: "object"}
        found = {list: "array", type(None): "null"} | kind
        named = found[type(value)]
        return schema.get("type") == named or (named, schema.get("type")) == ("integer", "number")


def _example_of_parameter(parameter: Mapping[str, Any]) -> Any:
    name = parameter["name"]
    if parameter["schema"]["type"] == "integer":
        return PATH_NUMBERS.get(name, 12)
    return PATH_TEXTS.get(name, JOB)


def add_examples(document: dict[str, Any]) -> Examples:
    """Add an example to each body, to each response and to each parameter of a path."""
    schemas = document["components"]["schemas"]
    made = document["components"].setdefault("examples", {})
    examples = Examples(schemas)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    parameter["example"] = _example_of_parameter(parameter)
            contents = [operation.get("requestBody", {}).get("content", {})]
            for status, response in operation["responses"].items():
                content = response.get("content", {})
                if content.get(MEDIA_TYPE, {}).get("schema") == ERRORS:
                    code, value = error_example(int(status), method, path, operation)
                    content[MEDIA_TYPE]["examples"] = _shared(made, code, value)
                else:
                    contents.append(content)
            for content in contents:
                _add_to_content(content, operation, examples, made)
    return examples


def _add_to_content(
    content: dict[str, Any], operation: Mapping[str, Any], examples: Examples, made: dict[str, Any]
) -> None:
    for media_type, described in content.items():
        name = described["schema"].get("$ref", "").removeprefix(REF)
        if name:
            found = examples.of(name)
            made |= {each: {"value": value} for each, value in found.items()}
            described["examples"] = {each: {"$ref": f"{EXAMPLE_REF}{each}"} for each in found}
        elif described["schema"] == {"type": "null"}:
            described["example"] = None
        else:
            value = OPERATIONS.get(operation["operationId"])
            described["example"] = value or MEDIA_TYPES[media_type]


def _shared(made: dict[str, Any], code: str, value: Any) -> dict[str, Any]:
    """The examples of an error response. Equal documents are one example: nearly all operations
    have the same errors."""
    base = "".join(map(str.capitalize, [*code.split("-"), "error"]))
    names = chain([base], (f"{base}{number}" for number in count(2)))
    name = next(each for each in names if made.setdefault(each, {"value": value})["value"] == value)
    return {name: {"$ref": f"{EXAMPLE_REF}{name}"}}
