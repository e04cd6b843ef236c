"""What must hold of a brand's data, red and green on real rows; another brand's state changes nothing."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from unde_catalog.operations.quality import (
    collection,
    coverage,
    due_marks,
    failures,
    freshness,
    prices,
    same_photo,
    scrape,
)
from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.settings.checks import CheckFields
from unde_catalog.stages.ximilar_index.client import LocalPace, Ximilar
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import pauses
from unde_catalog.stores.staging.index import ximilar_records
from unde_catalog.stores.staging.photos import duplicates
from unde_catalog.stores.staging.reports import price_changes, quality
from unde_catalog.stores.staging.reports.freshness import last_scrape, stage_times
from unde_catalog_tests.integration.stages.test_publish_plans import Explaining, no_table_is_read_whole
from unde_catalog_tests.support.due import add_products, execute
from unde_catalog_tests.support.quality import add_photos, add_whole, fail, ran, reprice, scraped, through
from unde_catalog_tests.support.servers import Sandbox

LIMITS = CheckFields()


def covered(db: Database, stage: str, brand: str = "zara") -> CheckResult:
    return coverage.coverage(stage, brand, db.run(quality.coverage, stage, brand), LIMITS)


def failing(db: Database, stage: str = "originals", brand: str = "zara") -> CheckResult:
    found = db.run(quality.failures, stage, brand, failures.LASTING)
    return failures.failures(stage, brand, found, LIMITS)


def priced(db: Database, brand: str = "zara") -> CheckResult:
    return prices.prices(brand, db.run(price_changes.price_changes, brand, LIMITS.check_price_factor), LIMITS)


def shared(db: Database, brand: str = "zara") -> CheckResult:
    return same_photo.same_photo(brand, db.run(duplicates.same_photos, brand), LIMITS)


def marked(db: Database, stage: str, brand: str = "zara") -> CheckResult:
    return due_marks.due_marks(stage, brand, db.run(quality.mark_figures, stage, brand))


def fresh(db: Database, stage: str, brand: str = "zara") -> CheckResult:
    return freshness.fresh(stage, brand, db.run(stage_times, stage, brand), db.run(pauses.paused, stage, brand))


def vanished(db: Database, brand: str = "zara") -> CheckResult:
    return scrape.vanished(brand, db.run(last_scrape, brand), 0.7)


def test_a_whole_brand_is_covered_and_one_that_waits_for_its_turn_is_no_fault(db: Database) -> None:
    add_whole(db, 20)
    add_products(db, 30, first=100)
    found = covered(db, "originals")
    assert found.holds and found.sentence == "20 of 50 products have a stored photo, 30 wait for their turn"
    assert covered(db, "collages").sentence == "20 of 20 products with photos have a collage"
    assert covered(db, "ximilar_index").holds


def test_products_whose_photos_were_given_up_are_missed_and_told_what_to_do(db: Database) -> None:
    add_whole(db, 20, "oysho")
    add_whole(db, 20)
    lost = add_products(db, 5, first=100)
    fail(db, lost[:3], "originals", "http_404", given_up=True)
    fail(db, lost[3:], "originals")
    found = covered(db, "originals")
    assert (found.holds, found.urgency) == (False, "look")
    assert "20 of 25 products have a stored photo, 80.0% where CHECK_MIN_COVERAGE is 95%" in found.sentence
    assert "3 are given up and 2 fail (for example 100" in found.sentence and "retry_failed" in found.sentence
    assert covered(db, "originals", "oysho").holds


def test_a_pilot_that_is_not_in_the_index_is_missed(db: Database) -> None:
    add_whole(db, 20, index_scope="pilot", ximilar_synced_urls=["https://store.test/1.jpg"])
    lost = add_whole(db, 20, first=100, index_scope="pilot")
    assert "20 are due for nobody" in covered(db, "ximilar_index").sentence
    assert "look at the check due_marks" in covered(db, "ximilar_index").sentence
    fail(db, lost, "ximilar_index", "photo_rejected", given_up=True)
    assert "20 are given up" in covered(db, "ximilar_index").sentence


def test_what_fails_for_three_days_is_told_with_reason_and_example(db: Database) -> None:
    add_whole(db, 100, "oysho")
    ids = add_whole(db, 100)
    fail(db, ids[:2], "originals", days=2)
    assert failing(db).holds
    fail(db, ids[:2], "originals", "timed_out", days=4)
    found = failing(db)
    assert (found.holds, found.urgency) == (False, "look")
    assert "2 products failed for longer than 3 days, 2 of them with timed_out since" in found.sentence
    assert "(for example 1, 2)" in found.sentence and "retry_failed" in found.sentence
    assert failing(db, brand="oysho").holds
    fail(db, ids[:40], "originals", "timed_out", days=4)
    assert failing(db).urgency == "wake"


def test_too_much_that_fails_at_once_is_told_by_its_most_frequent_reason(db: Database) -> None:
    ids = add_whole(db, 100)
    fail(db, ids[:4], "originals", "http_404", given_up=True)
    fail(db, ids[4:20], "originals", "not_an_image", given_up=True)
    found = failing(db)
    assert not found.holds and "16 have not_an_image" in found.sentence and "unde-catalog show zara/" in found.sentence
    assert [(row["reason"], row["given up"]) for row in found.table] == [("not_an_image", 16), ("http_404", 4)]
    execute(db, "UPDATE raw_products SET active = false WHERE id = ANY(%s)", ids[4:20])
    assert failing(db).holds


def test_a_price_that_moved_too_far_is_named_and_a_sale_is_not(db: Database) -> None:
    ids = add_whole(db, 40)
    reprice(db, ids[:20], "0.3")
    found = priced(db)
    assert found.holds and found.sentence == "20 prices of 40 changed in the last 14 days, none by a factor of 5"
    reprice(db, ids[39:], "8")
    found = priced(db)
    assert (found.holds, found.urgency) == (False, "look")
    assert "1 by more than a factor of 5 (40 from 100.00 to 800.00): look at them in the shop" in found.sentence


def test_a_hundredfold_of_many_is_fils_and_wakes_somebody(db: Database) -> None:
    add_whole(db, 40, "oysho")
    ids = add_whole(db, 40)
    reprice(db, ids[:1], "0.01")
    found = priced(db)
    assert (found.holds, found.urgency) == (False, "look") and "1 by a hundredfold, which is fils" in found.sentence
    reprice(db, ids[1:30], "100")
    found = priced(db)
    assert (found.holds, found.urgency) == (False, "wake") and "fils are read as dirhams" in found.sentence
    assert len(found.table) == 10
    assert priced(db, "oysho").holds


def test_an_old_move_is_forgotten(db: Database) -> None:
    ids = add_whole(db, 12)
    reprice(db, ids, "100")
    execute(db, "UPDATE price_history SET seen_at = seen_at - interval '20 days'")
    assert priced(db).holds


def test_a_placeholder_on_many_products_is_found_by_its_bytes(db: Database) -> None:
    ids = add_whole(db, 30)
    add_photos(db, ids[:18])
    add_photos(db, ids[18:20], "a" * 64)
    found = shared(db)
    assert found.holds and found.sentence == "2 of the 30 newest products share a photo with another"
    add_photos(db, ids[20:], "b" * 64)
    found = shared(db)
    assert not found.holds and "originals/zara/21/1.jpg is on 10 of them" in found.sentence
    assert "force and product_ids" in found.sentence
    add_photos(db, add_whole(db, 5, "oysho"), "b" * 64)
    assert shared(db, "oysho").holds


def test_products_listed_twice_are_told_when_they_are_many(db: Database) -> None:
    ids = add_whole(db, 24)
    for n in range(0, 24, 2):
        add_photos(db, ids[n : n + 2], f"{n:064}")
    found = shared(db)
    assert not found.holds and "24 of the 24" in found.sentence and "CHECK_MAX_SAME_PHOTO_SHARE" in found.sentence


def test_of_a_big_brand_the_newest_are_compared(db: Database) -> None:
    ids = add_whole(db, 20)
    add_photos(db, ids, "c" * 64)
    assert db.run(duplicates.same_photos, "zara", 5).most_shared[0].products == 5


@pytest.mark.parametrize("stage", quality.MARKED_STAGES)
def test_what_a_status_asks_for_and_is_due_for_nobody_is_found_and_mended(
    db: Database, direct: str, stage: str
) -> None:
    status: dict[str, Any] = {
        "originals": {"image_status": "pending"},
        "collages": {"image_status": "uploaded"},
        "ximilar_index": {"image_status": "uploaded", "index_scope": "pilot"},
        "visual_index": {"image_status": "uploaded", "index_scope": "pgvector", "image_urls": ["https://store.test/1"]},
        "production_catalog": {"image_status": "collage_ready"},
    }[stage]
    add_whole(db, 3, "oysho")
    add_products(db, 4, first=1, **status)
    assert marked(db, stage).holds
    with psycopg.connect(direct, autocommit=True) as connection, connection.transaction():
        connection.execute("DELETE FROM due_work WHERE brand = 'zara'")
    found = marked(db, stage)
    assert not found.holds and f"4 products wait by status for {stage}" in found.sentence
    assert marked(db, stage, "oysho").holds
    execute(db, found.mend)
    assert marked(db, stage).holds


def test_what_is_due_though_it_left_is_found(db: Database, direct: str) -> None:
    add_products(db, 3)
    with psycopg.connect(direct, autocommit=True) as connection, connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("UPDATE raw_products SET active = false WHERE external_id = '1'")
    found = marked(db, "originals")
    assert not found.holds and "1 product wait for originals though inactive" in found.sentence


def test_a_scrape_that_saw_too_little_wakes_somebody(db: Database) -> None:
    assert vanished(db).holds
    add_whole(db, 10)
    scraped(db, "oysho", "complete", None, 10)
    scraped(db, "zara", "complete", None, 12, vanished=2)
    assert vanished(db).sentence == "the last scrape of zara saw 12 of 12 active products, 2 were marked inactive"
    scraped(db, "zara", "partial", "too_few_products", 3)
    found = vanished(db)
    assert (found.holds, found.urgency) == (False, "wake")
    assert "saw 3 of 10 active products" in found.sentence and "nothing was marked inactive" in found.sentence
    assert "run raw_products again" in found.sentence
    scraped(db, "zara", "failed", "empty dataset", 0)
    assert (vanished(db).holds, vanished(db).urgency) == (False, "look")
    assert vanished(db, "oysho").holds


def test_a_stage_that_stands_still_while_something_is_due_is_told(db: Database) -> None:
    ids = add_products(db, 3)
    assert fresh(db, "originals").holds
    execute(db, "UPDATE due_work SET due_at = now() - interval '3 hours'")
    ran(db, "originals", "zara", 2)
    found = fresh(db, "originals")
    assert (found.holds, found.urgency) == (False, "look")
    assert "was through 2 hours ago, where 60 minutes is the longest" in found.sentence
    assert "something has been due for 3 hours" in found.sentence and "AUTOMATION" in found.sentence
    assert fresh(db, "originals", "oysho").holds
    ran(db, "originals", "zara", 1.5, "error", "the proxy refuses us")
    assert "its last run failed: the proxy refuses us" in fresh(db, "originals").sentence
    execute(db, "UPDATE due_work SET lease_token = 'x', leased_until = now() + interval '1 hour' WHERE product_id = %s",
            ids[0])  # fmt: skip
    assert fresh(db, "originals").holds
    execute(db, "UPDATE due_work SET lease_token = NULL, leased_until = NULL")
    db.run(pauses.pause, "zara", "originals", "the proxy moves")
    assert fresh(db, "originals").holds and "paused since" in fresh(db, "originals").sentence
    db.run(pauses.resume, "zara", "originals")
    through(db, ids)
    assert fresh(db, "originals").holds


def test_what_the_app_shows_may_not_grow_old(db: Database) -> None:
    add_whole(db, 3)
    for hours, holds, urgency in ((1, True, "look"), (3, False, "look"), (7, False, "wake")):
        execute(db, "DELETE FROM scraper_logs")
        ran(db, "production_catalog", "zara", hours)
        found = fresh(db, "production_catalog")
        assert (found.holds, found.urgency) == (holds, urgency), found.sentence
    for days, holds, urgency in ((7, True, "look"), (9, False, "look"), (17, False, "wake")):
        execute(db, "DELETE FROM scraper_logs")
        ran(db, "raw_products", "zara", days * 24)
        found = fresh(db, "raw_products")
        assert (found.holds, found.urgency) == (holds, urgency), found.sentence


def test_no_check_of_a_brand_reads_a_table_whole_at_100_000_rows(db: Database, direct: str) -> None:
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
        explaining = Explaining(cursor)
        cursor_like: Any = explaining
        quality.coverage(cursor_like, "originals", "zara")
        assert quality.failures(cursor_like, "originals", "zara", timedelta(days=3)).reasons
        for stage in quality.MARKED_STAGES:
            quality.mark_figures(cursor_like, stage, "zara")
        assert price_changes.price_changes(cursor_like, "zara", 1.5).outliers == 2_000
        duplicates.same_photos(cursor_like, "zara")
        stage_times(cursor_like, "originals", "zara")
        no_table_is_read_whole(explaining, but=("scraper_logs", "scrapes"))


def test_ximilars_count_is_compared_with_ours(db: Database, sandbox: Sandbox) -> None:
    environment = sandbox.environment
    name = environment["XIMILAR_COLLECTION_ID"]
    api = Ximilar(
        environment["XIMILAR_API_URL"], environment.get("XIMILAR_PREFIX", "/similarity/fashion-new/v2/"),
        environment["XIMILAR_API_TOKEN"], name, LocalPace(1_000), tries=1,
    )  # fmt: skip
    assert collection.check_collection(api, db, "zara").holds
    (product,) = add_products(db, 1)
    records = [{"_id": f"apify_zara:1:{n}", "_base64": _PIXELS} for n in range(3)]
    api.insert(records)
    found = collection.check_collection(api, db, "zara")
    assert not found.holds and "Ximilar has 3 records where we know of 0" in found.sentence
    for record in records:
        execute(
            db,
            "INSERT INTO ximilar_records VALUES (%s, %s, %s, 1, 'x', 'x', '{}', 'there', now(), now())",
            name, record["_id"], product,
        )  # fmt: skip
    found = collection.check_collection(api, db, "zara")
    assert found.holds and "3 of 3 asked for of zara's 3 are there" in found.sentence
    api.delete([records[0]["_id"]])
    found = collection.check_collection(api, db, "zara")
    assert not found.holds and "Ximilar has 2 records where we know of 3" in found.sentence
    assert "run ximilar_index of zara with force" in found.sentence
    assert found.table == [{"missing": "apify_zara:1:0"}]
    sandbox.control(ximilar={"token": "another"})
    found = collection.check_collection(api, db, "zara")
    assert not found.holds and "can't be counted" in found.sentence and "XIMILAR_API_TOKEN" in found.sentence
    assert db.run(ximilar_records.our_records, name, "oysho", 50).of_brand == 0


def _pixels() -> str:
    import base64
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "JPEG")
    return base64.b64encode(file.getvalue()).decode()


_PIXELS = _pixels()
