"""What a product's dataset item says that a shop's API is asked with: colours, their ids, sizes and SKUs.

Read tolerantly, as the items of every brand differ; what an API is asked is `protocols.py`'s.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_REFERENCE = re.compile(r"(?P<digits>\d{5,12})-(?P<campaign>[A-Z]{1,2}\d{4})")
_LONGEST = 100  # characters of a size's name


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour: its id on the label (800), its product id in the APIs, and its sizes' names by SKU."""

    id: str | None
    product_id: int | None
    sizes_by_sku: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class StockItem:
    """A product as shops know it. `sizes`: the names of all its sizes, in the item's order, each once.

    `digits` and `campaign` are its reference's, None where it has none of that form.
    """

    external_id: str
    digits: str | None
    campaign: str | None
    colours: tuple[Colour, ...]
    sizes: tuple[str, ...]


def read_stock_item(external_id: str, reference: Any, colours: Any) -> StockItem:
    """The item behind a product; what it does not say is missing. Never raises."""
    found = _REFERENCE.search(reference) if isinstance(reference, str) else None
    read = tuple(_colour(one) for one in (colours if isinstance(colours, list) else ()) if isinstance(one, dict))
    names = (name for one in (colours if isinstance(colours, list) else ()) for name in _names(one))
    return StockItem(
        external_id,
        found["digits"] if found else None,
        found["campaign"] if found else None,
        read,
        tuple(dict.fromkeys(names)),
    )


def size_name(value: Any) -> str | None:
    """A size as it is written: text, or a number (34); None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = value.strip() if isinstance(value, str) else ""
    return text if 0 < len(text) <= _LONGEST else None


def whole_number(value: Any) -> int | None:
    """An id or a quantity, as a number or as digits; None for anything else."""
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
        sku, name = whole_number(size.get("sku")), size_name(size.get("name"))
        if sku is not None and name is not None:
            skus.setdefault(sku, name)
    return Colour(str(label).strip() or None if label is not None else None, whole_number(raw.get("productId")), skus)


def _names(colour: Any) -> list[str]:
    named = [size_name(size.get("name")) for size in _sizes(colour)] if isinstance(colour, dict) else []
    return [name for name in named if name is not None]


def _sizes(colour: Mapping[str, Any]) -> list[dict[str, Any]]:
    sizes = colour.get("sizes")
    return [size for size in sizes if isinstance(size, dict)] if isinstance(sizes, list) else []
