"""What `unde-catalog status` and `unde-catalog show` read: the state of all stages and brands, and of one product.

The queries read whole tables, so no stage uses them for its work.
"""

from collections.abc import Mapping
from typing import Any

from unde_catalog.stores.db.database import Cursor


def stage_counts(cursor: Cursor) -> dict[tuple[str, str], dict[str, int]]:
    """Products by (brand, stage), under the names that `status --json` has: in_hand are leased, waiting are retried.

    In a recurring stage, done products are due again later, and products that wait for their first check are in none
    of these.
    """
    cursor.execute(
        """
        SELECT brand, stage,
               count(*) FILTER (WHERE done_at IS NOT NULL AND NOT given_up AND attempts = 0
                                      AND (due_at IS NULL OR due_at > unde_now())
                                      AND NOT coalesce(leased_until > unde_now(), false)) AS done,
               count(*) FILTER (WHERE due_at <= unde_now() AND NOT coalesce(leased_until > unde_now(), false)) AS due,
               count(*) FILTER (WHERE leased_until > unde_now()) AS in_hand,
               count(*) FILTER (WHERE due_at > unde_now() AND attempts > 0) AS waiting,
               count(*) FILTER (WHERE given_up) AS given_up
        FROM due_work GROUP BY brand, stage
        """
    )
    return {(row.pop("brand"), row.pop("stage")): row for row in cursor.fetchall()}


def failures(cursor: Cursor) -> dict[tuple[str, str], dict[str, int]]:
    """Products that wait for a retry or were given up, and items that the last scrape rejected, by stage and reason."""
    cursor.execute(
        """
        SELECT brand, stage, reason, count(*) AS products FROM due_work
        WHERE reason IS NOT NULL GROUP BY brand, stage, reason
        UNION ALL
        SELECT r.brand, 'raw_products', r.reason, count(*) FROM rejected_items r
        WHERE r.scrape_id = (SELECT max(id) FROM scrapes s WHERE s.brand = r.brand AND s.finished_at IS NOT NULL)
        GROUP BY r.brand, r.reason
        ORDER BY 4 DESC, 3
        """
    )
    found: dict[tuple[str, str], dict[str, int]] = {}
    for row in cursor.fetchall():
        found.setdefault((row["brand"], row["stage"]), {})[row["reason"]] = row["products"]
    return found


def product_counts(cursor: Cursor) -> dict[str, dict[str, int]]:
    """Active and inactive products by brand."""
    cursor.execute(
        "SELECT brand, count(*) FILTER (WHERE active) AS active, count(*) FILTER (WHERE NOT active) AS inactive"
        " FROM raw_products GROUP BY brand"
    )
    return {row.pop("brand"): row for row in cursor.fetchall()}


def image_status_counts(cursor: Cursor) -> dict[str, dict[str, int]]:
    """Products by brand and image_status."""
    cursor.execute("SELECT brand, image_status, count(*) AS products FROM raw_products GROUP BY brand, image_status")
    found: dict[str, dict[str, int]] = {}
    for row in cursor.fetchall():
        found.setdefault(row["brand"], {})[row["image_status"]] = row["products"]
    return found


def last_scrapes(cursor: Cursor) -> dict[str, dict[str, Any]]:
    """The newest scrape of each brand: state, reason, seen, rejected, started_at, finished_at."""
    cursor.execute(
        "SELECT DISTINCT ON (brand) brand, state, reason, seen, rejected, started_at, finished_at FROM scrapes"
        " ORDER BY brand, id DESC"
    )
    return {row.pop("brand"): row for row in cursor.fetchall()}


def product(cursor: Cursor, brand: str, external_id: str) -> Mapping[str, Any] | None:
    """All data of a product: `product`, `due_work`, `photos`, `stock`, `prices`, `releases` of prices, `runs`.

    None if it does not exist.
    """
    cursor.execute(
        "SELECT id, source, external_id, brand, name, price, currency, category, colour, active, image_status,"
        " sync_status, ximilar_status, index_scope, error_message, original_image_urls, image_urls, collage_url,"
        " scraped_at, created_at, updated_at FROM raw_products WHERE brand = %s AND external_id = %s",
        (brand, external_id),
    )
    found = cursor.fetchone()
    if found is None:
        return None
    result: dict[str, Any] = {"product": found}
    for part, query in {
        "due_work": "SELECT stage, due_at, leased_until, attempts, item_faults, given_up, reason, detail,"
        " failing_since, done_at FROM due_work WHERE product_id = %s ORDER BY stage",
        "photos": "SELECT n, state, reason, source_url, key, sha256, width, height, bytes, fetched_at"
        " FROM product_photos WHERE product_id = %s ORDER BY n",
        "prices": "SELECT price, currency, seen_at FROM price_history WHERE product_id = %s"
        " ORDER BY seen_at DESC LIMIT 10",
        "releases": "SELECT price, currency, why, released_by, released_at FROM price_releases WHERE product_id = %s"
        " ORDER BY released_at DESC LIMIT 10",
    }.items():
        cursor.execute(query.encode(), (found["id"],))
        result[part] = cursor.fetchall()
    cursor.execute(
        "SELECT DISTINCT ON (a.store_id) coalesce(s.name, a.store_id::text) AS shop, a.sizes_in_stock, a.fetched_at"
        " FROM raw_availability a LEFT JOIN raw_stores s ON s.brand = a.brand AND s.store_id = a.store_id"
        " WHERE a.brand = %s AND a.product_id = %s ORDER BY a.store_id, a.fetched_at DESC",
        (brand, external_id),
    )
    result["stock"] = cursor.fetchall()
    cursor.execute(
        "SELECT scraper_name, run_id, status, started_at, duration_seconds, error_message FROM scraper_logs"
        " WHERE scraper_name = ANY(%s) ORDER BY started_at DESC LIMIT 10",
        ([f"{stage}_{brand}" for stage in ("raw_products", *(row["stage"] for row in result["due_work"]))],),
    )
    result["runs"] = cursor.fetchall()
    return result
