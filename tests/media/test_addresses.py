"""Which addresses may be connected to, in every form that an address can take."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventimport.media.network import AddressPolicy, is_public

NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.1.2.3",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:0808:0808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
    "64:ff9b::8.8.8.8",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_not_public(address: str) -> None:
    assert not is_public(ip_address(address))
    assert not AddressPolicy.of([]).permits("example.org", address, 443)


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public(ip_address(address))
    assert AddressPolicy.of([]).permits("example.org", address, 443)


@given(st.integers(0, 2**32 - 1))
def test_an_ipv4_address_is_no_more_public_inside_an_ipv6_address(number: int) -> None:
    embedded = IPv4Address(number)
    assert not is_public(IPv6Address(f"::ffff:{embedded}"))
    assert not is_public(IPv6Address(f"::{embedded}"))
    assert not is_public(IPv6Address((0x2002 << 112) | (number << 80) | 1))
    assert is_public(IPv6Address((0x64FF9B << 96) | number)) == is_public(embedded)


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_nothing_is_public_that_the_standard_library_calls_otherwise(
    address: IPv4Address | IPv6Address,
) -> None:
    closed = (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
    )
    assert not (closed and is_public(address))


@pytest.mark.parametrize("port", [0, 22, 25, 5432, 6379, 8080, 65535])
def test_other_ports_than_the_webs_are_closed(port: int) -> None:
    policy = AddressPolicy.of([])
    assert not policy.permits("example.org", "8.8.8.8", port)
    assert policy.permits("example.org", "8.8.8.8", 80)


def test_a_listed_name_may_be_anywhere() -> None:
    policy = AddressPolicy.of(["Files.Intranet."])
    assert policy.permits("files.intranet", "10.0.0.7", 8080)
    assert policy.permits("FILES.intranet.", "10.0.0.7", 8080)
    assert not policy.permits("www.files.intranet", "10.0.0.7", 80)
    assert not policy.permits("evilfiles.intranet", "10.0.0.7", 80)


def test_a_listed_network_may_be_anybodys() -> None:
    policy = AddressPolicy.of(["10.1.0.0/16", "127.0.0.1", "[fd00::1]", "fd01::/64"])
    assert policy.permits("any.example", "10.1.2.3", 8080)
    assert policy.permits("any.example", "127.0.0.1", 9)
    assert policy.permits("any.example", "fd00::1", 80)
    assert policy.permits("any.example", "fd01::77", 80)
    assert not policy.permits("any.example", "10.2.0.1", 80)
    assert not policy.permits("any.example", "127.0.0.2", 80)
    assert not policy.permits("any.example", "::ffff:10.1.2.3", 80)


@pytest.mark.parametrize(
    "entry", ["", "  ", "10.0.0.0/33", "10.0.0.1/8", "http://files.intranet", "files:8080"]
)
def test_an_entry_that_is_neither_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="not a host name"):
        AddressPolicy.of([entry])
