"""Where products fit into an interval, so that every slot carries the same."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unde_catalog.stores.staging.due_work.slots import level, offsets, slot_count

HOUR = timedelta(hours=1)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=80), st.integers(0, 500))
def test_the_emptiest_slots_are_filled_first_and_evenly(loads: list[int], more: int) -> None:
    added = level(loads, more)
    assert sum(added) == more and min(added) >= 0
    after = [load + extra for load, extra in zip(loads, added, strict=True)]
    filled = [total for total, extra in zip(after, added, strict=True) if extra]
    assert max(filled, default=0) <= min(after) + 1


def test_products_added_one_by_one_fill_every_slot_once_before_any_twice() -> None:
    loads = [0] * 60
    for _ in range(60):
        loads = [load + extra for load, extra in zip(loads, level(loads, 1), strict=True)]
    assert loads == [1] * 60


def test_the_rest_is_evenly_spaced() -> None:
    assert level([5] * 10, 2) == [1, 0, 0, 0, 0, 1, 0, 0, 0, 0]


def test_offsets_are_ascending_even_and_within_the_interval() -> None:
    assert offsets([0] * 60, 120, HOUR) == [timedelta(seconds=15 + 30 * n) for n in range(120)]
    assert offsets([0] * 60, 0, HOUR) == []
    assert [int(offset / timedelta(minutes=1)) for offset in offsets([2, 0, 1], 4, timedelta(minutes=3))] == [
        0,
        1,
        1,
        2,
    ]


@pytest.mark.parametrize(
    ("interval", "slots"),
    [(HOUR, 60), (timedelta(seconds=60), 1), (timedelta(seconds=90), 1), (timedelta(days=7), 1_440)],
)
def test_an_interval_has_a_slot_per_minute_but_at_most_1440(interval: timedelta, slots: int) -> None:
    assert slot_count(interval) == slots
