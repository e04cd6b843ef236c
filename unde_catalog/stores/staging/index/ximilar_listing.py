"""A listing of the Ximilar collection, by which records are found that another program inserted.

The deployed service's record ids are its own; what identifies its records is the URL of their photo and the `sku_id`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from unde_catalog.stores.db.database import Cursor


@dataclass(frozen=True, slots=True)
class ListedRecord:
    """A record of the collection: its `_id`, `sku_id` and the object key in its photo's URL."""

    id: str
    sku_id: str | None
    key: str


def begin(cursor: Cursor) -> datetime:
    """The time by which records that are not listed again are known to be gone."""
    cursor.execute("SELECT clock_timestamp() AS now")
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM always has a row
    return row["now"]


def add(cursor: Cursor, collection: str, records: Sequence[ListedRecord]) -> None:
    """Add a page of the listing."""
    columns = [list(column) for column in zip(*((r.id, r.sku_id, r.key) for r in records), strict=True)]
    cursor.execute(
        """
        INSERT INTO ximilar_listing (collection, record_id, sku_id, url, listed_at)
        SELECT DISTINCT ON (id) %s, id, sku_id, key, clock_timestamp()
        FROM unnest(%s::text[], %s::text[], %s::text[]) AS r (id, sku_id, key) ORDER BY id
        ON CONFLICT (collection, record_id) DO UPDATE SET
            sku_id = excluded.sku_id, url = excluded.url, listed_at = excluded.listed_at
        """,
        (collection, *columns),
    )


def end(cursor: Cursor, collection: str, began: datetime) -> None:
    """Delete the records that were not listed since `began`."""
    cursor.execute("DELETE FROM ximilar_listing WHERE collection = %s AND listed_at < %s", (collection, began))


def find(cursor: Cursor, collection: str, keys: Sequence[str]) -> dict[str, list[ListedRecord]]:
    """The listed records of some photos, by object key; a photo may have several."""
    cursor.execute(
        """
        SELECT record_id AS id, sku_id, url AS key FROM ximilar_listing
        WHERE collection = %s AND md5(url) = ANY(ARRAY(SELECT md5(k) FROM unnest(%s::text[]) AS k)) ORDER BY record_id
        """,
        (collection, list(keys)),
    )
    found: dict[str, list[ListedRecord]] = {}
    for row in cursor.fetchall():
        found.setdefault(row["key"], []).append(ListedRecord(**row))
    return found
