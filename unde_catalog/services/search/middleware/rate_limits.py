"""How many requests a key or an address may make: a bucket of tokens each, filled evenly. Of this process alone."""

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

_MOST = 20_000  # buckets; the one used longest ago goes, and whoever it was of begins with a full one


class Rates:
    """Buckets that hold a minute's tokens. Not for several threads: it belongs to the event loop's."""

    def __init__(self, per_minute: int, most: int = _MOST) -> None:
        """`per_minute`: 0 lets everything pass."""
        self._size, self._most = float(per_minute), most
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # who -> tokens, when they were counted

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, who: str, now: float, tokens: int = 1) -> float:
        """Take a token; the seconds to wait until there is one, 0.0 where it was taken. `now` in seconds, monotonic.

        With `tokens=0` nothing is taken.
        """
        if not self._size:
            return 0.0
        left, at = self._buckets.pop(who, (self._size, now))
        left = min(self._size, left + (now - at) * self._size / 60)
        wait = 0.0 if left >= 1 else (1 - left) * 60 / self._size
        self._buckets[who] = (left if wait else left - tokens, now)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return wait


def of_address(host: str) -> str:
    """What an address is counted by: itself, of IPv6 the network of 64 bits that one customer has."""
    try:
        address = ip_address(host)
    except ValueError:
        return host[:100]
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return f"{int(address) >> 64:x}::/64"
    return str(getattr(address, "ipv4_mapped", None) or address)
