"""Brands with something wrong with them, for tests of checks."""

from datetime import timedelta
from typing import Any

from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.due import add_products, execute
from unde_catalog_tests.support.publishing import GOOD

COLLAGE = "https://store.test/collages/1.jpg"


def add_whole(db: Database, count: int, brand: str = "zara", *, first: int = 1, **columns: Any) -> list[int]:
    """Products that have all that a catalogue gives them, with nothing left to do; their ids."""
    ids = add_products(db, count, brand, first=first, **{**GOOD, "collage_url": COLLAGE, **columns})
    execute(db, "UPDATE raw_products SET sync_status = 'synced', synced_at = now() WHERE id = ANY(%s)", ids)
    through(db, ids)
    return ids


def through(db: Database, ids: list[int]) -> None:
    """Nothing is due of these products."""
    execute(db, "UPDATE due_work SET due_at = NULL, taken = wanted, done_at = now() WHERE product_id = ANY(%s)", ids)


def fail(
    db: Database, ids: list[int], stage: str, reason: str = "http_403", *, given_up: bool = False, days: float = 0
) -> None:
    """Let products have been failing in a stage for so many days."""
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
    """A stored photo of each product, of its own or the same one."""
    execute(
        db,
        "INSERT INTO product_photos (product_id, n, source_url, state, key, sha256, width, height, bytes, fetched_at)"
        " SELECT id, 1, 'https://cdn.test/1.jpg', 'stored', 'originals/' || brand || '/' || external_id || '/1.jpg',"
        " coalesce(%s, sha256(external_id::bytea)::text), 100, 100, 1000, now() FROM raw_products WHERE id = ANY(%s)",
        sha256, ids,
    )  # fmt: skip
    through(db, ids)


def reprice(db: Database, ids: list[int], factor: str) -> None:
    """The present price was first seen two months ago, and is multiplied now."""
    execute(db, "UPDATE price_history SET seen_at = now() - interval '60 days' WHERE product_id = ANY(%s)", ids)
    execute(db, "UPDATE raw_products SET price = price * %s::numeric WHERE id = ANY(%s)", factor, ids)


def scraped(db: Database, brand: str, state: str, reason: str | None, seen: int, vanished: int = 0) -> None:
    """A scrape that ended."""
    execute(
        db,
        "INSERT INTO scrapes (brand, state, reason, seen, counts, started_at, finished_at)"
        " VALUES (%s, %s, %s, %s, jsonb_build_object('vanished', %s::int), now(), now())",
        brand, state, reason, seen, vanished,
    )  # fmt: skip


def ran(db: Database, stage: str, brand: str, hours_ago: float, status: str = "success", error: str = "") -> None:
    """A run of a stage that ended so long ago."""
    execute(
        db,
        "INSERT INTO scraper_logs (scraper_name, status, error_message, started_at, completed_at)"
        " SELECT %s, %s, nullif(%s, ''), t, t FROM (SELECT now() - %s) AS x (t)",
        f"{stage}_{brand}", status, error, timedelta(hours=hours_ago),
    )  # fmt: skip
