"""The numbers of the report, from rows written by the tests and from the sandbox's catalogue."""

import logging
import re
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from unde_catalog.backends import Backends
from unde_catalog.brands import BRANDS
from unde_catalog.operations.quality.freshness import fresh
from unde_catalog.operations.report.catalog import build, key_of, store
from unde_catalog.operations.report.gather import gather
from unde_catalog.operations.report.numbers import CatalogReport, DueWork
from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.run import run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import pauses
from unde_catalog.stores.staging.reports import catalog_days, runs, totals
from unde_catalog.stores.staging.reports.freshness import stage_times
from unde_catalog.stores.staging.reports.runs import Changes
from unde_catalog.stores.staging.reports.totals import (
    BrandTotals,
    DueTotals,
    FailingProducts,
    StockTotals,
    StorageTotals,
)
from unde_catalog.worker.report import RunOptions
from unde_catalog_tests.support.due import add_products, execute, set_now
from unde_catalog_tests.support.reports import parsed
from unde_catalog_tests.support.roles import acting_as

ZARA = ("originals", "zara")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # away from a developer's .env


def gathered(db: Database, **changes: object) -> CatalogReport:
    return gather(db, load_settings().model_copy(update=changes))


def ran(
    db: Database, ago: str, status: str = "success", name: str = "originals_zara", done: int = 0, note: str = ""
) -> None:
    """A run of ten seconds that ended this long ago."""
    execute(
        db,
        "INSERT INTO scraper_logs (scraper_name, status, started_at, completed_at, error_message, metadata)"
        " VALUES (%s, %s, now() - %s::interval - interval '10 s', now() - %s::interval,"
        " CASE WHEN %s = 'error' THEN 'it stopped' END,"
        " jsonb_build_object('done', %s::int, 'seconds', 10, 'note', %s::text))",
        name, status, ago, ago, status, done, note,
    )  # fmt: skip


def test_products_are_counted_by_the_steps_they_have_completed(db: Database) -> None:
    add_products(db, 2)
    add_products(db, 3, first=3, image_status="uploaded", index_scope="pilot", ximilar_status="pending")
    add_products(db, 4, first=6, image_status="collage_ready", index_scope="pilot", ximilar_status="partial")
    add_products(db, 5, first=10, image_status="collage_ready", sync_status="synced", ximilar_status="synced")
    add_products(db, 6, first=15, image_status="collage_ready", sync_status="synced", active=False)
    add_products(db, 1, "oysho", active=False)
    assert db.run(totals.brand_totals) == {
        "zara": BrandTotals(14, 6, photographed=12, with_collage=9, to_index=7, indexed=4, published=5),
        "oysho": BrandTotals(0, 1),
    }


def test_stored_objects_are_counted_with_their_bytes(db: Database) -> None:
    one, other = add_products(db, 2)
    photo = (
        "INSERT INTO product_photos (product_id, n, source_url, state, key, sha256, bytes, fetched_at)"
        " VALUES (%s, %s, 'u', %s, 'k', 's', 100, now())"
    )
    for product, n, state in ((one, 1, "stored"), (one, 2, "stored"), (other, 1, "gone")):
        execute(db, photo, product, n, state)
    execute(db, "INSERT INTO product_collages VALUES (%s, 'k', 's', 1, 1, 700, now())", one)
    assert db.run(totals.stored) == {"zara": StorageTotals(photos=2, collages=1, bytes=900)}


def test_the_latest_response_of_each_store_decides_what_is_in_stock(db: Database) -> None:
    execute(db, "INSERT INTO raw_stores (brand, store_id) VALUES ('zara', 1), ('zara', 2), ('zara', 3), ('oysho', 7)")
    row = (
        "INSERT INTO raw_availability (brand, store_id, product_id, sizes_in_stock, fetched_at)"
        " VALUES ('zara', %s, %s, %s, '2026-03-02 00:30 UTC'::timestamptz - %s::interval)"
    )
    for store_id, product, sizes, ago in (
        (1, "a", '["M"]', "40 minutes"), (1, "a", "[]", "10 minutes"),  # sold out after midnight
        (1, "b", "[]", "40 minutes"), (2, "b", '["S"]', "20 minutes"),
        (1, "c", '["S"]', "10 minutes"),
        (3, "d", '["S"]', "5 hours"),  # too old to count
    ):  # fmt: skip
        execute(db, row, store_id, product, sizes, ago)
    with db.transaction() as cursor:
        set_now(cursor, "2026-03-02 00:30 UTC")
        found = totals.stock(cursor, timedelta(hours=3))
    assert found == {"zara": StockTotals(stores=3, responding=2, checked=3, in_stock=2), "oysho": StockTotals(stores=1)}


def test_failures_are_grouped_by_reason_with_examples(db: Database) -> None:
    ids = add_products(db, 6, name="A SHIRT")
    fail = "UPDATE due_work SET reason = %s, detail = %s, given_up = %s, attempts = 1 WHERE product_id = ANY(%s)"
    execute(db, fail, "http_404", "404 Not Found", True, ids[:3])
    execute(db, fail, "http_503", None, False, ids[3:5])
    execute(db, fail, "http_503", None, False, ids[5:])
    execute(db, "UPDATE raw_products SET active = false WHERE id = %s", ids[5])  # off sale, so not a failure
    found, products = db.run(totals.failing, ("originals",), ("zara",), 1, 2)
    assert products == 5
    (one,) = found
    assert (one.reason, one.products, one.given_up, one.detail) == ("http_404", 3, 3, "404 Not Found")
    assert len(one.examples) == 2 and {name for _, name in one.examples} == {"A SHIRT"}
    assert db.run(totals.failing, ("originals",), ("oysho",), 9) == ([], 0)


def test_rejected_items_of_the_last_scrape_are_counted(db: Database) -> None:
    for reason in ("old", "no_id"):
        (scrape,) = execute(
            db, "INSERT INTO scrapes (brand, state, started_at, finished_at) VALUES ('zara', 'complete', now(), now())"
            " RETURNING id",
        )  # fmt: skip
        for n in (1, 2):
            execute(
                db, "INSERT INTO rejected_items (scrape_id, brand, position, external_id, reason, detail)"
                " VALUES (%s, 'zara', %s, %s, %s, 'it lacks one')", scrape["id"], n, None if n == 1 else "7", reason,
            )  # fmt: skip
    assert db.run(totals.rejected, ["zara", "oysho"]) == [
        FailingProducts("raw_products", "zara", "no_id", 2, 0, "it lacks one", (("7", None),))
    ]


def test_due_and_leased_work_are_counted(db: Database) -> None:
    ids = add_products(db, 5)
    execute(db, "UPDATE due_work SET due_at = now() + interval '1 hour' WHERE product_id = %s", ids[0])
    execute(db, "UPDATE due_work SET leased_until = now() + interval '1 hour' WHERE product_id = %s", ids[1])
    assert db.run(totals.due, ("originals", "collages"), ("zara", "oysho")) == [DueTotals(*ZARA, 4, 1)]


def test_the_end_of_work_is_estimated_from_the_rate_of_the_last_runs(db: Database) -> None:
    def work() -> DueWork:
        (found,) = gathered(db).work
        return found

    add_products(db, 100)
    assert (work().seconds, work().active) == (None, False)
    ran(db, "2 hours", done=20)
    ran(db, "1 hour", done=0)  # nothing was due: the rate is unknown
    assert (work().per_second, work().seconds, work().active) == (2.0, 50.0, False)
    ran(db, "3 minutes", done=60)
    assert (work().per_second, work().seconds, work().active, work().paused) == (4.0, 25.0, True, False)
    db.run(pauses.pause, "zara", "*", "the store moves")
    assert work().paused


def test_freshness_follows_from_runs_and_due_work(db: Database) -> None:
    def state(stage: str = "originals") -> str:
        return gathered(db).freshness[stage, "zara"].state

    assert state() == "never"
    ran(db, "3 hours")
    assert state() == "fine"  # nothing is due
    (due,) = add_products(db, 1)
    assert state() == "fine"  # it became due a moment ago
    execute(db, "UPDATE due_work SET due_at = now() - interval '61 minutes' WHERE product_id = %s", due)
    assert state() == "late"
    execute(db, "UPDATE due_work SET leased_until = now() + interval '1 hour' WHERE product_id = %s", due)
    assert state() == "fine"  # a long run is in progress
    execute(db, "UPDATE due_work SET leased_until = NULL WHERE product_id = %s", due)
    ran(db, "1 minute", "error")
    one = gathered(db).freshness[ZARA]
    assert (one.state, one.message) == ("failing", "it stopped")
    ran(db, "0 s")
    assert state() == "fine"
    ran(db, "0 s", note="not configured: set XIMILAR_API_TOKEN", name="ximilar_index_zara")
    assert state("ximilar_index") == "not configured"
    assert gathered(db).freshness["ximilar_index", "zara"].succeeded_at is None
    db.run(pauses.pause, "*", "originals", "")
    assert state() == "paused"


@pytest.mark.parametrize(("stage", "hours"), [("originals", 1), ("availability", 2)])
def test_report_and_check_call_a_stage_late_at_the_same_age(db: Database, stage: str, hours: int) -> None:
    (due,) = add_products(db, 1)
    execute(
        db, "INSERT INTO due_work (product_id, stage, brand) VALUES (%s, %s, 'zara') ON CONFLICT DO NOTHING", due, stage
    )
    for minutes, state in ((-2, "fine"), (2, "late")):
        age = f"{60 * hours + minutes} minutes"
        execute(db, "DELETE FROM scraper_logs")
        ran(db, age, name=f"{stage}_zara")
        execute(db, "UPDATE due_work SET due_at = now() - %s::interval WHERE stage = %s", age, stage)
        assert gathered(db).freshness[stage, "zara"].state == state
        assert fresh(stage, "zara", db.run(stage_times, stage, "zara"), None).passed == (state == "fine")


def test_growth_compares_with_recorded_days(db: Database) -> None:
    add_products(db, 3)
    execute(
        db, "INSERT INTO scrapes (brand, state, started_at, finished_at, counts) VALUES"
        " ('zara', 'complete', now(), now() - interval '1 day', '{\"new\": 3, \"vanished\": 1}'),"
        " ('zara', 'complete', now(), now() - interval '9 days', '{\"new\": 5, \"changed\": 2}')",
    )  # fmt: skip
    assert gathered(db).brands[0].growth.week_ago is None
    for days, products in ((7, 2), (33, 1)):
        then = BrandTotals(active=products)
        with db.transaction() as cursor:
            cursor.execute("SELECT set_config('unde.now', (now() - %s * interval '1 day')::text, true)", (days,))
            catalog_days.record(cursor, "zara", then, StorageTotals(), totals.now(cursor))
    growth = gathered(db).brands[0].growth
    assert growth.week_ago is not None and growth.week_ago.totals.active == 2
    assert growth.month_ago is not None and growth.month_ago.totals.active == 1  # the last day recorded before it
    assert [day.totals.active for day in growth.days] == [1, 2, 3]
    assert (growth.week, growth.month) == (Changes(new=3, vanished=1), Changes(new=8, changed=2, vanished=1))
    assert execute(db, "SELECT count(*) AS n FROM catalog_days WHERE brand = 'zara'") == [{"n": 3}]


def test_objects_of_a_big_catalogue_are_counted_once_a_day(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unde_catalog.operations.report.gather._BIG", 0)
    (one,) = add_products(db, 1)
    assert gathered(db).total("collages") == 0
    execute(db, "INSERT INTO product_collages VALUES (%s, 'k', 's', 1, 1, 700, now())", one)
    assert gathered(db).total("collages") == 0
    execute(db, "UPDATE catalog_days SET counted_at = counted_at - interval '25 hours'")
    assert gathered(db).total("collages") == 1


def test_an_empty_catalogue_has_a_report(db: Database) -> None:
    found = gathered(db)
    assert (found.total("active"), found.work, found.failing, found.pauses) == (0, [], [], [])
    assert len(found.brands) == len(BRANDS)
    assert {key: one.state for key, one in found.freshness.items() if one.state != "never"} == {
        ("raw_stores", "bakai"): "no stores", ("availability", "bakai"): "no stores",
    }  # fmt: skip


@pytest.mark.slow
def test_the_report_of_the_sandbox_shows_what_is_stored(backends: Backends) -> None:
    for stage in ("raw_products", "raw_stores", "originals", "collages", "availability"):
        options = RunOptions(limit=15 if stage == "originals" else None, force=stage == "availability")
        run_stage(stage, StageRun("zara", backends, options, logging.getLogger("test")))
    rendered = build(backends)
    zara = rendered.report.brands[0]
    photos = len(list(backends.store.list("originals/zara")))
    assert zara.totals == BrandTotals(20, 0, photographed=15, with_collage=15)
    assert (zara.stored.photos, zara.stored.collages) == (photos, 15)
    kept = [*backends.store.list("originals"), *backends.store.list("collages")]
    assert zara.stored.bytes == sum(one.size for one in kept)
    in_stock = execute(
        backends.db, "SELECT count(DISTINCT product_id) AS n FROM raw_availability WHERE sizes_in_stock <> '[]'"
    )
    stores = len(load_settings().brands["zara"].stores)
    assert zara.stock == StockTotals(stores=stores, responding=stores, checked=20, in_stock=in_stock[0]["n"])
    due = {one.stage: one.due for one in rendered.report.work}
    assert (due["originals"], due["production_catalog"]) == (5, 15)
    assert rendered.report.freshness[ZARA].state == "fine"
    assert store(backends, rendered) == backends.store.public_url(key_of(backends.settings))
    assert backends.store.get(key_of(backends.settings)).decode() == rendered.page
    assert "Zara" in parsed(rendered.page).text_of("th")


def test_the_scraper_role_may_build_the_report(db: Database) -> None:
    with acting_as(db, "scraper") as cursor:
        assert totals.brand_totals(cursor) == {}
        catalog_days.record(cursor, "zara", BrandTotals(), StorageTotals(), totals.now(cursor))
        assert runs.changes(cursor, timedelta(days=7)) == {}


def test_the_queries_of_the_report_use_indexes(db: Database, direct: str) -> None:
    with psycopg.connect(direct) as connection:
        connection.execute("SET LOCAL enable_seqscan = off")  # the tables of a test are small
        connection.execute("SET LOCAL enable_bitmapscan = off")  # else any index serves all active products
        for query, index in (
            ("SELECT brand, image_status, count(*) FROM raw_products WHERE active GROUP BY 1, 2", "standing"),
            ("SELECT reason FROM due_work WHERE reason IS NOT NULL AND stage = 'x' AND brand = 'y'", "due_work_reason"),
            ("SELECT 1 FROM scraper_logs WHERE scraper_name = 'x' ORDER BY started_at DESC LIMIT 1", "logs_last"),
        ):
            plan = connection.execute(f"EXPLAIN {query}".encode()).fetchall()
            assert index in str(plan)


def test_in_a_bucket_the_key_of_the_page_is_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert key_of(load_settings()) == "reports/catalog.html"
    for name, value in {"ENDPOINT": "http://127.0.0.1:1", "ACCESS_KEY": "key", "SECRET_KEY": "planted"}.items():
        monkeypatch.setenv(f"S3_{name}", value)
    key = key_of(load_settings())
    assert re.fullmatch(r"reports/catalog-[0-9a-f]{32}\.html", key)
    assert key == key_of(load_settings())
    monkeypatch.setenv("S3_SECRET_KEY", "another")
    assert key_of(load_settings()) != key
