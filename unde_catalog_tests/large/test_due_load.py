"""Due checks under load: 50,000 products, eight worker processes, three intervals of 60 simulated minutes."""

import random
from collections.abc import Iterator
from datetime import timedelta

import pytest

from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.due import BRAND, execute
from unde_catalog_tests.support.many_products import many_due_rows
from unde_catalog_tests.support.minute_workers import LEASE_MINUTES, Crew
from unde_catalog_tests.support.stock_check_rate import (
    every_interval_has_each_product_once,
    minutes_carry_their_share,
    only_the_timing_changed,
)

PRODUCTS, WORKERS = 50_000, 8
INTERVAL = timedelta(hours=1)


@pytest.fixture
def crew(db: Database, direct: str) -> Iterator[Crew]:
    many_due_rows(direct, products=PRODUCTS, stages=("originals",), brands=(BRAND,))
    hired = Crew(db, direct, INTERVAL, WORKERS)
    yield hired
    hired.end()


@pytest.mark.timeout(600)
def test_eight_processes_check_50_000_products_evenly_every_hour(db: Database, crew: Crew) -> None:
    crew.work(180)
    every_interval_has_each_product_once(db, PRODUCTS, INTERVAL, 3)
    minutes_carry_their_share(db, PRODUCTS, INTERVAL, 3)
    workers = execute(db, "SELECT worker, count(*) AS products FROM counted GROUP BY worker")
    assert len(workers) > WORKERS / 2


@pytest.mark.timeout(600)
def test_50_000_products_are_checked_although_workers_are_killed(db: Database, crew: Crew) -> None:
    chance = random.Random(50)
    last = 180 - LEASE_MINUTES - 2  # what it had in hand must have its turn again before the end
    crew.work(180, {minute: chance.choice(["load", "handle", "record"]) for minute in chance.sample(range(last), 12)})
    assert len(crew.killed) == 12
    only_the_timing_changed(db, crew, PRODUCTS, INTERVAL, 3)
