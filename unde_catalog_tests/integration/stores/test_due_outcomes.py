"""Outcomes of leases: the columns they set, and when the product is due again."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import work_queue
from unde_catalog.stores.staging.due_work.work_queue import LeaseOutcome, Settlement
from unde_catalog_tests.support.due import (
    BRAND,
    LEASE,
    STAGE,
    add_products,
    due_row,
    execute,
    finish,
    is_due,
    poll,
    set_now,
    take,
)


def test_a_change_during_a_lease_leaves_the_product_due_afterwards(each_db: Database) -> None:
    (product,) = add_products(each_db, 1)
    leases = take(each_db)
    execute(each_db, """UPDATE raw_products SET original_image_urls = '["https://cdn.test/2.jpg"]'""")
    assert take(each_db) == []
    assert finish(each_db, leases) == {product: False}
    assert is_due(each_db, product)
    leases = take(each_db)
    assert finish(each_db, leases) == {product: True}
    assert not is_due(each_db, product)


@pytest.mark.parametrize("kind", ["later", "given_up"])
def test_a_failure_does_not_count_against_a_change_during_the_lease(each_db: Database, kind: Settlement) -> None:
    (product,) = add_products(each_db, 1)
    leases = take(each_db)
    execute(each_db, """UPDATE raw_products SET original_image_urls = '["https://cdn.test/2.jpg"]'""")
    assert finish(each_db, leases, kind, item_fault=True) == {product: False}
    row = due_row(each_db, product)
    assert row is not None
    assert (row["due"], row["attempts"], row["item_faults"], row["given_up"], row["reason"], row["lease_token"]) == (
        True, 0, 0, False, None, None,
    )  # fmt: skip


@pytest.mark.parametrize("stage", ["originals", "collages"])
def test_a_change_that_commits_during_finish_is_not_lost(each_db: Database, stage: str) -> None:
    (product,) = add_products(each_db, 1)
    execute(each_db, "INSERT INTO product_photos (product_id, n, source_url, state, sha256, fetched_at)"
            " VALUES (%s, 1, 'u', 'stored', 'a', now())", product)  # fmt: skip
    if stage == "collages":
        execute(each_db, "UPDATE raw_products SET image_status = 'uploaded'")
    leases = each_db.run(work_queue.take, stage, BRAND, 1, LEASE)
    change = {
        "originals": """UPDATE raw_products SET original_image_urls = '["https://cdn.test/2.jpg"]'""",
        "collages": "UPDATE product_photos SET sha256 = 'b'",  # takes no lock on the product
    }
    with ThreadPoolExecutor(1) as other:
        with each_db.transaction() as cursor:
            cursor.execute(change[stage].encode())
            finished = other.submit(each_db.run, work_queue.finish, stage, [LeaseOutcome(leases[0], "done")])
            poll(
                each_db.url, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"
            )  # finish waits for the lock of this transaction
        assert finished.result(10) == {product: False}
    assert is_due(each_db, product, stage)


def test_the_four_outcomes_set_their_columns(each_db: Database) -> None:
    products = add_products(each_db, 5)
    leases = {lease.product_id: lease for lease in take(each_db)}
    done, remote, item, given_up, released = [leases[product] for product in products]
    each_db.run(
        work_queue.finish,
        STAGE,
        [
            LeaseOutcome(done, "done"),
            LeaseOutcome(remote, "later", "http_503", "busy"),
            LeaseOutcome(item, "later", "truncated", "short", item_fault=True),
            LeaseOutcome(given_up, "given_up", "no_photos", "none", item_fault=True),
            LeaseOutcome(released, "released", "ignored", "ignored"),
        ],
    )
    rows = [due_row(each_db, product) for product in products]
    columns = [
        (row["due_at"] is not None, row["due"], row["attempts"], row["item_faults"], row["given_up"], row["reason"],
         row["failing_since"] is not None, row["done_at"] is not None, row["lease_token"], row["leased_until"])
        for row in rows if row is not None
    ]  # fmt: skip
    assert columns == [
        (False, False, 0, 0, False, None, False, True, None, None),
        (True, False, 1, 0, False, "http_503", True, False, None, None),
        (True, False, 1, 1, False, "truncated", True, False, None, None),
        (False, False, 1, 1, True, "no_photos", True, False, None, None),
        (True, True, 0, 0, False, None, False, False, None, None),
    ]


def test_failures_add_up_and_success_resets_them(each_db: Database) -> None:
    (product,) = add_products(each_db, 1)
    since = []
    for item_fault in (True, False, True):
        finish(each_db, take(each_db), "later", item_fault=item_fault)
        row = due_row(each_db, product)
        assert row is not None
        since.append(row["failing_since"])
        execute(each_db, "UPDATE due_work SET due_at = now() - interval '1 minute'")
    assert since[0] == since[1] == since[2]
    (lease,) = take(each_db)
    assert (lease.attempts, lease.item_faults) == (3, 2)
    finish(each_db, [lease], "released")
    (lease,) = take(each_db)
    assert (lease.attempts, lease.item_faults) == (3, 2)
    finish(each_db, [lease])
    row = due_row(each_db, product)
    assert row is not None
    assert (row["attempts"], row["item_faults"], row["reason"], row["detail"], row["failing_since"]) == (
        0, 0, None, None, None,
    )  # fmt: skip


def test_a_product_made_inactive_during_its_lease_is_not_due_afterwards(each_db: Database) -> None:
    products = add_products(each_db, 4)
    leases = take(each_db)
    execute(each_db, "UPDATE raw_products SET active = false")
    kinds: list[Settlement] = ["done", "later", "given_up", "released"]
    outcomes = [LeaseOutcome(lease, kind, "why") for lease, kind in zip(leases, kinds, strict=True)]
    each_db.run(work_queue.finish, STAGE, outcomes, timedelta(hours=1))
    assert [row["due_at"] for row in map(lambda p: due_row(each_db, p), products) if row] == [None] * 4


_RETRIES = [
    ("09:00", 1, "10:30"),
    ("09:29:59.999999", 1, "10:30"),
    ("09:30", 1, "10:30"),
    ("09:30:00.000001", 1, "11:30"),
    ("09:31", 1, "11:30"),
    ("09:31", 2, "12:30"),
    ("09:31", 3, "14:30"),
    ("09:31", 4, "18:30"),
    ("09:31", 5, "2:30 +1"),
    ("09:31", 6, "10:30 +1"),
    ("09:31", 7, "10:30 +1"),
    ("09:31", 1000, "10:30 +1"),
    ("23:45", 1, "1:30 +1"),
]


def test_a_failed_product_is_due_at_half_past_with_growing_delays(each_db: Database) -> None:
    (product,) = add_products(each_db, 1)
    for zone in ("UTC", "Asia/Kolkata"):  # its half hours are the full hours of UTC
        for now, attempt, expected in _RETRIES:
            execute(each_db, "UPDATE due_work SET attempts = %s, due_at = '2026-03-01+00'", attempt - 1)
            with each_db.transaction() as cursor:
                cursor.execute("SELECT set_config('timezone', %s, true)", (zone,))
                set_now(cursor, f"2026-03-28T{now}Z")
                leases = work_queue.take(cursor, STAGE, BRAND, 1, LEASE)
                work_queue.finish(cursor, STAGE, [LeaseOutcome(leases[0], "later", "why")])
            row = due_row(each_db, product)
            assert row is not None
            time, _, days = expected.partition(" +")
            hour, minute = map(int, time.split(":"))
            due_at = datetime(2026, 3, 28, hour, minute, tzinfo=UTC) + timedelta(days=int(days or 0))
            assert row["due_at"] == due_at, f"attempt {attempt} at {now}"


_PHASES = [
    ("10:07:11.5", "10:07:11.5", "11:07:11.5"),
    ("10:07:11.5", "10:07:30", "11:07:11.5"),
    ("10:07:11.5", "10:13:11.5", "11:07:11.5"),
    ("10:07:11.5", "10:14:11.5", "11:08:11.5"),  # late: 54 minutes later, so that it is not asked twice in an hour
    ("10:07:11.5", "11:07:11.499999", "12:01:11.499999"),
    ("10:07:11.5", "11:07:11.5", "12:07:11.5"),
    ("02:07:11.5", "23:10:00", "24:07:11.5"),
    ("02:07:11.5", "23:30:00", "24:24:00"),
]


def test_recurring_work_keeps_its_phase_unless_it_was_late(each_db: Database) -> None:
    (product,) = add_products(each_db, 1)
    for due, now, expected in _PHASES:
        execute(each_db, "UPDATE due_work SET due_at = %s", f"2026-03-28T{due}Z")
        with each_db.transaction() as cursor:
            set_now(cursor, f"2026-03-28T{now}Z")
            leases = work_queue.take(cursor, STAGE, BRAND, 1, LEASE)
            work_queue.finish(cursor, STAGE, [LeaseOutcome(leases[0], "done")], timedelta(hours=1))
        row = due_row(each_db, product)
        assert row is not None
        hour, minute, second = expected.split(":")
        passed = timedelta(hours=int(hour), minutes=int(minute), seconds=float(second))
        assert row["due_at"] == datetime(2026, 3, 28, tzinfo=UTC) + passed, f"due at {due}, done at {now}"


def test_days_pass_in_a_test_without_waiting(db: Database) -> None:
    add_products(db, 1)
    finish(db, take(db), "later")
    assert take(db) == []
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with db.transaction() as cursor:
        set_now(cursor, tomorrow.isoformat())
        assert len(work_queue.take(cursor, STAGE, BRAND, 1, LEASE)) == 1


@pytest.mark.parametrize("text", ["a\0b", "half \ud800 a character", "x" * 100_000])
def test_any_text_becomes_storable(db: Database, text: str) -> None:
    stored = work_queue.storable(text)
    assert stored is not None
    assert len(stored) <= 2000
    assert execute(db, "SELECT %s::text AS text", stored) == [{"text": stored}]
