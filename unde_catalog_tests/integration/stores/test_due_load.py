"""Recurring work by several processes over some intervals of simulated time: complete, even, nothing twice."""

import random
from collections.abc import Iterator
from datetime import timedelta

import pytest

from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.due import add_products, execute
from unde_catalog_tests.support.minute_workers import LEASE_MINUTES, WorkerGroup
from unde_catalog_tests.support.stock_check_rate import (
    assert_even_minutes,
    assert_one_check_per_interval,
    assert_only_timing_changed,
)

pytestmark = pytest.mark.slow

PRODUCTS, WORKERS = 2_000, 3
INTERVAL = timedelta(minutes=20)
MINUTES = 60  # three intervals


@pytest.fixture
def workers(db: Database, direct: str) -> Iterator[WorkerGroup]:
    add_products(db, PRODUCTS)
    workers = WorkerGroup(db, direct, INTERVAL, WORKERS)
    yield workers
    workers.end()


def test_every_product_is_checked_once_per_interval_and_slots_are_even(db: Database, workers: WorkerGroup) -> None:
    workers.work(MINUTES)
    assert_one_check_per_interval(db, PRODUCTS, INTERVAL, 3)
    assert_even_minutes(db, PRODUCTS, INTERVAL, 3)
    assert len(execute(db, "SELECT DISTINCT worker FROM counted")) > 1


def test_workers_killed_at_any_moment_change_only_the_timing(db: Database, workers: WorkerGroup) -> None:
    chance = random.Random(20)
    last = MINUTES - LEASE_MINUTES - 2  # what it had leased must be taken again before the end
    kills = {minute: chance.choice(["load", "handle", "record"]) for minute in chance.sample(range(last), 6)}
    workers.work(MINUTES, kills)
    assert len(workers.killed) == 6
    assert_only_timing_changed(db, workers, PRODUCTS, INTERVAL, 3)
