"""The rules about a brand's data on real rows, passing and failing; another brand changes no result."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from unde_catalog.operations.quality import (
    coverage,
    due_marks,
    failures,
    freshness,
    scrape,
)
from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.settings.checks import CheckFields
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import pauses
from unde_catalog.stores.staging.photos import blanks, duplicates
from unde_catalog.stores.staging.reports import price_changes, quality
from unde_catalog.stores.staging.reports.freshness import last_scrape, stage_times
from unde_catalog_tests.support.due import add_products, execute
from unde_catalog_tests.support.explain import ExplainingCursor, assert_no_seq_scan
from unde_catalog_tests.support.quality import add_whole, fail, ran, scraped, settle

LIMITS = CheckFields()


def covered(db: Database, stage: str, brand: str = "zara") -> CheckResult:
    return coverage.coverage(stage, brand, db.run(quality.coverage, stage, brand), LIMITS)


def failing(db: Database, stage: str = "originals", brand: str = "zara") -> CheckResult:
    found = db.run(quality.failures, stage, brand, failures.LASTING)
    return failures.failures(stage, brand, found, LIMITS)


def marked(db: Database, stage: str, brand: str = "zara") -> CheckResult:
    return due_marks.due_marks(stage, brand, db.run(quality.mark_figures, stage, brand))


def fresh(db: Database, stage: str, brand: str = "zara") -> CheckResult:
    return freshness.fresh(stage, brand, db.run(stage_times, stage, brand), db.run(pauses.paused, stage, brand))


def vanished(db: Database, brand: str = "zara") -> CheckResult:
    return scrape.vanished(brand, db.run(last_scrape, brand), 0.7)


def test_products_that_wait_for_their_first_attempt_do_not_lower_coverage(db: Database) -> None:
    add_whole(db, 20)
    add_products(db, 30, first=100)
    found = covered(db, "originals")
    assert found.passed and found.message == "20 of 50 products have a stored photo. 30 wait for their first attempt."
    assert covered(db, "collages").message == "20 of 20 products with photos have a collage."
    assert covered(db, "ximilar_index").passed


def test_coverage_fails_for_given_up_products_with_advice(db: Database) -> None:
    add_whole(db, 20, "oysho")
    add_whole(db, 20)
    lost = add_products(db, 5, first=100)
    fail(db, lost[:3], "originals", "http_404", given_up=True)
    fail(db, lost[3:], "originals")
    found = covered(db, "originals")
    assert (found.passed, found.urgency) == (False, "warn")
    assert "20 of 25 products have a stored photo. Coverage is 80.0%; CHECK_MIN_COVERAGE is 95%." in found.message
    assert "3 were given up and 2 fail (for example 100" in found.message and "retry_failed" in found.message
    assert covered(db, "originals", "oysho").passed


def test_coverage_fails_for_pilot_products_that_are_not_indexed(db: Database) -> None:
    add_whole(db, 20, index_scope="pilot", ximilar_synced_urls=["https://store.test/1.jpg"])
    lost = add_whole(db, 20, first=100, index_scope="pilot")
    assert "20 should be due and are not" in covered(db, "ximilar_index").message
    assert "see the check due_marks" in covered(db, "ximilar_index").message
    fail(db, lost, "ximilar_index", "photo_rejected", given_up=True)
    assert "20 were given up" in covered(db, "ximilar_index").message


def test_failures_of_three_days_are_reported_with_reason_and_examples(db: Database) -> None:
    add_whole(db, 100, "oysho")
    ids = add_whole(db, 100)
    fail(db, ids[:2], "originals", days=2)
    assert failing(db).passed
    fail(db, ids[:2], "originals", "timed_out", days=4)
    found = failing(db)
    assert (found.passed, found.urgency) == (False, "warn")
    assert "2 products failed for longer than 3 days, 2 of them with timed_out since" in found.message
    assert "(for example 1, 2)" in found.message and "retry_failed" in found.message
    assert failing(db, brand="oysho").passed
    fail(db, ids[:40], "originals", "timed_out", days=4)
    assert failing(db).urgency == "alert"


def test_too_many_failures_are_reported_by_the_most_frequent_reason(db: Database) -> None:
    ids = add_whole(db, 100)
    fail(db, ids[:4], "originals", "http_404", given_up=True)
    fail(db, ids[4:20], "originals", "not_an_image", given_up=True)
    found = failing(db)
    assert (
        not found.passed
        and "16 have the reason not_an_image" in found.message
        and "unde-catalog show zara/" in found.message
    )
    assert [(row["reason"], row["given up"]) for row in found.table] == [("not_an_image", 16), ("http_404", 4)]
    execute(db, "UPDATE raw_products SET active = false WHERE id = ANY(%s)", ids[4:20])
    assert failing(db).passed


@pytest.mark.parametrize("stage", quality.MARKED_STAGES)
def test_a_missing_due_mark_is_found_and_repaired_by_the_statement(db: Database, direct: str, stage: str) -> None:
    status: dict[str, Any] = {
        "originals": {"image_status": "pending"},
        "collages": {"image_status": "uploaded"},
        "ximilar_index": {"image_status": "uploaded", "index_scope": "pilot"},
        "visual_index": {"image_status": "uploaded", "index_scope": "pgvector", "image_urls": ["https://store.test/1"]},
        "production_catalog": {"image_status": "collage_ready"},
    }[stage]
    add_whole(db, 3, "oysho")
    add_products(db, 4, first=1, **status)
    assert marked(db, stage).passed
    with psycopg.connect(direct, autocommit=True) as connection, connection.transaction():
        connection.execute("DELETE FROM due_work WHERE brand = 'zara'")
    found = marked(db, stage)
    assert not found.passed and f"4 products wait for {stage} by status but not due" in found.message
    assert marked(db, stage, "oysho").passed
    execute(db, found.repair_sql)
    assert marked(db, stage).passed


def test_an_inactive_product_that_is_due_is_found(db: Database, direct: str) -> None:
    add_products(db, 3)
    with psycopg.connect(direct, autocommit=True) as connection, connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("UPDATE raw_products SET active = false WHERE external_id = '1'")
    found = marked(db, "originals")
    assert not found.passed and "1 product waits for originals although inactive" in found.message


def test_a_scrape_that_listed_too_few_products_is_an_alert(db: Database) -> None:
    assert vanished(db).passed
    add_whole(db, 10)
    scraped(db, "oysho", "complete", None, 10)
    scraped(db, "zara", "complete", None, 12, vanished=2)
    assert vanished(db).message == "The last scrape of zara listed 12 of 12 active products; 2 were marked inactive."
    scraped(db, "zara", "partial", "too_few_products", 3)
    found = vanished(db)
    assert (found.passed, found.urgency) == (False, "alert")
    assert "listed 3 of 10 active products" in found.message and "nothing was marked inactive" in found.message
    assert "run raw_products again" in found.message
    scraped(db, "zara", "failed", "empty dataset", 0)
    assert (vanished(db).passed, vanished(db).urgency) == (False, "warn")
    assert vanished(db, "oysho").passed


def test_a_stage_without_progress_on_due_work_is_late(db: Database) -> None:
    ids = add_products(db, 3)
    assert fresh(db, "originals").passed
    execute(db, "UPDATE due_work SET due_at = now() - interval '3 hours'")
    ran(db, "originals", "zara", 2)
    found = fresh(db, "originals")
    assert (found.passed, found.urgency) == (False, "warn")
    assert "originals of zara succeeded 2 hours ago. The limit is 60 minutes." in found.message
    assert "The oldest due product has waited for 3 hours." in found.message and "AUTOMATION" in found.message
    assert fresh(db, "originals", "oysho").passed
    ran(db, "originals", "zara", 1.5, "error", "the proxy refuses us")
    assert "The last run failed: the proxy refuses us" in fresh(db, "originals").message
    execute(db, "UPDATE due_work SET lease_token = 'x', leased_until = now() + interval '1 hour' WHERE product_id = %s",
            ids[0])  # fmt: skip
    assert fresh(db, "originals").passed
    execute(db, "UPDATE due_work SET lease_token = NULL, leased_until = NULL")
    db.run(pauses.pause, "zara", "originals", "the proxy moves")
    assert fresh(db, "originals").passed and "paused since" in fresh(db, "originals").message
    db.run(pauses.resume, "zara", "originals")
    settle(db, ids)
    assert fresh(db, "originals").passed


def test_old_stock_and_prices_are_a_warning_and_then_an_alert(db: Database) -> None:
    add_whole(db, 3)
    for hours, passed, urgency in ((1, True, "warn"), (3, False, "warn"), (7, False, "alert")):
        execute(db, "DELETE FROM scraper_logs")
        ran(db, "production_catalog", "zara", hours)
        found = fresh(db, "production_catalog")
        assert (found.passed, found.urgency) == (passed, urgency), found.message
    for days, passed, urgency in ((7, True, "warn"), (9, False, "warn"), (17, False, "alert")):
        execute(db, "DELETE FROM scraper_logs")
        ran(db, "raw_products", "zara", days * 24)
        found = fresh(db, "raw_products")
        assert (found.passed, found.urgency) == (passed, urgency), found.message


@pytest.mark.slow
def test_no_check_reads_a_table_of_100_000_rows_sequentially(db: Database, direct: str) -> None:
    with psycopg.connect(direct, autocommit=True) as connection:
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")  # no triggers, no foreign keys
            connection.execute(
                "INSERT INTO raw_products (id, source, external_id, brand, image_status, image_urls, scraped_at)"
                " SELECT n, 'x', n, CASE WHEN n <= 2000 THEN 'zara' ELSE 'b' || n / 10000 END, 'collage_ready',"
                " '[\"x\"]', now() FROM generate_series(1, 100000) AS n"
            )
            connection.execute(
                "INSERT INTO due_work (product_id, stage, brand, due_at, attempts) SELECT id, 'originals', brand,"
                " now() + interval '1 hour', id % 2 FROM raw_products"
            )
            connection.execute(
                "INSERT INTO product_photos (product_id, n, source_url, state, key, sha256, fetched_at)"
                " SELECT id, 1, 'x', 'stored', id, id, now() FROM raw_products"
            )
            connection.execute(
                "INSERT INTO price_history SELECT id, 10 * n, 'AED', now() - n * interval '1 day' FROM raw_products,"
                " generate_series(1, 2) AS n"
            )
        connection.execute("VACUUM ANALYZE raw_products, due_work, product_photos, price_history")
    with db.transaction() as cursor:
        explaining = ExplainingCursor(cursor)
        cursor_like: Any = explaining
        quality.coverage(cursor_like, "originals", "zara")
        assert quality.failures(cursor_like, "originals", "zara", timedelta(days=3)).reasons
        for stage in quality.MARKED_STAGES:
            quality.mark_figures(cursor_like, stage, "zara")
        assert price_changes.price_changes(cursor_like, "zara", 1.5).outliers == 2_000
        duplicates.same_photos(cursor_like, "zara")
        blanks.small_photos(cursor_like, "zara")
        stage_times(cursor_like, "originals", "zara")
        assert_no_seq_scan(explaining, allowed=("scraper_logs", "scrapes"))
