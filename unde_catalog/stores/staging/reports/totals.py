"""What the report counts of products, photos, stock and due work. What runs did is in `runs.py`.

Each query is for an hourly look, never for work on a product. Most are served by indexes alone; `stored` and `stock`
read whole tables, so `stored` is asked for seldom where these are big.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from unde_catalog.stores.db.database import Cursor

_LEASED_AMONG = 2_000  # of the oldest due products: what is in hand is taken from these


@dataclass(frozen=True, slots=True)
class BrandTotals:
    """A brand's products now; all but the first two are of the active ones.

    `wanted`: to be in the Ximilar collection; `indexed`: in it with a photo at least.
    """

    active: int = 0
    inactive: int = 0
    photographed: int = 0
    glued: int = 0
    wanted: int = 0
    indexed: int = 0
    published: int = 0


@dataclass(frozen=True, slots=True)
class StorageTotals:
    """Stored objects of a brand, also of products that are not on sale any more, and the bytes of both."""

    photos: int = 0
    collages: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class StockTotals:
    """A brand in its shops: `shops` are known, `heard` of them told of some product lately; products by their stock."""

    shops: int = 0
    heard: int = 0
    checked: int = 0
    in_stock: int = 0


@dataclass(frozen=True, slots=True)
class FailingProducts:
    """Products of a stage and brand that failed for a reason; `examples` are (external id, name)."""

    stage: str
    brand: str
    reason: str
    products: int
    given_up: int
    detail: str | None
    examples: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class DueTotals:
    """Products of a stage and brand that are due now, some of them in somebody's hand."""

    stage: str
    brand: str
    products: int
    in_hand: int


def now(cursor: Cursor) -> datetime:
    """The database's time."""
    cursor.execute("SELECT unde_now() AS now")
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM has one
    return row["now"]


def brand_totals(cursor: Cursor) -> dict[str, BrandTotals]:
    """By brand."""
    cursor.execute(
        """
        SELECT brand, sum(products)::int AS active,
               coalesce(sum(products) FILTER (WHERE image_status IN ('uploaded', 'collage_ready')), 0)::int
                   AS photographed,
               coalesce(sum(products) FILTER (WHERE image_status = 'collage_ready'), 0)::int AS glued,
               coalesce(sum(products) FILTER (WHERE index_scope = 'pilot'), 0)::int AS wanted,
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
    """By brand; reads all rows of photos and collages: 5 to 13 s at a million products."""
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
    """By brand, from the latest answer of each shop, none that is older than that; reads all of these rows.

    4 to 11 s at a million products in four shops each.
    """
    cursor.execute(
        """
        WITH latest AS (  -- one answer, or two where a day (UTC) has just begun
            SELECT brand, product_id, store_id,
                   coalesce(max(fetched_at) FILTER (WHERE sizes_in_stock <> '[]') = max(fetched_at), false) AS in_stock
            FROM raw_availability WHERE fetched_at > unde_now() - %(age)s GROUP BY brand, product_id, store_id
        ), products AS (
            SELECT brand, product_id, bool_or(in_stock) AS in_stock FROM latest GROUP BY brand, product_id
        ), shops AS (
            SELECT s.brand, count(*) AS shops, count(*) FILTER (WHERE EXISTS (
                SELECT 1 FROM raw_availability a
                WHERE a.brand = s.brand AND a.store_id = s.store_id AND a.fetched_at > unde_now() - %(age)s)) AS heard
            FROM raw_stores s GROUP BY s.brand
        )
        SELECT brand, coalesce(max(s.shops), 0) AS shops, coalesce(max(s.heard), 0) AS heard,
               count(p.product_id) AS checked, count(*) FILTER (WHERE p.in_stock) AS in_stock
        FROM products p FULL JOIN shops s USING (brand) GROUP BY brand
        """,
        {"age": younger_than},
    )
    return {row.pop("brand"): StockTotals(**row) for row in cursor.fetchall()}


def failing(
    cursor: Cursor, stages: Sequence[str], brands: Sequence[str], most: int, examples: int = 3
) -> tuple[list[FailingProducts], int]:
    """The most frequent reasons for which active products wait or were given up, and how many fail in all.

    Each with a few products that show it; a product that fails in two stages counts twice.
    """
    cursor.execute(
        """
        SELECT w.stage, w.brand, w.reason, count(*) AS products, count(*) FILTER (WHERE w.given_up) AS given_up,
               sum(count(*)) OVER ()::int AS all_products
        FROM due_work w JOIN raw_products p ON p.id = w.product_id AND p.active
        WHERE w.reason IS NOT NULL AND w.stage = ANY(%s) AND w.brand = ANY(%s)
        GROUP BY w.stage, w.brand, w.reason ORDER BY 4 DESC, 1, 2, 3 LIMIT %s
        """,
        (list(stages), list(brands), most),
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
    """Items that the newest scrape of each brand that ended could not read, by reason."""
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
    """The stages and brands that have something due now."""
    cursor.execute(
        """
        SELECT s.stage, b.brand, w.products::int,
               (SELECT count(*) FILTER (WHERE oldest.leased_until > unde_now())
                FROM (SELECT leased_until FROM due_work d
                      WHERE d.stage = s.stage AND d.brand = b.brand AND d.due_at <= unde_now()
                      ORDER BY d.due_at LIMIT %(among)s) AS oldest)::int AS in_hand
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
    """What the staging database takes on its disk."""
    cursor.execute("SELECT pg_database_size(current_database()) AS bytes")
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM has one
    return row["bytes"]
