"""Spreading recurring work: which products get a slot, and that no slot is crowded."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from unde_catalog.stores.db.database import Cursor, Database
from unde_catalog.stores.staging.due_work import requeue, slots, spreading, work_queue
from unde_catalog.stores.staging.due_work.spreading import Spread
from unde_catalog.stores.staging.due_work.work_queue import LeaseOutcome, Settlement
from unde_catalog_tests.support.due import BRAND, LEASE, add_products, due_row, execute

STAGE = "availability"  # no trigger makes it due, only spreading
HOUR = timedelta(hours=1)


def spread(db: Database) -> Spread:
    return spreading.spread(db, STAGE, BRAND, HOUR)


def loads(db: Database) -> list[int]:
    return db.run(slots.loads, STAGE, BRAND, HOUR)


def take(db: Database, limit: int = 10_000) -> list[work_queue.Lease]:
    return db.run(work_queue.take, STAGE, BRAND, limit, LEASE)


def settle(db: Database, leases: list[work_queue.Lease], kind: Settlement = "done") -> None:
    db.run(
        work_queue.finish,
        STAGE,
        [LeaseOutcome(lease, kind, None if kind == "done" else "why") for lease in leases],
        HOUR,
    )


def make_due(db: Database, condition: str = "true") -> None:
    execute(db, f"UPDATE due_work SET due_at = unde_now() WHERE stage = '{STAGE}' AND {condition}")


def test_new_products_get_even_slots_and_a_second_run_changes_nothing(each_db: Database) -> None:
    add_products(each_db, 120)
    assert spread(each_db) == Spread(never_checked=120)
    assert loads(each_db) == [2] * 60
    rows = execute(each_db, "SELECT * FROM due_work WHERE stage = %s", STAGE)
    assert spread(each_db) == Spread()
    assert execute(each_db, "SELECT * FROM due_work WHERE stage = %s", STAGE) == rows


def test_products_added_one_by_one_fill_the_emptiest_slots(db: Database) -> None:
    for n in range(60):
        add_products(db, 1, first=n + 1)
        assert spread(db) == Spread(never_checked=1)
    assert max(loads(db)) <= 2  # the slots begin at a different time in each run


def test_many_pages_and_chunks_are_as_even_as_one(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreading, "PAGE", 70)
    monkeypatch.setattr(spreading, "_CHUNK", 20)
    add_products(db, 300)
    add_products(db, 50, "oysho")
    assert spread(db) == Spread(never_checked=300)
    assert loads(db) == [5] * 60
    assert spreading.spread(db, STAGE, "oysho", HOUR) == Spread(never_checked=50)


def test_the_run_after_a_killed_one_fills_the_gaps(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    add_products(db, 600)
    place_chunk: Any = spreading._place_chunk
    monkeypatch.setattr(spreading, "_CHUNK", 250)

    class Killed(BaseException):
        pass

    def kill_second_chunk(cursor: Cursor, values: dict[str, Any]) -> int:
        if values["ids"][0] > 250:
            raise Killed
        return place_chunk(cursor, values)

    with monkeypatch.context() as patch:
        patch.setattr(spreading, "_place_chunk", kill_second_chunk)
        with pytest.raises(Killed):
            spread(db)
    assert spread(db) == Spread(never_checked=350)
    assert sum(loads(db)) == 600
    assert max(loads(db)) - min(loads(db)) <= 3


def test_inactive_leased_and_given_up_products_are_left_alone(db: Database) -> None:
    products = add_products(db, 3)
    add_products(db, 1, active=False, first=4)
    spread(db)
    make_due(db)
    first, second, _ = take(db)
    settle(db, [first], "given_up")
    settle(db, [second], "later")
    before = [due_row(db, product, STAGE) for product in products]
    assert spread(db) == Spread()
    assert [due_row(db, product, STAGE) for product in products] == before


def test_a_product_that_is_on_sale_again_gets_a_slot(each_db: Database) -> None:
    products = add_products(each_db, 2)
    spread(each_db)
    make_due(each_db)
    settle(each_db, take(each_db))
    for active in (False, True):
        execute(each_db, "UPDATE raw_products SET active = %s WHERE id = %s", active, products[0])
    assert spread(each_db) == Spread(returned=1)
    row = due_row(each_db, products[0], STAGE)
    assert row is not None and row["due_at"] is not None and not row["due"]


def test_a_product_that_was_given_up_gets_a_slot_after_it_changed(each_db: Database) -> None:
    products = add_products(each_db, 2)
    spread(each_db)
    make_due(each_db)
    settle(each_db, take(each_db), "given_up")
    execute(each_db, "UPDATE raw_products SET name = 'new', updated_at = now() + interval '1 second' WHERE id = %s",
            products[0])  # fmt: skip
    assert spread(each_db) == Spread(changed=1)
    changed, other = [due_row(each_db, product, STAGE) for product in products]
    assert changed is not None and other is not None
    assert (changed["given_up"], changed["attempts"], changed["reason"]) == (False, 0, None)
    assert (changed["due_at"] is None, other["due_at"] is None) == (False, True)


def test_a_backlog_is_respread_with_the_longest_overdue_first(each_db: Database) -> None:
    add_products(each_db, 600)
    spread(each_db)
    execute(each_db, "UPDATE due_work SET due_at = due_at - interval '40 minutes' WHERE stage = %s", STAGE)
    order = execute(each_db, "SELECT product_id FROM due_work WHERE stage = %s ORDER BY due_at", STAGE)
    (leased,) = take(each_db, 1)
    assert spread(each_db) == Spread(overdue=599)
    assert max(loads(each_db)) <= 11 and min(loads(each_db)) >= 9
    after = execute(
        each_db,
        "SELECT product_id FROM due_work WHERE stage = %s AND lease_token IS NULL ORDER BY due_at",
        STAGE,
    )
    assert after == [row for row in order if row["product_id"] != leased.product_id]
    assert spread(each_db) == Spread()


def test_a_small_backlog_and_forced_products_stay_due(db: Database) -> None:
    products = add_products(db, 600)
    spread(db)
    make_due(db, f"product_id < {products[90]}")
    assert spread(db) == Spread()
    assert db.run(requeue.force, STAGE, BRAND, "run") == 600
    assert spread(db) == Spread()
    assert len(take(db)) == 600


def test_products_that_were_forced_together_are_spread_afterwards(db: Database) -> None:
    add_products(db, 600)
    spread(db)
    db.run(requeue.force, STAGE, BRAND, "run")
    settle(db, take(db))
    assert max(loads(db)) >= 300
    assert spread(db).crowded >= 500
    assert max(loads(db)) <= 12
    assert spread(db) == Spread()


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(len(calls)) as threads:
        return [future.result(60) for future in [threads.submit(call) for call in calls]]


@pytest.mark.slow
def test_concurrent_runs_place_every_product_once_without_deadlocks(
    each_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "_CHUNK", 50)
    add_products(each_db, 600)

    def change() -> None:
        # In the order of ids, as every writer of many products locks them: `settle` waits for each in turn.
        ordered = "WITH p AS (SELECT id FROM raw_products ORDER BY id FOR NO KEY UPDATE) UPDATE raw_products AS r"
        for n in range(40):
            execute(each_db, f"{ordered} SET active = (r.id + %s) %% 7 <> 0 FROM p WHERE r.id = p.id", n)
        execute(each_db, f"{ordered} SET active = true FROM p WHERE r.id = p.id")

    results = at_once(*[lambda: spread(each_db)] * 3, change)
    assert sum(result.never_checked for result in results[:3]) <= 600
    spread(each_db)
    execute(each_db, "UPDATE due_work SET due_at = due_at - interval '40 minutes' WHERE stage = %s", STAGE)
    at_once(*[lambda: spread(each_db)] * 3, lambda: settle(each_db, take(each_db, 100)), change)
    spread(each_db)
    assert execute(each_db, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [
        {"deadlocks": 0}
    ]
    page = each_db.run(spreading.without_slot, STAGE, BRAND, 0)
    assert (page["never_checked"], page["returned"]) == ([], [])


def test_a_retry_of_recurring_work_keeps_its_slot(each_db: Database) -> None:
    (product,) = add_products(each_db, 1)
    spread(each_db)
    for attempts in (1, 2):
        execute(each_db, "UPDATE due_work SET due_at = unde_now() - interval '1 minute' WHERE stage = %s", STAGE)
        before = due_row(each_db, product, STAGE)
        settle(each_db, take(each_db), "later")
        after = due_row(each_db, product, STAGE)
        assert before is not None and after is not None
        assert after["due_at"] - before["due_at"] == HOUR
        assert (after["attempts"], after["reason"], after["failing_since"] is None) == (attempts, "why", False)
    assert each_db.run(work_queue.repair_times, STAGE, BRAND, LEASE, HOUR) == 0
