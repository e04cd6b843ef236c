"""Items that could not be read: kept as they came, with the reason, until a later version can read them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.products.product import RejectedItem


@dataclass(frozen=True, slots=True)
class KeptItem:
    """A rejected item as it is kept; `position` is its place in the dataset of the scrape."""

    id: int
    scrape_id: int
    position: int
    external_id: str | None
    raw: Any


def store(cursor: Cursor, scrape_id: int, brand: str, rejected: Sequence[tuple[int, RejectedItem]]) -> int:
    """Keep items (position, item) that could not be read; how many were not kept already."""
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


def delete_of_scrape(cursor: Cursor, scrape_id: int) -> None:
    """Forget those of a scrape that is read again from its beginning."""
    cursor.execute("DELETE FROM rejected_items WHERE scrape_id = %s", (scrape_id,))


def of_last_scrape(cursor: Cursor, brand: str, after: int, most: int) -> list[KeptItem]:
    """The next of the items that the brand's last finished scrape could not read, by id, locked."""
    cursor.execute(
        """
        SELECT id, scrape_id, position, external_id, raw FROM rejected_items
        WHERE id > %(after)s AND scrape_id = (
            SELECT max(id) FROM scrapes WHERE brand = %(brand)s AND state IN ('complete', 'partial'))
        ORDER BY id LIMIT %(most)s
        FOR UPDATE
        """,
        {"brand": brand, "after": after, "most": most},
    )
    return [KeptItem(**row) for row in cursor.fetchall()]


def remove(cursor: Cursor, ids: Collection[int]) -> None:
    """Forget items that could be read after all."""
    cursor.execute("DELETE FROM rejected_items WHERE id = ANY(%s)", (list(ids),))
