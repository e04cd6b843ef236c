"""Rows that age out, a chunk a transaction, so that nobody waits for it and a killed one has done what it did.

How old is old is a setting; that nothing anybody still goes by is deleted, is here.
"""

from collections.abc import Callable
from datetime import timedelta

from unde_catalog.stores.db.database import Cursor

CHUNK = 5_000

MaximumAge = Callable[[Cursor, timedelta], int]


def delete_availability(cursor: Cursor, keep: timedelta) -> int:
    """Delete a chunk of stock of days that long ago; how many rows."""
    cursor.execute(
        """
        DELETE FROM raw_availability WHERE id = ANY(ARRAY(
            SELECT id FROM raw_availability WHERE fetched_at < unde_now() - %s ORDER BY fetched_at LIMIT %s))
        """,
        (keep, CHUNK),
    )
    return cursor.rowcount


def delete_logs(cursor: Cursor, keep: timedelta) -> int:
    """Delete a chunk of rows about runs that long ago; how many."""
    cursor.execute(
        """
        DELETE FROM scraper_logs WHERE id = ANY(ARRAY(
            SELECT id FROM scraper_logs WHERE started_at < unde_now() - %s ORDER BY started_at LIMIT %s))
        """,
        (keep, CHUNK),
    )
    return cursor.rowcount


def delete_user_media_requests(cursor: Cursor, keep: timedelta) -> int:
    """Delete a chunk of requests for people's photos that ended, or were last begun, that long ago; how many.

    No stream delivers them again then. The photos' own rows stay as long as the photos.
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


# What a brand still goes by: its newest scrape, its newest that was read, and its newest whole one.
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
    """Delete a chunk of what scrapes that long ago could not read; how many."""
    cursor.execute(
        f"DELETE FROM rejected_items WHERE id = ANY(ARRAY("
        f"SELECT id FROM rejected_items WHERE scrape_id IN ({_OLD_SCRAPES}) LIMIT %(chunk)s))",
        {"keep": keep, "chunk": CHUNK},
    )
    return cursor.rowcount


def delete_scrapes(cursor: Cursor, keep: timedelta) -> int:
    """Delete a chunk of scrapes that ended that long ago, after what they rejected; how many."""
    cursor.execute(
        f"DELETE FROM scrapes WHERE id = ANY(ARRAY({_OLD_SCRAPES} LIMIT %(chunk)s))", {"keep": keep, "chunk": CHUNK}
    )
    return cursor.rowcount


def delete_webhook_deliveries(cursor: Cursor, keep: timedelta) -> int:
    """Delete a chunk of deliveries of that long ago; how many. A repeat of one is refused after minutes for its age."""
    cursor.execute(
        """
        DELETE FROM webhook_deliveries WHERE digest = ANY(ARRAY(
            SELECT digest FROM webhook_deliveries WHERE received_at < unde_now() - %s ORDER BY received_at LIMIT %s))
        """,
        (keep, CHUNK),
    )
    return cursor.rowcount
