"""Requests for a host that is not this one, as DNS rebinding and poisoned caches make them."""

from collections.abc import Set as AbstractSet
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from eventimport.errors import refuse
from eventimport.http.problems import ProblemResponse

ANY: Final = "*"
EXEMPT: Final = {"/healthz", "/readyz", "/metrics"}
"""Asked by machines that know nothing but an address."""


class HostCheck:
    """Pure ASGI middleware that answers 400 unless the Host header has one of these names."""

    def __init__(self, app: ASGIApp, names: AbstractSet[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        if (
            scope["type"] != "http"
            or ANY in self._names
            or scope["path"] in EXEMPT
            or _host_name(scope) in self._names
        ):
            await self._app(scope, receive, send)
            return
        refusal = refuse(
            400,
            "unknown-host",
            "This is another host",
            "The Host header names a host that this service does not answer for (ALLOWED_HOSTS).",
            source={"header": "Host"},
        )
        await ProblemResponse(refusal)(scope, receive, send)


def _host_name(scope: Scope) -> str | None:
    """The one host that the request is for, without its port and in lower case."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1:
        return None
    host: str = hosts[0].decode("latin-1").lower()
    name, colon, port = host.rpartition(":")
    return name if colon and (port.isdecimal() or not port) else host
