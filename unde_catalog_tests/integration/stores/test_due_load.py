"""Recurring work by several processes over some intervals of simulated time: complete, even, nothing twice."""

import random
from collections.abc import Iterator
from datetime import timedelta

import pytest

from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.due import add_products, execute
from unde_catalog_tests.support.minute_workers import LEASE_MINUTES, Crew
from unde_catalog_tests.support.stock_check_rate import (
    every_interval_has_each_product_once,
    minutes_carry_their_share,
    only_the_timing_changed,
)

pytestmark = pytest.mark.slow

PRODUCTS, WORKERS = 2_000, 3
INTERVAL = timedelta(minutes=20)
MINUTES = 60  # three intervals


@pytest.fixture
def crew(db: Database, direct: str) -> Iterator[Crew]:
    add_products(db, PRODUCTS)
    crew = Crew(db, direct, INTERVAL, WORKERS)
    yield crew
    crew.end()


def test_every_product_is_checked_once_per_interval_and_slots_are_even(db: Database, crew: Crew) -> None:
    crew.work(MINUTES)
    every_interval_has_each_product_once(db, PRODUCTS, INTERVAL, 3)
    minutes_carry_their_share(db, PRODUCTS, INTERVAL, 3)
    assert len(execute(db, "SELECT DISTINCT worker FROM counted")) > 1


def test_workers_killed_at_any_moment_change_only_the_timing(db: Database, crew: Crew) -> None:
    chance = random.Random(20)
    last = MINUTES - LEASE_MINUTES - 2  # what it had leased must be taken again before the end
    kills = {minute: chance.choice(["load", "handle", "record"]) for minute in chance.sample(range(last), 6)}
    crew.work(MINUTES, kills)
    assert len(crew.killed) == 6
    only_the_timing_changed(db, crew, PRODUCTS, INTERVAL, 3)
