"""The schedules of stages: which brands a tick is for, as plain functions and the thin definitions around them.

Due work of originals, collages and the visual index has sensors, in `due_sensors.py`; upkeep has schedules in
`upkeep_schedules.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil

import dagster as dg

from unde_catalog.brands import BRANDS, Brand
from unde_catalog.defs.automation.in_flight import HOUR_TAG, RunInFlight, brands_in_flight, brands_of_the_hour, flights
from unde_catalog.defs.automation.jobs import STAGE_JOBS
from unde_catalog.defs.automation.run_requests import RequestedRuns, RunRequestPlan, ask
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.settings.environment import Settings
from unde_catalog.stages.configured import not_configured
from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.due_work import pauses, ticks
from unde_catalog.stores.staging.due_work.pauses import PausedWork

HOUR = timedelta(hours=1)
FIRST = {"dagster/priority": "10"}  # of all that waits in the queue


@dataclass(frozen=True, slots=True)
class Tick:
    """What a tick knows. `moment` is what it was meant for, `now` when it is evaluated, `unset` as `not_configured`."""

    moment: datetime
    now: datetime
    in_flight: Sequence[RunInFlight] = ()
    held_up: Sequence[PausedWork] = ()
    unset: Mapping[str, str] = field(default_factory=dict)
    to_retry: Sequence[str] = ()  # brands with something that failed and may be tried again


def runs_of_stage(stage: str, brands: Sequence[str], tick: Tick) -> RunRequestPlan:
    """A run for each of the brands that can be worked on and has none in flight."""
    wanted = RequestedRuns(stage, tick.moment, "schedule")
    return ask(wanted, brands, tick.held_up, tick.unset, brands_in_flight(tick.in_flight, stage))


def runs_for_retries(stage: str, tick: Tick) -> RunRequestPlan:
    """The same for brands in which something failed, or was left for want of credits, and may be tried again."""
    nothing = {brand: "nothing that failed is to be tried again" for brand in BRANDS if brand not in tick.to_retry}
    wanted = RequestedRuns(stage, tick.moment, "schedule")
    return ask(wanted, BRANDS, tick.held_up, tick.unset, nothing, brands_in_flight(tick.in_flight, stage))


def runs_for_stock(tick: Tick) -> RunRequestPlan:
    """A run of each brand for today's UTC day, which lasts until the hour is over.

    A run of the hour before is no reason to wait: it is about to end, and waiting would cost an hour. One of a past
    day would fail, and one of a past hour would be in the way of the next: a tick that comes so late asks for none.
    """
    late = max(tick.now - tick.moment, timedelta())
    poll_minutes = ceil((HOUR - late) / timedelta(minutes=1))
    hour = f"{tick.moment.astimezone(UTC):%Y-%m-%dT%H:00Z}"
    wanted = RequestedRuns(
        "availability", tick.moment, "schedule", {"poll_minutes": poll_minutes}, {HOUR_TAG: hour, **FIRST}
    )
    if poll_minutes <= 0:
        return RunRequestPlan([], dict.fromkeys(BRANDS, f"the hour of {hour} is over"))
    day = f"{tick.moment.astimezone(UTC):%Y-%m-%d}"
    partition = {brand: str(dg.MultiPartitionKey({"brand": brand, "date": day})) for brand in BRANDS}
    busy = brands_of_the_hour(tick.in_flight, wanted.stage, hour)
    return ask(wanted, BRANDS, tick.held_up, tick.unset, busy, partition=partition)


def stage_schedules(settings: Settings, status: dg.DefaultScheduleStatus) -> list[dg.ScheduleDefinition]:
    """Those of the catalogue, in `SCHEDULE_TIMEZONE`."""
    return [
        *(_collecting(brand, settings, status) for brand in BRANDS.values()),
        _on_the_clock(
            settings, status, "ximilar_weekly", "0 10 * * 0", "ximilar_index",
            lambda tick: runs_of_stage("ximilar_index", list(BRANDS), tick),
            "Sundays at 10:00, when all brands are collected: what is new or changed goes to Ximilar.",
        ),
        _on_the_clock(
            settings, status, "ximilar_retries", "0 12 * * *", "ximilar_index",
            lambda tick: runs_for_retries("ximilar_index", tick),
            "Daily at 12:00: what failed at Ximilar, or waited for credits, and is due again. Not what was given up.",
            retries=ticks.brands_to_retry,
        ),
        _on_the_clock(
            settings, status, "collect_retries", "30 * * * *", "raw_products",
            lambda tick: runs_for_retries("raw_products", tick),
            "Hourly at :30: brands whose last collection failed in the last day, three times more at the most.",
            retries=ticks.brands_to_collect_again,
        ),
        _on_the_clock(
            settings, status, "production_hourly", "10 * * * *", "production_catalog",
            lambda tick: runs_of_stage("production_catalog", list(BRANDS), tick),
            "Hourly at :10: verified products and their stock, to production.",
        ),
    ]  # fmt: skip


def shop_schedules(settings: Settings, status: dg.DefaultScheduleStatus) -> list[dg.ScheduleDefinition]:
    """Those of the shops."""
    return [
        _on_the_clock(
            settings, status, "stores_daily", "0 1 * * *", "raw_stores",
            lambda tick: runs_of_stage("raw_stores", list(BRANDS), tick),
            "Daily at 01:00: which shops there are.",
        ),
        _on_the_clock(
            settings, status, "availability_hourly", "0 * * * *", "availability", runs_for_stock,
            "Hourly at :00: what is in stock in which shop, paced through the hour.",
        ),
    ]  # fmt: skip


def _collecting(brand: Brand, settings: Settings, status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    days, named = ("*", "Daily") if brand.collected == "daily" else ("0", "Sundays")
    return _on_the_clock(
        settings, status, f"collect_{brand.key}", f"0 {brand.collect_hour} * * {days}", "raw_products",
        lambda tick: runs_of_stage("raw_products", [brand.key], tick),
        f"{named} at {brand.collect_hour:02}:00: the catalogue of {brand.name}.",
    )  # fmt: skip


def _on_the_clock(
    settings: Settings,
    status: dg.DefaultScheduleStatus,
    name: str,
    cron: str,
    stage: str,
    decide: Callable[[Tick], RunRequestPlan],
    description: str,
    *,
    retries: Callable[[Cursor, str, Sequence[str]], list[str]] | None = None,
) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=name,
        cron_schedule=cron,
        job=STAGE_JOBS[stage],
        execution_timezone=settings.schedule_timezone,
        default_status=status,
        description=description,
    )
    def schedule(
        context: dg.ScheduleEvaluationContext, backends: dg.ResourceParam[BackendsResource]
    ) -> list[dg.RunRequest] | dg.SkipReason:
        with backends.open() as opened:
            tick = Tick(
                context.scheduled_execution_time,
                opened.db.run(ticks.now),
                flights(context.instance),
                opened.db.run(pauses.all_pauses),
                not_configured(stage, opened.settings),
                opened.db.run(retries, stage, list(BRANDS)) if retries else (),
            )
        asked = decide(tick)
        if not asked.requests:
            return dg.SkipReason(asked.reasons())
        if asked.left_out:
            context.log.info("left out: %s", asked.reasons())
        return asked.requests

    return schedule
