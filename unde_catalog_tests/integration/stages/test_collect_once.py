"""Collecting pays once: partial, recent and forced scrapes, and two runs of one brand.

Merging and counting are tested in `test_collect.py`, failures in `test_collect_trouble.py`.
"""

import json
from typing import Any

import pytest

from unde_catalog.stages.raw_products import apify_run
from unde_catalog.stages.raw_products.apify import ApifyTask, TaskRun
from unde_catalog.stages.raw_products.apify_item import read_item
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.products import ingest, scrapes
from unde_catalog.stores.staging.products.product import CollectedProduct
from unde_catalog_tests.support.apify_brand import ApifyBrand, CreateApifyBrand, counts, item


def test_a_run_with_a_limit_is_resumed_without_paying_again(apify_brand: ApifyBrand) -> None:
    apify_brand.collect("earlier")
    apify_brand.set_items([item(n) for n in range(11, 31)])
    assert counts(apify_brand.collect("a", force=True, limit=5)) == {"items": 5, "unchanged": 5}
    assert counts(apify_brand.collect("b", limit=12, force=True)) == {"items": 12, "unchanged": 5, "new": 7}
    assert all(row["active"] for row in apify_brand.rows().values())
    assert apify_brand.last_scrape()["state"] == "running"
    rest = apify_brand.collect("c", force=True)
    assert counts(rest) == {"items": 3, "new": 3}
    assert "including earlier runs of this scrape: 20 items: 10 new, 0 changed, 10 unchanged" in rest.note
    assert (apify_brand.last_scrape()["state"], apify_brand.paid_runs()) == (
        "partial",
        2,
    )  # 20 of 30 active products: too few


def test_selected_products_are_read_and_the_others_wait(apify_brand: ApifyBrand) -> None:
    report = apify_brand.collect("some", product_ids=("3", "19", "nowhere"))
    assert counts(report) == {"items": 2, "new": 2}
    assert "not in this scrape: nowhere" in report.note
    assert set(apify_brand.rows()) == {"3", "19"}
    rest = apify_brand.collect("all")
    assert counts(rest) == {"items": 20, "new": 18, "repeated": 2}
    assert (apify_brand.last_scrape()["state"], apify_brand.paid_runs()) == ("complete", 1)


def test_max_minutes_end_the_wait_for_apify_and_the_next_run_resumes(apify_brand: ApifyBrand) -> None:
    apify_brand.set_items([item(n) for n in range(1, 1501)])
    waiting = apify_brand.collect("hurried", max_minutes=0)
    assert "max_minutes passed while Apify's run" in waiting.note
    assert apify_brand.last_scrape()["state"] == "running"
    assert apify_brand.run_worker("patient").returncode == 0
    assert (apify_brand.last_scrape()["state"], apify_brand.paid_runs(), len(apify_brand.rows())) == (
        "complete",
        1,
        1500,
    )


def test_max_minutes_also_end_reading(apify_brand: ApifyBrand, monkeypatch: pytest.MonkeyPatch) -> None:
    apify_brand.set_items([item(n) for n in range(1, 1501)])
    monkeypatch.setattr(
        "unde_catalog.stages.raw_products.collect_run.CollectRun.time_is_up",
        property(lambda run: run.report.counts["items"] > 0),
    )
    report = apify_brand.collect("hurried", max_minutes=5)
    assert counts(report) == {"items": 1000, "new": 1000}
    assert "max_minutes passed; the next run resumes the same dataset" in report.note
    monkeypatch.undo()


def test_a_complete_scrape_is_repeated_only_when_forced_or_old(apify_brand: ApifyBrand) -> None:
    apify_brand.collect()
    again = apify_brand.collect("second")
    assert (again.done, apify_brand.paid_runs()) == (0, 1)
    assert "is recent enough; force repeats it" in again.note
    apify_brand.collect("third", force=True)
    assert apify_brand.paid_runs() == 2
    assert "recent enough" in apify_brand.collect("third", force=True).note  # a retry of the same run
    assert apify_brand.paid_runs() == 2
    apify_brand.collect("fourth", force=True)
    assert apify_brand.paid_runs() == 3
    apify_brand.advance_hours(157)
    apify_brand.collect("next week")
    assert apify_brand.paid_runs() == 4


@pytest.mark.slow
def test_of_two_processes_collecting_a_brand_only_one_pays(create_apify_brand: CreateApifyBrand) -> None:
    apify_brand = create_apify_brand("--run-seconds", "2.5")  # longer than the second process needs to start
    both = [apify_brand.start_worker("one"), apify_brand.start_worker("two")]
    ended = [finish() for finish in both]
    assert [one.returncode for one in ended] == [0, 0], ended
    assert sorted(json.loads(one.stdout)["leased_elsewhere"] for one in ended) == [0, 1]
    assert (apify_brand.paid_runs(), len(apify_brand.rows())) == (1, 20)
    assert apify_brand.query("SELECT count(*) AS n FROM scrapes") == [{"n": 1}]


def test_a_brand_that_another_run_collects_is_left_alone(apify_brand: ApifyBrand, db: Database) -> None:
    assert db.run(scrapes.claim, "zara", "somebody", apify_run.LEASE, apify_run.MAX_ADOPTION_AGE) is not None
    report = apify_brand.collect("me")
    assert (report.leased_elsewhere, report.note) == (1, "another run is collecting this brand")
    assert apify_brand.paid_runs() == 0
    apify_brand.advance_hours(0.1)
    assert apify_brand.collect("me").counts["new"] == 20


def test_a_run_whose_lease_expired_can_no_longer_write(apify_brand: ApifyBrand, db: Database) -> None:
    slow = db.run(scrapes.claim, "zara", "slow", apify_run.LEASE, apify_run.MAX_ADOPTION_AGE)
    assert slow is not None
    apify_brand.advance_hours(0.1)
    apify_brand.collect("quick")
    for work in (
        lambda cursor: scrapes.progress(cursor, slow, apify_run.LEASE, 1, 1, {}),
        lambda cursor: scrapes.mark_started(cursor, slow, "run", "dataset"),
        lambda cursor: scrapes.end(cursor, slow, "complete", 0, 0),
    ):
        with pytest.raises(scrapes.ScrapeTakenOver):
            db.run(work)


def test_the_intent_and_the_run_are_committed_synchronously(apify_brand: ApifyBrand, db: Database) -> None:
    with db.transaction() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        scrape = scrapes.claim(cursor, "zara", "me", apify_run.LEASE, apify_run.MAX_ADOPTION_AGE)
        assert cursor.execute("SHOW synchronous_commit").fetchone() == {"synchronous_commit": "on"}
    assert scrape is not None
    with db.transaction() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        scrapes.mark_started(cursor, scrape, "run", "dataset")
        assert cursor.execute("SHOW synchronous_commit").fetchone() == {"synchronous_commit": "on"}


def test_the_intent_is_committed_before_the_run_is_started(
    apify_brand: ApifyBrand, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    start = ApifyTask.start

    def record_and_start(task: ApifyTask) -> TaskRun:
        seen.extend(apify_brand.query("SELECT state, apify_run_id, asked_by FROM scrapes"))
        return start(task)

    monkeypatch.setattr(ApifyTask, "start", record_and_start)
    apify_brand.collect()
    assert seen == [{"state": "intended", "apify_run_id": None, "asked_by": "first"}]


def test_a_run_that_lost_the_scrape_does_not_start_an_apify_run(
    apify_brand: ApifyBrand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(_: ApifyTask) -> list[TaskRun]:
        apify_brand.query("UPDATE scrapes SET lease_token = 'of another'")
        return []

    monkeypatch.setattr(ApifyTask, "recent_runs", slow)
    assert "another run took over the scrape" in apify_brand.stop_message()
    assert apify_brand.paid_runs() == 0


def test_staged_items_of_an_abandoned_scrape_are_deleted(apify_brand: ApifyBrand, db: Database) -> None:
    abandoned = db.run(scrapes.claim, "zara", "other", apify_run.LEASE, apify_run.MAX_ADOPTION_AGE)
    assert abandoned is not None
    product = read_item(item(99))
    assert isinstance(product, CollectedProduct)
    db.run(ingest.stage, abandoned.id, [(0, product)])
    apify_brand.advance_hours(25)
    assert counts(apify_brand.collect()) == {"items": 20, "new": 20}
    assert apify_brand.query("SELECT count(*) AS n FROM scraped_items") == [{"n": 0}]
