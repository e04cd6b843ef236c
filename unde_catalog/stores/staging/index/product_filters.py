"""Filters of a search, and the SQL that applies them to the current state of raw_products and raw_availability."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, LiteralString

from unde_catalog.stores.staging.index.embeddings import SEARCHED


@dataclass(frozen=True, slots=True)
class StoreKey:
    """A store."""

    brand: str
    store_id: int


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions of a product; () and None mean any. Prices are in the catalogue's currency, both inclusive.

    `in_stock_at`: the store had the product in any size at the last check.
    """

    brands: Sequence[str] = ()
    categories: Sequence[str] = ()
    price_from: Decimal | None = None
    price_to: Decimal | None = None
    in_stock_at: StoreKey | None = None


EVERYTHING = Filters()


def filter_conditions(filters: Filters, searched: LiteralString = SEARCHED) -> tuple[LiteralString, LiteralString]:
    """Conditions of a product `p` that an index can count, and all conditions; `filter_values` are their parameters.

    `searched`: which products can be found at all.
    """
    parts: list[LiteralString] = [searched]
    if filters.brands or filters.in_stock_at is not None:
        parts.append("p.brand = ANY(%(brands)s)")
    if filters.categories:
        parts.append("left(p.category, 100) = ANY(%(beginnings)s) AND p.category = ANY(%(categories)s)")
    if filters.price_from is not None:
        parts.append("p.price >= %(price_from)s")
    if filters.price_to is not None:
        parts.append("p.price <= %(price_to)s")
    indexed: LiteralString = " AND ".join(parts)
    if filters.in_stock_at is None:
        return indexed, indexed
    return indexed, indexed + (
        " AND coalesce((SELECT a.sizes_in_stock <> '[]' FROM raw_availability a"
        " WHERE a.brand = p.brand AND a.store_id = %(store)s AND a.product_id = p.external_id"
        " ORDER BY a.fetched_at DESC LIMIT 1), false)"
    )


def filter_values(filters: Filters) -> dict[str, Any]:
    """The parameters of the conditions of filters."""
    store, brands = filters.in_stock_at, list(filters.brands)
    if store is not None:
        brands = [store.brand] if not brands or store.brand in brands else []
    return {
        "brands": brands,
        "categories": list(filters.categories),
        "beginnings": [category[:100] for category in filters.categories],
        "price_from": filters.price_from,
        "price_to": filters.price_to,
        "store": None if store is None else store.store_id,
    }
