"""The report's counts of products, photos, stock and due work. Runs and scrapes are in `runs.py`.

The queries are for an hourly report. Most use indexes only; `stored` and `stock` read whole tables, so the report runs
`stored` only once a day for a large catalogue.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from unde_catalog.stores.db.database import Cursor

_LEASED_AMONG = 2_000  # the oldest due products, among which leased ones are counted


@dataclass(frozen=True, slots=True)
class BrandTotals:
    """A brand's products. All counts except `inactive` are of active products.

    `to_index`: products selected for the Ximilar collection. `indexed`: those of them with at least one photo in it.
    """

    active: int = 0
    inactive: int = 0
    photographed: int = 0
    with_collage: int = 0
    to_index: int = 0
    indexed: int = 0
    published: int = 0


@dataclass(frozen=True, slots=True)
class StorageTotals:
    """Stored objects of a brand, including those of inactive products, and their bytes."""

    photos: int = 0
    collages: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class StockTotals:
    """A brand's stock: `stores` in all, `responding` ones with a recent check, and products checked and in stock."""

    stores: int = 0
    responding: int = 0
    checked: int = 0
    in_stock: int = 0


@dataclass(frozen=True, slots=True)
class FailingProducts:
    """Products of a stage and brand that fail for one reason; `examples` are (external id, name)."""

    stage: str
    brand: str
    reason: str
    products: int
    given_up: int
    detail: str | None
    examples: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class DueTotals:
    """Products of a stage and brand that are due now, and how many of them are leased."""

    stage: str
    brand: str
    products: int
    leased: int


def now(cursor: Cursor) -> datetime:
    """The current time of the database."""
    cursor.execute("SELECT unde_now() AS now")
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM has one
    return row["now"]


def brand_totals(cursor: Cursor) -> dict[str, BrandTotals]:
    """Product counts by brand."""
    cursor.execute(
        """
        SELECT brand, sum(products)::int AS active,
               coalesce(sum(products) FILTER (WHERE image_status IN ('uploaded', 'collage_ready')), 0)::int
                   AS photographed,
               coalesce(sum(products) FILTER (WHERE image_status = 'collage_ready'), 0)::int AS with_collage,
               coalesce(sum(products) FILTER (WHERE index_scope = 'pilot'), 0)::int AS to_index,
               coalesce(sum(products) FILTER (
                   WHERE index_scope = 'pilot' AND ximilar_status IN ('partial', 'synced')), 0)::int AS indexed,
               coalesce(sum(products) FILTER (WHERE sync_status = 'synced'), 0)::int AS published
        FROM (SELECT brand, image_status, sync_status, ximilar_status, index_scope, count(*) AS products
              FROM raw_products WHERE active
              GROUP BY brand, image_status, sync_status, ximilar_status, index_scope) AS p
        GROUP BY brand
        """
    )
    found = {row.pop("brand"): row for row in cursor.fetchall()}
    cursor.execute("SELECT brand, count(*) AS products FROM raw_products GROUP BY brand")
    for row in cursor.fetchall():
        one = found.setdefault(row["brand"], {"active": 0})
        one["inactive"] = row["products"] - one["active"]
    return {brand: BrandTotals(**row) for brand, row in found.items()}


def stored(cursor: Cursor) -> dict[str, StorageTotals]:
    """Stored objects by brand; reads all rows of photos and collages: 5 to 13 s for a million products."""
    cursor.execute(
        """
        SELECT p.brand, count(*) AS photos, coalesce(sum(f.bytes), 0)::bigint AS bytes
        FROM product_photos f JOIN raw_products p ON p.id = f.product_id WHERE f.state = 'stored' GROUP BY p.brand
        """
    )
    photos = {row.pop("brand"): row for row in cursor.fetchall()}
    cursor.execute(
        """
        SELECT p.brand, count(*) AS collages, coalesce(sum(c.bytes), 0)::bigint AS bytes
        FROM product_collages c JOIN raw_products p ON p.id = c.product_id GROUP BY p.brand
        """
    )
    collages = {row.pop("brand"): row for row in cursor.fetchall()}
    none = {"photos": 0, "collages": 0, "bytes": 0}
    found = {}
    for brand in photos.keys() | collages.keys():
        one, other = photos.get(brand, none), collages.get(brand, none)
        found[brand] = StorageTotals(one["photos"], other["collages"], one["bytes"] + other["bytes"])
    return found


def stock(cursor: Cursor, younger_than: timedelta) -> dict[str, StockTotals]:
    """Stock by brand, from the latest check of each product and store, of those younger than `younger_than`.

    Reads all of these rows: 4 to 11 s for a million products in four stores each.
    """
    cursor.execute(
        """
        WITH latest AS (  -- one row, or two shortly after the start of a UTC day
            SELECT brand, product_id, store_id,
                   coalesce(max(fetched_at) FILTER (WHERE sizes_in_stock <> '[]') = max(fetched_at), false) AS in_stock
            FROM raw_availability WHERE fetched_at > unde_now() - %(age)s GROUP BY brand, product_id, store_id
        ), products AS (
            SELECT brand, product_id, bool_or(in_stock) AS in_stock FROM latest GROUP BY brand, product_id
        ), by_brand AS (
            SELECT s.brand, count(*) AS stores, count(*) FILTER (WHERE EXISTS (
                SELECT 1 FROM raw_availability a
                WHERE a.brand = s.brand AND a.store_id = s.store_id AND a.fetched_at > unde_now() - %(age)s
            )) AS responding
            FROM raw_stores s GROUP BY s.brand
        )
        SELECT brand, coalesce(max(s.stores), 0) AS stores, coalesce(max(s.responding), 0) AS responding,
               count(p.product_id) AS checked, count(*) FILTER (WHERE p.in_stock) AS in_stock
        FROM products p FULL JOIN by_brand s USING (brand) GROUP BY brand
        """,
        {"age": younger_than},
    )
    return {row.pop("brand"): StockTotals(**row) for row in cursor.fetchall()}


def failing(
    cursor: Cursor, stages: Sequence[str], brands: Sequence[str], limit: int, examples: int = 3
) -> tuple[list[FailingProducts], int]:
    """The most frequent reasons why active products wait for a retry or were given up, and the number of failing ones.

    Each reason has some examples. A product that fails in two stages counts twice.
    """
    cursor.execute(
        """
        SELECT w.stage, w.brand, w.reason, count(*) AS products, count(*) FILTER (WHERE w.given_up) AS given_up,
               sum(count(*)) OVER ()::int AS all_products
        FROM due_work w JOIN raw_products p ON p.id = w.product_id AND p.active
        WHERE w.reason IS NOT NULL AND w.stage = ANY(%s) AND w.brand = ANY(%s)
        GROUP BY w.stage, w.brand, w.reason ORDER BY 4 DESC, 1, 2, 3 LIMIT %s
        """,
        (list(stages), list(brands), limit),
    )
    rows = cursor.fetchall()
    found = []
    for row in rows:
        cursor.execute(
            """
            SELECT p.external_id, p.name, w.detail FROM due_work w JOIN raw_products p ON p.id = w.product_id
            WHERE w.stage = %(stage)s AND w.brand = %(brand)s AND w.reason = %(reason)s AND p.active
            LIMIT %(examples)s
            """,
            {**row, "examples": examples},
        )
        named = cursor.fetchall()
        found.append(
            FailingProducts(
                row["stage"], row["brand"], row["reason"], row["products"], row["given_up"],
                next((one["detail"] for one in named if one["detail"]), None),
                tuple((one["external_id"], one["name"]) for one in named),
            )
        )  # fmt: skip
    return found, rows[0]["all_products"] if rows else 0


def rejected(cursor: Cursor, brands: Sequence[str], examples: int = 3) -> list[FailingProducts]:
    """Items that the newest finished scrape of each brand rejected, by reason."""
    cursor.execute(
        """
        SELECT r.brand, r.reason, count(*)::int AS products, min(r.detail) AS detail,
               (array_agg(r.external_id ORDER BY r.id) FILTER (WHERE r.external_id IS NOT NULL))[:%(examples)s] AS named
        FROM unnest(%(brands)s::text[]) AS b (brand)
        CROSS JOIN LATERAL (
            SELECT id FROM scrapes s WHERE s.brand = b.brand AND s.finished_at IS NOT NULL
            ORDER BY s.started_at DESC, s.id DESC LIMIT 1
        ) AS s
        JOIN rejected_items r ON r.scrape_id = s.id
        GROUP BY r.brand, r.reason ORDER BY 3 DESC, 1, 2
        """,
        {"brands": list(brands), "examples": examples},
    )
    return [
        FailingProducts("raw_products", row["brand"], row["reason"], row["products"], 0, row["detail"],
                tuple((one, None) for one in row["named"] or ()))
        for row in cursor.fetchall()
    ]  # fmt: skip


def due(cursor: Cursor, stages: Sequence[str], brands: Sequence[str]) -> list[DueTotals]:
    """The stages and brands with due products."""
    cursor.execute(
        """
        SELECT s.stage, b.brand, w.products::int,
               (SELECT count(*) FILTER (WHERE oldest.leased_until > unde_now())
                FROM (SELECT leased_until FROM due_work d
                      WHERE d.stage = s.stage AND d.brand = b.brand AND d.due_at <= unde_now()
                      ORDER BY d.due_at LIMIT %(among)s) AS oldest)::int AS leased
        FROM unnest(%(stages)s::text[]) WITH ORDINALITY AS s (stage, stage_n)
        CROSS JOIN unnest(%(brands)s::text[]) WITH ORDINALITY AS b (brand, brand_n)
        CROSS JOIN LATERAL (
            SELECT count(*) AS products FROM due_work d
            WHERE d.stage = s.stage AND d.brand = b.brand AND d.due_at <= unde_now()
        ) AS w
        WHERE w.products > 0
        ORDER BY stage_n, brand_n
        """,
        {"stages": list(stages), "brands": list(brands), "among": _LEASED_AMONG},
    )
    return [DueTotals(**row) for row in cursor.fetchall()]


def database_bytes(cursor: Cursor) -> int:
    """The size of the staging database on disk."""
    cursor.execute("SELECT pg_database_size(current_database()) AS bytes")
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM has one
    return row["bytes"]
