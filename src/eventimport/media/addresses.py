"""Which network addresses may be connected to on behalf of a stranger.

The tables are our own, after IANA's registries of special-purpose addresses, because what
`ipaddress.is_global` says has changed between Python's patch releases.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

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
