"""The sensor that watches Celery's queues: twice a minute it looks whether each has a worker.

When that changes, it requests a run of the check `queues_served`, which records it and leads to an alert. The run needs
no worker.
"""

import dagster as dg

from unde_catalog.defs.automation.check_jobs import CHECK_JOBS
from unde_catalog.defs.automation.job_names import SYSTEM_CHECKS_JOB
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.operations.quality.queues import queues_served
from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.stage_specs import QUEUES
from unde_catalog.stores.queues import BrokerUnavailable, queue_states

NAME, INTERVAL_SECONDS = "watch_queues", 30
CHECK = dg.AssetCheckKey(dg.AssetKey("raw_products"), "queues_served")
_JOB = next(job for job in CHECK_JOBS if job.name == SYSTEM_CHECKS_JOB)


def queue_sensor(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """The sensor; with EXECUTOR=multiprocess it does nothing."""

    @dg.sensor(
        name=NAME,
        job=_JOB,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=status,
        description="Twice a minute: requests a run of the check queues_served when a queue lost its last worker or "
        "has one again, with EXECUTOR=celery.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, backends: dg.ResourceParam[BackendsResource]
    ) -> dg.SensorResult | dg.SkipReason:
        if backends.settings.executor != "celery":
            return dg.SkipReason("EXECUTOR is multiprocess.")
        try:
            result = queues_served(queue_states(backends.settings, QUEUES))
        except BrokerUnavailable as error:
            return dg.SkipReason(str(error))
        return runs_for(result, context.cursor)

    return sensor


def runs_for(result: CheckResult, before: str | None) -> dg.SensorResult | dg.SkipReason:
    """A run of the check if other queues than before have no worker. `before`: the cursor of the last such change."""
    without = ",".join(str(row["queue"]) for row in result.table if not row["workers"])
    if without == (before or ""):
        return dg.SkipReason(result.message)
    return dg.SensorResult([dg.RunRequest(asset_check_keys=[CHECK])], cursor=without)
