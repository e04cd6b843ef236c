import socket
from typing import Any

import pytest

from unde_catalog.net.resolver import RefusedAddress, is_public, public_socket, sandbox_socket

INTERNAL = {
    "loopback": "127.0.0.1",
    "all of loopback": "127.255.0.9",
    "unspecified, which connects to loopback": "0.0.0.0",
    "private 10": "10.1.2.3",
    "private 172": "172.31.255.255",
    "private 192": "192.168.0.1",
    "link-local, where clouds keep secrets": "169.254.169.254",
    "carrier-grade NAT": "100.64.0.1",
    "multicast": "224.0.0.1",
    "broadcast": "255.255.255.255",
    "benchmarks": "198.18.0.1",
    "IPv6 loopback": "::1",
    "IPv6 unspecified": "::",
    "IPv6 unique local": "fd00::1",
    "IPv6 link-local with its zone": "fe80::1%eth0",
    "IPv6 site-local, deprecated": "fec0::1",
    "IPv6 multicast": "ff02::1",
    "IPv6 documentation": "2001:db8::1",
    "mapped loopback": "::ffff:127.0.0.1",
    "mapped link-local": "::ffff:169.254.169.254",
    "IPv4-compatible loopback": "::127.0.0.1",
    "NAT64 of a private address": "64:ff9b::10.0.0.1",
    "NAT64 for local use": "64:ff9b:1::8.8.8.8",
    "6to4 of a private address": "2002:c0a8:0001::1",
    "6to4 of loopback": "2002:7f00:0001::",
    "Teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
}
PUBLIC = ["8.8.8.8", "23.40.1.2", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:0808:0808::1"]


@pytest.mark.parametrize("address", INTERNAL.values(), ids=INTERNAL.keys())
def test_no_socket_is_created_for_an_internal_address(address: str) -> None:
    assert not is_public(address)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with pytest.raises(RefusedAddress):
        public_socket((family, socket.SOCK_STREAM, 6, "", (address, 80)))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_socket_is_created_for_a_public_address(address: str) -> None:
    assert is_public(address)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with public_socket((family, socket.SOCK_STREAM, 6, "", (address, 80))) as created:
        assert created.family == family


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "0.0.0.0", "fe80::1"])
def test_the_sandbox_cannot_reach_a_clouds_metadata_address(address: str) -> None:
    info: Any = (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))
    with pytest.raises(RefusedAddress):
        sandbox_socket(info)


def test_the_sandbox_may_use_loopback_and_private_networks() -> None:
    for address in ("127.0.0.1", "10.0.0.1", "8.8.8.8"):
        sandbox_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))).close()
