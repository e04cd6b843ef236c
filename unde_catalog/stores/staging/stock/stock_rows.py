"""`raw_availability` as publishing and the command line read it. It is written by `availability.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from unde_catalog.stores.db.database import Cursor

PAGE = 5_000  # rows of one short transaction


@dataclass(frozen=True, slots=True)
class StockRow:
    """The stock of a product in a store; `sizes_in_stock` is JSON text."""

    id: int
    store_id: int
    external_id: str
    sizes_in_stock: str
    fetched_at: datetime


def of_products(cursor: Cursor, brand: str, external_ids: Sequence[str], younger_than: timedelta) -> list[StockRow]:
    """The latest row of each product in each store, of the rows younger than `younger_than`."""
    cursor.execute(
        """
        SELECT DISTINCT ON (product_id, store_id)
               id, store_id, product_id AS external_id, sizes_in_stock::text, fetched_at
        FROM raw_availability
        WHERE brand = %s AND product_id = ANY(%s) AND fetched_at > unde_now() - %s
        ORDER BY product_id, store_id, fetched_at DESC
        """,
        (brand, list(external_ids), younger_than),
    )
    return [StockRow(**row) for row in cursor.fetchall()]


def next_page(
    cursor: Cursor, brand: str, after: datetime | None, after_id: int, younger_than: timedelta
) -> list[StockRow]:
    """A brand's next rows by (fetched_at, id), of those younger than `younger_than`; empty at the end."""
    # Without statistics the planner would sort all remaining rows for every page.
    cursor.execute("SET LOCAL enable_sort = off")
    cursor.execute(
        """
        SELECT id, store_id, product_id AS external_id, sizes_in_stock::text, fetched_at
        FROM raw_availability
        WHERE brand = %(brand)s
          AND fetched_at >= greatest(%(after)s::timestamptz, unde_now() - %(age)s)
          AND (fetched_at, id) > (coalesce(%(after)s::timestamptz, '-infinity'), %(id)s)
        ORDER BY fetched_at, id LIMIT %(page)s
        """,
        {"brand": brand, "after": after, "id": after_id, "age": younger_than, "page": PAGE},
    )
    return [StockRow(**row) for row in cursor.fetchall()]


def sample_products(cursor: Cursor, brand: str, limit: int) -> list[dict[str, Any]]:
    """Some products of a brand with the latest stock by store: rows of external_id, name, store and sizes."""
    cursor.execute(
        """
        SELECT p.external_id, p.name, coalesce(s.mall_name, s.name, a.store_id::text) AS store, a.sizes
        FROM (SELECT id, external_id, brand, name FROM raw_products
              WHERE brand = %(brand)s AND active AND image_status = 'collage_ready' ORDER BY id LIMIT %(limit)s) AS p
        CROSS JOIN LATERAL (
            SELECT DISTINCT ON (store_id) store_id, sizes_in_stock AS sizes FROM raw_availability
            WHERE brand = p.brand AND product_id = p.external_id ORDER BY store_id, fetched_at DESC
        ) AS a
        LEFT JOIN raw_stores s ON s.brand = p.brand AND s.store_id = a.store_id
        ORDER BY p.id, a.store_id
        """,
        {"brand": brand, "limit": limit},
    )
    return cursor.fetchall()
