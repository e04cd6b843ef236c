"""Settings of the stock APIs made through /_control: the time, sold-out products, withheld products.

Ordinary stock belongs in `stock.py`.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)
class StockOverrides:
    """Settings of the stock APIs; a restart resets them.

    `now`: a fixed time (ISO 8601), or empty for the real time. `sold_out`: item ids, by brand, that no store has.
    `withhold`: item ids, by brand, for which the `campaign` API lists no stock, which means "unknown".
    """

    now: str = ""
    sold_out: Mapping[str, Collection[str]] = field(default_factory=dict)
    withhold: Mapping[str, Collection[str]] = field(default_factory=dict)

    @property
    def current_time(self) -> int:
        """The time of the stock APIs, in seconds since the epoch."""
        return parse_time(self.now) if self.now else int(time.time())

    def is_sold_out(self, brand: str, product: str) -> bool:
        """Returns whether `sold_out` lists the product."""
        return product in self.sold_out.get(brand, ())

    def is_withheld(self, brand: str, product: str) -> bool:
        """Returns whether `withhold` lists the product."""
        return product in self.withhold.get(brand, ())


def parse_time(text: str) -> int:
    """Parses ISO 8601 with a time zone into seconds since the epoch; raises `ValueError`."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; use the form 2026-03-01T12:00:00Z")
    return int(parsed.timestamp())
