"""The worker loop, with a toy stage."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from unde_catalog.stores.db.database import Database
from unde_catalog.worker import loop
from unde_catalog.worker.handler import Outcome, StageStopped, done, given_up, released, retry_later
from unde_catalog_tests.support.due import (
    NOTHING_OPEN,
    Toy,
    ToyStage,
    add_products,
    execute,
    number,
    open_work,
    poll,
    run,
)

pytestmark = pytest.mark.usefixtures("no_lease_is_left")


def test_due_work_is_done_and_reported(db: Database) -> None:
    add_products(db, 25)

    async def handle(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        for one in work:
            if number(one) == 1:
                yield retry_later(one.lease, "http_503", "busy", item_fault=False)
            elif number(one) == 2:
                yield given_up(one.lease, "no_photos", "none")
            elif number(one) == 3:
                yield released(one.lease)
            else:
                yield done(one.lease, photos_stored=2)

    report = run(db, ToyStage(handle, batch=4))
    assert report.done == 22
    assert (dict(report.later), dict(report.given_up)) == ({"http_503": 1}, {"no_photos": 1})
    assert (report.released, report.superseded, report.still_due, report.leased_elsewhere) == (1, 0, 1, 0)
    assert report.counts["photos_stored"] == 44
    assert report.examples == {"http_503": ["1"], "no_photos": ["2"]}
    assert report.sentence().startswith(
        "originals zara: 22 done, 2 failed (1 http_503, 1 no_photos), 1 released, 1 still due, "
    )


def test_of_two_leases_on_one_product_only_the_later_one_counts(db: Database) -> None:
    """As after a crash of the server that lost a lease not yet written to disk."""
    add_products(db, 1)
    leases = []

    async def handle(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        leases.append(work[0].lease)
        if len(leases) == 1:
            execute(db, "UPDATE due_work SET lease_token = NULL, leased_until = NULL")
            yield released(work[0].lease)
        else:
            yield done(work[0].lease)

    handler = ToyStage(handle)
    report = run(db, handler)
    assert (len(leases), report.done, report.released, report.superseded) == (2, 1, 0, 1)
    assert handler.recorded == [[("1", "done", True)]]
    assert open_work(db) == NOTHING_OPEN


def test_nothing_due_is_a_success(db: Database) -> None:
    report = run(db, ToyStage())
    assert (report.handled, report.still_due) == (0, 0)


def test_outcomes_commit_in_groups_of_at_most_fifty(db: Database) -> None:
    add_products(db, 180)
    handler = ToyStage(concurrency=1, batch=180)
    assert run(db, handler).done == 180
    assert [len(group) for group in handler.recorded] == [50, 50, 50, 30]
    assert open_work(db) == NOTHING_OPEN


def test_outcomes_of_single_products_are_committed_together(db: Database) -> None:
    add_products(db, 100)
    handler = ToyStage(concurrency=2)
    assert run(db, handler).done == 100
    assert len(handler.recorded) <= 25  # instead of one per product


def test_an_outcome_is_committed_after_at_most_half_a_second(db: Database, database_url: str) -> None:
    add_products(db, 2)
    committed = threading.Event()

    async def handle(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        yield done(work[0].lease)
        await asyncio.to_thread(committed.wait, 20)  # in the same call
        yield done(work[1].lease)

    with ThreadPoolExecutor(1) as other:
        running = other.submit(run, db, ToyStage(handle, batch=2))
        try:
            poll(database_url, "SELECT count(*) = 1 FROM due_work WHERE done_at IS NOT NULL")
        finally:
            committed.set()
        assert running.result(20).done == 2


def test_no_more_products_are_leased_than_free_slots(db: Database) -> None:
    add_products(db, 30)
    at_once, most = 0, 0

    async def handle(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        nonlocal at_once, most
        leased = await asyncio.to_thread(execute, db, "SELECT count(*) AS n FROM due_work WHERE lease_token <> ''")
        at_once += len(work)
        most = max(most, at_once)
        await asyncio.sleep(0)
        at_once -= len(work)
        # 6 in handlers, and outcomes that are not committed yet
        assert leased[0]["n"] <= 6 + 30
        for one in work:
            yield done(one.lease)

    assert run(db, ToyStage(handle, concurrency=3, batch=2)).done == 30
    assert most <= 6


def test_a_change_during_the_lease_is_processed_by_the_same_run(db: Database) -> None:
    add_products(db, 1)
    seen = []

    async def handle(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        seen.append(work[0].lease.token)
        if len(seen) == 1:
            execute(db, """UPDATE raw_products SET original_image_urls = '["https://cdn.test/2.jpg"]'""")
        yield done(work[0].lease)

    handler = ToyStage(handle)
    report = run(db, handler)
    assert (len(seen), report.still_due) == (2, 0)
    assert handler.recorded == [[("1", "done", False)], [("1", "done", True)]]


def test_only_faults_of_the_item_are_given_up(db: Database) -> None:
    add_products(db, 2)

    async def handle(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        yield retry_later(work[0].lease, "why", item_fault=number(work[0]) == 1)

    for given_up_now, later in [({}, {"why": 2}), ({}, {"why": 2}), ({"why": 1}, {"why": 1}), ({}, {"why": 1})]:
        report = run(db, ToyStage(handle, tries=3))
        assert (dict(report.given_up), dict(report.later)) == (given_up_now, later)
        execute(db, "UPDATE due_work SET due_at = now() WHERE due_at > now()")


def test_a_released_product_is_not_leased_again_by_the_same_run(db: Database) -> None:
    add_products(db, 12)

    async def handle(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        yield released(work[0].lease)

    report = run(db, ToyStage(handle, concurrency=1))
    assert (report.released, report.still_due) == (12, 12)


def test_a_run_that_releases_a_hundred_products_stops(db: Database) -> None:
    add_products(db, 120)

    async def handle(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        for one in work:
            yield released(one.lease)

    with pytest.raises(StageStopped, match="1[0-9][0-9] products had to be released"):
        run(db, ToyStage(handle, batch=10))


def test_a_product_whose_lease_was_lost_counts_as_superseded(db: Database) -> None:
    add_products(db, 3)

    async def handle(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        if number(work[0]) == 2:
            execute(db, "UPDATE due_work SET lease_token = NULL, leased_until = NULL, due_at = NULL"
                    " WHERE product_id = %s", work[0].lease.product_id)  # fmt: skip
        yield done(work[0].lease)

    handler = ToyStage(handle)
    report = run(db, handler)
    assert (report.done, report.superseded) == (2, 1)
    assert sorted(one[0] for group in handler.recorded for one in group) == ["1", "3"]
    assert "1 finished by another worker" in report.sentence()


def test_a_product_that_is_deleted_during_the_lease_is_superseded(db: Database) -> None:
    add_products(db, 2)

    async def handle(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        execute(db, "DELETE FROM raw_products WHERE id = %s", work[0].lease.product_id)
        yield done(work[0].lease)

    assert run(db, ToyStage(handle, concurrency=1)).superseded == 2


def test_a_limit_restricts_the_number_of_products(db: Database) -> None:
    add_products(db, 30)
    report = run(db, ToyStage(), limit=7)
    assert (report.done, report.still_due) == (7, 23)


def test_after_max_minutes_only_started_products_are_finished(db: Database, monkeypatch: Any) -> None:
    add_products(db, 30)
    assert run(db, ToyStage(), max_minutes=0).still_due == 30
    now = 0.0
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: now))

    async def handle(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        nonlocal now
        now += 20
        yield done(work[0].lease)

    report = run(db, ToyStage(handle, concurrency=1), max_minutes=1)
    assert (report.done, report.still_due) == (3, 27)


def test_only_the_selected_products_are_processed(db: Database) -> None:
    add_products(db, 10)
    handler = ToyStage()
    report = run(db, handler, product_ids=("3", "5"))
    assert sorted(one[0] for group in handler.recorded for one in group) == ["3", "5"]
    assert (report.done, report.still_due) == (2, 0)


def test_an_unknown_product_id_is_named(db: Database) -> None:
    add_products(db, 1)
    with pytest.raises(ValueError, match="zara has no product 77, x: product_ids takes external ids"):
        run(db, ToyStage(), product_ids=("77", "1", "x"))


def test_force_repeats_everything_and_a_retry_continues(db: Database) -> None:
    add_products(db, 10)
    run(db, ToyStage())
    assert run(db, ToyStage(), force=True, root_run="r", limit=4).done == 4
    assert run(db, ToyStage(), force=True, root_run="r").done == 6
    assert run(db, ToyStage(), force=True, root_run="r").done == 0
    assert [run(db, ToyStage(), force=True).done for _ in range(2)] == [10, 10]


def test_retry_failed_repeats_failed_products(db: Database) -> None:
    add_products(db, 4)

    async def handle(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        yield given_up(work[0].lease, "no") if number(work[0]) > 2 else done(work[0].lease)

    run(db, ToyStage(handle))
    assert run(db, ToyStage()).done == 0
    assert run(db, ToyStage(), retry_failed=True).done == 2


def test_a_run_logs_its_progress(db: Database, caplog: pytest.LogCaptureFixture, monkeypatch: Any) -> None:
    monkeypatch.setattr(loop, "_PROGRESS_SECONDS", 0.0)
    add_products(db, 5)
    with caplog.at_level(logging.INFO, "test"):
        run(db, ToyStage(concurrency=1))
    lines = [record.message for record in caplog.records if record.message.startswith("originals zara: ")]
    assert len(lines) >= 5
    assert all("a second" in line and "left" in line for line in lines)
