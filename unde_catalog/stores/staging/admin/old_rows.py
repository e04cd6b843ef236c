"""Deletes old rows in chunks, each in its own transaction, so that locks are short.

Settings say how long rows are kept. Rows that are still needed are kept here.
"""

from collections.abc import Callable
from datetime import timedelta

from unde_catalog.stores.db.database import Cursor

CHUNK = 5_000

DeleteChunk = Callable[[Cursor, timedelta], int]  # takes the time to keep rows, returns the number deleted


def delete_availability(cursor: Cursor, keep: timedelta) -> int:
    """Delete a chunk of old stock rows."""
    cursor.execute(
        """
        DELETE FROM raw_availability WHERE id = ANY(ARRAY(
            SELECT id FROM raw_availability WHERE fetched_at < unde_now() - %s ORDER BY fetched_at LIMIT %s))
        """,
        (keep, CHUNK),
    )
    return cursor.rowcount


def delete_logs(cursor: Cursor, keep: timedelta) -> int:
    """Delete a chunk of old rows about runs."""
    cursor.execute(
        """
        DELETE FROM scraper_logs WHERE id = ANY(ARRAY(
            SELECT id FROM scraper_logs WHERE started_at < unde_now() - %s ORDER BY started_at LIMIT %s))
        """,
        (keep, CHUNK),
    )
    return cursor.rowcount


def delete_user_media_requests(cursor: Cursor, keep: timedelta) -> int:
    """Delete a chunk of user media requests that ended, or were last started, that long ago.

    Streams no longer deliver them. The rows of photos are kept as long as the photos.
    """
    cursor.execute(
        """
        DELETE FROM user_media_requests WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM user_media_requests
            WHERE day < to_date_immutable(unde_now() - %(keep)s) OR day IS NULL AND taken_at < unde_now() - %(keep)s
            LIMIT %(chunk)s))
        """,
        {"keep": keep, "chunk": CHUNK},
    )
    return cursor.rowcount


# Kept for each brand: its newest scrape, its newest one that was read, and its newest complete one.
_OLD_SCRAPES = """
    SELECT s.id FROM scrapes s
    WHERE s.finished_at < unde_now() - %(keep)s AND s.state NOT IN ('intended', 'running')
      AND s.id NOT IN (
          SELECT unnest(ARRAY[max(k.id), max(k.id) FILTER (WHERE k.state IN ('complete', 'partial')),
                              max(k.id) FILTER (WHERE k.state = 'complete')])
          FROM scrapes k WHERE k.brand = s.brand
          EXCEPT SELECT NULL)
"""


def delete_rejected_items(cursor: Cursor, keep: timedelta) -> int:
    """Delete a chunk of items that old scrapes rejected."""
    cursor.execute(
        f"DELETE FROM rejected_items WHERE id = ANY(ARRAY("
        f"SELECT id FROM rejected_items WHERE scrape_id IN ({_OLD_SCRAPES}) LIMIT %(chunk)s))",
        {"keep": keep, "chunk": CHUNK},
    )
    return cursor.rowcount


def delete_scrapes(cursor: Cursor, keep: timedelta) -> int:
    """Delete a chunk of old scrapes, whose rejected items have to be deleted before."""
    cursor.execute(
        f"DELETE FROM scrapes WHERE id = ANY(ARRAY({_OLD_SCRAPES} LIMIT %(chunk)s))", {"keep": keep, "chunk": CHUNK}
    )
    return cursor.rowcount


def delete_webhook_deliveries(cursor: Cursor, keep: timedelta) -> int:
    """Delete a chunk of old deliveries. A repeated delivery is refused for its age after minutes."""
    cursor.execute(
        """
        DELETE FROM webhook_deliveries WHERE digest = ANY(ARRAY(
            SELECT digest FROM webhook_deliveries WHERE received_at < unde_now() - %s ORDER BY received_at LIMIT %s))
        """,
        (keep, CHUNK),
    )
    return cursor.rowcount
