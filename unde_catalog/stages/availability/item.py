"""The parts of a product's dataset item that stock requests are made of: colours, their ids, sizes and SKUs.

Parsing is tolerant, because the items of every brand differ. The requests are in `protocols.py`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_REFERENCE = re.compile(r"(?P<digits>\d{5,12})-(?P<campaign>[A-Z]{1,2}\d{4})")
_MAX_LENGTH = 100  # characters of a size's name


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour: its id on the label (800), its product id in the APIs, and its size names by SKU."""

    id: str | None
    product_id: int | None
    sizes_by_sku: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class StockItem:
    """A product as the stock APIs identify it. `sizes`: the names of all its sizes, in the item's order, each once.

    `digits` and `campaign` are the parts of its reference, None if it has no reference of that form.
    """

    external_id: str
    digits: str | None
    campaign: str | None
    colours: tuple[Colour, ...]
    sizes: tuple[str, ...]


def parse_stock_item(external_id: str, reference: Any, colours: Any) -> StockItem:
    """Parse an item; values that can't be read are left out. Never raises."""
    match = _REFERENCE.search(reference) if isinstance(reference, str) else None
    parsed = tuple(_colour(one) for one in (colours if isinstance(colours, list) else ()) if isinstance(one, dict))
    names = (name for one in (colours if isinstance(colours, list) else ()) for name in _names(one))
    return StockItem(
        external_id,
        match["digits"] if match else None,
        match["campaign"] if match else None,
        parsed,
        tuple(dict.fromkeys(names)),
    )


def parse_size(value: Any) -> str | None:
    """The name of a size, from text or a number (34); None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = value.strip() if isinstance(value, str) else ""
    return text if 0 < len(text) <= _MAX_LENGTH else None


def parse_integer(value: Any) -> int | None:
    """An id or a quantity, from a number or digits; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) <= 18:
        return int(value)
    return None


def _colour(raw: Mapping[str, Any]) -> Colour:
    label = raw.get("id")
    skus: dict[int, str] = {}
    for size in _sizes(raw):
        sku, name = parse_integer(size.get("sku")), parse_size(size.get("name"))
        if sku is not None and name is not None:
            skus.setdefault(sku, name)
    return Colour(str(label).strip() or None if label is not None else None, parse_integer(raw.get("productId")), skus)


def _names(colour: Any) -> list[str]:
    named = [parse_size(size.get("name")) for size in _sizes(colour)] if isinstance(colour, dict) else []
    return [name for name in named if name is not None]


def _sizes(colour: Mapping[str, Any]) -> list[dict[str, Any]]:
    sizes = colour.get("sizes")
    return [size for size in sizes if isinstance(size, dict)] if isinstance(sizes, list) else []
