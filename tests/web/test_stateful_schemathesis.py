"""The events API in sequences that the document's links describe: make, read, change, delete.

schemathesis makes the requests, and follows the links from each answer to the next request. A few
sequences for each kind reach its operations. `make stateful` runs long ones, over all kinds.
"""

import os
import time
from collections import Counter
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from schemathesis import GenerationMode
from tests.web.events.routes import LISTS, RELATIONSHIPS, SINGLE
from tests.web.test_schemathesis import CHECKS, address, name_of, token

from eventimport.http.events.schema import TYPES

__all__ = ["address", "token"]

MINUTES: Final = float(os.environ.get("EVENTIMPORT_STATEFUL_MINUTES", "0"))
ROUNDS: Final = 10
"""How often sequences are run at most, until each operation on single resources has succeeded."""

ATTEMPTS: Final = 6
"""How often a request is repeated without what the service says is wrong with it."""

KINDS = ("events", *LISTS, *SINGLE.values())


def operations_on(document: dict[str, Any], kind: str | None) -> Any:
    """The operations on events and on parts of this kind, or, without one, on all parts. Only
    events without parts are deleted: sequences end there."""
    schema = schemathesis.openapi.from_dict(document)
    schema.config.generation.update(modes=[GenerationMode.POSITIVE])
    # The document has its links, so that none have to be guessed.
    schema.config.phases.stateful.inference.algorithms = []
    if kind is None:
        return schema.include(path_regex="^/v1/").exclude(operation_id="delete_event")
    one = f"/v1/{kind}/{{resource_id}}"
    if kind == "events":
        return schema.include(path=["/v1/events", one, f"{one}/publish", f"{one}/restore"])
    name = next((name for name, path in SINGLE.items() if path == kind), kind)
    paths = ["/v1/events", f"/v1/events/{{resource_id}}/{name}", f"/v1/{kind}", one]
    paths += [f"{one}/relationships/{each}" for each in RELATIONSHIPS[kind] if each != "event"]
    return schema.include(path=paths)


def corrected(case: Any, response: requests.Response) -> bool:
    """Take out of the case what the answer says is wrong; whether there was something."""
    if response.status_code not in {400, 403, 404, 412, 422}:
        return False
    changed = False
    for error in response.json()["errors"]:
        source = error.get("source") or {}
        if response.status_code == 412 and case.headers:
            changed |= case.headers.pop("if-match", None) is not None
        if "parameter" in source and case.query:
            changed |= case.query.pop(source["parameter"], None) is not None
        names = [
            each.replace("~1", "/").replace("~0", "~")
            for each in source.get("pointer", "").split("/")
        ]
        if names == ["", "data", "attributes", "name"]:
            case.body["data"]["attributes"]["name"] = "A name"
            changed = True
        elif len(names) > 3 and isinstance(case.body, dict):
            members = case.body.get("data", {}).get(names[2], {})
            changed |= isinstance(members, dict) and members.pop(names[3], None) is not None
    return changed


def machine_of(schema: Any, address: str, token: str, reached: Counter[str]) -> Any:
    """A state machine of these operations; `reached` counts the successes of each."""
    parent: Any = schema.as_state_machine()

    class Machine(parent):  # type: ignore[misc]  # made by schemathesis
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            headers = {"Authorization": f"Bearer {token}"}
            return {"base_url": address, "headers": headers, "timeout": 60}

        def before_call(self, case: Any) -> None:
            # The document says that a sparse answer lacks what its schema requires.
            case.query = {
                n: v for n, v in (case.query or {}).items() if not n.startswith("fields[")
            }

        def call(self, case: Any, **kwargs: Any) -> Any:
            for _ in range(ATTEMPTS):
                response = case.call(**kwargs)
                case.validate_response(response, checks=CHECKS)
                if not corrected(case, response):
                    break
            return response

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            case.validate_response(response, checks=CHECKS)
            if response.status_code < 300:
                reached[name_of(case.operation)] += 1

    return Machine


def run(machine: Any, *, sequences: int, steps: int) -> None:
    """Run this many sequences, of this many steps at most."""
    machine.run(
        settings=hypothesis_settings(
            max_examples=sequences,
            stateful_step_count=steps,
            database=None,
            deadline=None,
            # Each round of a test is to try other sequences.
            derandomize=False,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
    )


def lacking(kind: str, reached: Counter[str]) -> set[str]:
    """The names of the operations on single resources of this kind that never succeeded."""
    words = next(each for each in TYPES.values() if each.path == f"/v1/{kind}").words
    return {f"{verb}_{words}" for verb in ("get", "update", "delete")} - reached.keys()


# The thread only makes requests; the server runs in another.
@pytest.mark.without_coverage
def test_each_kind_is_made_read_changed_and_deleted(
    address: str, openapi_document: dict[str, Any], token: str
) -> None:
    for kind in KINDS:
        reached: Counter[str] = Counter()
        for _ in range(ROUNDS):
            machine = machine_of(operations_on(openapi_document, kind), address, token, reached)
            run(machine, sequences=3, steps=12)
            if not lacking(kind, reached):
                break
        assert not lacking(kind, reached), reached


@pytest.mark.without_coverage
@pytest.mark.skipif(not MINUTES, reason="EVENTIMPORT_STATEFUL_MINUTES sets how long to run")
def test_long_sequences(address: str, openapi_document: dict[str, Any], token: str) -> None:
    reached: Counter[str] = Counter()
    end = time.monotonic() + 60 * MINUTES
    while time.monotonic() < end:
        for kind in (None, *KINDS):
            machine = machine_of(operations_on(openapi_document, kind), address, token, reached)
            run(machine, sequences=20, steps=30)
    assert not set().union(*(lacking(kind, reached) for kind in KINDS)), reached
