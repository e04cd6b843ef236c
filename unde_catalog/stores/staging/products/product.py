"""A product as every source hands it to staging, and the item that could not become one."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

API_SOURCE = "api"  # of products that no source of ours brought, but a client of the API


@dataclass(frozen=True, slots=True)
class CollectedProduct:
    """What a source says of a product; the fields are raw_products' columns (spec 1).

    `price` in units of `currency`, None where unknown; `sizes` is any JSON value; `raw_data` the whole item.
    """

    external_id: str
    name: str | None
    description: str | None
    price: Decimal | None
    currency: str
    category: str | None
    colour: str | None
    sizes: Any
    composition: str | None
    original_image_urls: tuple[str, ...]
    raw_data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RejectedItem:
    """An item that can't become a product: why, and its id where that could be read."""

    external_id: str | None
    reason: str
    detail: str
    raw: Any
