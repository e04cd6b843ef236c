"""Token buckets that limit requests per API key or client address, within this process.

`access.py` decides which requests are limited.
"""

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

_MAX_BUCKETS = 20_000  # beyond this the least recently used bucket is dropped, and its client starts with a full one


class RateLimiter:
    """Buckets that hold one minute's tokens. Not thread-safe: use it from the event loop only."""

    def __init__(self, per_minute: int, max_buckets: int = _MAX_BUCKETS) -> None:
        """`per_minute`: 0 disables the limit."""
        self._capacity, self._max_buckets = float(per_minute), max_buckets
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client -> tokens, time of last use

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, client: str, now: float, tokens: int = 1) -> float:
        """Take tokens and return 0.0, or take none and return the seconds until one is available.

        `now`: monotonic seconds. `tokens=0` only checks.
        """
        if not self._capacity:
            return 0.0
        available, updated = self._buckets.pop(client, (self._capacity, now))
        available = min(self._capacity, available + (now - updated) * self._capacity / 60)
        wait = 0.0 if available >= 1 else (1 - available) * 60 / self._capacity
        self._buckets[client] = (available if wait else available - tokens, now)
        if len(self._buckets) > self._max_buckets:
            self._buckets.popitem(last=False)
        return wait


def address_bucket(host: str) -> str:
    """The bucket of a client address: the IPv4 address, or the /64 network of an IPv6 address (one customer's)."""
    try:
        address = ip_address(host)
    except ValueError:
        return host[:100]
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return f"{int(address) >> 64:x}::/64"
    return str(getattr(address, "ipv4_mapped", None) or address)
