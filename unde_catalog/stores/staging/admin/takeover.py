"""What a database holds that other programs wrote, and who writes what: for planning its adoption and the handover.

The questions about a plan work on the deployed schema, before any migration.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

from unde_catalog.stores.db.database import Cursor


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The server and this connection's rights. `version` is e.g. 150018; `owns_tables` and `creates_roles` are rights.

    `missing_roles` are roles of this project that the server does not have; `tables` those of the deployed schema that
    are there.
    """

    version: int
    version_name: str
    role: str
    owns_tables: bool
    creates_in_schema: bool
    creates_roles: bool
    missing_roles: tuple[str, ...]
    tables: tuple[str, ...]
    bytes: int


@dataclass(frozen=True, slots=True)
class DeployedBrand:
    """Products of a brand by what is to be done with them, and what their rows name.

    `to_fetch`: pending or failed; `photos`, `collages`: objects that rows name; `sources`: photos of products to fetch;
    `indexed`: photos that rows say are in Ximilar; `unsent`: photos that pilot products still lack there.
    """

    brand: str
    products: int
    uploaded: int
    with_collage: int
    to_fetch: int
    photos: int
    collages: int
    sources: int
    indexed: int
    unsent: int


@dataclass(frozen=True, slots=True)
class LastWrite:
    """When another program last did a stage's work on a brand."""

    brand: str
    stage: str
    at: datetime
    age: timedelta


_ALL: LiteralString = "raw_products"
_UNADOPTED: LiteralString = """(
    SELECT p.* FROM raw_products p JOIN due_work w ON w.product_id = p.id
    WHERE w.stage = 'adoption' AND w.due_at IS NOT NULL)"""
_ROLES = ("apify", "collage", "downloader", "scraper", "ximilar")
TABLES = ("raw_products", "raw_availability", "raw_stores", "scraper_logs")


def server_facts(cursor: Cursor) -> ServerFacts:
    """The server's version, and what this connection may do."""
    cursor.execute(
        """
        SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS version_name,
               current_user::text AS role,
               coalesce((SELECT bool_and(pg_has_role(current_user, c.relowner, 'USAGE')) FROM pg_class c
                         WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY(%(tables)s)), true)
                   AS owns_tables,
               has_schema_privilege(current_schema(), 'CREATE') AS creates_in_schema,
               (SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user) AS creates_roles,
               ARRAY(SELECT r FROM unnest(%(roles)s::text[]) AS r
                     WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = r) ORDER BY r) AS missing_roles,
               ARRAY(SELECT t FROM unnest(%(tables)s::text[]) AS t WHERE to_regclass(t) IS NOT NULL) AS tables,
               pg_database_size(current_database()) AS bytes
        """,
        {"tables": list(TABLES), "roles": list(_ROLES)},
    )
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM always has a row
    missing, tables = tuple(row.pop("missing_roles")), tuple(row.pop("tables"))
    return ServerFacts(**row, missing_roles=missing, tables=tables)


def brand_figures(cursor: Cursor, photos_a_product: int, *, unadopted: bool = False) -> list[DeployedBrand]:
    """One record a brand; reads raw_products once. `unadopted`: only of products that are due for adoption."""
    products = _UNADOPTED if unadopted else _ALL
    cursor.execute(
        f"""
        WITH p AS (
            SELECT brand, coalesce(image_status, 'pending') AS status, index_scope,
                   CASE jsonb_typeof(image_urls) WHEN 'array' THEN jsonb_array_length(image_urls) ELSE 0 END AS photos,
                   CASE jsonb_typeof(original_image_urls) WHEN 'array'
                        THEN least(jsonb_array_length(original_image_urls), %(most)s) ELSE 0 END AS sources,
                   CASE jsonb_typeof(ximilar_synced_urls) WHEN 'array'
                        THEN jsonb_array_length(ximilar_synced_urls) ELSE 0 END AS indexed,
                   coalesce(ximilar_target_count, 2) AS target, collage_url
            FROM {products} AS r
        )
        SELECT brand, count(*) AS products,
               count(*) FILTER (WHERE status = 'uploaded') AS uploaded,
               count(*) FILTER (WHERE status = 'collage_ready') AS with_collage,
               count(*) FILTER (WHERE status IN ('pending', 'error')) AS to_fetch,
               coalesce(sum(photos) FILTER (WHERE status IN ('uploaded', 'collage_ready')), 0)::bigint AS photos,
               count(collage_url) AS collages,
               coalesce(sum(sources) FILTER (WHERE status IN ('pending', 'error')), 0)::bigint AS sources,
               coalesce(sum(indexed), 0)::bigint AS indexed,
               coalesce(sum(greatest(least(target, greatest(photos, sources)) - indexed, 0))
                        FILTER (WHERE index_scope = 'pilot'), 0)::bigint AS unsent
        FROM p GROUP BY brand ORDER BY brand
        """,
        {"most": photos_a_product},
    )
    return [DeployedBrand(**row) for row in cursor.fetchall()]


def sample_of_photos(cursor: Cursor, brands: Sequence[str]) -> list[str]:
    """Up to 20 photo URLs of products of these brands that are stored by their rows, always the same ones."""
    cursor.execute(
        """
        SELECT image_urls ->> 0 AS url FROM raw_products
        WHERE image_status IN ('uploaded', 'collage_ready') AND jsonb_typeof(image_urls) = 'array'
          AND jsonb_typeof(image_urls -> 0) = 'string' AND brand = ANY(%s)
        ORDER BY md5(id::text) LIMIT 20
        """,
        (list(brands),),
    )
    return [row["url"] for row in cursor.fetchall()]


def unadopted(cursor: Cursor) -> dict[str, int]:
    """Products that are due for adoption, by brand."""
    cursor.execute(
        "SELECT brand, count(*) AS products FROM due_work WHERE stage = 'adoption' AND due_at IS NOT NULL"
        " GROUP BY brand ORDER BY brand"
    )
    return {row["brand"]: row["products"] for row in cursor.fetchall()}


def last_writes(cursor: Cursor) -> list[LastWrite]:
    """When other programs last did the work of a stage, by brand and stage."""
    cursor.execute(
        """
        SELECT brand, stage, max(minute) AS at, unde_now() - max(minute) AS age
        FROM outside_writes GROUP BY brand, stage ORDER BY brand, stage
        """
    )
    return [LastWrite(**row) for row in cursor.fetchall()]


def last_write(cursor: Cursor, brand: str, stage: str) -> LastWrite | None:
    """When another program last did a stage's work on a brand; None if none did."""
    return next((one for one in last_writes(cursor) if (one.brand, one.stage) == (brand, stage)), None)


def leased(cursor: Cursor, brand: str, stages: Sequence[str]) -> int:
    """How many products of a brand workers of this project hold for these stages."""
    cursor.execute(
        "SELECT count(*) AS leased FROM due_work WHERE brand = %s AND stage = ANY(%s) AND due_at IS NOT NULL"
        " AND leased_until > unde_now()",
        (brand, list(stages)),
    )
    row = cursor.fetchone()
    assert row is not None  # an aggregate always has a row
    return row["leased"]
