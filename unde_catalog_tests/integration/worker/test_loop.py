"""The one loop under all stages, with a stage whose handling is a function."""

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


def test_what_is_due_is_worked_off_and_reported(db: Database) -> None:
    add_products(db, 25)

    async def react(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        for one in work:
            if number(one) == 1:
                yield retry_later(one.lease, "http_503", "busy", item_fault=False)
            elif number(one) == 2:
                yield given_up(one.lease, "no_photos", "none")
            elif number(one) == 3:
                yield released(one.lease)
            else:
                yield done(one.lease, photos_stored=2)

    report = run(db, ToyStage(react, batch=4))
    assert report.done == 22
    assert (dict(report.later), dict(report.given_up)) == ({"http_503": 1}, {"no_photos": 1})
    assert (report.released, report.superseded, report.still_due, report.leased_elsewhere) == (1, 0, 1, 0)
    assert report.counts["photos_stored"] == 44
    assert report.examples == {"http_503": ["1"], "no_photos": ["2"]}
    assert report.sentence().startswith(
        "originals zara: 22 done, 2 failed (1 http_503, 1 no_photos), 1 released, 1 still due, "
    )


def test_of_two_leases_on_one_product_only_the_later_one_counts(db: Database) -> None:
    """As when a crash of the server takes a lease back that it had not written to disk."""
    add_products(db, 1)
    leases = []

    async def react(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        leases.append(work[0].lease)
        if len(leases) == 1:
            execute(db, "UPDATE due_work SET lease_token = NULL, leased_until = NULL")
            yield released(work[0].lease)
        else:
            yield done(work[0].lease)

    handler = ToyStage(react)
    report = run(db, handler)
    assert (len(leases), report.done, report.released, report.superseded) == (2, 1, 0, 1)
    assert handler.recorded == [[("1", "done", True)]]
    assert open_work(db) == NOTHING_OPEN


def test_nothing_due_is_a_success(db: Database) -> None:
    report = run(db, ToyStage())
    assert (report.handled, report.still_due) == (0, 0)


def test_outcomes_commit_in_groups_of_at_most_fifty(db: Database) -> None:
    add_products(db, 180)
    handler = ToyStage(hands=1, batch=180)
    assert run(db, handler).done == 180
    assert [len(group) for group in handler.recorded] == [50, 50, 50, 30]
    assert open_work(db) == NOTHING_OPEN


def test_outcomes_of_single_products_wait_for_each_other(db: Database) -> None:
    add_products(db, 100)
    handler = ToyStage(hands=2)
    assert run(db, handler).done == 100
    assert len(handler.recorded) <= 25  # and not one for each


def test_an_outcome_waits_for_the_others_no_longer_than_half_a_second(db: Database, database_url: str) -> None:
    add_products(db, 2)
    committed = threading.Event()

    async def react(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        yield done(work[0].lease)
        await asyncio.to_thread(committed.wait, 20)  # in the same call
        yield done(work[1].lease)

    with ThreadPoolExecutor(1) as other:
        running = other.submit(run, db, ToyStage(react, batch=2))
        try:
            poll(database_url, "SELECT count(*) = 1 FROM due_work WHERE done_at IS NOT NULL")
        finally:
            committed.set()
        assert running.result(20).done == 2


def test_no_more_is_taken_than_free_hands_can_start(db: Database) -> None:
    add_products(db, 30)
    at_once, most = 0, 0

    async def react(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        nonlocal at_once, most
        leased = await asyncio.to_thread(execute, db, "SELECT count(*) AS n FROM due_work WHERE lease_token <> ''")
        at_once += len(work)
        most = max(most, at_once)
        await asyncio.sleep(0)
        at_once -= len(work)
        # 6 in hands, and what is settled and not written yet
        assert leased[0]["n"] <= 6 + 30
        for one in work:
            yield done(one.lease)

    assert run(db, ToyStage(react, hands=3, batch=2)).done == 30
    assert most <= 6


def test_a_change_that_comes_while_a_product_is_in_hand_is_worked_off_by_the_same_run(db: Database) -> None:
    add_products(db, 1)
    seen = []

    async def react(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        seen.append(work[0].lease.token)
        if len(seen) == 1:
            execute(db, """UPDATE raw_products SET original_image_urls = '["https://cdn.test/2.jpg"]'""")
        yield done(work[0].lease)

    handler = ToyStage(react)
    report = run(db, handler)
    assert (len(seen), report.still_due) == (2, 0)
    assert handler.recorded == [[("1", "done", False)], [("1", "done", True)]]


def test_the_items_own_fault_is_given_up_after_so_many_tries_and_the_far_sides_never(db: Database) -> None:
    add_products(db, 2)

    async def react(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        yield retry_later(work[0].lease, "why", item_fault=number(work[0]) == 1)

    for given_up_now, later in [({}, {"why": 2}), ({}, {"why": 2}), ({"why": 1}, {"why": 1}), ({}, {"why": 1})]:
        report = run(db, ToyStage(react, tries=3))
        assert (dict(report.given_up), dict(report.later)) == (given_up_now, later)
        execute(db, "UPDATE due_work SET due_at = now() WHERE due_at > now()")


def test_what_a_handler_hands_back_is_not_taken_again_by_the_same_run(db: Database) -> None:
    add_products(db, 12)

    async def react(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        yield released(work[0].lease)

    report = run(db, ToyStage(react, hands=1))
    assert (report.released, report.still_due) == (12, 12)


def test_a_run_that_hands_back_a_hundred_products_stops(db: Database) -> None:
    add_products(db, 120)

    async def react(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        for one in work:
            yield released(one.lease)

    with pytest.raises(StageStopped, match="1[0-9][0-9] products had to be released"):
        run(db, ToyStage(react, batch=10))


def test_a_product_whose_lease_was_lost_counts_as_superseded(db: Database) -> None:
    add_products(db, 3)

    async def react(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        if number(work[0]) == 2:
            execute(db, "UPDATE due_work SET lease_token = NULL, leased_until = NULL, due_at = NULL"
                    " WHERE product_id = %s", work[0].lease.product_id)  # fmt: skip
        yield done(work[0].lease)

    handler = ToyStage(react)
    report = run(db, handler)
    assert (report.done, report.superseded) == (2, 1)
    assert sorted(one[0] for group in handler.recorded for one in group) == ["1", "3"]
    assert "1 finished by another worker" in report.sentence()


def test_a_product_that_is_deleted_while_in_hand_is_superseded(db: Database) -> None:
    add_products(db, 2)

    async def react(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        execute(db, "DELETE FROM raw_products WHERE id = %s", work[0].lease.product_id)
        yield done(work[0].lease)

    assert run(db, ToyStage(react, hands=1)).superseded == 2


def test_a_limit_takes_so_many(db: Database) -> None:
    add_products(db, 30)
    report = run(db, ToyStage(), limit=7)
    assert (report.done, report.still_due) == (7, 23)


def test_after_max_minutes_nothing_is_begun_and_what_is_begun_ends(db: Database, monkeypatch: Any) -> None:
    add_products(db, 30)
    assert run(db, ToyStage(), max_minutes=0).still_due == 30
    now = 0.0
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: now))

    async def react(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        nonlocal now
        now += 20
        yield done(work[0].lease)

    report = run(db, ToyStage(react, hands=1), max_minutes=1)
    assert (report.done, report.still_due) == (3, 27)


def test_only_the_products_asked_for_are_worked_on(db: Database) -> None:
    add_products(db, 10)
    handler = ToyStage()
    report = run(db, handler, product_ids=("3", "5"))
    assert sorted(one[0] for group in handler.recorded for one in group) == ["3", "5"]
    assert (report.done, report.still_due) == (2, 0)


def test_a_product_id_that_nobody_knows_is_named(db: Database) -> None:
    add_products(db, 1)
    with pytest.raises(ValueError, match="zara has no product 77, x: product_ids takes external ids"):
        run(db, ToyStage(), product_ids=("77", "1", "x"))


def test_force_does_everything_again_and_a_retry_of_the_run_goes_on(db: Database) -> None:
    add_products(db, 10)
    run(db, ToyStage())
    assert run(db, ToyStage(), force=True, root_run="r", limit=4).done == 4
    assert run(db, ToyStage(), force=True, root_run="r").done == 6
    assert run(db, ToyStage(), force=True, root_run="r").done == 0
    assert [run(db, ToyStage(), force=True).done for _ in range(2)] == [10, 10]


def test_retry_failed_tries_again_what_failed(db: Database) -> None:
    add_products(db, 4)

    async def react(work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        yield given_up(work[0].lease, "no") if number(work[0]) > 2 else done(work[0].lease)

    run(db, ToyStage(react))
    assert run(db, ToyStage()).done == 0
    assert run(db, ToyStage(), retry_failed=True).done == 2


def test_a_run_says_how_far_it_is(db: Database, caplog: pytest.LogCaptureFixture, monkeypatch: Any) -> None:
    monkeypatch.setattr(loop, "_PROGRESS_SECONDS", 0.0)
    add_products(db, 5)
    with caplog.at_level(logging.INFO, "test"):
        run(db, ToyStage(hands=1))
    lines = [record.message for record in caplog.records if record.message.startswith("originals zara: ")]
    assert len(lines) >= 5
    assert all("a second" in line and "left" in line for line in lines)
