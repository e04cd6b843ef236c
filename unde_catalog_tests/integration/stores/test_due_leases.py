"""Leases: which products are taken, and whose outcome counts."""

import re
from datetime import timedelta
from typing import Any

from unde_catalog.stores.db.database import Cursor, Database
from unde_catalog.stores.staging.due_work import ticks, work_queue
from unde_catalog.stores.staging.due_work.work_queue import LeaseOutcome
from unde_catalog.stores.staging.photos import originals
from unde_catalog_tests.support.due import (
    BRAND,
    LEASE,
    STAGE,
    add_products,
    due_row,
    execute,
    expire_leases,
    finish,
    is_due,
    take,
)


def test_the_oldest_are_taken_first_and_in_order(each_db: Database) -> None:
    products = add_products(each_db, 6)
    for age, product in enumerate(products[3:] + products[:3]):
        execute(each_db, "UPDATE due_work SET due_at = now() - %s * interval '1 hour' WHERE product_id = %s",
                age + 1, product)  # fmt: skip
    oldest_first = list(reversed(products[3:] + products[:3]))
    assert [lease.product_id for lease in take(each_db, 4)] == oldest_first[:4]
    assert [lease.product_id for lease in take(each_db, 4)] == oldest_first[4:]


def test_only_what_is_due_in_the_stage_and_brand_is_taken(each_db: Database) -> None:
    due, later, other = [add_products(each_db, 1, brand)[0] for brand in (BRAND, "oysho", "bershka")]
    execute(each_db, "UPDATE due_work SET due_at = now() + interval '1 hour', brand = 'zara' WHERE product_id = %s",
            later)  # fmt: skip
    assert [lease.product_id for lease in take(each_db)] == [due]
    assert each_db.run(work_queue.take, "collages", BRAND, 10, LEASE) == []
    assert is_due(each_db, other)


def test_only_the_given_ids_are_taken_and_excluded_ids_are_not(db: Database) -> None:
    one, two, three, four = add_products(db, 4)
    assert [lease.product_id for lease in take(db, product_ids=[one, two], exclude=[two, three])] == [one]
    assert [lease.product_id for lease in take(db, exclude=[two, three])] == [four]
    assert take(db, product_ids=[]) == []


def test_products_being_taken_by_another_transaction_are_skipped(each_db: Database) -> None:
    add_products(each_db, 10)
    with each_db.transaction() as first, each_db.transaction() as second:
        second.execute("SET LOCAL lock_timeout = '1s'")
        in_first = {lease.product_id for lease in work_queue.take(first, STAGE, BRAND, 6, LEASE)}
        in_second = {lease.product_id for lease in work_queue.take(second, STAGE, BRAND, 6, LEASE)}
    assert (len(in_first), len(in_second), in_first & in_second) == (6, 4, set())


def test_a_leased_product_is_taken_again_only_after_its_lease_expired(each_db: Database) -> None:
    add_products(each_db, 1)
    (first,) = take(each_db)
    assert take(each_db) == []
    expire_leases(each_db)
    (second,) = take(each_db)
    assert second.token != first.token


def test_an_outcome_with_an_old_token_changes_nothing(each_db: Database) -> None:
    (product,) = add_products(each_db, 1)
    first = take(each_db)
    expire_leases(each_db)
    second = take(each_db)
    before = due_row(each_db, product)
    for kind in ("done", "later", "given_up", "released"):
        assert finish(each_db, first, kind) == {}
    assert due_row(each_db, product) == before
    assert finish(each_db, second) == {product: True}
    assert finish(each_db, second) == {}


def test_a_late_outcome_counts_unless_another_worker_took_the_product(db: Database) -> None:
    (product,) = add_products(db, 1)
    leases = take(db)
    expire_leases(db)
    assert finish(db, leases) == {product: True}
    assert not is_due(db, product)


def test_a_lease_in_the_process_never_outlasts_that_in_the_database(db: Database) -> None:
    add_products(db, 1)
    with db.transaction() as cursor:
        cursor.execute("SELECT pg_sleep(0.3)")  # a process that was suspended after BEGIN
        (lease,) = work_queue.take(cursor, STAGE, BRAND, 1, timedelta(seconds=5))
        cursor.execute("SELECT extract(epoch FROM leased_until - clock_timestamp())::float8 AS left FROM due_work")
        left_here = lease.seconds_left()
        row = cursor.fetchone()
    assert row is not None
    assert left_here <= row["left"] + 0.05  # time between the two measurements
    assert left_here > 4.5


def test_count_open_distinguishes_due_from_leased_products(each_db: Database) -> None:
    products = add_products(each_db, 5)
    leases = take(each_db, 3)
    finish(each_db, leases[:1])
    assert each_db.run(work_queue.count_open, STAGE, BRAND) == work_queue.OpenWork(due=2, leased=2)
    assert each_db.run(work_queue.count_open, STAGE, BRAND, products[:2]).leased == 1
    expire_leases(each_db)
    assert each_db.run(work_queue.count_open, STAGE, BRAND) == work_queue.OpenWork(due=4, leased=0)


class _Explaining:
    """A cursor that executes statements and keeps the plan of each."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self.plans: list[str] = []

    def execute(self, query: str, values: Any = None) -> Any:
        if query.lstrip().startswith("SET"):
            return self._cursor.execute(query.encode(), values)
        self._cursor.execute(f"EXPLAIN {query}".encode(), values)
        self.plans.append("\n".join(row["QUERY PLAN"] for row in self._cursor.fetchall()))
        return self._cursor.execute(query.encode(), values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


def _work_on_products(explaining: Any) -> None:
    leases = work_queue.take(explaining, STAGE, BRAND, 200, LEASE)
    assert len(leases) == 200
    ids = [lease.product_id for lease in leases]
    others = work_queue.take(explaining, STAGE, BRAND, 5, LEASE, product_ids=[id + 1000 for id in ids])
    assert len(others) == 5
    work_queue.take(explaining, STAGE, BRAND, 5, LEASE, exclude=ids)
    originals.load(explaining, ids)
    work_queue.finish(explaining, STAGE, [LeaseOutcome(lease, "done") for lease in leases[:50]])
    work_queue.finish(explaining, STAGE, [LeaseOutcome(lease, "later", "why") for lease in leases[50:]])
    work_queue.finish(explaining, STAGE, [LeaseOutcome(lease, "released") for lease in others[:1]])
    assert ticks.brands_with_due_work(explaining, STAGE, ["oysho", BRAND]) == [BRAND]
    work_queue.count_open(explaining, STAGE, "oysho")


def test_work_on_products_uses_only_indexes_at_20_000_products(each_db: Database) -> None:
    add_products(each_db, 20_000)
    execute(each_db, "UPDATE due_work SET due_at = now() + interval '1 day' WHERE product_id % 4 = 0")
    execute(
        each_db,
        "INSERT INTO product_photos (product_id, n, source_url, state, reason, fetched_at)"
        " SELECT id, 1, 'u', 'failed', 'busy', now() FROM raw_products",
    )
    for statement in ("SELECT 1", "ANALYZE raw_products, due_work, product_photos"):
        execute(each_db, statement)
        for role in ("none", "downloader"):  # the owner, and a role with row-level security
            with each_db.transaction() as cursor:
                cursor.execute(f"SET LOCAL ROLE {role}".encode())
                explaining = _Explaining(cursor)
                _work_on_products(explaining)
            assert len(explaining.plans) == 14
            scanned = [plan for plan in explaining.plans if "Seq Scan on" in plan]
            assert not scanned, scanned[0]
            # The index has a condition on time, so that rows that are due later are not read.
            assert re.search("idx_due_work_due on due_work.*\n +Index Cond: .*due_at <=", explaining.plans[0])
