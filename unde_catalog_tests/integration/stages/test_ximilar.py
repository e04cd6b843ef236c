"""The ximilar_index stage against the sandbox, whose log bills every record that is sent, including duplicates."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stages.ximilar_index.open import SharedPace
from unde_catalog.stages.ximilar_index.run import run as ximilar_run
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import host_pace
from unde_catalog.stores.staging.index.ximilar_rows import credits_used
from unde_catalog.worker.handler import StageStopped
from unde_catalog.worker.report import RunOptions, StageReport
from unde_catalog_tests.support.due import due_row, execute, is_due
from unde_catalog_tests.support.ximilar_index import FIELDS, XimilarIndex


def numbers(ids: Any) -> list[tuple[str, str]]:
    """(external id, photo number) of record ids."""
    return sorted((id.split("-")[1], id.split("-")[2]) for id in ids)


def test_the_first_two_photos_of_pilot_products_are_inserted_once(index: XimilarIndex) -> None:
    one, two, other = index.add("red", "green", "blue"), index.add("red"), index.add("red", scope="off")
    report = index.run()
    assert (report.done, report.counts["records_inserted"]) == (2, 3)
    assert numbers(index.collection()) == [("1", "1"), ("1", "2"), ("2", "1")]
    assert (index.status(one), index.status(two)) == (("synced", 2), ("partial", 1))
    assert index.status(other) == ("pending", 0) and due_row(index.db, other, "ximilar_index") is None
    assert index.run().done == 0
    assert index.billed() == 3 and index.db.run(credits_used) == (3, 3)


def test_metadata_is_flat_text_of_the_product(index: XimilarIndex) -> None:
    index.add("red")
    index.run()
    (record,) = index.collection().values()
    assert {name: record[name] for name in FIELDS[1:]} == {
        "product_id": "1", "sku_id": "1", "brand": "zara", "name": "SHIRT", "category": "woman-shirts",
        "price": "99.00",
    }  # fmt: skip


def test_products_are_sent_ten_records_per_request(index: XimilarIndex) -> None:
    for _ in range(23):
        index.add("red", "green")
    assert index.run().done == 23
    sizes = [len(one["ids"]) for one in index.sandbox.log("ximilar.insert")]
    assert sum(sizes) == 46 and max(sizes) == 10 and len(sizes) <= 6


def test_a_raised_target_sends_only_what_is_missing(index: XimilarIndex) -> None:
    product = index.add("red", "green", "blue", "white")
    index.run()
    index.set(product, ximilar_target_count=4)
    assert index.status(product) == ("partial", 2)
    index.run()
    assert index.status(product) == ("synced", 4) and index.billed() == 4


def test_a_changed_photo_is_deleted_and_inserted(index: XimilarIndex) -> None:
    product = index.add("red", "green")
    index.run()
    before = set(index.collection())
    index.set_photos(product, "red", "blue")
    assert is_due(index.db, product, "ximilar_index") and index.status(product)[0] == "partial"
    index.run()
    after = set(index.collection())
    assert numbers(after) == [("1", "1"), ("1", "2")] and len(before & after) == 1
    assert index.status(product) == ("synced", 2) and index.billed() == 3


@pytest.mark.parametrize(("column", "value"), [("price", "49.50"), ("name", "BLOUSE"), ("category", "woman-blouses")])
def test_a_changed_price_or_name_is_an_update_and_costs_nothing(index: XimilarIndex, column: str, value: str) -> None:
    product = index.add("red", "green")
    index.run()
    index.set(product, **{column: value})
    assert is_due(index.db, product, "ximilar_index") and index.status(product) == ("partial", 2)
    assert index.run().counts["records_updated"] == 2
    assert {record[column] for record in index.collection().values()} == {value}
    assert index.status(product) == ("synced", 2) and index.billed() == 2


@pytest.mark.parametrize(
    ("leave", "back"), [({"active": False}, {"active": True}), ({"index_scope": "off"}, {"index_scope": "pilot"})]
)
def test_products_leave_and_return(index: XimilarIndex, leave: dict[str, Any], back: dict[str, Any]) -> None:
    product, stays = index.add("red", "green"), index.add("blue")
    index.run()
    index.set(product, **leave)
    assert is_due(index.db, product, "ximilar_index")
    index.run()
    assert numbers(index.collection()) == [(str(stays), "1")] and index.status(product) == ("pending", 0)
    index.set(product, **back)
    index.run()
    assert len(index.collection()) == 3 and index.status(product) == ("synced", 2)


def test_a_product_that_lost_all_its_photos_leaves(index: XimilarIndex) -> None:
    product = index.add("red", "green")
    index.run()
    index.set_photos(product)
    index.run()
    assert index.collection() == {} and index.status(product) == ("pending", 0)
    assert not is_due(index.db, product, "ximilar_index")


@pytest.fixture
def run_configured(index: XimilarIndex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], StageReport]:
    """Runs the stage with the client that the settings describe."""
    monkeypatch.chdir(tmp_path)
    for name, value in index.sandbox.environment.items():
        monkeypatch.setenv(name, value)
    backends: Any = SimpleNamespace(settings=load_settings(), db=index.db, store=index.store)
    return lambda: ximilar_run(StageRun("zara", backends, RunOptions(root_run="r"), logging.getLogger("test")))


def test_nothing_is_billed_while_the_last_scrape_is_faulty_or_merging(
    index: XimilarIndex, run_configured: Callable[[], StageReport]
) -> None:
    index.add("red")

    def run_after(state: str, reason: str | None = None, leased_until: str | None = None) -> str:
        execute(
            index.db,
            "INSERT INTO scrapes (brand, state, reason, seen, started_at, read_to, leased_until)"
            " VALUES ('zara', %s, %s, 4, now(), 9, %s)",
            state, reason, leased_until,
        )  # fmt: skip
        return run_configured().note

    assert "the last scrape saw only 4 of the brand's products" in run_after("partial", "too_few_products")
    assert index.collection() == {}
    assert "a scrape of this brand is being merged" in run_after("running", leased_until="infinity")
    assert index.collection() == {}
    execute(index.db, "UPDATE scrapes SET leased_until = NULL WHERE state = 'running'")
    interrupted = run_configured()
    assert "the last scrape saw only 4" in interrupted.note and index.collection() == {}
    execute(index.db, "DELETE FROM scrapes WHERE state = 'running'")
    assert run_after("complete") == ""
    assert len(index.collection()) == 1


def test_at_the_budget_products_are_released_with_a_note(index: XimilarIndex) -> None:
    for _ in range(12):
        index.add("red", "green")
    index.budget = 15
    report = index.run()
    assert "XIMILAR_MONTHLY_CREDITS" in report.note and report.later == {}
    assert report.done == 12 - report.still_due and index.billed() == 15, "the budget was exceeded or not used up"
    index.budget = 100
    assert index.run().done == report.still_due and index.billed() == 24
    assert len(index.sent_records()) == len(set(index.sent_records()))


def test_a_full_collection_releases_products_until_there_is_room(index: XimilarIndex) -> None:
    index.sandbox.control(ximilar={"size": 5})
    for _ in range(4):
        index.add("red", "green")
    report = index.run()
    assert "full" in report.note and len(index.collection()) == 5 and report.later == {}
    assert index.db.run(credits_used) == (5, 5)
    index.sandbox.control(ximilar={"size": 100})
    index.run()
    assert len(index.collection()) == 8 and index.billed() == 8
    assert index.run().note == ""


def test_processes_share_one_rate_limit(index: XimilarIndex, db: Database) -> None:
    paces = [SharedPace(db, 20) for _ in range(4)]
    times: list[float] = []

    def call(pace: SharedPace) -> None:
        for _ in range(5):
            pace.wait()
            times.append(time.monotonic())

    threads = [threading.Thread(target=call, args=(pace,)) for pace in paces]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.sort()
    assert len(times) == 20 and times[-1] - times[0] >= 19 / 20 - 0.05, "more than 20 a second"
    paces[0].hold(30)
    assert 10 < db.run(host_pace.next_slot, "ximilar", 0.05).wait <= 30
    execute(db, "UPDATE host_pace SET next_at = clock_timestamp() + interval '2 days'")
    assert db.run(host_pace.next_slot, "ximilar", 0.05).wait < 1, (
        "a clock that was turned back pauses requests for days"
    )


@pytest.mark.parametrize("form", ["in", "at"])
def test_later_runs_leave_ximilar_alone_that_asked_for_an_hour(
    index: XimilarIndex, run_configured: Callable[[], StageReport], form: str
) -> None:
    index.add("red")
    index.sandbox.control(next_faults={"ximilar.insert": [f"429-{form}-3600"]})
    with pytest.raises(StageStopped, match="asked for no requests for 60 minutes"):
        run_configured()
    requests = len(index.sandbox.log("ximilar"))
    assert "Ximilar asked for no requests for another" in run_configured().note
    assert len(index.sandbox.log("ximilar")) == requests
    execute(index.db, "DELETE FROM host_holds")
    execute(index.db, "DELETE FROM host_pace")
    execute(index.db, "UPDATE due_work SET due_at = unde_now() WHERE due_at IS NOT NULL")
    assert run_configured().done == 1 and index.billed() == 1


def test_force_checks_everything_and_buys_nothing_again(index: XimilarIndex) -> None:
    index.add("red", "green")
    index.run()
    assert index.run(force=True).done == 1
    assert index.billed() == 2
