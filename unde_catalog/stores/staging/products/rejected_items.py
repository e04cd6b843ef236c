"""Rejected items: stored unchanged with the reason, so that a later version may accept them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.products.product import RejectedItem


@dataclass(frozen=True, slots=True)
class StoredItem:
    """A stored item; `position` is that in the dataset of the scrape."""

    id: int
    scrape_id: int
    position: int
    external_id: str | None
    raw: Any


def store(cursor: Cursor, scrape_id: int, brand: str, rejected: Sequence[tuple[int, RejectedItem]]) -> int:
    """Store rejected items, given as (position, item); returns the number of new ones."""
    if not rejected:
        return 0
    cursor.executemany(
        """
        INSERT INTO rejected_items (scrape_id, brand, position, external_id, reason, detail, raw)
        VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (scrape_id, position) DO NOTHING
        """,
        [
            (scrape_id, brand, position, one.external_id, one.reason, one.detail, Jsonb(one.raw))
            for position, one in rejected
        ],
    )
    return cursor.rowcount


def count_unknown(cursor: Cursor, scrape_id: int, reason: str) -> int:
    """How many items a scrape rejected for a reason, or without an id: any product may be behind them.

    Keys of a bucket do not count: one without an id is no photo.
    """
    cursor.execute(
        "SELECT count(*) AS n FROM rejected_items WHERE scrape_id = %s"
        " AND (reason = %s OR external_id IS NULL AND NOT coalesce(raw ? 'keys', false))",
        (scrape_id, reason),
    )
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row["n"]


def delete_of_scrape(cursor: Cursor, scrape_id: int) -> None:
    """Delete the items of a scrape, before it is read again from its beginning."""
    cursor.execute("DELETE FROM rejected_items WHERE scrape_id = %s", (scrape_id,))


def of_last_scrape(cursor: Cursor, brand: str, after: int, limit: int) -> list[StoredItem]:
    """Lock and return the next items that the brand's last finished scrape rejected, by id."""
    cursor.execute(
        """
        SELECT id, scrape_id, position, external_id, raw FROM rejected_items
        WHERE id > %(after)s AND scrape_id = (
            SELECT max(id) FROM scrapes WHERE brand = %(brand)s AND state IN ('complete', 'partial'))
        ORDER BY id LIMIT %(limit)s
        FOR UPDATE
        """,
        {"brand": brand, "after": after, "limit": limit},
    )
    return [StoredItem(**row) for row in cursor.fetchall()]


def remove(cursor: Cursor, ids: Collection[int]) -> None:
    """Delete items that were accepted later."""
    cursor.execute("DELETE FROM rejected_items WHERE id = ANY(%s)", (list(ids),))
