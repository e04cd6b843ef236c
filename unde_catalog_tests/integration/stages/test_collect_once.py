"""Collecting pays once: reading in parts, young and forced scrapes, one brand in one pair of hands.

What is merged and counted is in `test_collect.py`, trouble in `test_collect_trouble.py`.
"""

import json
from typing import Any

import pytest

from unde_catalog.stages.raw_products import task_run
from unde_catalog.stages.raw_products.apify import ApifyTask, TaskRun
from unde_catalog.stages.raw_products.apify_item import read_item
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.products import ingest, scrapes
from unde_catalog.stores.staging.products.product import CollectedProduct
from unde_catalog_tests.support.apify_brand import OpenShop, Shop, counts, item


def test_a_limit_reads_a_part_and_the_next_run_goes_on_there_without_paying_again(shop: Shop) -> None:
    shop.collect("earlier")
    shop.sells([item(n) for n in range(11, 31)])
    assert counts(shop.collect("a", force=True, limit=5)) == {"items": 5, "unchanged": 5}
    assert counts(shop.collect("b", limit=12, force=True)) == {"items": 12, "unchanged": 5, "new": 7}
    assert all(row["active"] for row in shop.rows().values())
    assert shop.last_scrape()["state"] == "running"
    rest = shop.collect("c", force=True)
    assert counts(rest) == {"items": 3, "new": 3}
    assert "with what earlier runs read of this scrape: 20 items: 10 new, 0 changed, 10 unchanged" in rest.note
    assert (shop.last_scrape()["state"], shop.starts()) == ("partial", 2)  # 20 of 30 active: too few to believe


def test_chosen_products_are_read_and_the_others_wait_for_the_next_run(shop: Shop) -> None:
    report = shop.collect("some", product_ids=("3", "19", "nowhere"))
    assert counts(report) == {"items": 2, "new": 2}
    assert "not in this scrape: nowhere" in report.note
    assert set(shop.rows()) == {"3", "19"}
    rest = shop.collect("all")
    assert counts(rest) == {"items": 20, "new": 18, "repeated": 2}
    assert (shop.last_scrape()["state"], shop.starts()) == ("complete", 1)


def test_when_max_minutes_are_over_what_was_read_stays_and_the_next_run_goes_on(shop: Shop) -> None:
    shop.sells([item(n) for n in range(1, 1501)])
    waiting = shop.collect("hurried", max_minutes=0)
    assert "max_minutes were over while Apify's run" in waiting.note
    assert shop.last_scrape()["state"] == "running"
    assert shop.worker("patient").returncode == 0
    assert (shop.last_scrape()["state"], shop.starts(), len(shop.rows())) == ("complete", 1, 1500)


def test_max_minutes_also_end_reading(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.sells([item(n) for n in range(1, 1501)])
    monkeypatch.setattr(
        "unde_catalog.stages.raw_products.collect_run.Collecting.time_is_over",
        property(lambda run: run.report.counts["items"] > 0),
    )
    report = shop.collect("hurried", max_minutes=5)
    assert counts(report) == {"items": 1000, "new": 1000}
    assert "max_minutes were over; the next run goes on with the same dataset" in report.note
    monkeypatch.undo()


def test_a_complete_scrape_is_paid_for_again_only_when_forced_or_old(shop: Shop) -> None:
    shop.collect()
    again = shop.collect("second")
    assert (again.done, shop.starts()) == (0, 1)
    assert "is young enough; force repeats it" in again.note
    shop.collect("third", force=True)
    assert shop.starts() == 2
    assert "young enough" in shop.collect("third", force=True).note  # a retry of the same run
    assert shop.starts() == 2
    shop.collect("fourth", force=True)
    assert shop.starts() == 3
    shop.hours_later(157)
    shop.collect("next week")
    assert shop.starts() == 4


def test_of_two_processes_collecting_one_brand_one_pays_and_the_other_finds_it_in_hand(open_shop: OpenShop) -> None:
    shop = open_shop("--run-seconds", "2.5")  # longer than the second needs to come up
    both = [shop.begin_worker("one"), shop.begin_worker("two")]
    ended = [finish() for finish in both]
    assert [one.returncode for one in ended] == [0, 0], ended
    assert sorted(json.loads(one.stdout)["leased_elsewhere"] for one in ended) == [0, 1]
    assert (shop.starts(), len(shop.rows())) == (1, 20)
    assert shop.query("SELECT count(*) AS n FROM scrapes") == [{"n": 1}]


def test_a_brand_in_hand_is_reported_and_not_touched(shop: Shop, db: Database) -> None:
    assert db.run(scrapes.claim, "zara", "somebody", task_run.LEASE, task_run.ADOPT) is not None
    report = shop.collect("me")
    assert (report.leased_elsewhere, report.note) == (1, "another run is collecting this brand")
    assert shop.starts() == 0
    shop.hours_later(0.1)
    assert shop.collect("me").counts["new"] == 20


def test_who_was_silent_for_longer_than_the_lease_can_no_longer_write(shop: Shop, db: Database) -> None:
    slow = db.run(scrapes.claim, "zara", "slow", task_run.LEASE, task_run.ADOPT)
    assert slow is not None
    shop.hours_later(0.1)
    shop.collect("quick")
    for work in (
        lambda cursor: scrapes.progress(cursor, slow, task_run.LEASE, 1, 1, {}),
        lambda cursor: scrapes.begun(cursor, slow, "run", "dataset"),
        lambda cursor: scrapes.end(cursor, slow, "complete", 0, 0),
    ):
        with pytest.raises(scrapes.ScrapeTakenOver):
            db.run(work)


def test_the_intent_and_the_run_are_on_disk_before_anything_goes_on(shop: Shop, db: Database) -> None:
    with db.transaction() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        scrape = scrapes.claim(cursor, "zara", "me", task_run.LEASE, task_run.ADOPT)
        assert cursor.execute("SHOW synchronous_commit").fetchone() == {"synchronous_commit": "on"}
    assert scrape is not None
    with db.transaction() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        scrapes.begun(cursor, scrape, "run", "dataset")
        assert cursor.execute("SHOW synchronous_commit").fetchone() == {"synchronous_commit": "on"}


def test_the_intent_can_be_seen_by_others_when_the_run_is_started(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    start = ApifyTask.start

    def looked(task: ApifyTask) -> TaskRun:
        seen.extend(shop.query("SELECT state, apify_run_id, asked_by FROM scrapes"))
        return start(task)

    monkeypatch.setattr(ApifyTask, "start", looked)
    shop.collect()
    assert seen == [{"state": "intended", "apify_run_id": None, "asked_by": "first"}]


def test_who_lost_the_scrape_while_looking_for_runs_does_not_start_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(_: ApifyTask) -> list[TaskRun]:
        shop.query("UPDATE scrapes SET lease_token = 'of another'")
        return []

    monkeypatch.setattr(ApifyTask, "recent_runs", slow)
    assert "another run took the scrape over" in shop.stopped()
    assert shop.starts() == 0


def test_what_a_given_up_scrape_left_staged_is_cleared_away(shop: Shop, db: Database) -> None:
    given_up = db.run(scrapes.claim, "zara", "other", task_run.LEASE, task_run.ADOPT)
    assert given_up is not None
    read = read_item(item(99))
    assert isinstance(read, CollectedProduct)
    db.run(ingest.stage, given_up.id, [(0, read)])
    shop.hours_later(25)
    assert counts(shop.collect()) == {"items": 20, "new": 20}
    assert shop.query("SELECT count(*) AS n FROM scraped_items") == [{"n": 0}]
