"""Connections for httpcore that are only made to addresses that were checked."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence

import httpcore

from eventimport.media.addresses import AddressPolicy
from eventimport.media.fetch_errors import FetchError

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host name (or address, in any spelling) and port → its addresses; raises OSError for none."""

SocketOption = (
    tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
)


async def resolve_name(host: str, port: int) -> list[str]:
    """The system's resolver. Also reads what C reads as an address: `0x7f.1` is 127.0.0.1."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Resolves once, checks every address, connects to one of those very addresses.

    A name with one forbidden address among good ones is refused altogether: an honest host has no
    such name. TLS comes later, over the stream given here, and verifies the name as ever.
    """

    def __init__(self, policy: AddressPolicy, resolve: Resolve) -> None:
        self._policy = policy
        self._resolve = resolve
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect; `timeout` holds for the look-up and for each address. Raises FetchError, and
        httpcore's errors where no address answers."""
        addresses = await self._checked(host, port, timeout)
        failure: Exception | None = None
        for address in addresses:
            try:
                return await self._sockets.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")

    async def _checked(self, host: str, port: int, timeout: float | None) -> Sequence[str]:
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
        except TimeoutError:
            raise _failed("looking up the host's name took too long") from None
        except (OSError, UnicodeError):
            raise _failed("the host's name is unknown") from None
        if not all(self._policy.permits(host, address, port) for address in addresses):
            raise FetchError("REFUSED", "the URL points to a private address or a blocked port")
        return addresses


def _failed(detail: str) -> FetchError:
    return FetchError("UNREACHABLE", detail, host_failed=True)
