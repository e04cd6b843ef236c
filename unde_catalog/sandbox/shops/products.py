"""The products of the stock APIs: the items that the sandbox's Apify serves, indexed by every number that names them.

Prices, photos and stock do not belong here.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from unde_catalog.sandbox.apify.items import ItemSource
from unde_catalog.sandbox.apify.runs import Changes

_REFERENCE = re.compile(r"(?P<digits>\d{8})-(?P<campaign>\w+)")


@dataclass(frozen=True, slots=True)
class Size:
    """A size of a colour."""

    name: str
    sku: str


@dataclass(frozen=True, slots=True)
class Product:
    """An item: its id, and its sizes by colour."""

    id: str
    colours: tuple[tuple[Size, ...], ...]

    def sizes(self) -> Iterator[Size]:
        """Yields the sizes of all colours, in order."""
        for colour in self.colours:
            yield from colour


@dataclass(frozen=True, slots=True)
class BrandProducts:
    """A brand's products, with one map for each kind of number; if two items share a number, the first one wins.

    `items`: item id -> product. `colours`: a colour's product id -> product and the colour's index.
    `parts`: campaign, and the reference's eight digits plus the colour's id -> the same.
    `skus`: SKU -> product and size.
    """

    items: dict[str, Product] = field(default_factory=dict)
    colours: dict[str, tuple[Product, int]] = field(default_factory=dict)
    parts: dict[tuple[str, str], tuple[Product, int]] = field(default_factory=dict)
    skus: dict[str, tuple[Product, Size]] = field(default_factory=dict)


@dataclass(slots=True)
class ProductIndex:
    """The products of every brand, read at a brand's first request and then cached.

    A product that /_control drops from the catalogue is still in the stores.
    """

    source: ItemSource
    _cache: dict[str, BrandProducts] = field(default_factory=dict)

    def of(self, brand: str) -> BrandProducts:
        """Returns the brand's products."""
        if brand not in self._cache:
            self._cache[brand] = _index(self.source.texts(brand, "", Changes(), 0, sys.maxsize))
        return self._cache[brand]


def _index(texts: list[str]) -> BrandProducts:
    products = BrandProducts()
    for text in texts:
        try:
            item = json.loads(text)
        except (ValueError, RecursionError):  # malformed on purpose: no store sells it
            continue
        if not isinstance(item, dict) or not _text(item.get("id")):
            continue
        _add_item(products, item)
    return products


def _add_item(products: BrandProducts, item: dict[str, Any]) -> None:
    listed = item.get("colorsSizesImagesJSON")
    colours = [colour for colour in listed if isinstance(colour, dict)] if isinstance(listed, list) else []
    product = Product(_text(item["id"]), tuple(tuple(_sizes(item, colour)) for colour in colours))
    if products.items.setdefault(product.id, product) is not product:
        return
    reference = _REFERENCE.fullmatch(_text(item.get("reference")))
    for index, colour in enumerate(colours):
        if number := _text(colour.get("productId")):
            products.colours.setdefault(number, (product, index))
        if reference:
            part = reference["campaign"], reference["digits"] + _text(colour.get("id"))
            products.parts.setdefault(part, (product, index))
        for size in product.colours[index]:
            products.skus.setdefault(size.sku, (product, size))


def _sizes(item: dict[str, Any], colour: dict[str, Any]) -> Iterator[Size]:
    """Yields a colour's distinct sizes; a size without a SKU gets one that no request can name."""
    listed = colour.get("sizes")
    seen: set[Size] = set()
    for raw in listed if isinstance(listed, list) else []:
        name = _text(raw.get("name")) if isinstance(raw, dict) else ""
        if not name:
            continue
        size = Size(sys.intern(name), _text(raw.get("sku")) or f"{item['id']} {colour.get('id')} {name}")
        if size not in seen:
            seen.add(size)
            yield size


def _text(value: Any) -> str:
    """Returns a whole number or a string as a string, and anything else as an empty one."""
    return str(value) if isinstance(value, str) or type(value) is int else ""
