"""What the shops sell: the items that the sandbox's Apify serves, found by each of the numbers that name them.

Prices, photos and stock are not here.
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
    """A size of a colour. `sku` is text."""

    name: str
    sku: str


@dataclass(frozen=True, slots=True)
class Product:
    """An item: its id as text, its sizes colour by colour."""

    id: str
    colours: tuple[tuple[Size, ...], ...]

    def sizes(self) -> Iterator[Size]:
        """All its sizes, the first colour's first."""
        for colour in self.colours:
            yield from colour


@dataclass(frozen=True, slots=True)
class Products:
    """The products of a brand. Each kind of number has a map of its own; where two items share one, the first wins.

    `parts`: (campaign, eight digits of the reference and the colour's id) -> a product and the place of its colour;
    `skus`: sku -> a product and the size.
    """

    items: dict[str, Product] = field(default_factory=dict)
    colours: dict[str, tuple[Product, int]] = field(default_factory=dict)
    parts: dict[tuple[str, str], tuple[Product, int]] = field(default_factory=dict)
    skus: dict[str, tuple[Product, Size]] = field(default_factory=dict)


@dataclass(slots=True)
class Shelf:
    """The products of every brand, read when a brand is first asked for and then kept.

    A product that leaves the catalogue by an order to /_control is still in the shops.
    """

    source: ItemSource
    _read: dict[str, Products] = field(default_factory=dict)

    def of(self, brand: str) -> Products:
        """The brand's products."""
        if brand not in self._read:
            self._read[brand] = _indexed(self.source.texts(brand, "", Changes(), 0, sys.maxsize))
        return self._read[brand]


def _indexed(texts: list[str]) -> Products:
    products = Products()
    for text in texts:
        try:
            item = json.loads(text)
        except (ValueError, RecursionError):  # odd on purpose: it is nothing that a shop could sell
            continue
        if not isinstance(item, dict) or not _text(item.get("id")):
            continue
        _put(products, item)
    return products


def _put(products: Products, item: dict[str, Any]) -> None:
    listed = item.get("colorsSizesImagesJSON")
    colours = [colour for colour in listed if isinstance(colour, dict)] if isinstance(listed, list) else []
    product = Product(_text(item["id"]), tuple(tuple(_sizes(item, colour)) for colour in colours))
    if products.items.setdefault(product.id, product) is not product:
        return
    reference = _REFERENCE.fullmatch(_text(item.get("reference")))
    for place, colour in enumerate(colours):
        if number := _text(colour.get("productId")):
            products.colours.setdefault(number, (product, place))
        if reference:
            part = reference["campaign"], reference["digits"] + _text(colour.get("id"))
            products.parts.setdefault(part, (product, place))
        for size in product.colours[place]:
            products.skus.setdefault(size.sku, (product, size))


def _sizes(item: dict[str, Any], colour: dict[str, Any]) -> Iterator[Size]:
    """A colour's sizes; one that is listed again is the same, and one without a sku has one that nobody can ask for."""
    listed = colour.get("sizes")
    seen: set[Size] = set()
    for size in listed if isinstance(listed, list) else []:
        name = _text(size.get("name")) if isinstance(size, dict) else ""
        if not name:
            continue
        one = Size(sys.intern(name), _text(size.get("sku")) or f"{item['id']} {colour.get('id')} {name}")
        if one not in seen:
            seen.add(one)
            yield one


def _text(value: Any) -> str:
    """A number or a text as text; empty for anything else."""
    return str(value) if isinstance(value, str) or type(value) is int else ""
