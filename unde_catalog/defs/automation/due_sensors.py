"""Sensors for due work: every 15 minutes, one run for each brand that has due work in a stage.

The database decides what is due, `run_requests.py` which runs to request, and with EXECUTOR=celery `parallel_runs.py`
how many of a brand.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import dagster as dg

from unde_catalog.brands import BRANDS
from unde_catalog.defs.automation.in_flight import RunInFlight, brands_in_flight, runs_in_flight
from unde_catalog.defs.automation.jobs import STAGE_JOBS
from unde_catalog.defs.automation.parallel_runs import runs_of_brands
from unde_catalog.defs.automation.run_requests import RunRequestPlan, RunTemplate, plan_runs
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.settings.environment import Settings
from unde_catalog.stage_specs import STAGE_SPECS
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.queues import BrokerUnavailable, free_slots
from unde_catalog.stores.staging.due_work import pauses, ticks
from unde_catalog.stores.staging.due_work.pauses import PausedWork

# These stages run whenever they have due work. Stages that call paid or external services run on a schedule.
SENSOR_STAGES = tuple(name for name, spec in STAGE_SPECS.items() if spec.trigger == "sensor")
MAX_RUNTIME_TAG = "dagster/max_runtime"  # seconds
INTERVAL = timedelta(minutes=15)
MAX_MINUTES = 15  # so that one brand never holds a pool for hours
# A run whose Celery worker was killed waits for its step. After this time it ends, and the next tick requests another.
MAX_RUNTIME = timedelta(hours=1)


def due_work_runs(
    stage: str,
    due: Sequence[str],
    in_flight: Iterable[RunInFlight],
    paused: Sequence[PausedWork],
    now: datetime,
    numbers: Mapping[str, Sequence[int]] | None = None,
) -> RunRequestPlan:
    """One run for each due brand that has none in flight, at most one in a quarter of an hour.

    `numbers`: the runs to request of each brand, where it is worked on by several at once.
    """
    quarter = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
    template = RunTemplate(
        stage,
        quarter,
        "sensor",
        config={"max_minutes": MAX_MINUTES},
        tags={MAX_RUNTIME_TAG: str(int(MAX_RUNTIME.total_seconds()))},
    )
    busy = brands_in_flight(in_flight, stage)
    if numbers is not None:
        busy = {brand: reason for brand, reason in busy.items() if not numbers.get(brand)}
    return plan_runs(template, due, paused, busy, numbers=numbers)


def run_numbers(
    stage: str, db: Database, settings: Settings, due: Sequence[str], in_flight: Iterable[RunInFlight]
) -> dict[str, range] | None:
    """The runs to request of each brand; None where a brand has one at a time. Unknown workers count as busy."""
    per_run = STAGE_SPECS[stage].products_per_run
    if settings.executor != "celery" or per_run is None or not due:
        return None
    try:
        free = free_slots(settings, STAGE_SPECS[stage].queue)
    except BrokerUnavailable:
        free = 0
    counts = db.run(ticks.due_counts, stage, due, per_run * (free + 1))
    running = Counter(run.brand for run in in_flight if run.works_on(stage))
    return runs_of_brands({brand: counts[brand] for brand in due}, running, free, per_run)


def due_sensor(stage: str, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The sensor of one stage."""

    @dg.sensor(
        name=f"{STAGE_SPECS[stage].job}_due",
        job=STAGE_JOBS[stage],
        minimum_interval_seconds=int(INTERVAL.total_seconds()),
        default_status=status,
        description=(
            f"Every 15 minutes: requests a run of {stage} for each brand that has due work and no run in flight."
        ),
    )
    def sensor(
        context: dg.SensorEvaluationContext, backends: dg.ResourceParam[BackendsResource]
    ) -> dg.SensorResult | dg.SkipReason:
        in_flight = runs_in_flight(context.instance)
        with backends.open() as opened:
            due = opened.db.run(ticks.brands_with_due_work, stage, list(BRANDS))
            paused, now = opened.db.run(pauses.all_pauses), opened.db.run(ticks.now)
            numbers = run_numbers(stage, opened.db, backends.settings, due, in_flight)
        plan = due_work_runs(stage, due, in_flight, paused, now, numbers)
        if not plan.requests:
            return dg.SkipReason(plan.reasons() or "Nothing is due.")
        if plan.skipped:
            context.log.info("skipped: %s", plan.reasons())
        return dg.SensorResult(run_requests=plan.requests)

    return sensor
