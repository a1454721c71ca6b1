"""How uvicorn serves the application: the one configuration for the command line and for tests."""

from collections.abc import Callable
from typing import Any, Final

import uvicorn

from eventimport.http.protocol import ServerLimits, protocol_class
from eventimport.settings import Settings

GRACE_SECONDS: Final = 10
BACKLOG: Final = 1024


def server_config(
    application: str | Callable[..., Any], settings: Settings, **options: Any
) -> uvicorn.Config:
    """uvicorn's configuration, with the limits and the trusted proxies of the settings. `options`
    are uvicorn's own, such as `host` and `port`."""
    return uvicorn.Config(
        application,
        **{
            "loop": "uvloop",
            "http": protocol_class(server_limits(settings)),
            "ws": "none",
            "lifespan": "on",
            # uvicorn trusts the headers of every proxy on this machine unless it is given a list.
            "proxy_headers": bool(settings.trusted_proxies),
            "forwarded_allow_ips": list(settings.trusted_proxies),
            # The application logs its requests itself, and configures all logs.
            "log_config": None,
            "access_log": False,
            "server_header": False,
            "backlog": BACKLOG,
            "timeout_graceful_shutdown": GRACE_SECONDS,
            **options,
        },
    )


def server_limits(settings: Settings) -> ServerLimits:
    """The limits of connections that the settings say."""
    return ServerLimits(
        max_header_bytes=settings.max_header_bytes,
        max_url_bytes=settings.max_url_bytes,
        header_timeout=settings.header_timeout,
        send_timeout=settings.send_timeout,
        max_connections=settings.max_connections,
    )
