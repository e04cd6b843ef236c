"""The runs that a tick requests, from plain values."""

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


def test_a_run_is_tagged_with_brand_stage_and_trigger() -> None:
    (request,) = stage_runs("raw_products", ["zara"], tick()).requests
    assert request.tags == {"brand": "zara", "stage": "raw_products", "trigger": "schedule", "lane": "work"}
    assert (request.partition_key, request.run_key) == ("zara", "raw_products:zara:2026-03-01T12:00")


@pytest.mark.parametrize(
    ("known", "skipped"),
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
def test_a_skipped_brand_does_not_affect_the_others(known: dict[str, Any], skipped: dict[str, str]) -> None:
    plan = stage_runs("production_catalog", ALL, tick(**known))
    assert plan.skipped == skipped
    assert [one.partition_key for one in plan.requests] == [brand for brand in ALL if brand not in skipped]


def test_reasons_are_grouped_with_their_brands() -> None:
    paused = [PausedWork("*", "raw_products", "no credits", NOON)]
    unset = {"zara": "not configured: set X"}
    plan = stage_runs("raw_products", ["zara", "oysho"], tick(paused=paused, not_configured=unset))
    assert plan.requests == []
    why = "paused since 2026-03-01 12:00 UTC (no credits): unde-catalog resume --stage raw_products"
    assert plan.reasons() == f"zara, oysho: {why}"


def test_only_brands_with_failed_work_are_retried() -> None:
    busy = [flight("oysho", "ximilar_index")]
    plan = retry_runs("ximilar_index", tick(to_retry=["zara", "oysho"], in_flight=busy))
    assert [one.partition_key for one in plan.requests] == ["zara"]
    assert plan.skipped["oysho"] == "a run is in flight"
    assert plan.skipped["bershka"] == "there is no failed work to retry"
    assert not plan.requests[0].run_config, "given-up products are not retried: each attempt is billed"


def test_availability_runs_are_for_the_utc_day_and_have_priority() -> None:
    dubai = datetime(2026, 3, 2, 3, tzinfo=ZoneInfo("Asia/Dubai"))
    plan = availability_runs(tick(dubai))
    assert [one.partition_key for one in plan.requests] == [f"{brand}|2026-03-01" for brand in ALL]
    request = plan.requests[0]
    assert request.run_config["ops"]["availability"]["config"] == {"poll_minutes": 60}
    assert request.tags == {
        "brand": "zara", "stage": "availability", "trigger": "schedule", "lane": "stock", "hour": "2026-03-01T23:00Z",
        "dagster/priority": "10",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("run", "skipped"),
    [
        (flight("zara", hour="2026-03-01T11:00Z"), {}),  # started an hour ago, about to end
        (flight("zara", hour=None), {}),  # launched by hand
        (flight("zara", hour="2026-03-01T11:00Z", started=False), {"zara": "a run is waiting in the queue"}),
        (flight("zara", hour=None, started=False), {"zara": "a run is waiting in the queue"}),
        (flight("zara", hour="2026-03-01T12:00Z"), {"zara": "the run of this hour is in flight"}),
        (flight("zara", hour="2026-03-01T12:00Z", started=False), {"zara": "the run of this hour is in flight"}),
        (flight("zara", "originals"), {}),
    ],
)
def test_a_run_of_the_previous_hour_delays_nothing(run: RunInFlight, skipped: dict[str, str]) -> None:
    assert availability_runs(tick(in_flight=[run])).skipped == skipped


@pytest.mark.parametrize(
    ("late", "minutes"), [(0, 60), (0.2, 60), (1, 59), (25, 35), (59.5, 1), (60, None), (1500, None)]
)
def test_a_late_tick_polls_only_until_the_hour_is_over(late: float, minutes: int | None) -> None:
    plan = availability_runs(tick(late=timedelta(minutes=late)))
    requested = [one.run_config["ops"]["availability"]["config"]["poll_minutes"] for one in plan.requests]
    assert requested == ([] if minutes is None else [minutes] * len(ALL))
    if minutes is None:
        assert plan.reasons() == f"{', '.join(ALL)}: the hour of 2026-03-01T12:00Z is over"


def test_a_run_of_unknown_stages_counts_for_every_stage() -> None:
    assert set(brands_in_flight([RunInFlight("zara", None, started=False)], "collages")) == {"zara"}
