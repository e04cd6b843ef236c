"""A product as sources pass it to staging, and an item that was rejected."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

API_SOURCE = "api"  # of products that clients of the API added


@dataclass(frozen=True, slots=True)
class CollectedProduct:
    """A product of a source. The fields are columns of raw_products, see docs/reference/schema.md.

    `price` is in units of `currency`, None if unknown. `sizes` is any JSON value, `raw_data` the whole item. `notes`
    counts by name what of the item is not in the product: cut texts, videos, media that could not be read.
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
    notes: Mapping[str, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class RejectedItem:
    """An item that is not a valid product: the reason, and its id if that can be read."""

    external_id: str | None
    reason: str
    detail: str
    raw: Any
