"""The whole OpenAPI document, put to the test by schemathesis: no 5xx, no undocumented status, no
answer off its schema, signed in and not."""

import socket
import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.web.events import conftest as events

from eventimport.auth import Tokens
from eventimport.database.models import ImportJob, Notification, User
from eventimport.main import create_app
from eventimport.settings import Settings

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = {True: 4, False: 2}
"""How many for each operation and each way of generating, for one who is signed in or not."""

write_conference = events.write_conference

LAST = "delete_event"
"""It comes when nothing needs the event any more."""


@pytest.fixture
def address(settings: Settings) -> Iterator[str]:
    """A server in a thread and loop of its own: schemathesis waits for its answers."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(settings.model_copy(update={"allowed_hosts": ("127.0.0.1",)}))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def token(settings: Settings, user: User) -> str:
    """The user's access token."""
    return Tokens(settings.auth).issue(user.id)


@pytest.fixture
async def known(conference_of: Any, user: User, session_factory: Any) -> dict[str, dict[str, Any]]:
    """What parameters may name, by the first part of a path: without it, nearly all that is asked
    for would be missing."""
    job = ImportJob(id=uuid4(), user_id=user.id, status="SUCCESS", report={}, event_name="E")
    notification = Notification(user_id=user.id, title="T", message="M")
    async with session_factory.begin() as session:
        session.add_all([job, notification])
    ids = {path: {"resource_id": ids[0]} for path, ids in conference_of.ids.items()}
    return {
        **ids,
        "events": {
            "resource_id": conference_of.id,
            "identifier": conference_of.identifier,
        },
        "users": {"user_id": user.id},
        "tasks": {"task_id": str(job.id)},
        "import-jobs": {"import_job_id": str(job.id)},
        "notifications": {"notification_id": notification.id},
    }


@pytest.fixture
async def conference_of(write_conference: Any) -> Any:
    """A published event, with two of everything."""
    return await write_conference(2)


def operations(document: dict[str, Any]) -> list[Any]:
    """All operations; the one that ends the event comes last."""
    results: Any = schemathesis.openapi.from_dict(document).get_all_operations()
    found = [result.ok() for result in results]
    return sorted(found, key=lambda operation: name_of(operation) == LAST)


def name_of(operation: Any) -> str:
    return str(operation.definition.raw["operationId"])


def point(case: Case[Any], known: dict[str, dict[str, Any]]) -> None:
    """Have the case name what there is."""
    given = known.get([*case.operation.path.split("/"), "", ""][2], {})
    parameters: Any = case.path_parameters or {}
    parameters.update((name, given[name]) for name in parameters.keys() & given.keys())
    body: Any = case.body
    if isinstance(body, dict) and isinstance(body.get("data"), dict) and "resource_id" in given:
        body["data"]["id"] = str(given["resource_id"])


def failures_of(
    operation: Any, mode: GenerationMode, headers: dict[str, str], known: Any, address: str
) -> set[str]:
    """What is wrong with the answers to this operation."""
    found: set[str] = set()
    # This one is there to answer with 503, as it does here, where no worker runs.
    readiness = name_of(operation) == "check_ready"
    checks = [check for check in CHECKS if not (readiness and check is not_a_server_error)]

    @hypothesis_settings(
        max_examples=EXAMPLES[bool(headers)],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), pointed=st.booleans())
    def check(case: Case[Any], *, pointed: bool) -> None:
        if pointed or mode is GenerationMode.POSITIVE:
            point(case, known)
        response = case.call(base_url=address, headers=headers, timeout=60)
        try:
            case.validate_response(response, checks=checks)
        except BaseExceptionGroup as failures:
            asked = f"{name_of(operation)}: {response.request.url} {response.request.body!r:.300}"
            found.update(f"{asked}: {error}" for error in failures.exceptions)

    try:
        check()
    except Unsatisfiable:
        # There is nothing that one could send wrong.
        assert mode is GenerationMode.NEGATIVE
    return found


# The thread only makes requests; the server runs in another.
@pytest.mark.without_coverage
@pytest.mark.parametrize("signed_in", [True, False], ids=["signed in", "not signed in"])
def test_every_answer_is_as_documented(
    address: str,
    openapi_document: dict[str, Any],
    token: str,
    known: Any,
    signed_in: bool,
) -> None:
    headers = {"Authorization": f"Bearer {token}"} if signed_in else {}
    found: set[str] = set()
    for operation in operations(openapi_document):
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            found |= failures_of(operation, mode, headers, known, address)

    assert not found, "\n\n".join(sorted(found))
