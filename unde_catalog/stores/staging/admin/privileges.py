"""The session, size and privileges of a role in the staging database, for `unde-catalog doctor`."""

from collections.abc import Sequence
from dataclasses import dataclass

from unde_catalog.stores.db.database import Cursor


@dataclass(frozen=True, slots=True)
class Session:
    """A connection: its role, the server's version, whether it is read-only, and whether it goes through a pooler."""

    role: str
    version: str
    read_only: bool
    pooled: bool


def session(cursor: Cursor) -> Session:
    """The session of this connection."""
    cursor.execute(
        "SELECT current_user AS role, current_setting('server_version') AS version,"
        " current_setting('transaction_read_only') = 'on' AS read_only, pg_backend_pid() AS pid"
    )
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM has one
    # A pooler sends clients a made-up process id.
    pooled = cursor.connection.info.backend_pid != row["pid"]
    return Session(row["role"], row["version"].split()[0], row["read_only"], pooled)


def database_bytes(cursor: Cursor) -> int:
    """The size of the database on disk."""
    cursor.execute("SELECT pg_database_size(current_database()) AS bytes")
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM has one
    return row["bytes"]


def missing_rights(cursor: Cursor) -> dict[str, list[str]]:
    """The privileges that this role lacks by stage, e.g. `UPDATE of raw_products.image_urls`."""
    cursor.execute(
        """
        WITH own (n, stage, table_name, column_name, privilege) AS (
            VALUES
            (1, 'raw_products', 'raw_products', 'name', 'INSERT'),
            (2, 'raw_products', 'raw_products', 'name', 'UPDATE'),
            (3, 'raw_products', 'scrapes', NULL, 'INSERT'),
            (4, 'raw_products', 'scraped_items', NULL, 'INSERT'),
            (5, 'originals', 'raw_products', 'image_urls', 'UPDATE'),
            (6, 'originals', 'product_photos', NULL, 'INSERT'),
            (7, 'originals', 'photo_intents', NULL, 'INSERT'),
            (8, 'collages', 'raw_products', 'collage_url', 'UPDATE'),
            (9, 'collages', 'product_collages', NULL, 'INSERT'),
            (10, 'ximilar_index', 'raw_products', 'ximilar_status', 'UPDATE'),
            (11, 'ximilar_index', 'ximilar_records', NULL, 'INSERT'),
            (12, 'ximilar_index', 'ximilar_credits', NULL, 'INSERT'),
            (13, 'visual_index', 'product_embeddings', NULL, 'INSERT'),
            (14, 'visual_index', 'embedding_models', NULL, 'INSERT'),
            (15, 'production_catalog', 'raw_products', 'sync_status', 'UPDATE')
            UNION ALL
            SELECT 20, stage, 'due_work', 'due_at', 'UPDATE'
            FROM unnest(ARRAY['originals', 'collages', 'ximilar_index', 'visual_index', 'production_catalog']) AS stage
            UNION ALL
            SELECT 21, stage, 'scraper_logs', NULL, 'INSERT'
            FROM unnest(ARRAY['raw_products', 'originals', 'collages', 'ximilar_index', 'visual_index',
                              'production_catalog']) AS stage
        ), needed AS (
            SELECT *, CASE WHEN column_name IS NULL THEN has_table_privilege(table_name, privilege)
                           ELSE has_column_privilege(table_name, column_name, privilege) END AS held
            FROM own
        )
        SELECT stage, coalesce(array_agg(privilege || ' of ' || table_name || coalesce('.' || column_name, '')
                                         ORDER BY n) FILTER (WHERE NOT held), '{}') AS missing
        FROM needed
        GROUP BY stage ORDER BY min(n)
        """
    )
    return {row["stage"]: row["missing"] for row in cursor.fetchall()}


def newest_photo(cursor: Cursor, brands: Sequence[str]) -> tuple[str, str] | None:
    """Brand and first photo URL of the newest product of these brands that has one."""
    cursor.execute(
        "SELECT brand, original_image_urls ->> 0 AS url FROM raw_products"
        " WHERE brand = ANY(%s) AND original_image_urls ->> 0 IS NOT NULL ORDER BY id DESC LIMIT 1",
        (list(brands),),
    )
    row = cursor.fetchone()
    return (row["brand"], row["url"]) if row else None


def may_read(cursor: Cursor, table: str) -> bool:
    """Whether a table exists and this role may read it."""
    cursor.execute("SELECT coalesce(has_table_privilege(to_regclass(%s), 'SELECT'), false) AS readable", (table,))
    row = cursor.fetchone()
    return row is not None and row["readable"]


def may_write(cursor: Cursor, table: str) -> bool:
    """Whether this role may insert into and update a table."""
    cursor.execute(
        "SELECT has_table_privilege(%(table)s, 'INSERT') AND has_table_privilege(%(table)s, 'UPDATE') AS writable",
        {"table": table},
    )
    row = cursor.fetchone()
    return row is not None and row["writable"]
