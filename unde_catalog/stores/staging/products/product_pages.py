"""Pages of products in the order of ids, with filters. The cost of a page does not depend on the catalogue's size.

A page scans at most `SCANNED` products along an index. If few of them match, the page is short, and the next page
continues after the last scanned product. Products are read by `api_products.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, LiteralString

from unde_catalog.stores.db.database import Cursor

SCANNED = 5_000  # products a page
_LAST_ID: LiteralString = "9223372036854775807"
OnSale = Literal["true", "false", "any"]


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """Conditions of a page's products; () and None mean any. Prices are both inclusive.

    `in_stock_at`: a store of the only brand in `brands`, which had the product in any size at the last check.
    """

    brands: Sequence[str] = ()
    categories: Sequence[str] = ()
    price_from: Decimal | None = None
    price_to: Decimal | None = None
    on_sale: OnSale = "true"
    in_stock_at: int | None = None


@dataclass(frozen=True, slots=True)
class ProductIdPage:
    """The ids of a page's products, and the id after which the next page begins; None at the end."""

    ids: Sequence[int]
    after: int | None


def page(cursor: Cursor, filters: ProductFilter, after: int, limit: int) -> ProductIdPage:
    """The next products after an id, at most `limit`."""
    scan, conditions = _scan(filters), _conditions(filters)
    values = {
        "brands": list(filters.brands),
        "categories": list(filters.categories),
        "beginnings": list(dict.fromkeys(category[:100] for category in filters.categories)),
        "price_from": filters.price_from,
        "price_to": filters.price_to,
        "store": filters.in_stock_at,
        "after": after,
        "scanned": SCANNED if conditions else limit + 1,
        "limit": limit + 1,
    }
    # Without these settings, the planner may sort all remaining products of a brand for every page.
    cursor.execute("SET LOCAL enable_sort = off")
    cursor.execute("SET LOCAL enable_incremental_sort = off")
    cursor.execute(scan, values)
    scanned = [row["id"] for row in cursor.fetchall()]
    found = scanned
    if conditions and scanned:
        cursor.execute(
            f"SELECT p.id FROM raw_products p WHERE p.id = ANY(%(ids)s) AND {' AND '.join(conditions)}"
            " ORDER BY p.id LIMIT %(limit)s",
            {**values, "ids": scanned},
        )
        found = [row["id"] for row in cursor.fetchall()]
    if len(found) > limit:
        return ProductIdPage(found[:limit], found[limit - 1])
    return ProductIdPage(found, scanned[-1] if conditions and len(scanned) == SCANNED else None)


def _scan(filters: ProductFilter) -> LiteralString:
    """The query for the next products along the most selective index."""
    if filters.on_sale == "true" and filters.categories:
        return _of_each_value("beginnings", "left(p.category, 100)")
    if filters.on_sale == "true" and filters.brands:
        return _of_each_value("brands", "p.brand")
    on_sale: LiteralString = "p.active AND" if filters.on_sale == "true" else ""
    return f"SELECT p.id FROM raw_products p WHERE {on_sale} p.id > %(after)s ORDER BY p.id LIMIT %(scanned)s"


def _of_each_value(values: LiteralString, expression: LiteralString) -> LiteralString:
    """The query for the next products on sale with any of these values, along the index for each value.

    Row comparisons keep the planner from using another index, because it does not know which values are rare.
    """
    return f"""
        SELECT p.id FROM unnest(%({values})s::text[]) AS wanted (value),
            LATERAL (SELECT p.id FROM raw_products p
                     WHERE ({expression}, p.id) > (wanted.value, %(after)s::bigint)
                       AND ({expression}, p.id) <= (wanted.value, {_LAST_ID}) AND p.active
                     ORDER BY {expression}, p.id LIMIT %(scanned)s) AS p
        ORDER BY p.id LIMIT %(scanned)s
    """


def _conditions(filters: ProductFilter) -> list[LiteralString]:
    """The conditions that are checked for each scanned product."""
    conditions: list[LiteralString] = []
    if filters.on_sale == "false":
        conditions.append("NOT p.active")
    if filters.brands and (filters.categories or filters.on_sale != "true"):
        conditions.append("p.brand || '' = ANY(%(brands)s)")  # prevents the use of an index on brands
    if filters.categories:
        conditions.append("p.category = ANY(%(categories)s)")
    if filters.price_from is not None:
        conditions.append("p.price >= %(price_from)s")
    if filters.price_to is not None:
        conditions.append("p.price <= %(price_to)s")
    if filters.in_stock_at is not None:
        conditions.append(
            "coalesce((SELECT a.sizes_in_stock <> '[]' FROM raw_availability a"
            " WHERE a.brand = p.brand AND a.store_id = %(store)s AND a.product_id = p.external_id"
            " ORDER BY a.fetched_at DESC LIMIT 1), false)"
        )
    return conditions
