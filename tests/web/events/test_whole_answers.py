"""What the OpenAPI document requires is what whole answers have."""

import copy
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from sqlalchemy import update
from tests.formats.planning import zip_of
from tests.stored_files import accept_archive
from tests.web.conftest import MakeUser, Service
from tests.web.events.conftest import Conference, Editor

from eventimport.database.models import Notification, Task, User
from eventimport.database.tasks import claim
from eventimport.exports.run import attempt_export
from eventimport.http.examples import REF
from eventimport.imports.run import run_import

KINDS = {
    "events": "Event",
    "sessions": "Session",
    "speakers": "Speaker",
    "tracks": "Track",
    "microlocations": "Microlocation",
    "session-types": "SessionType",
    "sponsors": "Sponsor",
    "social-links": "SocialLink",
    "custom-forms": "CustomForm",
    "event-copyright": "EventCopyright",
    "speakers-calls": "SpeakersCall",
}
OF_THE_EVENT = {f"{name}Attributes" for name in KINDS.values()}
ARCHIVE = {
    "event": {"id": 1, "name": "Conference", "timezone": "UTC", "logo-url": "gone.png"},
    "speakers": [{"id": 7, "name": "Ada", "shoe-size": 38}, {"id": 8, "name": "Bo", "hat": 6}],
    "sessions": [{"id": 3, "title": "Opening", "speakers": [{"id": 7}, {"id": 9}]}],
}
BROKEN = {"event": {"id": 1, "name": "Conference"}, "sessions": b'[{"id": 3,\n "title": }]'}

NOT_ALWAYS = {
    "AccountRelationship": set[str](),
    "ErrorMeta": {
        *("severity", "value", "count", "places"),
        *("entry", "record", "source_id", "field", "line", "column", "title"),
    },
    "ErrorObject": {"meta"},
    "ErrorSource": {"pointer", "parameter", "header"},
    "EventDocument": {"included"},
    "ImportReport": {"counts", "media"},
    "MediaFile": {"url", "detail"},
    "MediaReport": {"archive", "missing", "remote", "total", "outcomes", "items"},
    "TaskReport": {"counts", "media"},
}
"""Members that are optional, although each answer of this test has them."""


class Answers:
    """Answers, checked against their schemas; and for each schema, which members each had."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.schemas: dict[str, Any] = document["components"]["schemas"]
        self.seen: dict[str, list[set[str]]] = defaultdict(list)

    async def get(self, client: httpx.AsyncClient, url: str, path: str) -> Any:
        """What the service answers, which must be as the document says of the path."""
        answer = await client.get(url)
        assert answer.status_code == 200, answer.text
        ((_, content),) = self.document["paths"][path]["get"]["responses"]["200"]["content"].items()
        self.check(content["schema"], answer.json())
        return answer.json()

    def check(self, schema: dict[str, Any], value: Any) -> None:
        """Compare a value with its schema, and note its members."""
        faults = list(self.faults(schema, value))
        assert not faults, faults[0]
        self.note(schema, value)

    def faults(self, schema: dict[str, Any], value: Any) -> Iterator[Any]:
        whole = {"components": {"schemas": self.schemas}, **schema}
        yield from Draft202012Validator(whole).iter_errors(value)

    def note(self, schema: dict[str, Any], value: Any) -> None:
        name = schema.get("$ref", "").removeprefix(REF)
        schema = self.schemas[name] if name else schema
        for choices in ("anyOf", "oneOf"):
            for choice in schema.get(choices, ()):
                if not list(self.faults(choice, value)):
                    self.note(choice, value)
                    return
        if isinstance(value, list):
            for each in value:
                self.note(schema["items"], each)
        elif isinstance(value, dict):
            known = schema.get("properties", {})
            if name:
                self.seen[name].append(set(value))
                is_open = schema.get("additionalProperties", False)
                assert is_open or value.keys() <= known.keys(), (name, value.keys())
            for key, each in value.items():
                if key in known:
                    self.note(known[key], each)


@pytest.fixture
def answers(openapi_document: dict[str, Any]) -> Answers:
    return Answers(openapi_document)


async def test_required_members_of_events_are_those_that_all_readers_get(
    conference: Conference, user_client: httpx.AsyncClient, client: httpx.AsyncClient, answers: Any
) -> None:
    for path, name in KINDS.items():
        url, template = conference.url(path), f"/v1/{path}/{{resource_id}}"
        own = (await answers.get(user_client, url, template))["data"]
        public = (await answers.get(client, url, template))["data"]
        attributes = answers.schemas[f"{name}Attributes"]
        relationships = answers.schemas[f"{name}Relationships"]

        assert set(attributes["required"]) == public["attributes"].keys()
        assert attributes["properties"].keys() == own["attributes"].keys()
        assert set(relationships["required"]) == public["relationships"].keys()
        assert relationships["properties"].keys() == own["relationships"].keys()


async def test_a_sparse_fieldset_is_described_with_its_parameter(
    conference: Conference, client: httpx.AsyncClient, answers: Answers
) -> None:
    for path, name in KINDS.items():
        kind = path.removesuffix("s")
        answer = await client.get(conference.url(path), params={f"fields[{kind}]": "source-id"})
        operation = answers.document["paths"][f"/v1/{path}/{{resource_id}}"]["get"]
        (described,) = (
            each["description"]
            for each in operation["parameters"]
            if each["name"] == f"fields[{kind}]"
        )

        assert list(answer.json()["data"]["attributes"]) == ["source-id"]
        assert "lacks the others, even those that its schema requires" in described
        assert f"`fields[{kind}]`" in answers.schemas[f"{name}Attributes"]["description"]


async def test_examples_of_requests_are_accepted_without_a_finding(
    conference: Conference, editor: Editor, answers: Answers
) -> None:
    examples = answers.document["components"]["examples"]
    for path, name in KINDS.items():
        creation = copy.deepcopy(examples[f"{name}Creation"]["value"])
        if path != "events":
            creation["data"]["relationships"]["event"]["data"]["id"] = str(conference.id)
        patch = copy.deepcopy(examples[f"{name}Patch"]["value"])
        url = conference.url(path)
        patch["data"]["id"] = url.rpartition("/")[2]
        if path not in {"event-copyright", "speakers-calls"}:
            made = await editor.send("POST", f"/v1/{path}", creation)
            assert made.status_code == 201, made.text
            assert "findings" not in made.json().get("meta", {})
        changed = await editor.send("PATCH", url, patch)
        assert changed.status_code == 200, changed.text
        assert "findings" not in changed.json().get("meta", {}), changed.text


@pytest.fixture
async def admin(service: Service, make_user: MakeUser) -> httpx.AsyncClient:
    return await service.client(await make_user(email="root@example.org", is_admin=True))


async def test_required_members_are_those_of_each_answer(  # noqa: PLR0917 - what a service has
    conference: Conference,
    user: User,
    service: Service,
    editor: Editor,
    admin: httpx.AsyncClient,
    answers: Answers,
) -> None:
    client = editor.client
    jobs = [
        await accept_archive(service.resources, user.id, zip_of(documents), dry_run=dry_run)
        for documents, dry_run in ((ARCHIVE, False), (ARCHIVE, True), (BROKEN, False))
    ]
    waiting = await accept_archive(service.resources, user.id, zip_of(ARCHIVE))
    for job in jobs:
        await run_import(service.resources, job)
    export = (await client.get(f"/v1/events/{conference.id}/export/ical")).json()["task_url"]
    async with service.resources.engine.begin() as connection:
        await connection.execute(update(Task).where(Task.id == export[10:]).values(retry_at=None))
        await connection.execute(
            update(Task).where(Task.id == waiting).values(retry_at=None, status="REVOKED")
        )
        claimed = await claim(connection, export[10:])
    assert claimed is not None
    await attempt_export(service.resources, claimed)
    async with service.resources.sessions.begin() as session:
        session.add(Notification(user_id=user.id, title="T", message="M"))
    await client.post("/v1/upload/file", files={"file": ("a.txt", b"text", "text/plain")})
    token = {"name": "CI", "scopes": ["events:read"]}
    await client.post("/v1/personal-access-tokens", json=token)

    event = f"/v1/events/{conference.id}"
    for task in [*(f"/v1/tasks/{job}" for job in (*jobs, waiting)), export]:
        await answers.get(client, task, "/v1/tasks/{task_id}")
    for job in jobs:
        await answers.get(client, f"/v1/import-jobs/{job}", "/v1/import-jobs/{import_job_id}")
    findings = "/v1/import-jobs/{import_job_id}/findings"
    for job in (jobs[0], jobs[2]):
        found = await answers.get(client, findings.format(import_job_id=job), findings)
        assert found["data"]
    for url in (
        *("/v1/import-jobs", "/v1/notifications", "/v1/uploads", "/v1/personal-access-tokens"),
        *("/v1/account", "/v1/settings", "/v1/events", "/healthz"),
    ):
        await answers.get(client, url, url)
    for url in ("/v1/settings", "/v1/audit-log"):
        await answers.get(admin, url, url)
    for name in ("owner", "relationships/owner", "sessions", "relationships/sessions"):
        await answers.get(client, f"{event}/{name}", f"/v1/events/{{resource_id}}/{name}")
    await answers.get(client, f"{event}/members", "/v1/events/{event_key}/members")
    included = "sessions.speakers,sessions.track,event-copyright,speakers-call"
    await answers.get(client, f"{event}?include={included}", "/v1/events/{resource_id}")
    await answers.get(client, f"{event}?include=tickets", "/v1/events/{resource_id}")

    wrong = {}
    for name, seen in answers.seen.items():
        optional = set.intersection(*seen) - set(answers.schemas[name].get("required", ()))
        if name not in OF_THE_EVENT and optional - NOT_ALWAYS.get(name, set()):
            wrong[name] = optional
    assert not wrong, wrong
    assert {"TaskReport", "ImportReport", "Report", "Finding", "FindingPlace"} <= set(answers.seen)
    assert {"ImportErrors", "ErrorObject", "ErrorMeta", "IgnoredPart"} <= set(answers.seen)
