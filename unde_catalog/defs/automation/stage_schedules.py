"""Schedules of the stages: plain functions that decide which runs a tick requests, and thin definitions around them.

Due work of originals, collages and the visual index has sensors (`due_sensors.py`); jobs of no brand are scheduled in
`operations_schedules.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil

import dagster as dg

from unde_catalog.brands import BRANDS, Brand
from unde_catalog.defs.automation.in_flight import (
    HOUR_TAG,
    RunInFlight,
    brands_in_flight,
    brands_in_flight_this_hour,
    runs_in_flight,
)
from unde_catalog.defs.automation.jobs import STAGE_JOBS
from unde_catalog.defs.automation.run_requests import RunRequestPlan, RunTemplate, plan_runs
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.settings.environment import Settings
from unde_catalog.stages.configured import brands_not_configured
from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.due_work import pauses, ticks
from unde_catalog.stores.staging.due_work.pauses import PausedWork

HOUR = timedelta(hours=1)
HIGH_PRIORITY = {"dagster/priority": "10"}  # ahead of everything else in the queue


@dataclass(frozen=True, slots=True)
class Tick:
    """The facts a tick decides by. `moment` is its scheduled time, `now` the time of its evaluation.

    `not_configured`: brand -> reason. `to_retry`: brands with failed work that may be tried again.
    """

    moment: datetime
    now: datetime
    in_flight: Sequence[RunInFlight] = ()
    paused: Sequence[PausedWork] = ()
    not_configured: Mapping[str, str] = field(default_factory=dict)
    to_retry: Sequence[str] = ()


def stage_runs(stage: str, brands: Sequence[str], tick: Tick) -> RunRequestPlan:
    """A run for each of the brands that is configured, not paused, and has none in flight."""
    template = RunTemplate(stage, tick.moment, "schedule")
    return plan_runs(template, brands, tick.paused, tick.not_configured, brands_in_flight(tick.in_flight, stage))


def retry_runs(stage: str, tick: Tick) -> RunRequestPlan:
    """The same for brands in which work failed, or was left undone for lack of credits, and may be tried again."""
    nothing = {brand: "there is no failed work to retry" for brand in BRANDS if brand not in tick.to_retry}
    template = RunTemplate(stage, tick.moment, "schedule")
    in_flight = brands_in_flight(tick.in_flight, stage)
    return plan_runs(template, BRANDS, tick.paused, tick.not_configured, nothing, in_flight)


def availability_runs(tick: Tick) -> RunRequestPlan:
    """A run of each brand for the current UTC day, which lasts until the hour is over.

    A run of the previous hour is no reason to wait: it is about to end, and waiting would cost an hour. A run of a
    past day would fail and one of a past hour would delay the next, so a tick that is an hour late requests none.
    """
    late = max(tick.now - tick.moment, timedelta())
    poll_minutes = ceil((HOUR - late) / timedelta(minutes=1))
    hour = f"{tick.moment.astimezone(UTC):%Y-%m-%dT%H:00Z}"
    tags = {HOUR_TAG: hour, **HIGH_PRIORITY}
    template = RunTemplate("availability", tick.moment, "schedule", {"poll_minutes": poll_minutes}, tags)
    if poll_minutes <= 0:
        return RunRequestPlan([], dict.fromkeys(BRANDS, f"the hour of {hour} is over"))
    day = f"{tick.moment.astimezone(UTC):%Y-%m-%d}"
    partitions = {brand: str(dg.MultiPartitionKey({"brand": brand, "date": day})) for brand in BRANDS}
    in_flight = brands_in_flight_this_hour(tick.in_flight, template.stage, hour)
    return plan_runs(template, BRANDS, tick.paused, tick.not_configured, in_flight, partitions=partitions)


def catalog_schedules(settings: Settings, status: dg.DefaultScheduleStatus) -> list[dg.ScheduleDefinition]:
    """The schedules of products, in `SCHEDULE_TIMEZONE`."""
    return [
        *(_collect_schedule(brand, settings, status) for brand in BRANDS.values()),
        _schedule(
            settings, status, "collect_products_retries", "30 * * * *", "raw_products",
            lambda tick: retry_runs("raw_products", tick),
            "Hourly at :30: collects again the brands whose last collection failed within a day, at most three times.",
            retries=ticks.brands_to_collect_again,
        ),
        _schedule(
            settings, status, "sync_ximilar_weekly", "0 10 * * 0", "ximilar_index",
            lambda tick: stage_runs("ximilar_index", list(BRANDS), tick),
            "Sundays at 10:00, after all brands are collected: sends new and changed photos of all brands to Ximilar.",
        ),
        _schedule(
            settings, status, "sync_ximilar_retries", "0 12 * * *", "ximilar_index",
            lambda tick: retry_runs("ximilar_index", tick),
            "Daily at 12:00: retries products that failed at Ximilar or waited for credits. Products that were given "
            "up are not retried.",
            retries=ticks.brands_to_retry,
        ),
        _schedule(
            settings, status, "publish_catalog_hourly", "10 * * * *", "production_catalog",
            lambda tick: stage_runs("production_catalog", list(BRANDS), tick),
            "Hourly at :10: publishes verified products and their availability to the production database.",
        ),
    ]  # fmt: skip


def store_schedules(settings: Settings, status: dg.DefaultScheduleStatus) -> list[dg.ScheduleDefinition]:
    """The schedules of the brands' stores, in `SCHEDULE_TIMEZONE`."""
    return [
        _schedule(
            settings, status, "find_stores_daily", "0 1 * * *", "raw_stores",
            lambda tick: stage_runs("raw_stores", list(BRANDS), tick),
            "Daily at 01:00: finds the stores of each brand.",
        ),
        _schedule(
            settings, status, "check_availability_hourly", "0 * * * *", "availability", availability_runs,
            "Hourly at :00: checks the availability of all products in the stores, spread over the hour.",
        ),
    ]  # fmt: skip


def _collect_schedule(brand: Brand, settings: Settings, status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    days, label = ("*", "Daily") if brand.collected == "daily" else ("0", "Sundays")
    return _schedule(
        settings, status, f"collect_products_{brand.key}", f"0 {brand.collect_hour} * * {days}", "raw_products",
        lambda tick: stage_runs("raw_products", [brand.key], tick),
        f"{label} at {brand.collect_hour:02}:00: collects the products of {brand.name}.",
    )  # fmt: skip


def _schedule(
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
                runs_in_flight(context.instance),
                opened.db.run(pauses.all_pauses),
                brands_not_configured(stage, opened.settings),
                opened.db.run(retries, stage, list(BRANDS)) if retries else (),
            )
        plan = decide(tick)
        if not plan.requests:
            return dg.SkipReason(plan.reasons())
        if plan.skipped:
            context.log.info("skipped: %s", plan.reasons())
        return plan.requests

    return schedule
