"""Ten tasks of operators in Dagster's UI, clicked in a real browser; the staging database has the result.

All tests share one UI and use different brands or assets. The click paths are in `clicks.py`.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from unde_catalog.brands import BRANDS
from unde_catalog_tests.browser import clicks
from unde_catalog_tests.browser.dagster_ui import DagsterUI
from unde_catalog_tests.support.due import expire_leases

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]

_STORED = "SELECT external_id FROM raw_products WHERE brand = %s AND image_status = 'uploaded' ORDER BY external_id"


@pytest.fixture
def slow_photos(ui: DagsterUI) -> Iterator[None]:
    """Photo downloads take long, so that a run is still in progress when something happens to it."""
    ui.control(faults="photo:late-20=1")
    yield
    ui.control(faults="")


def test_a_brand_is_run_again_without_repeated_requests(page: Page, ui: DagsterUI) -> None:
    ui.wait_for_end(clicks.materialize(page, "originals", ["stradivarius"]))
    assert len(ui.rows(_STORED, "stradivarius")) == 20
    requested = ui.photos_requested("stradivarius")
    again = clicks.reexecute(page)
    ui.wait_for_end(again)
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    assert ui.rows("SELECT status, records_fetched FROM scraper_logs WHERE run_id = %s", again) == [
        {"status": "success", "records_fetched": 0}
    ]
    assert ui.photos_requested("stradivarius") == requested > 0


def test_all_brands_are_backfilled(page: Page, ui: DagsterUI) -> None:
    clicks.materialize(page, "raw_stores", "All")
    ui.wait("SELECT count(DISTINCT brand) = 6 FROM raw_stores")
    assert {row["brand"] for row in ui.rows("SELECT DISTINCT brand FROM raw_stores")} == {
        key for key, brand in BRANDS.items() if brand.has_stores
    }
    expect(page.get_by_text("Succeeded", exact=True).first).to_be_visible()


def test_only_failed_brands_are_backfilled(page: Page, ui: DagsterUI) -> None:
    ui.control(faults="finder:html=1")
    ui.run_earlier("raw_stores", "bershka", "stradivarius")
    ui.control(faults="")
    failure = clicks.partition(page, "raw_stores", "bershka").get_by_role("row").first
    expect(failure).to_contain_text("raw_stores of bershka stopped: the store finder")
    before = ui.one("SELECT max(id) FROM scraper_logs")
    clicks.materialize(page, "raw_stores", "Failed")
    ended = f"FROM scraper_logs WHERE status = 'success' AND id > {before}"
    ui.wait(f"SELECT count(*) = 2 {ended}")
    expect(page.get_by_text("Succeeded", exact=True).first).to_be_visible()
    assert ui.rows(f"SELECT scraper_name {ended} ORDER BY 1") == [
        {"scraper_name": "raw_stores_bershka"}, {"scraper_name": "raw_stores_stradivarius"},
    ]  # fmt: skip


def test_only_the_named_products_are_processed(page: Page, ui: DagsterUI) -> None:
    query = "SELECT external_id FROM raw_products WHERE brand = 'massimodutti' ORDER BY external_id LIMIT 3"
    named = ui.rows(query)
    product_ids = [row["external_id"] for row in named]
    ui.wait_for_end(clicks.materialize(page, "originals", ["massimodutti"], {"product_ids": product_ids}))
    assert ui.rows(_STORED, "massimodutti") == named


def test_force_repeats_a_recent_scrape(page: Page, ui: DagsterUI) -> None:
    scrapes = "SELECT count(*) FROM scrapes WHERE brand = 'massimodutti' AND state = 'complete'"
    before = ui.one(scrapes)
    ui.wait_for_end(clicks.materialize(page, "raw_products", ["massimodutti"], {"force": True}))
    assert ui.one(scrapes) == before + 1


def test_a_cancelled_run_releases_its_products(page: Page, ui: DagsterUI, slow_photos: None) -> None:
    run = clicks.materialize(page, "originals", ["pullandbear"])
    leased = "SELECT count(*) FROM due_work WHERE brand = 'pullandbear' AND lease_token IS NOT NULL"
    ui.wait(f"SELECT ({leased}) > 0")
    clicks.terminate(page)
    ui.wait_for_end(run, "CANCELED")
    expect(page.get_by_text("Canceled", exact=True).first).to_be_visible()
    assert ui.one(leased) == 0
    (row,) = ui.rows("SELECT status, error_message, completed_at FROM scraper_logs WHERE run_id = %s", run)
    assert (row["status"], row["completed_at"] is not None) == ("error", True)
    assert row["error_message"].startswith("interrupted: the run was canceled")


def test_failures_explain_a_missing_collage_and_retry_failed_repairs_it(page: Page, ui: DagsterUI) -> None:
    query = "SELECT external_id FROM raw_products WHERE brand = 'bershka' ORDER BY external_id LIMIT 2"
    products = [row["external_id"] for row in ui.rows(query)]
    ui.control(faults="photo:404=1")
    ui.run_earlier("originals", "bershka", product_ids=products)
    ui.control(faults="")
    metadata = clicks.partition(page, "originals", "bershka")
    failures = metadata.get_by_role("row", name="failures")
    reasons = ui.rows(
        "SELECT DISTINCT w.reason FROM due_work w JOIN raw_products p ON p.id = w.product_id"
        " WHERE w.stage = 'originals' AND p.brand = 'bershka' AND w.reason IS NOT NULL AND p.collage_url IS NULL"
    )
    assert len(reasons) == 1
    expect(failures).to_contain_text(reasons[0]["reason"])
    for product in products:
        expect(failures).to_contain_text(product)
    config = {"product_ids": products, "retry_failed": True}
    ui.wait_for_end(clicks.materialize(page, "originals", ["bershka"], config))
    assert [row["external_id"] for row in ui.rows(_STORED, "bershka")] == products


def test_the_metadata_shows_what_changed_since_the_last_scrape(page: Page, ui: DagsterUI) -> None:
    query = "SELECT external_id FROM raw_products WHERE brand = 'pullandbear' ORDER BY external_id LIMIT 3"
    cheap, dear, gone = (row["external_id"] for row in ui.rows(query))
    ui.control(brand="pullandbear", price={cheap: 1000, dear: 99900}, drop=[gone])
    ui.wait_for_end(clicks.materialize(page, "raw_products", ["pullandbear"], {"force": True}))
    metadata = clicks.partition(page, "raw_products", "pullandbear")
    expect(metadata.get_by_role("row").first).to_contain_text("summary")
    for name, number in (("changed", 2), ("vanished", 1), ("unchanged", 17)):
        expect(metadata.get_by_role("row", name=f"{name} {number}", exact=True)).to_be_visible()
    assert ui.rows("SELECT external_id FROM raw_products WHERE brand = 'pullandbear' AND NOT active") == [
        {"external_id": gone}
    ]
    prices = "SELECT external_id, price FROM raw_products WHERE external_id = ANY(%s)"
    assert {row["external_id"]: str(row["price"]) for row in ui.rows(prices, [cheap, dear])} == {
        cheap: "10.00", dear: "999.00",
    }  # fmt: skip


def test_a_paused_brand_is_skipped_until_it_is_resumed(page: Page, ui: DagsterUI) -> None:
    due = "SELECT count(DISTINCT brand) FROM due_work WHERE stage = 'originals' AND due_at <= unde_now()"
    brands = ui.one(due)
    assert clicks.requested_runs(page, "download_originals_due") == brands
    clicks.launch_job(page, "pause", "what_to_pause", {"brand": "oysho", "why": "the site is rebuilt"})
    ui.wait("SELECT exists(SELECT 1 FROM pauses WHERE brand = 'oysho' AND why = 'the site is rebuilt')")
    assert clicks.requested_runs(page, "download_originals_due") == brands - 1
    clicks.launch_job(page, "resume", "what_to_resume", {"brand": "oysho"})
    ui.wait("SELECT NOT exists(SELECT 1 FROM pauses)")
    assert clicks.requested_runs(page, "download_originals_due") == brands == ui.one(due)


def test_a_killed_run_worker_is_detected_and_its_work_continues(page: Page, ui: DagsterUI, slow_photos: None) -> None:
    run = clicks.materialize(page, "originals", ["zara"])
    ui.wait("SELECT count(*) > 0 FROM due_work WHERE brand = 'zara' AND lease_token IS NOT NULL")
    for process in ui.run_workers():
        process.kill()
    expire_leases(ui.db)
    ui.control(faults="")
    ui.wait_for_end(run, "FAILURE")
    expect(page.get_by_text("was terminated by signal 9")).to_be_visible()
    retry = ui.retry_of(run)
    page.get_by_role("cell").get_by_role("link", name=retry).click()
    ui.wait_for_end(retry)
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    assert len(ui.rows(_STORED, "zara")) == 20
    assert ui.one("SELECT count(*) FROM due_work WHERE brand = 'zara' AND lease_token IS NOT NULL") == 0
