"""What the shops are told by POST /_control: another time, products that are gone, products they are silent about.

Ordinary stock is `stock.py`.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)
class ShopTerms:
    """How the shops stand from now on; forgotten by a restart.

    `now`: the time in the shops, which stands still (ISO 8601; empty: the real time, which goes on). `sold_out`: by
    brand, ids of items of which no shop has any. `withhold`: by brand, ids of items for which shape A tells nothing.
    """

    now: str = ""
    sold_out: Mapping[str, Collection[str]] = field(default_factory=dict)
    withhold: Mapping[str, Collection[str]] = field(default_factory=dict)

    @property
    def moment(self) -> int:
        """The time in the shops, in seconds since the epoch."""
        return seconds(self.now) if self.now else int(time.time())

    def is_sold_out(self, brand: str, product: str) -> bool:
        """Whether no shop has any of this product, by order."""
        return product in self.sold_out.get(brand, ())

    def is_withheld(self, brand: str, product: str) -> bool:
        """Whether shape A tells nothing about this product, by order."""
        return product in self.withhold.get(brand, ())


def seconds(moment: str) -> int:
    """ISO 8601 with a time zone in seconds since the epoch; `ValueError` for anything else."""
    read = datetime.fromisoformat(moment)
    if read.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone; write 2026-03-01T12:00:00Z")
    return int(read.timestamp())
