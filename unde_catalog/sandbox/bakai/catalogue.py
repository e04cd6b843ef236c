"""What the sandbox's BakaiMarket sells: any number of products, each computed from its number. No HTTP, no pixels.

Ids have eight digits and grow with the number, so that the keys of the bucket are in order and nothing is remembered.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from unde_catalog.sandbox.bakai.sample import rows
from unde_catalog.sandbox.identity import stable_int

Shape = Literal["", "nested", "strings", "page-numbers", "bare"]
SHAPES: tuple[Shape, ...] = ("", "nested", "strings", "page-numbers", "bare")
MOST_PRODUCTS = 2_000_000
MOST_PHOTOS = 4  # of one product
_FIRST_ID, _STEP = 10_000_000, 40  # ids lie up to so far from one another


@dataclass(slots=True)
class BakaiTerms:
    """How BakaiMarket stands from now on; forgotten by a restart (control.py tells what each does)."""

    size: int = 40
    shape: Shape = ""
    drop: frozenset[str] = frozenset()
    price: dict[str, str] = field(default_factory=dict)
    categories: tuple[str | None, ...] = ()
    repeat_cursor: bool = False
    photos: int = MOST_PHOTOS
    large: bool = False
    odd: int = 0


@dataclass(frozen=True, slots=True)
class Good:
    """A product: its number (from 0), its id, and how many photos it has. The price is in som, with two decimals."""

    number: int
    id: int
    name: str
    description: str
    category: str | None
    price: str
    photos: int

    @property
    def keys(self) -> list[str]:
        """The keys of its photos in the bucket, in order."""
        return [photo_key(self.id, n) for n in range(1, self.photos + 1)]


@dataclass(frozen=True, slots=True)
class BakaiShelf:
    """The products as the terms have them at the moment they are asked for."""

    terms: BakaiTerms = field(default_factory=BakaiTerms)

    @property
    def total(self) -> int:
        """How many products there are."""
        return self.terms.size - sum(1 for id_ in self.terms.drop if self._number(id_) is not None)

    def goods(self, first: int = 0) -> Iterator[Good]:
        """The products from this number on, in the order of their ids."""
        for number in range(max(first, 0), self.terms.size):
            if str(product_id(number)) not in self.terms.drop:
                yield self._good(number)

    def find(self, id_: str) -> Good | None:
        """The product with this id."""
        number = self._number(id_)
        return None if number is None or id_ in self.terms.drop else self._good(number)

    def keys_after(self, after: str = "", *, at: bool = False) -> Iterator[tuple[str, Good, int]]:
        """Key, product and number of every photo whose key comes after this text (`at`: or is it), in order."""
        numbers = range(self.terms.size)
        # The last product whose first key is not beyond the text may still have later keys.
        first = bisect_right(numbers, after, key=lambda number: photo_key(product_id(number), 1)) - 1
        for good in self.goods(first):
            for n, key in enumerate(good.keys, start=1):
                if key > after or (at and key == after):
                    yield key, good, n

    def _number(self, id_: str) -> int | None:
        if not (id_.isascii() and id_.isdigit() and len(id_) == len(str(_FIRST_ID))):
            return None
        number = bisect_left(range(self.terms.size), int(id_), key=product_id)
        return number if number < self.terms.size and product_id(number) == int(id_) else None

    def _good(self, number: int) -> Good:
        terms, id_, row = self.terms, product_id(number), rows()[number % len(rows())]
        edition = number // len(rows())
        price = Decimal(row.price) + stable_int("bakai price", id_) % 50 * 10 if edition else Decimal(row.price)
        return Good(
            number=number,
            id=id_,
            name=f"{row.name}, no. {edition + 1}" if edition else row.name,
            description=f"{row.colour}. Delivery in Bishkek within two days.",
            category=terms.categories[number % len(terms.categories)] if terms.categories else row.category or None,
            price=terms.price.get(str(id_), f"{price:.2f}"),
            photos=min(1 + stable_int("bakai photos", id_) % MOST_PHOTOS, terms.photos),
        )


def product_id(number: int) -> int:
    """The id of the product with this number: eight digits, each larger than the one before it."""
    return _FIRST_ID + number * _STEP + stable_int("bakai id", number) % _STEP


def photo_key(id_: int, n: int) -> str:
    """The key of a product's photo in the bucket; n from 1."""
    return f"products/{id_}/{n}.jpg"
