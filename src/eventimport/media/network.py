"""Connections for httpcore that are only made to checked addresses, and how a fetch can fail.

The tables of addresses are our own, after IANA's registries of special-purpose addresses, because
what `ipaddress.is_global` says has changed between Python's patch releases.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any, Final, Literal

import httpcore

from eventimport.errors import EventImportError

WEB_PORTS: Final = frozenset({80, 443})

_NOT_PUBLIC_V4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host, of every virtual machine there
        "169.254.0.0/16",  # link-local, and the clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_GLOBAL_UNICAST_V6: Final = IPv6Network("2000::/3")
_NOT_PUBLIC_V6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address inside
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is one of a host out in the internet.

    Of IPv6 only global unicast is, without the ranges that carry an IPv4 address inside or serve
    protocols. NAT64's well-known prefix is as public as the IPv4 address in it: on a network
    without IPv4 every IPv4 host is reached that way.
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _GLOBAL_UNICAST_V6 and not any(
        address in network for network in _NOT_PUBLIC_V6
    )


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Public addresses on the web's ports, and whatever an administrator has listed besides."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, allow_list: Iterable[str]) -> "AddressPolicy":
        """A policy from entries that are a host name, an address, or a network in CIDR form.

        A listed name may have any address, a listed address may be anything's; both any port.
        Names are compared in whole: `example.org` does not list `www.example.org`. Raises
        ValueError for an entry that looks like neither.
        """
        hosts: set[str] = set()
        networks: list[IPv4Network | IPv6Network] = []
        for entry in allow_list:
            text = entry.strip()
            try:
                networks.append(ip_network(text.removeprefix("[").removesuffix("]")))
            except ValueError:
                name = _canonical(text)
                if not name or "/" in name or ":" in name:
                    raise ValueError(
                        f"{entry!r} is not a host name, an address or a network"
                    ) from None
                hosts.add(name)
        return cls(frozenset(hosts), tuple(networks))

    def permits(self, host: str, address: str, port: int) -> bool:
        """Whether `host`, found at `address`, may be connected to at this port.

        Raises ValueError where `address` is not an IP address.
        """
        if _canonical(host) in self.hosts:
            return True
        parsed = ip_address(address)
        if any(parsed in network for network in self.networks):
            return True
        return port in WEB_PORTS and is_public(parsed)


def _canonical(host: str) -> str:
    return host.strip().lower().removesuffix(".")


FetchOutcome = Literal["UNREACHABLE", "REFUSED", "TOO_LARGE"]

UNREACHABLE_HOST: Final = (
    "the host cannot be reached: its name is unknown, its address is not public, or it does not"
    " answer"
)
"""One text for all reasons, so that a report does not say which names exist in our network."""


class FetchError(EventImportError):
    """Nothing was fetched; the message says why, and names no address of our network.

    `host_failed` if the host is to blame, and not the one link; `retry_after` is how many seconds
    it asked to wait.
    """

    def __init__(
        self,
        outcome: FetchOutcome,
        detail: str,
        *,
        host_failed: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.outcome: FetchOutcome = outcome
        self.detail = detail
        self.host_failed = host_failed
        self.retry_after = retry_after


Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host name (or address, in any spelling) and port → its addresses; raises OSError for none."""

SocketOption = (
    tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
)


async def resolve_name(host: str, port: int) -> list[str]:
    """The system's resolver. Also reads what C reads as an address: `0x7f.1` is 127.0.0.1."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


LookUps = dict[tuple[str, int], "asyncio.Future[Sequence[str]]"]

LOOK_UPS: Final[ContextVar[LookUps | None]] = ContextVar("LOOK_UPS", default=None)
"""The addresses that the fetches of one import share, by host and port. They are checked for each
connection all the same."""


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Resolves once, checks every address, connects to one of those very addresses.

    A name with one forbidden address among good ones is refused altogether: an honest host does not
    have such a name. TLS comes later, over the stream given here, and verifies the name as ever.
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
                stream = await self._sockets.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Connection(stream)
        raise failure or httpcore.ConnectError("no address")

    async def _checked(self, host: str, port: int, timeout: float | None) -> Sequence[str]:
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._looked_up(host, port)
        except TimeoutError:
            raise _failed("the host's name was not resolved in time") from None
        except (OSError, UnicodeError):
            raise _failed("the host's name is unknown") from None
        if not all(self._policy.permits(host, address, port) for address in addresses):
            raise FetchError("REFUSED", "the URL points to a private address or a blocked port")
        return addresses

    async def _looked_up(self, host: str, port: int) -> Sequence[str]:
        known = LOOK_UPS.get()
        if known is None:
            return await self._resolve(host, port)
        asked = (host, port)
        if asked not in known:
            look_up = asyncio.ensure_future(self._resolve(host, port))
            # Its error is seen here even if all fetches that waited for it have ended.
            look_up.add_done_callback(lambda done: done.cancelled() or done.exception())
            known[asked] = look_up
        try:
            # Other fetches wait for the same answer.
            return await asyncio.shield(known[asked])
        except (OSError, UnicodeError):
            # The next fetch asks again: the failure may be over by then.
            known.pop(asked, None)
            raise


class _Connection(httpcore.AsyncNetworkStream):
    """A connection that is closed if it is given up during the TLS handshake. httpcore leaves it
    open until the garbage collector finds it."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what has arrived."""
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of the buffer."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Encrypt the connection."""
        try:
            return await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            await self._stream.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks about the socket."""
        return self._stream.get_extra_info(info)


def _failed(detail: str) -> FetchError:
    return FetchError("UNREACHABLE", detail, host_failed=True)
