"""What the reference server's models have, and who sees and writes it."""

from typing import Any

import httpx
import pytest
from tests.web.events.conftest import EXTRA, Editor

GIVEN: dict[str, dict[str, Any]] = {
    "events": {"is-map-shown": True, "can-pay-onsite": False, "payment-country": "SG"},
    "sessions": {"website": "https://example.org/talk", "is-locked": True},
    "speakers": {"order": 3},
    "speakers-calls": {"soft-ends-at": "2027-03-01T09:00:00Z"},
    "microlocations": {"is-chat-enabled": True},
    "custom-forms": {"is-public": True, "is-complex": False},
    "social-links": {"identifier": "main"},
}


async def test_what_the_reference_has_is_public(
    editor: Editor, client: httpx.AsyncClient, conference: Any
) -> None:
    for path, given in GIVEN.items():
        answer = await editor.patch(conference.url(path), dict(given))
        assert answer.status_code == 200, answer.text
        read = (await client.get(conference.url(path))).json()["data"]["attributes"]
        assert {name: read[name] for name in given} == given
        assert "extra" not in read
        extra = (await editor.client.get(conference.url(path))).json()["data"]["attributes"][
            "extra"
        ]
        assert extra == EXTRA
    day = await editor.patch(conference.url("speakers-calls"), {"soft-ends-at": "2027-03-02"})
    assert day.json()["data"]["attributes"]["soft-ends-at"] == "2027-03-02T15:59:00Z"
    wrong = await editor.patch(conference.url("events"), {"is-map-shown": "perhaps"})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["source"] == {"pointer": "/data/attributes/is-map-shown"}


async def test_what_only_an_import_knows_cannot_be_set(editor: Editor, conference: Any) -> None:
    url = conference.url("sessions")
    given = {"average-rating": 5, "favourite-count": 7, "created-at": "2027-01-01T00:00:00Z"}
    answer = (await editor.patch(url, given)).json()

    assert answer["data"]["attributes"]["favourite-count"] is None
    (ignored,) = answer["meta"]["warnings"]
    assert all(name in ignored["detail"] for name in given)
    last = await editor.patch(url, {"title": "New"})
    assert last.json()["data"]["attributes"]["last-modified-at"]


@pytest.mark.parametrize(
    ("path", "attribute"),
    [("sponsors", "sponsor-type"), ("custom-forms", "field-type"), ("events", "event-type")],
)
async def test_the_type_is_also_in_meta(
    editor: Editor, client: httpx.AsyncClient, conference: Any, path: str, attribute: str
) -> None:
    url = conference.url(path)

    async def saved(**members: Any) -> Any:
        answer = await editor.patch(url, **members)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    first = await saved(attributes={attribute: "first"})
    assert first["meta"] == {"type": "first"}
    assert (await client.get(url)).json()["data"]["meta"] == {"type": "first"}
    kind = first["type"]
    sparse = (await client.get(f"{url}?fields[{kind}]=name")).json()["data"]
    assert "meta" not in sparse
    # A whole model, in which a client has changed any of the names.
    by_meta = await saved(attributes=first["attributes"], meta={"type": "second"})
    assert by_meta["attributes"][attribute] == by_meta["meta"]["type"] == "second"
    by_alias = await saved(attributes={"type": "third"}, meta={"type": "second"})
    assert by_alias["attributes"][attribute] == "third"
    by_name = await saved(attributes={attribute: "fourth"}, meta={"type": "third"})
    assert by_name["attributes"][attribute] == "fourth"
    kept = await saved(attributes={"type": None}, meta={"type": None})
    assert kept["attributes"][attribute] == "fourth"
