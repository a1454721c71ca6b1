"""The OpenAPI document, and the page that shows it."""

import asyncio
import copy
import json
import re
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from tests.web.raised_problems import literals, raised_problems

from eventimport.http.examples import add_examples
from eventimport.main import app_from_environment
from eventimport.settings import Settings


@pytest.fixture
def document(openapi_document: dict[str, Any]) -> dict[str, Any]:
    """The application's OpenAPI document."""
    return openapi_document


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All operations by their id."""
    found = [operation for path in document["paths"].values() for operation in path.values()]
    by_id = {operation["operationId"]: operation for operation in found}
    assert len(by_id) == len(found)
    return by_id


def test_operations_have_short_names(document: dict[str, Any]) -> None:
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+){1,5}", name) for name in operations(document))


def test_every_error_is_a_problem(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        for status, response in operation["responses"].items():
            # Who asks for readiness wants to know what is not ready.
            if status >= "400" and "content" in response and name != "check_ready":
                schema = response["content"]["application/vnd.api+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorDocument"}


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = set(re.findall(r"'#/components/schemas/([^']+)'", str(document)))

    assert references == document["components"]["schemas"].keys() & references


def test_a_guarded_route_says_so(document: dict[str, Any]) -> None:
    (scheme,) = document["components"]["securitySchemes"].values()
    guarded = {
        name for name, operation in operations(document).items() if operation.get("security")
    }

    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert {"import_event", "get_task", "list_import_jobs"} <= guarded
    assert {"create_user", "sign_in", "check_alive"}.isdisjoint(guarded)
    assert all("401" in operations(document)[name]["responses"] for name in guarded)


def test_the_archive_is_a_file_to_be_picked(document: dict[str, Any]) -> None:
    body = operations(document)["import_event"]["requestBody"]
    schema = document["components"]["schemas"]["ArchiveUpload"]
    name = body["content"]["multipart/form-data"]["schema"]["$ref"]

    assert name == "#/components/schemas/ArchiveUpload"
    assert body["required"] is True
    assert schema["required"] == ["file"]
    # Swagger UI shows a file picker for this format, generated clients take a file for the other.
    assert schema["properties"]["file"]["format"] == "binary"
    assert schema["properties"]["file"]["contentMediaType"] == "application/octet-stream"


def test_names_read_well_in_a_generated_client(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert "UserResource" in schemas
    assert [name for name in schemas if "_" in name] == []
    repeated = [name for name in operations(document) if re.search(r"(?:^|_)(\w+)_\1_", name)]
    assert repeated == []
    tags = {tag for operation in operations(document).values() for tag in operation["tags"]}
    assert tags == {tag["name"] for tag in document["tags"]}
    assert {"sessions", "speakers", "tracks"} <= tags
    assert document["servers"] == [{"url": "http://localhost:8000"}]


def test_a_task_is_told_apart_by_its_state(document: dict[str, Any]) -> None:
    task = document["components"]["schemas"]["Task"]

    assert task["discriminator"]["propertyName"] == "state"
    states = {"PENDING", "STARTED", "SUCCESS", "FAILURE", "REVOKED"}
    assert task["discriminator"]["mapping"].keys() == states
    assert {each["$ref"].rpartition("/")[2] for each in task["oneOf"]} == {
        *("OpenTask", "SucceededTask", "FailedTask", "RevokedTask"),
    }


def test_a_succeeded_task_is_told_apart_by_its_kind(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    task = schemas["SucceededTask"]

    assert task["discriminator"]["propertyName"] == "kind"
    mapping = task["discriminator"]["mapping"]
    kinds = {"import", "image-sizes", "fetch-media", "export"}
    assert mapping.keys() == kinds == set(schemas["OpenTask"]["properties"]["kind"]["enum"])
    results = {
        kind: schemas[name.rpartition("/")[2]]["properties"]["result"]["$ref"].rpartition("/")[2]
        for kind, name in mapping.items()
    }
    assert results == {
        "import": "ImportResult",
        "image-sizes": "ImageSizes",
        "fetch-media": "FetchedMedia",
        "export": "ExportedFile",
    }


def test_headers_are_documented(document: dict[str, Any]) -> None:
    for name, headers in {
        "import_event": {"Location", "Retry-After"},
        "sign_in": set(),
        "create_event": {"Location", "ETag"},
        "create_user": {"Location"},
        "get_task": {"ETag", "Retry-After"},
    }.items():
        responses = operations(document)[name]["responses"]
        found = {
            header
            for status in ("200", "201", "202")
            for header in responses.get(status, {}).get("headers", {})
        }
        assert headers <= found, name


def test_an_optional_parameter_is_left_out_and_never_null(document: dict[str, Any]) -> None:
    parameters = [
        parameter
        for operation in operations(document).values()
        for parameter in operation.get("parameters", ())
    ]
    assert {"include", "if-match"} <= {parameter["name"] for parameter in parameters}
    assert [each["name"] for each in parameters if "'null'" in str(each["schema"])] == []


def test_events_of_a_task_have_its_type(document: dict[str, Any]) -> None:
    content = operations(document)["watch_task"]["responses"]["200"]["content"]
    assert content["text/event-stream"]["schema"] == {"$ref": "#/components/schemas/Task"}


OPEN = {
    *("AuditAttributes.detail", "Extra", "SentBack"),
    *("ChangedUser.attributes", "get_schedule_json 200"),
    *("ImportReport.first_import", "TaskReport.first_import"),
}
"""What is an object of any members: those that only a client, a source or a standard knows."""


def test_other_objects_name_their_members(document: dict[str, Any]) -> None:
    named = {**document["components"]["schemas"]}
    for name, operation in operations(document).items():
        for status, response in operation["responses"].items():
            for content in response.get("content", {}).values():
                named[f"{name} {status}"] = content["schema"]
    for name, schema in list(named.items()):
        for member, described in schema.get("properties", {}).items():
            named[f"{name}.{member}"] = described
    found = {
        name
        for name, schema in named.items()
        if schema.get("additionalProperties") is True
        or (
            schema.get("type") == "object"
            and not schema.keys() & {"properties", "additionalProperties"}
        )
        or not schema.keys() & {"type", "$ref", "anyOf", "oneOf", "const"}
    }

    # Relationships that only the reference server has are ignored.
    assert {name for name in found if not name.endswith("RelationshipChanges")} == OPEN


def bodies(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each body of a request and of a response, by a name for people."""
    for name, operation in operations(document).items():
        answers = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for place, described in answers.items():
            for media_type, content in described.get("content", {}).items():
                yield f"{name} {place} {media_type}", content


def faults_of_examples(document: dict[str, Any]) -> list[str]:
    """What is wrong with the examples, or missing."""
    shared, faults = document["components"]["examples"], []
    for name, content in bodies(document):
        named = content.get("examples", {}).values()
        examples = [shared[each["$ref"].split("/")[-1]]["value"] for each in named]
        examples += [content["example"]] if "example" in content else []
        if not examples:
            faults.append(f"{name} has no example")
        whole = {"components": document["components"], **content["schema"]}
        validator = Draft202012Validator(whole, format_checker=FormatChecker())
        for example in examples:
            faults += [f"{name}: {each.message}" for each in validator.iter_errors(example)]
    return faults


def test_every_body_has_a_valid_example(document: dict[str, Any]) -> None:
    assert not faults_of_examples(document)
    assert len(list(bodies(document))) > 2000


def test_examples_of_errors_are_errors_that_the_service_sends(document: dict[str, Any]) -> None:
    known = {tuple(literals(call)) for call in raised_problems()}
    examples = document["components"]["examples"]
    sent: dict[str, set[str]] = {}
    for operation in operations(document).values():
        for status, response in operation["responses"].items():
            for content in response.get("content", {}).values() if status >= "400" else ():
                (name,) = content["examples"]
                sent.setdefault(name, set()).add(status)
    for name, statuses in sent.items():
        (error,) = examples[name]["value"]["errors"]
        assert statuses == {error["status"]}, name
        place = (int(error["status"]), error["code"], error["title"])
        # Made of variables.
        assert place in known or error["code"] in {"storage-not-configured", "not-ready"}, place

    assert len(sent) > 50


def test_every_parameter_of_a_path_has_a_valid_example(document: dict[str, Any]) -> None:
    for operation in operations(document).values():
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path":
                validator = Draft202012Validator(parameter["schema"])
                assert validator.is_valid(parameter["example"]), parameter


def test_a_missing_or_wrong_example_is_found(document: dict[str, Any]) -> None:
    changed = copy.deepcopy({**document, "paths": {"/v1/tracks": document["paths"]["/v1/tracks"]}})
    creation = changed["paths"]["/v1/tracks"]["post"]
    changed["components"]["examples"]["TrackCreation"]["value"]["data"]["type"] = "room"
    creation["responses"]["201"]["content"]["application/vnd.api+json"]["examples"] = {}

    assert faults_of_examples(changed) == [
        "create_track request application/vnd.api+json: 'track' was expected",
        "create_track 201 application/vnd.api+json has no example",
    ]


def test_no_value_of_an_example_is_missing_or_in_vain(document: dict[str, Any]) -> None:
    examples = add_examples(copy.deepcopy(document))

    assert (examples.missing, examples.unused) == (set(), set())


async def test_the_page_asks_no_other_host(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    references = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assets = {
        name: await client.get(f"/{name}") for name in references if not name.startswith("data:")
    }

    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert {name: answer.status_code for name, answer in assets.items()} == {
        "docs/swagger-ui.css": 200,
        "docs/swagger-ui-bundle.js": 200,
        "docs/start.js": 200,
    }
    assert assets["docs/swagger-ui.css"].headers["content-type"].startswith("text/css")
    assert "javascript" in assets["docs/swagger-ui-bundle.js"].headers["content-type"]
    assert "javascript" in assets["docs/start.js"].headers["content-type"]


async def test_other_files_of_that_folder_are_not_served(client: httpx.AsyncClient) -> None:
    response = await client.get("/docs/redoc.standalone.js")

    assert response.status_code == 404


async def test_the_document_is_made_once_and_away_from_the_event_loop(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    make = service.app.openapi

    def watched() -> Any:
        threads.append(threading.current_thread())
        return make()

    monkeypatch.setattr(service.app, "openapi", watched)
    client = await service.client()

    answers = await asyncio.gather(*(client.get("/openapi.json") for _ in range(5)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


async def test_a_served_application_has_its_document_before_the_first_request(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventimport.main.load_settings", lambda: settings)
    app = app_from_environment()

    assert json.loads(app.state.openapi_document)["info"]["title"] == "eventimport"
