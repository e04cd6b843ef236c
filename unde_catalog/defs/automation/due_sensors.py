"""The due-work sensors: every 15 minutes, a run for each brand that has something due in a stage.

What is due is decided in the database, which runs to ask for in `run_requests.py`; here the two are put together.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import dagster as dg

from unde_catalog.brands import BRANDS
from unde_catalog.defs.automation.in_flight import RunInFlight, brands_in_flight, flights
from unde_catalog.defs.automation.jobs import STAGE_JOBS
from unde_catalog.defs.automation.run_requests import RequestedRuns, RunRequestPlan, ask
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.stores.staging.due_work import pauses, ticks
from unde_catalog.stores.staging.due_work.pauses import PausedWork
from unde_catalog.stores.staging.reports import status as reports

EVERY = timedelta(minutes=15)
MAX_MINUTES = 15  # so that one brand never holds a pool for hours


def runs_for_due_work(
    stage: str, due: Sequence[str], in_flight: Iterable[RunInFlight], held_up: Sequence[PausedWork], now: datetime
) -> RunRequestPlan:
    """One run for each due brand whose last one has ended, once a quarter of an hour."""
    quarter = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
    wanted = RequestedRuns(stage, quarter, "sensor", config={"max_minutes": MAX_MINUTES})
    return ask(wanted, due, held_up, brands_in_flight(in_flight, stage))


def due_sensor(stage: str, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The sensor of one stage."""

    @dg.sensor(
        name=f"{stage}_due",
        job=STAGE_JOBS[stage],
        minimum_interval_seconds=int(EVERY.total_seconds()),
        default_status=status,
        description=f"Every 15 minutes: a run of {stage} for each brand with something due and no run in flight.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, backends: dg.ResourceParam[BackendsResource]
    ) -> dg.SensorResult | dg.SkipReason:
        with backends.open() as opened:
            due = opened.db.run(reports.due_brands, stage, list(BRANDS))
            held_up, now = opened.db.run(pauses.all_pauses), opened.db.run(ticks.now)
        asked = runs_for_due_work(stage, due, flights(context.instance), held_up, now)
        if not asked.requests:
            return dg.SkipReason(asked.reasons() or "nothing is due")
        if asked.left_out:
            context.log.info("left out: %s", asked.reasons())
        return dg.SensorResult(run_requests=asked.requests)

    return sensor
