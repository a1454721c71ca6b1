"""`eventimport serve`: uvicorn, as this application needs it."""

import gc
import signal
import socket
import sys
from contextlib import suppress
from types import FrameType

import uvicorn

from eventimport.allocator import keep_freed_memory
from eventimport.http.server import server_config
from eventimport.settings import Settings

APPLICATION = "eventimport.main:app_from_environment"
"""A name, as uvicorn needs it: the programs do not import each other."""

SWITCH_SECONDS = 0.001
"""After how long a thread that renders a large page gives way to the event loop. Each request needs
several turns, so at Python's 5 ms the others would take a tenth of a second longer."""


class Server(uvicorn.Server):
    """uvicorn's server, for a process of its own."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and exempt what is loaded by then from garbage collection: each walk over it would
        hold up all requests for 0.2 seconds."""
        await super().startup(sockets)
        gc.freeze()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Set the resources' `stopping`, then do what uvicorn does on a signal."""
        state = self.lifespan.state if hasattr(self, "lifespan") else {}
        if "resources" in state:
            state["resources"].stopping.set()
        super().handle_exit(sig, frame)


def run_web_server(settings: Settings, *, host: str, port: int) -> bool:
    """Serve until a signal. Return whether the application started."""
    keep_freed_memory()
    sys.setswitchinterval(SWITCH_SECONDS)
    config = server_config(APPLICATION, settings, factory=True, host=host, port=port)
    server = Server(config)

    def end(_number: int, _frame: FrameType | None) -> None:
        # uvicorn raises the signal again once it has stopped: by then, all is done.
        if not server.should_exit:
            raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    # As `uvicorn.run` does: Ctrl-C is not an error, but a failed start is.
    with suppress(KeyboardInterrupt):
        server.run()
    return server.started
