"""What operators do in Dagster's UI, clicked in a real browser and looked at in the staging database.

One Dagster for all, each on brands or assets of its own. The click paths are in `clicks.py`.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from unde_catalog.brands import BRANDS
from unde_catalog_tests.browser import clicks
from unde_catalog_tests.browser.desk import Desk
from unde_catalog_tests.support.due import let_leases_run_out

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]

_STORED = "SELECT external_id FROM raw_products WHERE brand = %s AND image_status = 'uploaded' ORDER BY external_id"


@pytest.fixture
def photos_take_long(desk: Desk) -> Iterator[None]:
    """So that a run is still at it when something happens to it."""
    desk.control(faults="photo:late-20=1")
    yield
    desk.control(faults="")


def test_a_brand_is_run_and_rerun_and_nothing_is_asked_for_twice(page: Page, desk: Desk) -> None:
    desk.ends(clicks.materialize(page, "originals", ["stradivarius"]))
    assert len(desk.rows(_STORED, "stradivarius")) == 20
    requested = desk.photos_requested("stradivarius")
    again = clicks.reexecute(page)
    desk.ends(again)
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    assert desk.rows("SELECT status, records_fetched FROM scraper_logs WHERE run_id = %s", again) == [
        {"status": "success", "records_fetched": 0}
    ]
    assert desk.photos_requested("stradivarius") == requested > 0


def test_all_brands_are_backfilled(page: Page, desk: Desk) -> None:
    clicks.materialize(page, "raw_stores", "All")
    desk.wait("SELECT count(DISTINCT brand) = 6 FROM raw_stores")
    assert {row["brand"] for row in desk.rows("SELECT DISTINCT brand FROM raw_stores")} == {
        key for key, brand in BRANDS.items() if brand.has_stores
    }
    expect(page.get_by_text("Succeeded", exact=True).first).to_be_visible()


def test_only_failed_brands_are_backfilled(page: Page, desk: Desk) -> None:
    desk.control(faults="finder:html=1")
    desk.ran_before("raw_stores", "bershka", "stradivarius")
    desk.control(faults="")
    before = desk.one("SELECT max(id) FROM scraper_logs")
    clicks.materialize(page, "raw_stores", "Failed")
    ended = f"FROM scraper_logs WHERE status = 'success' AND id > {before}"
    desk.wait(f"SELECT count(*) = 2 {ended}")
    expect(page.get_by_text("Succeeded", exact=True).first).to_be_visible()
    assert desk.rows(f"SELECT scraper_name {ended} ORDER BY 1") == [
        {"scraper_name": "raw_stores_bershka"}, {"scraper_name": "raw_stores_stradivarius"},
    ]  # fmt: skip


def test_three_named_products_are_worked_on_and_no_other(page: Page, desk: Desk) -> None:
    query = "SELECT external_id FROM raw_products WHERE brand = 'massimodutti' ORDER BY external_id LIMIT 3"
    named = desk.rows(query)
    product_ids = [row["external_id"] for row in named]
    desk.ends(clicks.materialize(page, "originals", ["massimodutti"], {"product_ids": product_ids}))
    assert desk.rows(_STORED, "massimodutti") == named


def test_a_forced_brand_is_collected_anew_although_its_scrape_is_young(page: Page, desk: Desk) -> None:
    scrapes = "SELECT count(*) FROM scrapes WHERE brand = 'massimodutti' AND state = 'complete'"
    before = desk.one(scrapes)
    desk.ends(clicks.materialize(page, "raw_products", ["massimodutti"], {"force": True}))
    assert desk.one(scrapes) == before + 1


def test_a_cancelled_run_leaves_nothing_in_hand_and_its_row_says_so(
    page: Page, desk: Desk, photos_take_long: None
) -> None:
    run = clicks.materialize(page, "originals", ["pullandbear"])
    in_hand = "SELECT count(*) FROM due_work WHERE brand = 'pullandbear' AND lease_token IS NOT NULL"
    desk.wait(f"SELECT ({in_hand}) > 0")
    clicks.terminate(page)
    desk.ends(run, "CANCELED")
    expect(page.get_by_text("Canceled", exact=True).first).to_be_visible()
    assert desk.one(in_hand) == 0
    (row,) = desk.rows("SELECT status, error_message, completed_at FROM scraper_logs WHERE run_id = %s", run)
    assert (row["status"], row["completed_at"] is not None) == ("error", True)
    assert row["error_message"].startswith("interrupted: it was cancelled")


def test_why_a_product_has_no_collage_is_told_by_the_failures_and_mended_by_retry_failed(
    page: Page, desk: Desk
) -> None:
    query = "SELECT external_id FROM raw_products WHERE brand = 'bershka' ORDER BY external_id LIMIT 2"
    products = [row["external_id"] for row in desk.rows(query)]
    desk.control(faults="photo:404=1")
    desk.ran_before("originals", "bershka", product_ids=products)
    desk.control(faults="")
    metadata = clicks.partition(page, "originals", "bershka")
    failures = metadata.get_by_role("row", name="failures")
    reasons = desk.rows(
        "SELECT DISTINCT w.reason FROM due_work w JOIN raw_products p ON p.id = w.product_id"
        " WHERE w.stage = 'originals' AND p.brand = 'bershka' AND w.reason IS NOT NULL AND p.collage_url IS NULL"
    )
    assert len(reasons) == 1
    expect(failures).to_contain_text(reasons[0]["reason"])
    for product in products:
        expect(failures).to_contain_text(product)
    config = {"product_ids": products, "retry_failed": True}
    desk.ends(clicks.materialize(page, "originals", ["bershka"], config))
    assert [row["external_id"] for row in desk.rows(_STORED, "bershka")] == products


def test_what_changed_since_the_last_scrape_is_told_in_numbers(page: Page, desk: Desk) -> None:
    query = "SELECT external_id FROM raw_products WHERE brand = 'pullandbear' ORDER BY external_id LIMIT 3"
    cheap, dear, gone = (row["external_id"] for row in desk.rows(query))
    desk.control(brand="pullandbear", price={cheap: 1000, dear: 99900}, drop=[gone])
    desk.ends(clicks.materialize(page, "raw_products", ["pullandbear"], {"force": True}))
    metadata = clicks.partition(page, "raw_products", "pullandbear")
    for name, number in (("new", 0), ("changed", 2), ("vanished", 1), ("unchanged", 17)):
        expect(metadata.get_by_role("row", name=f"{name} {number}", exact=True)).to_be_visible()
    assert desk.rows("SELECT external_id FROM raw_products WHERE brand = 'pullandbear' AND NOT active") == [
        {"external_id": gone}
    ]
    prices = "SELECT external_id, price FROM raw_products WHERE external_id = ANY(%s)"
    assert {row["external_id"]: str(row["price"]) for row in desk.rows(prices, [cheap, dear])} == {
        cheap: "10.00", dear: "999.00",
    }  # fmt: skip


def test_a_paused_brand_is_skipped_until_it_is_resumed(page: Page, desk: Desk) -> None:
    due = "SELECT count(DISTINCT brand) FROM due_work WHERE stage = 'originals' AND due_at <= unde_now()"
    brands = desk.one(due)
    assert clicks.runs_asked_for_now(page, "originals_due") == brands
    clicks.launch_job(page, "pause", "what_to_pause", {"brand": "oysho", "why": "the shop moves"})
    desk.wait("SELECT exists(SELECT 1 FROM pauses WHERE brand = 'oysho' AND why = 'the shop moves')")
    assert clicks.runs_asked_for_now(page, "originals_due") == brands - 1
    clicks.launch_job(page, "resume", "what_to_resume", {"brand": "oysho"})
    desk.wait("SELECT NOT exists(SELECT 1 FROM pauses)")
    assert clicks.runs_asked_for_now(page, "originals_due") == brands == desk.one(due)


def test_a_killed_run_worker_is_noticed_and_its_work_is_taken_up(
    page: Page, desk: Desk, photos_take_long: None
) -> None:
    run = clicks.materialize(page, "originals", ["zara"])
    desk.wait("SELECT count(*) > 0 FROM due_work WHERE brand = 'zara' AND lease_token IS NOT NULL")
    for process in desk.run_workers():
        process.kill()
    let_leases_run_out(desk.db)
    desk.control(faults="")
    desk.ends(run, "FAILURE")
    expect(page.get_by_text("was terminated by signal 9")).to_be_visible()
    retry = desk.retry_of(run)
    page.get_by_role("cell").get_by_role("link", name=retry).click()
    desk.ends(retry)
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    assert len(desk.rows(_STORED, "zara")) == 20
    assert desk.one("SELECT count(*) FROM due_work WHERE brand = 'zara' AND lease_token IS NOT NULL") == 0
