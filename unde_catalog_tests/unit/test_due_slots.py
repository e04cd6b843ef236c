"""Where products fit into an interval, so that every minute carries the same."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unde_catalog.stores.staging.due_work.slots import level, minutes, places

HOUR = timedelta(hours=1)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=80), st.integers(0, 500))
def test_the_emptiest_minutes_are_filled_first_and_none_above_the_others(loads: list[int], more: int) -> None:
    added = level(loads, more)
    assert sum(added) == more and min(added) >= 0
    after = [load + extra for load, extra in zip(loads, added, strict=True)]
    filled = [total for total, extra in zip(after, added, strict=True) if extra]
    assert max(filled, default=0) <= min(after) + 1


def test_one_more_product_a_time_fills_every_minute_once_before_any_twice() -> None:
    loads = [0] * 60
    for _ in range(60):
        loads = [load + extra for load, extra in zip(loads, level(loads, 1), strict=True)]
    assert loads == [1] * 60


def test_what_is_left_over_is_put_far_from_each_other() -> None:
    assert level([5] * 10, 2) == [1, 0, 0, 0, 0, 1, 0, 0, 0, 0]


def test_places_are_in_order_even_and_within_the_interval() -> None:
    found = places([0] * 60, 120, HOUR)
    assert found == [timedelta(seconds=15 + 30 * n) for n in range(120)]
    assert places([0] * 60, 0, HOUR) == []
    assert [int(place / timedelta(minutes=1)) for place in places([2, 0, 1], 4, timedelta(minutes=3))] == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("interval", "parts"),
    [(HOUR, 60), (timedelta(seconds=60), 1), (timedelta(seconds=90), 1), (timedelta(days=7), 1_440)],
)
def test_an_interval_is_cut_into_minutes_or_a_day_s_number_of_parts(interval: timedelta, parts: int) -> None:
    assert minutes(interval) == parts
