"""Routers that are passed over if a request is not theirs."""

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from eventimport.http.routing import Router


def create_app() -> tuple[FastAPI, list[str]]:
    """An application of three routers, one in another, and the routes that were looked at."""
    looked_at: list[str] = []

    class NotedRoute(APIRoute):
        def matches(self, scope):  # type: ignore[no-untyped-def]
            looked_at.append(self.path)
            return super().matches(scope)

    first, second, inner = (Router(route_class=NotedRoute) for _ in range(3))

    async def found(id: str = "") -> str:  # noqa: A002 - two routes have a parameter of this name
        return id

    first.add_api_route("/first/{id}", found)
    first.add_api_route("/first/{id}/more", found, methods=["POST"])
    inner.add_api_route("/second/inner/{id:path}", found)
    second.add_api_route("/second", found)
    second.include_router(inner)
    app = FastAPI()
    app.include_router(first)
    app.include_router(second)
    return app, looked_at


async def ask(app: FastAPI, method: str, path: str, root_path: str = "") -> httpx.Response:
    transport = httpx.ASGITransport(app, root_path=root_path)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path)


@pytest.mark.parametrize(
    ("method", "path", "status", "routes"),
    [
        ("GET", "/first/1", 200, {"/first/{id}", "/first/{id}/more"}),
        ("GET", "/second", 200, {"/second"}),
        ("GET", "/second/inner/a/b", 200, {"/second", "/second/inner/{id:path}"}),
        ("POST", "/second", 405, {"/second"}),
        ("GET", "/first/1/more", 405, {"/first/{id}", "/first/{id}/more"}),
        ("GET", "/third", 404, set()),
    ],
)
async def test_only_routers_with_the_path_are_searched(
    method: str, path: str, status: int, routes: set[str]
) -> None:
    app, looked_at = create_app()
    assert (await ask(app, method, path)).status_code == status
    assert set(looked_at) <= routes
    assert bool(looked_at) == bool(routes)


async def test_a_path_behind_a_prefix_is_found() -> None:
    app, _ = create_app()
    assert (await ask(app, "GET", "/prefix/first/1", "/prefix")).json() == "1"
