"""Products with and without problems, for tests of checks."""

from datetime import timedelta
from typing import Any

from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.due import add_products, execute
from unde_catalog_tests.support.publishing import GOOD

COLLAGE = "https://store.test/collages/1.jpg"


def add_whole(db: Database, count: int, brand: str = "zara", *, first: int = 1, **columns: Any) -> list[int]:
    """Complete products for which nothing is due; returns their ids."""
    ids = add_products(db, count, brand, first=first, **{**GOOD, "collage_url": COLLAGE, **columns})
    execute(db, "UPDATE raw_products SET sync_status = 'synced', synced_at = now() WHERE id = ANY(%s)", ids)
    settle(db, ids)
    return ids


def settle(db: Database, ids: list[int]) -> None:
    """Mark all work of these products as done."""
    execute(db, "UPDATE due_work SET due_at = NULL, taken = wanted, done_at = now() WHERE product_id = ANY(%s)", ids)


def fail(
    db: Database, ids: list[int], stage: str, reason: str = "http_403", *, given_up: bool = False, days: float = 0
) -> None:
    """Make products fail in a stage since this many days."""
    execute(
        db,
        "INSERT INTO due_work (product_id, stage, brand, due_at, attempts, given_up, reason, failing_since)"
        " SELECT id, %s, brand, CASE WHEN NOT %s THEN now() + interval '1 hour' END, 3, %s, %s, now() - %s"
        " FROM raw_products WHERE id = ANY(%s)"
        " ON CONFLICT (product_id, stage) DO UPDATE SET due_at = excluded.due_at, attempts = 3,"
        " given_up = excluded.given_up, reason = excluded.reason, failing_since = excluded.failing_since",
        stage, given_up, given_up, reason, timedelta(days=days), ids,
    )  # fmt: skip


def add_photos(db: Database, ids: list[int], sha256: str | None = None) -> None:
    """Add a stored photo to each product, with its own content or the same `sha256`."""
    execute(
        db,
        "INSERT INTO product_photos (product_id, n, source_url, state, key, sha256, width, height, bytes, fetched_at)"
        " SELECT id, 1, 'https://cdn.test/1.jpg', 'stored', 'originals/' || brand || '/' || external_id || '/1.jpg',"
        " coalesce(%s, sha256(external_id::bytea)::text), 100, 100, 9000, now() FROM raw_products WHERE id = ANY(%s)",
        sha256, ids,
    )  # fmt: skip
    settle(db, ids)


def reprice(db: Database, ids: list[int], factor: str) -> None:
    """Multiply the price; the former price was first seen two months ago."""
    execute(db, "UPDATE price_history SET seen_at = now() - interval '60 days' WHERE product_id = ANY(%s)", ids)
    execute(db, "UPDATE raw_products SET price = price * %s::numeric WHERE id = ANY(%s)", factor, ids)


def scraped(db: Database, brand: str, state: str, reason: str | None, seen: int, vanished: int = 0) -> None:
    """Add a scrape that has ended."""
    execute(
        db,
        "INSERT INTO scrapes (brand, state, reason, seen, counts, started_at, finished_at)"
        " VALUES (%s, %s, %s, %s, jsonb_build_object('vanished', %s::int), now(), now())",
        brand, state, reason, seen, vanished,
    )  # fmt: skip


def ran(db: Database, stage: str, brand: str, hours_ago: float, status: str = "success", error: str = "") -> None:
    """Add a run of a stage that ended this many hours ago."""
    execute(
        db,
        "INSERT INTO scraper_logs (scraper_name, status, error_message, started_at, completed_at)"
        " SELECT %s, %s, nullif(%s, ''), t, t FROM (SELECT now() - %s) AS x (t)",
        f"{stage}_{brand}", status, error, timedelta(hours=hours_ago),
    )  # fmt: skip
