"""Which addresses we connect to: the one check that a hostile URL can't talk its way around.

It looks at the address really connected to, after name resolution and at every redirect, not at how a URL spells it
(that is `url_policy.py`).
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
    """The URL leads to an address that we don't connect to.

    One sentence for all: only errors that read alike keep their type where a name has several addresses.
    """

    def __init__(self) -> None:
        super().__init__("the host's address is not one that photos may come from")


def public_socket(address: AddressInfo) -> socket.socket:
    """A socket for an address of the public internet; `RefusedAddress` for any other (an aiohttp socket factory)."""
    family, kind, protocol, _, where = address
    if not is_public(str(where[0])):
        raise RefusedAddress
    return socket.socket(family, kind, protocol)


def near_socket(address: AddressInfo) -> socket.socket:
    """A socket for the sandbox: also for this machine and private networks, never for link-local (cloud secrets)."""
    family, kind, protocol, _, where = address
    ip = _unwrapped(ipaddress.ip_address(str(where[0]).split("%")[0]))
    if ip.is_link_local or ip.is_unspecified or ip.is_multicast:
        raise RefusedAddress
    return socket.socket(family, kind, protocol)


def is_public(address: str) -> bool:
    """Whether the address belongs to the public internet, whatever it is wrapped in. ValueError if it is none."""
    ip = _unwrapped(ipaddress.ip_address(address.split("%")[0]))
    if isinstance(ip, ipaddress.IPv6Address) and (ip not in _GLOBAL_UNICAST or ip in _TEREDO or ip in _DOCUMENTATION):
        return False
    return ip.is_global and not ip.is_multicast


def _unwrapped(ip: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 one leads to (mapped, 6to4, NAT64), else itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip
