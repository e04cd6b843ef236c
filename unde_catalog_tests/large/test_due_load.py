"""Due checks under load: 50,000 products, eight worker processes, three intervals of 60 simulated minutes."""

import random
from collections.abc import Iterator
from datetime import timedelta

import pytest

from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.due import BRAND, execute
from unde_catalog_tests.support.many_products import many_due_rows
from unde_catalog_tests.support.minute_workers import LEASE_MINUTES, WorkerGroup
from unde_catalog_tests.support.stock_check_rate import (
    assert_even_minutes,
    assert_one_check_per_interval,
    assert_only_timing_changed,
)

PRODUCTS, WORKERS = 50_000, 8
INTERVAL = timedelta(hours=1)


@pytest.fixture
def workers(db: Database, direct: str) -> Iterator[WorkerGroup]:
    many_due_rows(direct, products=PRODUCTS, stages=("originals",), brands=(BRAND,))
    workers = WorkerGroup(db, direct, INTERVAL, WORKERS)
    yield workers
    workers.end()


@pytest.mark.timeout(600)
def test_eight_processes_check_50_000_products_evenly_every_hour(db: Database, workers: WorkerGroup) -> None:
    workers.work(180)
    assert_one_check_per_interval(db, PRODUCTS, INTERVAL, 3)
    assert_even_minutes(db, PRODUCTS, INTERVAL, 3)
    counts = execute(db, "SELECT worker, count(*) AS products FROM counted GROUP BY worker")
    assert len(counts) > WORKERS / 2


@pytest.mark.timeout(600)
def test_50_000_products_are_checked_although_workers_are_killed(db: Database, workers: WorkerGroup) -> None:
    chance = random.Random(50)
    last = 180 - LEASE_MINUTES - 2  # killed leases must be processed again before the end
    workers.work(
        180, {minute: chance.choice(["load", "handle", "record"]) for minute in chance.sample(range(last), 12)}
    )
    assert len(workers.killed) == 12
    assert_only_timing_changed(db, workers, PRODUCTS, INTERVAL, 3)
