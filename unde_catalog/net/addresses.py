"""Which addresses we connect to: the one check that a hostile URL can't talk its way around.

It looks at the address really connected to, after name resolution and at every redirect, not at how a URL spells it.
"""

import ipaddress
import socket

AddressInfo = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]


class RefusedAddress(OSError):
    """The URL leads to an address inside our own network."""


def public_socket(address: AddressInfo) -> socket.socket:
    """A socket for an address of the public internet; `RefusedAddress` for any other (an aiohttp socket factory)."""
    family, kind, protocol, _, where = address
    ip = ipaddress.ip_address(str(where[0]).split("%")[0])
    seen = getattr(ip, "ipv4_mapped", None) or ip
    if not seen.is_global or seen.is_multicast:
        raise RefusedAddress(f"{ip} is not an address of the public internet")
    return socket.socket(family, kind, protocol)
