"""What shops have in stock, as checked: the latest answer of a UTC day for each brand, shop and product (spec 1).

An unknown stock is no row and changes none. What reads these rows for publishing is `stock_rows.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg.types.json import Jsonb

from unde_catalog.stores.db.database import Cursor


@dataclass(frozen=True, slots=True)
class ToCheck:
    """What of a product's dataset item its stock is asked with."""

    product_id: int
    external_id: str
    reference: Any
    colours: Any


@dataclass(frozen=True, slots=True)
class CheckedProduct:
    """The shops' known stock of a product: size names by shop, an empty list for none."""

    external_id: str
    sizes: Mapping[int, Sequence[str]]


def load(cursor: Cursor, product_ids: Sequence[int]) -> dict[int, ToCheck]:
    """What to ask with, by product id."""
    cursor.execute(
        "SELECT id AS product_id, external_id, raw_data->'reference' AS reference,"
        " raw_data->'colorsSizesImagesJSON' AS colours FROM raw_products WHERE id = ANY(%s)",
        (list(product_ids),),
    )
    return {row["product_id"]: ToCheck(**row) for row in cursor.fetchall()}


def active_products(cursor: Cursor, brand: str) -> int:
    """How many products of a brand are on sale."""
    cursor.execute("SELECT count(*) AS n FROM raw_products WHERE brand = %s AND active", (brand,))
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row["n"]


def today(cursor: Cursor) -> tuple[date, float]:
    """The UTC day, and the seconds that are left of it."""
    cursor.execute(
        """
        SELECT to_date_immutable(unde_now()) AS day,
               extract(epoch FROM date_trunc('day', at) + interval '1 day' - at)::float8 AS seconds
        FROM (SELECT unde_now() AT TIME ZONE 'UTC') AS t (at)
        """
    )
    row = cursor.fetchone()
    assert row is not None  # a row without a table
    return row["day"], row["seconds"]


def record(cursor: Cursor, brand: str, checked: Sequence[CheckedProduct]) -> int:
    """Keep what was found; how many rows that wrote. An unchanged answer moves only `fetched_at`, once an hour."""
    rows = sorted((one.external_id, shop, list(sizes)) for one in checked for shop, sizes in one.sizes.items())
    # Looked up before: ON CONFLICT would lock, and so write, every row that stays as it is.
    cursor.execute(
        """
        INSERT INTO raw_availability AS a (brand, store_id, product_id, sizes_in_stock, fetched_at)
        SELECT %(brand)s, g.store_id, g.product_id, g.sizes, unde_now()
        FROM unnest(%(shops)s::integer[], %(products)s::text[], %(sizes)s::jsonb[]) AS g (store_id, product_id, sizes)
        LEFT JOIN LATERAL (
            SELECT old.sizes_in_stock, old.fetched_at FROM raw_availability AS old
            WHERE old.brand = %(brand)s AND old.store_id = g.store_id AND old.product_id = g.product_id
              AND to_date_immutable(old.fetched_at) = to_date_immutable(unde_now())
        ) AS old ON true
        WHERE old.fetched_at IS NULL OR old.sizes_in_stock <> g.sizes
           OR old.fetched_at <= unde_now() - interval '1 hour'
        ON CONFLICT (brand, store_id, product_id, to_date_immutable(fetched_at)) DO UPDATE
        SET sizes_in_stock = excluded.sizes_in_stock, fetched_at = excluded.fetched_at
        WHERE a.fetched_at <= excluded.fetched_at
        """,
        {
            "brand": brand,
            "shops": [shop for _, shop, _ in rows],
            "products": [external_id for external_id, _, _ in rows],
            "sizes": [Jsonb(sizes) for _, _, sizes in rows],
        },
    )
    return cursor.rowcount
