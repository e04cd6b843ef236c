"""BakaiMarket's products: any number of them, each computed from its number.

Ids have eight digits and grow with the number, so bucket keys are in order without being stored. No HTTP and no
pixels belong here.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from unde_catalog.sandbox.bakai.sample import rows
from unde_catalog.sandbox.identity import stable_int

PayloadShape = Literal["", "nested", "strings", "page-numbers", "bare"]
SHAPES: tuple[PayloadShape, ...] = ("", "nested", "strings", "page-numbers", "bare")
MAX_PRODUCTS = 2_000_000
MAX_PHOTOS = 4  # per product
_FIRST_ID, _STEP = 10_000_000, 40  # the first id, and the average distance between two


@dataclass(slots=True)
class BakaiOverrides:
    """Settings made through /_control, whose documentation is in control.py; a restart resets them."""

    size: int = 40
    shape: PayloadShape = ""
    drop: frozenset[str] = frozenset()
    price: dict[str, str] = field(default_factory=dict)
    categories: tuple[str | None, ...] = ()
    repeat_cursor: bool = False
    photos: int = MAX_PHOTOS
    large: bool = False
    odd: int = 0


@dataclass(frozen=True, slots=True)
class BakaiProduct:
    """A product: its number (from 0), its id, its number of photos. The price is in som with two decimals."""

    number: int
    id: int
    name: str
    description: str
    category: str | None
    price: str
    photos: int

    @property
    def keys(self) -> list[str]:
        """The bucket keys of its photos, in order."""
        return [photo_key(self.id, n) for n in range(1, self.photos + 1)]


@dataclass(frozen=True, slots=True)
class BakaiCatalogue:
    """The products, given the overrides at the time of each call."""

    overrides: BakaiOverrides = field(default_factory=BakaiOverrides)

    @property
    def total(self) -> int:
        """The number of products."""
        return self.overrides.size - sum(1 for id_ in self.overrides.drop if self._number(id_) is not None)

    def products(self, first: int = 0) -> Iterator[BakaiProduct]:
        """Yields the products from this number on, in the order of their ids."""
        for number in range(max(first, 0), self.overrides.size):
            if str(product_id(number)) not in self.overrides.drop:
                yield self._good(number)

    def find(self, id_: str) -> BakaiProduct | None:
        """Returns the product with this id, or None."""
        number = self._number(id_)
        return None if number is None or id_ in self.overrides.drop else self._good(number)

    def keys_after(self, after: str = "", *, inclusive: bool = False) -> Iterator[tuple[str, BakaiProduct, int]]:
        """Yields key, product and number of every photo whose key follows `after` (`inclusive`: or equals it)."""
        numbers = range(self.overrides.size)
        # The last product whose first key is not greater than `after` may still have later keys.
        first = bisect_right(numbers, after, key=lambda number: photo_key(product_id(number), 1)) - 1
        for product in self.products(first):
            for n, key in enumerate(product.keys, start=1):
                if key > after or (inclusive and key == after):
                    yield key, product, n

    def _number(self, id_: str) -> int | None:
        if not (id_.isascii() and id_.isdigit() and len(id_) == len(str(_FIRST_ID))):
            return None
        number = bisect_left(range(self.overrides.size), int(id_), key=product_id)
        return number if number < self.overrides.size and product_id(number) == int(id_) else None

    def _good(self, number: int) -> BakaiProduct:
        overrides, id_, row = self.overrides, product_id(number), rows()[number % len(rows())]
        edition = number // len(rows())
        price = Decimal(row.price) + stable_int("bakai price", id_) % 50 * 10 if edition else Decimal(row.price)
        return BakaiProduct(
            number=number,
            id=id_,
            name=f"{row.name}, no. {edition + 1}" if edition else row.name,
            description=f"{row.colour}. Delivery in Bishkek within two days.",
            category=overrides.categories[number % len(overrides.categories)]
            if overrides.categories
            else row.category or None,
            price=overrides.price.get(str(id_), f"{price:.2f}"),
            photos=min(1 + stable_int("bakai photos", id_) % MAX_PHOTOS, overrides.photos),
        )


def product_id(number: int) -> int:
    """Returns the id of the product with this number: eight digits, growing with the number."""
    return _FIRST_ID + number * _STEP + stable_int("bakai id", number) % _STEP


def photo_key(id_: int, n: int) -> str:
    """Returns the bucket key of a product's photo; `n` counts from 1."""
    return f"products/{id_}/{n}.jpg"
