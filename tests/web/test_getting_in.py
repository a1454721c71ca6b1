"""Hosts, origins, and the headers of every answer."""

from typing import Any

import httpx
import pytest

from eventimport.settings import Settings

ORIGIN = "https://app.example"
SECURITY_HEADERS = {
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "permissions-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "content-security-policy",
}


async def fail() -> None:
    raise RuntimeError("nobody expects this")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "service.example.evil.example", "", "service.example@evil.example", "["],
)
async def test_another_host_is_refused(client: httpx.AsyncClient, host: str) -> None:
    answer = await client.get("/docs", headers={"Host": host})

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/vnd.api+json"
    (error,) = answer.json()["errors"]
    assert (error["code"], error["source"]) == ("unknown-host", {"header": "Host"})
    assert set(answer.headers) >= SECURITY_HEADERS


@pytest.mark.parametrize("host", ["service.example", "SERVICE.example:8443", "service.example:"])
async def test_the_own_host_is_known_by_any_port(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/docs", headers={"Host": host})).status_code == 200


async def test_two_hosts_are_no_host(client: httpx.AsyncClient) -> None:
    headers = [("Host", "service.example"), ("Host", "service.example")]

    assert (await client.get("/docs", headers=headers)).status_code == 400


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
async def test_probes_may_name_any_host(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path, headers={"Host": "10.0.0.7:8000"})).status_code == 200


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({}, {"localhost", "127.0.0.1", "[::1]"}),
        (
            {"public_url": "https://Events.example:8443"},
            {"events.example", "localhost", "127.0.0.1", "[::1]"},
        ),
        ({"public_url": "http://[fe80::1]:80"}, {"[fe80::1]", "localhost", "127.0.0.1", "[::1]"}),
        ({"allowed_hosts": "a.example, B.example"}, {"a.example", "b.example"}),
        ({"allowed_hosts": "*"}, {"*"}),
    ],
)
def test_the_names_of_this_host(
    settings: Settings, changes: dict[str, str], known: set[str]
) -> None:
    given = settings.model_dump(include={"database_url", "redis_url", "secret_key"})

    assert Settings(**{**given, **changes}).host_names == known


async def test_any_host_may_be_allowed(start_service: Any) -> None:
    client = await (await start_service(allowed_hosts=("*",))).client()

    assert (await client.get("/docs", headers={"Host": "what.ever"})).status_code == 200


@pytest.mark.parametrize("changes", [{}, {"cors_origins": ("https://else.example",)}])
async def test_other_origins_read_nothing(start_service: Any, changes: dict[str, Any]) -> None:
    client = await (await start_service(**changes)).client()
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}

    answers = [
        await client.get("/healthz", headers=headers),
        await client.options("/healthz", headers=headers),
    ]

    for answer in answers:
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("path", "status"),
    [("/healthz", 200), ("/v1/tasks/1", 401), ("/nothing", 404), ("/fail", 500)],
)
async def test_an_origin_that_is_named_reads_every_answer(
    start_service: Any, path: str, status: int
) -> None:
    service = await start_service(cors_origins=(ORIGIN,))
    service.app.add_api_route("/fail", fail)
    client = await service.client(raises=False)

    answer = await client.get(path, headers={"Origin": ORIGIN})

    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    expected = {"Location", "Retry-After", "ETag", "Idempotency-Replayed", "X-Request-ID"}
    assert expected <= set(exposed)
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_preflight_allows_what_the_api_takes(start_service: Any) -> None:
    client = await (await start_service(cors_origins=(ORIGIN,))).client()

    answer = await client.options(
        "/v1/events/import/json",
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, if-match, idempotency-key,"
            " if-none-match, cache-control, last-event-id, x-csrf-token, x-requested-with",
        },
    )

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize("path", ["/healthz", "/nothing", "/fail", "/v1/import-jobs", "/docs"])
@pytest.mark.parametrize("public_url", ["http://service.example", "https://service.example"])
async def test_headers_of_every_answer(start_service: Any, path: str, public_url: str) -> None:
    service = await start_service(public_url=public_url)
    service.app.add_api_route("/fail", fail)
    client = await service.client(raises=False)

    headers = (await client.get(path)).headers

    assert SECURITY_HEADERS | {"x-request-id"} <= set(headers)
    assert ("strict-transport-security" in headers) == public_url.startswith("https")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("0af7651916cd43dd8448eb211c80319c", True),
        ("client-request.7_b", True),
        ("short", False),
        ("x" * 65, False),
        ("a b c d e f g h", False),
        ('"injected": true', False),
    ],
)
async def test_a_request_id_is_taken_where_it_is_sane(
    client: httpx.AsyncClient, given: str, kept: bool
) -> None:
    answer = await client.get("/healthz", headers={"X-Request-ID": given})

    assert (answer.headers["x-request-id"] == given) == kept
    assert len(answer.headers["x-request-id"]) >= 8


async def test_every_request_has_an_id_of_its_own(client: httpx.AsyncClient) -> None:
    answers = [await client.get("/healthz") for _ in range(3)]

    assert len({answer.headers["x-request-id"] for answer in answers}) == 3
