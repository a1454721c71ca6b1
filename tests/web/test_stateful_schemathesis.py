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
SEQUENCES: Final = 6
STEPS: Final = 12

ATTEMPTS: Final = 4
"""How often a request is repeated without what the service says is wrong with it."""

KINDS = (*LISTS, *SINGLE.values())


def operations_on(document: dict[str, Any], kind: str | None) -> Any:
    """The operations on events and on parts of this kind, or, without one, on all parts."""
    schema = schemathesis.openapi.from_dict(document)
    schema.config.generation.update(modes=[GenerationMode.POSITIVE])
    if kind is None:
        return schema.include(path_regex="^/v1/")
    name = next((name for name, path in SINGLE.items() if path == kind), kind)
    one = f"/v1/{kind}/{{resource_id}}"
    paths = [f"/v1/events/{{resource_id}}/{name}", f"/v1/{kind}", one]
    paths += [f"{one}/relationships/{each}" for each in RELATIONSHIPS[kind] if each != "event"]
    return schema.include(path=["/v1/events", "/v1/events/{resource_id}", *paths])


def corrected(case: Any, response: requests.Response) -> bool:
    """Take out of the case what the answer says is wrong; whether there was something."""
    body = case.body
    if response.status_code not in {404, 422} or not isinstance(body, dict):
        return False
    changed = False
    for error in response.json()["errors"]:
        names = (error.get("source") or {}).get("pointer", "").split("/")[1:]
        if names[:1] == ["data"] and len(names) > 2 and isinstance(body.get("data"), dict):
            if names[1:] == ["attributes", "name"] and case.method == "POST":
                body["data"]["attributes"]["name"] = "A name"
                changed = True
            elif names[1] in {"attributes", "relationships"}:
                members = body["data"].get(names[1], {})
                changed |= members.pop(names[2], None) is not None
    return changed


def machine_of(schema: Any, address: str, token: str, reached: Counter[str]) -> Any:
    """A state machine of these operations; `reached` counts the successes of each."""
    parent: Any = schema.as_state_machine()

    class Machine(parent):  # type: ignore[misc]  # made by schemathesis
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"base_url": address, "headers": {"Authorization": f"Bearer {token}"}}

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


def run(machine: Any, *, sequences: int, steps: int, derandomize: bool = True) -> None:
    """Run this many sequences, of this many steps at most."""
    machine.run(
        settings=hypothesis_settings(
            max_examples=sequences,
            stateful_step_count=steps,
            derandomize=derandomize,
            database=None,
            deadline=None,
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
        machine = machine_of(operations_on(openapi_document, kind), address, token, reached)
        run(machine, sequences=SEQUENCES, steps=STEPS)

        assert not lacking(kind, reached), reached


@pytest.mark.without_coverage
@pytest.mark.skipif(not MINUTES, reason="EVENTIMPORT_STATEFUL_MINUTES sets how long to run")
def test_long_sequences(address: str, openapi_document: dict[str, Any], token: str) -> None:
    reached: Counter[str] = Counter()
    end = time.monotonic() + 60 * MINUTES
    while time.monotonic() < end:
        for kind in (None, *KINDS):
            machine = machine_of(operations_on(openapi_document, kind), address, token, reached)
            run(machine, sequences=20, steps=30, derandomize=False)
    assert not set().union(*(lacking(kind, reached) for kind in KINDS)), reached
