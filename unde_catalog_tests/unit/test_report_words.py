"""Numbers and moments in words."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unde_catalog.operations.report.html import Markup, element
from unde_catalog.operations.report.words import ago, change, done_in, harmless, rate, share, size

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_moment_is_told_by_how_long_ago_it_was() -> None:
    assert ago(None, NOW) == "never"
    assert ago(NOW + timedelta(seconds=5), NOW) == "just now"
    assert ago(NOW - timedelta(minutes=12), NOW) == "12 minutes ago"


@pytest.mark.parametrize(
    ("part", "whole", "told"), [(0, 0, ""), (0, 9, "0 %"), (1, 10_000, "1 %"), (9_999, 10_000, "99 %"), (5, 5, "100 %")]
)
def test_all_and_nothing_are_only_said_where_that_is_so(part: int, whole: int, told: str) -> None:
    assert share(part, whole) == told


@pytest.mark.parametrize(
    ("seconds", "going", "paused", "told"),
    [
        (10_800, True, False, "in about 3 hours"),
        (10, True, False, "in about 10 seconds"),
        (None, True, False, "not at this rate"),
        (1e9, True, False, "not at this rate"),
        (10_800, False, False, "nobody is at it; it takes about 3 hours"),
        (10_800, True, True, "when it is resumed"),
    ],
)
def test_work_is_done_when_it_is_at_its_rate(seconds: float | None, going: bool, paused: bool, told: str) -> None:
    assert done_in(seconds, going=going, paused=paused) == told


def test_rates_sizes_and_changes_have_units_that_fit() -> None:
    assert [rate(one) for one in (0, 4.25, 0.5, 0.01)] == ["–", "4.2 a second", "30.0 a minute", "36.0 an hour"]
    assert [size(one) for one in (999, 70_500_000_000, 10**13)] == ["999 bytes", "70.5 GB", "10.0 TB"]
    assert [change(5, before) for before in (None, 5, 2, 1_005)] == ["–", "0", "+3", "−1,000"]


@given(st.text())
def test_harmless_text_is_one_short_line_of_what_can_be_seen(text: str) -> None:
    told = harmless(text, 30)
    assert len(told) <= 30 and told == told.strip() and told.isprintable()
    assert harmless(told, 30) == told


@given(st.text())
def test_an_element_holds_any_text_as_text(text: str) -> None:
    made = element("p", text, title=text)
    assert isinstance(made, Markup)
    assert made.count("<") == made.count(">") == 2 and made.count('"') == 2
