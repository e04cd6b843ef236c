"""The due-work sensors: every 15 minutes, a run for each brand that has something due in a stage.

What is due is decided in the database; here it is only decided which runs to ask for.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import DagsterRunStatus

from unde_catalog.brands import BRANDS
from unde_catalog.resources import WorkplaceResource
from unde_catalog.staging import reports

SENSED = ("originals", "collages")  # what goes outward has hours of its own (spec 1)
EVERY = timedelta(minutes=15)
MAX_MINUTES = 15  # so that one brand never holds a pool for hours
_IN_FLIGHT = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


def runs_to_ask_for(stage: str, due: Sequence[str], in_flight: Iterable[str], now: datetime) -> list[dg.RunRequest]:
    """One run for each due brand whose last one has ended.

    The run key holds the quarter of an hour: Dagster drops a key it has seen, for ever.
    """
    quarter = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
    busy = set(in_flight)
    return [
        dg.RunRequest(
            run_key=f"{stage}:{brand}:{quarter:%Y-%m-%dT%H:%M}",
            partition_key=brand,
            tags={"brand": brand, "stage": stage, "trigger": "sensor"},
            run_config=dg.RunConfig(ops={stage: {"config": {"max_minutes": MAX_MINUTES}}}),
        )
        for brand in due
        if brand not in busy
    ]


def brands_in_flight(instance: dg.DagsterInstance, stage: str) -> set[str]:
    """Brands that a queued or running run already works on in this stage, whoever launched it."""
    busy = set()
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=_IN_FLIGHT)):
        works_on_stage = run.asset_selection is None or dg.AssetKey(stage) in run.asset_selection
        if works_on_stage and (brand := run.tags.get("dagster/partition")):
            busy.add(brand)
    return busy


def due_sensor(stage: str, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The sensor of one stage."""

    @dg.sensor(
        name=f"{stage}_due",
        target=dg.AssetSelection.assets(stage),
        minimum_interval_seconds=int(EVERY.total_seconds()),
        default_status=status,
        description=f"Every 15 minutes: a run of {stage} for each brand with something due and no run in flight.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, workplace: dg.ResourceParam[WorkplaceResource]
    ) -> dg.SensorResult | dg.SkipReason:
        with workplace.open() as place:
            due = place.db.run(reports.due_brands, stage, list(BRANDS))
        requests = runs_to_ask_for(stage, due, brands_in_flight(context.instance, stage), datetime.now(UTC))
        if not requests:
            return dg.SkipReason("runs are in flight for all that is due" if due else "nothing is due")
        return dg.SensorResult(run_requests=requests)

    return sensor
