"""The catalogue in pages, in the order of ids, by what may be asked of a product. Its cost does not grow with it.

A page looks at so many products at the most, along an index: where few of them are wanted, it is short, and the next
goes on from where it looked. How a product is read is `api_products.py`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, LiteralString

from unde_catalog.stores.db.database import Cursor

LOOKED_AT = 5_000  # products a page
_LAST_ID: LiteralString = "9223372036854775807"
OnSale = Literal["true", "false", "any"]


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """What the products of a page must be; () and None ask nothing. Prices are both included.

    `in_stock_at`: a shop of the one brand in `brands`; what that had in any size when it was asked last.
    """

    brands: Sequence[str] = ()
    categories: Sequence[str] = ()
    price_from: Decimal | None = None
    price_to: Decimal | None = None
    on_sale: OnSale = "true"
    in_stock_at: int | None = None


@dataclass(frozen=True, slots=True)
class ProductIdPage:
    """The ids of a page's products, and the one after which the next begins; None at the end."""

    ids: Sequence[int]
    after: int | None


def page(cursor: Cursor, wanted: ProductFilter, after: int, most: int) -> ProductIdPage:
    """The next products after an id, `most` of them or fewer."""
    looking, rest = _looking(wanted), _rest(wanted)
    values = {
        "brands": list(wanted.brands),
        "categories": list(wanted.categories),
        "beginnings": list(dict.fromkeys(category[:100] for category in wanted.categories)),
        "price_from": wanted.price_from,
        "price_to": wanted.price_to,
        "store": wanted.in_stock_at,
        "after": after,
        "looked_at": LOOKED_AT if rest else most + 1,
        "most": most + 1,
    }
    # Along the index, or all that is left of a brand is sorted for every page.
    cursor.execute("SET LOCAL enable_sort = off")
    cursor.execute("SET LOCAL enable_incremental_sort = off")
    cursor.execute(looking, values)
    looked_at = [row["id"] for row in cursor.fetchall()]
    found = looked_at
    if rest and looked_at:
        cursor.execute(
            f"SELECT p.id FROM raw_products p WHERE p.id = ANY(%(ids)s) AND {' AND '.join(rest)}"
            " ORDER BY p.id LIMIT %(most)s",
            {**values, "ids": looked_at},
        )
        found = [row["id"] for row in cursor.fetchall()]
    if len(found) > most:
        return ProductIdPage(found[:most], found[most - 1])
    return ProductIdPage(found, looked_at[-1] if rest and len(looked_at) == LOOKED_AT else None)


def _looking(wanted: ProductFilter) -> LiteralString:
    """Which products are looked at: the next ones along the index that leaves out most of what is not wanted."""
    if wanted.on_sale == "true" and wanted.categories:
        return _of_each("beginnings", "left(p.category, 100)")
    if wanted.on_sale == "true" and wanted.brands:
        return _of_each("brands", "p.brand")
    on_sale: LiteralString = "p.active AND" if wanted.on_sale == "true" else ""
    return f"SELECT p.id FROM raw_products p WHERE {on_sale} p.id > %(after)s ORDER BY p.id LIMIT %(looked_at)s"


def _of_each(values: LiteralString, expression: LiteralString) -> LiteralString:
    """The next ones on sale of any of these values, each along the index.

    Rows are compared, so that no other index will do: of a value that is rare, the planner knows nothing here.
    """
    return f"""
        SELECT p.id FROM unnest(%({values})s::text[]) AS wanted (value),
            LATERAL (SELECT p.id FROM raw_products p
                     WHERE ({expression}, p.id) > (wanted.value, %(after)s::bigint)
                       AND ({expression}, p.id) <= (wanted.value, {_LAST_ID}) AND p.active
                     ORDER BY {expression}, p.id LIMIT %(looked_at)s) AS p
        ORDER BY p.id LIMIT %(looked_at)s
    """


def _rest(wanted: ProductFilter) -> list[LiteralString]:
    """What is asked of each product that is looked at."""
    asked: list[LiteralString] = []
    if wanted.on_sale == "false":
        asked.append("NOT p.active")
    if wanted.brands and (wanted.categories or wanted.on_sale != "true"):
        asked.append("p.brand || '' = ANY(%(brands)s)")  # by no index of brands: these few are looked up by their ids
    if wanted.categories:
        asked.append("p.category = ANY(%(categories)s)")
    if wanted.price_from is not None:
        asked.append("p.price >= %(price_from)s")
    if wanted.price_to is not None:
        asked.append("p.price <= %(price_to)s")
    if wanted.in_stock_at is not None:
        asked.append(
            "coalesce((SELECT a.sizes_in_stock <> '[]' FROM raw_availability a"
            " WHERE a.brand = p.brand AND a.store_id = %(store)s AND a.product_id = p.external_id"
            " ORDER BY a.fetched_at DESC LIMIT 1), false)"
        )
    return asked
