"""Products made due on request: force, retry failed, requeue."""

from datetime import timedelta

import pytest

from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import requeue, work_queue
from unde_catalog.stores.staging.due_work.work_queue import Lease, LeaseOutcome
from unde_catalog_tests.support.due import BRAND, STAGE, add_products, due_row, execute, is_due

LEASE = timedelta(minutes=10)


def take(db: Database, brand: str = BRAND) -> list[Lease]:
    return db.run(work_queue.take, STAGE, brand, 100, LEASE)


def finish_in_three_ways(db: Database, brand: str = BRAND) -> list[int]:
    """Three products: done, to be retried (busy), given up (broken); their ids."""
    products = add_products(db, 3, brand)
    by_id = {lease.product_id: lease for lease in take(db, brand)}
    done, later, given_up = [by_id[product] for product in products]
    outcomes = [
        LeaseOutcome(done, "done"),
        LeaseOutcome(later, "later", "busy"),
        LeaseOutcome(given_up, "given_up", "broken"),
    ]
    db.run(work_queue.finish, STAGE, outcomes)
    execute(db, "UPDATE raw_products SET image_status = 'error', error_message = 'x' WHERE id = %s", products[2])
    execute(db, "UPDATE raw_products SET image_status = 'uploaded' WHERE id = %s", products[0])
    return products


def due(db: Database, products: list[int]) -> list[bool]:
    return [is_due(db, product) for product in products]


def test_force_makes_everything_due_without_failures_once_per_root_run(each_db: Database) -> None:
    products = finish_in_three_ways(each_db)
    assert each_db.run(requeue.force, STAGE, BRAND, "run-1") == 3
    assert due(each_db, products) == [True, True, True]
    rows = execute(each_db, "SELECT * FROM due_work WHERE stage = %s", STAGE)
    assert {(row["attempts"], row["given_up"], row["reason"], row["forced_at"] is None) for row in rows} == {
        (0, False, None, False)
    }
    leases = take(each_db)
    assert all(lease.forced_at is not None for lease in leases)
    each_db.run(work_queue.finish, STAGE, [LeaseOutcome(lease, "done") for lease in leases])
    assert each_db.run(requeue.force, STAGE, BRAND, "run-1") == 0
    assert due(each_db, products) == [False, False, False]
    assert each_db.run(requeue.force, STAGE, BRAND, "run-2") == 3


def test_force_reaches_products_that_were_inserted_with_a_status(db: Database) -> None:
    (product,) = add_products(db, 1, image_status="collage_ready")
    assert db.run(requeue.force, STAGE, BRAND, "run") == 1
    assert is_due(db, product)


def test_force_leaves_inactive_products_and_other_brands_alone(db: Database) -> None:
    (inactive,) = add_products(db, 1, active=False)
    (other,) = add_products(db, 1, brand="oysho")
    before = due_row(db, other)
    assert db.run(requeue.force, STAGE, BRAND, "run") == 0
    assert not is_due(db, inactive)
    assert due_row(db, other) == before


def test_force_of_some_products_leaves_the_others_alone(db: Database) -> None:
    products = finish_in_three_ways(db)
    assert db.run(requeue.force, STAGE, BRAND, "run", products[:1]) == 1
    assert due(db, products) == [True, False, False]


def test_force_keeps_a_lease_and_leaves_the_product_due_after_it(each_db: Database) -> None:
    (product,) = add_products(each_db, 1)
    leases = take(each_db)
    assert each_db.run(requeue.force, STAGE, BRAND, "run") == 1
    assert take(each_db) == []
    assert each_db.run(work_queue.finish, STAGE, [LeaseOutcome(leases[0], "done")]) == {product: False}
    assert len(take(each_db)) == 1


def test_retry_failed_makes_failed_products_due_once_per_root_run(each_db: Database) -> None:
    products = finish_in_three_ways(each_db)
    assert each_db.run(requeue.retry_failed, STAGE, BRAND, "run-1") == 2
    assert due(each_db, products) == [False, True, True]
    statuses = execute(each_db, "SELECT image_status, error_message FROM raw_products ORDER BY id")
    assert [row["image_status"] for row in statuses] == ["uploaded", "pending", "pending"]
    assert statuses[2]["error_message"] is None
    leases = take(each_db)
    each_db.run(work_queue.finish, STAGE, [LeaseOutcome(lease, "given_up", "again") for lease in leases])
    assert each_db.run(requeue.retry_failed, STAGE, BRAND, "run-1") == 0
    assert each_db.run(requeue.retry_failed, STAGE, BRAND, "run-2") == 2


@pytest.mark.parametrize(
    ("brand", "reason", "expected"),
    [
        (None, None, [False, True, True, False, True, True]),
        (BRAND, None, [False, True, True, False, False, False]),
        (None, "broken", [False, False, True, False, False, True]),
        ("oysho", "busy", [False, False, False, False, True, False]),
        (None, "unknown", [False] * 6),
    ],
)
def test_requeue_selects_by_brand_and_reason(
    db: Database, brand: str | None, reason: str | None, expected: list[bool]
) -> None:
    products = finish_in_three_ways(db) + finish_in_three_ways(db, "oysho")
    assert db.run(requeue.given_up, STAGE, brand, reason) == sum(expected)
    assert due(db, products) == expected


def test_requeue_can_be_repeated_and_leaves_inactive_products_alone(each_db: Database) -> None:
    products = finish_in_three_ways(each_db)
    execute(each_db, "UPDATE raw_products SET active = false WHERE id = %s", products[1])
    assert each_db.run(requeue.given_up, STAGE) == 1
    assert each_db.run(requeue.given_up, STAGE) == 0
    assert due(each_db, products) == [False, False, True]


def test_product_ids_are_found_by_brand_and_external_id(db: Database) -> None:
    one, two = add_products(db, 2)
    add_products(db, 1, brand="oysho")
    assert db.run(requeue.product_ids_of, BRAND, ["1", "2", "nobody"]) == {"1": one, "2": two}
