"""When the figures of recurring work raise an alarm, and its sentence (docs/reference/rules.md)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from unde_catalog.stores.staging.due_work.statistics import DueFigures, alarms

WELL = DueFigures(
    "availability", "zara", timedelta(hours=1), active=15_000, never_checked=0, given_up=0, due=250, oldest_due=70.0,
    in_hand=10, checked_last_hour=15_000, in_time=1.0, share=250.0, fullest=255, emptiest=245,
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({}, []),
        ({"never_checked": 100}, []),
        ({"never_checked": 101}, ["101 active products of zara were never checked"]),
        ({"due": 1_500}, []),
        ({"due": 1_501}, ["1501 of 15000 products of zara are due for availability at once"]),
        ({"active": 200_000, "due": 5_000}, []),
        ({"active": 200_000, "due": 5_001}, ["5001 of 200000 products of zara are due"]),
        ({"active": 300, "due": 100}, []),
        ({"active": 300, "due": 101}, ["101 of 300 products of zara are due"]),
        ({"oldest_due": 3_600.0}, []),
        ({"oldest_due": 5_400.0}, ["has been due for availability for 90 minutes"]),
        ({"never_checked": 500, "due": 9_000, "oldest_due": 9_999.0}, ["never checked", "at once", "nothing works"]),
    ],
)
def test_an_alarm_is_raised_beyond_its_bound_and_says_what_is_wrong(change: dict[str, float], parts: list[str]) -> None:
    sentences = alarms(replace(WELL, **change))  # type: ignore[arg-type]
    assert len(sentences) == len(parts)
    assert all(part in sentence for part, sentence in zip(parts, sentences, strict=True))
    assert all("run" in sentence for sentence in sentences)  # what to do
