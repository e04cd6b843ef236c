"""Numbers and times as the report writes them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unde_catalog.operations.report.words import ago, change, expected_end, one_line, rate, share, size

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_time_is_written_as_an_age() -> None:
    assert ago(None, NOW) == "never"
    assert ago(NOW + timedelta(seconds=5), NOW) == "just now"
    assert ago(NOW - timedelta(minutes=12), NOW) == "12 minutes ago"


@pytest.mark.parametrize(
    ("part", "whole", "text"), [(0, 0, ""), (0, 9, "0 %"), (1, 10_000, "1 %"), (9_999, 10_000, "99 %"), (5, 5, "100 %")]
)
def test_a_share_is_100_or_0_only_for_all_or_nothing(part: int, whole: int, text: str) -> None:
    assert share(part, whole) == text


@pytest.mark.parametrize(
    ("seconds", "active", "paused", "text"),
    [
        (10_800, True, False, "in about 3 hours"),
        (10, True, False, "in about 10 seconds"),
        (None, True, False, "unknown: no progress"),
        (1e9, True, False, "unknown: no progress"),
        (10_800, False, False, "not in progress; takes about 3 hours"),
        (10_800, True, True, "after it is resumed"),
    ],
)
def test_the_end_of_work_is_estimated(seconds: float | None, active: bool, paused: bool, text: str) -> None:
    assert expected_end(seconds, active=active, paused=paused) == text


def test_rates_sizes_and_changes_have_suitable_units() -> None:
    rates = [rate(one) for one in (0, 4.25, 0.5, 0.01)]
    assert rates == ["–", "4.2 per second", "30.0 per minute", "36.0 per hour"]
    assert [size(one) for one in (999, 70_500_000_000, 10**13)] == ["999 bytes", "70.5 GB", "10.0 TB"]
    assert [change(5, before) for before in (None, 5, 2, 1_005)] == ["–", "0", "+3", "−1,000"]


@given(st.text())
def test_one_line_returns_one_short_printable_line(text: str) -> None:
    line = one_line(text, 30)
    assert len(line) <= 30 and line == line.strip() and line.isprintable()
    assert one_line(line, 30) == line
