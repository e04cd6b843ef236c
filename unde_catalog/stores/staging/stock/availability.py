"""`raw_availability` as the availability stage writes it: one row per brand, store, product and UTC day, the latest.

Unknown stock writes no row. What publishing reads is in `stock_rows.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg.types.json import Jsonb

from unde_catalog.stores.db.database import Cursor


@dataclass(frozen=True, slots=True)
class StockItemFields:
    """The fields of a product's dataset item that stock requests are made of."""

    product_id: int
    external_id: str
    reference: Any
    colours: Any


@dataclass(frozen=True, slots=True)
class CheckedProduct:
    """The known stock of a product: size names by store, an empty list if a store has none."""

    external_id: str
    sizes: Mapping[int, Sequence[str]]


def load(cursor: Cursor, product_ids: Sequence[int]) -> dict[int, StockItemFields]:
    """The fields of some products, by product id."""
    cursor.execute(
        "SELECT id AS product_id, external_id, raw_data->'reference' AS reference,"
        " raw_data->'colorsSizesImagesJSON' AS colours FROM raw_products WHERE id = ANY(%s)",
        (list(product_ids),),
    )
    return {row["product_id"]: StockItemFields(**row) for row in cursor.fetchall()}


def active_products(cursor: Cursor, brand: str) -> int:
    """The number of a brand's products on sale."""
    cursor.execute("SELECT count(*) AS n FROM raw_products WHERE brand = %s AND active", (brand,))
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row["n"]


def today(cursor: Cursor) -> tuple[date, float]:
    """The UTC day, and the seconds until its end."""
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
    """Write the stock; returns the number of rows written. Unchanged stock updates only `fetched_at`, once an hour."""
    rows = sorted((one.external_id, store, list(sizes)) for one in checked for store, sizes in one.sizes.items())
    # The old rows are read first: ON CONFLICT would lock, and so write, every unchanged row.
    cursor.execute(
        """
        INSERT INTO raw_availability AS a (brand, store_id, product_id, sizes_in_stock, fetched_at)
        SELECT %(brand)s, c.store_id, c.product_id, c.sizes, unde_now()
        FROM unnest(%(stores)s::integer[], %(products)s::text[], %(sizes)s::jsonb[]) AS c (store_id, product_id, sizes)
        LEFT JOIN LATERAL (
            SELECT old.sizes_in_stock, old.fetched_at FROM raw_availability AS old
            WHERE old.brand = %(brand)s AND old.store_id = c.store_id AND old.product_id = c.product_id
              AND to_date_immutable(old.fetched_at) = to_date_immutable(unde_now())
        ) AS old ON true
        WHERE old.fetched_at IS NULL OR old.sizes_in_stock <> c.sizes
           OR old.fetched_at <= unde_now() - interval '1 hour'
        ON CONFLICT (brand, store_id, product_id, to_date_immutable(fetched_at)) DO UPDATE
        SET sizes_in_stock = excluded.sizes_in_stock, fetched_at = excluded.fetched_at
        WHERE a.fetched_at <= excluded.fetched_at
        """,
        {
            "brand": brand,
            "stores": [store for _, store, _ in rows],
            "products": [external_id for external_id, _, _ in rows],
            "sizes": [Jsonb(sizes) for _, _, sizes in rows],
        },
    )
    return cursor.rowcount
