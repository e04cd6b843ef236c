"""Which IP addresses may be connected to. A hostile URL cannot get around this check.

It sees the address of the actual connection, after name resolution and for every redirect; how a URL spells its host
is checked in `url_policy.py`.
"""

import ipaddress
import socket

AddressInfo = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_TEREDO = ipaddress.IPv6Network("2001::/32")
_DOCUMENTATION = ipaddress.IPv6Network("3fff::/20")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class RefusedAddress(OSError):
    """The URL resolves to an address that is not allowed.

    The message is always the same: where a name has several addresses, only errors with equal texts keep their type.
    """

    def __init__(self) -> None:
        super().__init__("the host resolves to an address that photos must not come from")


def public_socket(address: AddressInfo) -> socket.socket:
    """A socket for an address of the public internet; `RefusedAddress` for any other (an aiohttp socket factory)."""
    family, kind, protocol, _, endpoint = address
    if not is_public(str(endpoint[0])):
        raise RefusedAddress
    return socket.socket(family, kind, protocol)


def sandbox_socket(address: AddressInfo) -> socket.socket:
    """Like `public_socket`, but loopback and private addresses are allowed; link-local ones (cloud secrets) are not."""
    family, kind, protocol, _, endpoint = address
    ip = _unwrap(ipaddress.ip_address(str(endpoint[0]).split("%")[0]))
    if ip.is_link_local or ip.is_unspecified or ip.is_multicast:
        raise RefusedAddress
    return socket.socket(family, kind, protocol)


def is_public(address: str) -> bool:
    """Whether the address, or the IPv4 address embedded in it, is on the public internet; ValueError for no address."""
    ip = _unwrap(ipaddress.ip_address(address.split("%")[0]))
    if isinstance(ip, ipaddress.IPv6Address) and (ip not in _GLOBAL_UNICAST or ip in _TEREDO or ip in _DOCUMENTATION):
        return False
    return ip.is_global and not ip.is_multicast


def _unwrap(ip: IPAddress) -> IPAddress:
    """The IPv4 address embedded in an IPv6 one (mapped, 6to4, NAT64), else the address itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip
