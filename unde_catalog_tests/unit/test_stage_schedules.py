"""What each tick asks for, from plain values."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from unde_catalog.brands import BRANDS
from unde_catalog.defs.automation.in_flight import RunInFlight, brands_in_flight
from unde_catalog.defs.automation.stage_schedules import Tick, availability_runs, retry_runs, stage_runs
from unde_catalog.stores.staging.due_work.pauses import PausedWork

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALL = list(BRANDS)


def tick(moment: datetime = NOON, late: timedelta = timedelta(), **known: Any) -> Tick:
    return Tick(moment, moment + late, **known)


def flight(brand: str, stage: str = "availability", *, started: bool = True, hour: str | None = None) -> RunInFlight:
    return RunInFlight(brand, frozenset({stage}), started, hour)


def test_a_run_says_of_which_brand_and_stage_it_is_and_who_asked() -> None:
    (request,) = stage_runs("raw_products", ["zara"], tick()).requests
    assert request.tags == {"brand": "zara", "stage": "raw_products", "trigger": "schedule", "lane": "work"}
    assert (request.partition_key, request.run_key) == ("zara", "raw_products:zara:2026-03-01T12:00")


@pytest.mark.parametrize(
    ("known", "left_out"),
    [
        ({}, {}),
        ({"in_flight": [flight("zara", "raw_products")]}, {}),
        ({"in_flight": [flight("zara", "production_catalog", started=False)]}, {"zara": "a run is in flight"}),
        ({"in_flight": [RunInFlight("zara", None, started=True)]}, {"zara": "a run is in flight"}),
        ({"not_configured": {"oysho": "not configured: set X"}}, {"oysho": "not configured: set X"}),
        (
            {"paused": [PausedWork("zara", "*", "", NOON)], "in_flight": [flight("zara", "production_catalog")]},
            {"zara": "paused since 2026-03-01 12:00 UTC: unde-catalog resume --brand zara"},
        ),
    ],
)
def test_one_brands_trouble_holds_up_no_other(known: dict[str, Any], left_out: dict[str, str]) -> None:
    asked = stage_runs("production_catalog", ALL, tick(**known))
    assert asked.skipped == left_out
    assert [one.partition_key for one in asked.requests] == [brand for brand in ALL if brand not in left_out]


def test_reasons_name_the_brands_they_hold_for() -> None:
    held_up = [PausedWork("*", "raw_products", "no credits", NOON)]
    unset = {"zara": "not configured: set X"}
    asked = stage_runs("raw_products", ["zara", "oysho"], tick(paused=held_up, not_configured=unset))
    assert asked.requests == []
    why = "paused since 2026-03-01 12:00 UTC (no credits): unde-catalog resume --stage raw_products"
    assert asked.reasons() == f"zara, oysho: {why}"


def test_retries_are_for_brands_with_something_that_failed() -> None:
    busy = [flight("oysho", "ximilar_index")]
    asked = retry_runs("ximilar_index", tick(to_retry=["zara", "oysho"], in_flight=busy))
    assert [one.partition_key for one in asked.requests] == ["zara"]
    assert asked.skipped["oysho"] == "a run is in flight"
    assert asked.skipped["bershka"] == "there is no failed work to retry"
    assert not asked.requests[0].run_config, "what was given up is not asked again: each try is billed"


def test_stock_is_asked_for_by_brand_and_utc_day_and_goes_first() -> None:
    dubai = datetime(2026, 3, 2, 3, tzinfo=ZoneInfo("Asia/Dubai"))
    asked = availability_runs(tick(dubai))
    assert [one.partition_key for one in asked.requests] == [f"{brand}|2026-03-01" for brand in ALL]
    request = asked.requests[0]
    assert request.run_config["ops"]["availability"]["config"] == {"poll_minutes": 60}
    assert request.tags == {
        "brand": "zara", "stage": "availability", "trigger": "schedule", "lane": "stock", "hour": "2026-03-01T23:00Z",
        "dagster/priority": "10",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("run", "left_out"),
    [
        (flight("zara", hour="2026-03-01T11:00Z"), {}),  # has begun an hour ago, and is about to end
        (flight("zara", hour=None), {}),  # somebody's own
        (flight("zara", hour="2026-03-01T11:00Z", started=False), {"zara": "a run is waiting in the queue"}),
        (flight("zara", hour=None, started=False), {"zara": "a run is waiting in the queue"}),
        (flight("zara", hour="2026-03-01T12:00Z"), {"zara": "the run of this hour is in flight"}),
        (flight("zara", hour="2026-03-01T12:00Z", started=False), {"zara": "the run of this hour is in flight"}),
        (flight("zara", "originals"), {}),
    ],
)
def test_a_run_of_the_hour_before_costs_no_hour(run: RunInFlight, left_out: dict[str, str]) -> None:
    assert availability_runs(tick(in_flight=[run])).skipped == left_out


@pytest.mark.parametrize(
    ("late", "stays"), [(0, 60), (0.2, 60), (1, 59), (25, 35), (59.5, 1), (60, None), (1500, None)]
)
def test_a_late_tick_stays_until_the_hour_is_over_and_none_is_for_a_past_one(late: float, stays: int | None) -> None:
    asked = availability_runs(tick(late=timedelta(minutes=late)))
    told = [one.run_config["ops"]["availability"]["config"]["poll_minutes"] for one in asked.requests]
    assert told == ([] if stays is None else [stays] * len(ALL))
    if stays is None:
        assert asked.reasons() == f"{', '.join(ALL)}: the hour of 2026-03-01T12:00Z is over"


def test_a_run_of_unknown_stages_is_in_the_way_of_each() -> None:
    assert set(brands_in_flight([RunInFlight("zara", None, started=False)], "collages")) == {"zara"}
