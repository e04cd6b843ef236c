"""Schedules of the jobs that belong to no brand: each tick launches one run, unless the last one is still in flight.

`unde-catalog pause` does not apply to these schedules; the switch in the UI stops them.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster import DagsterRunStatus

from unde_catalog.defs.automation.job_names import all_names
from unde_catalog.defs.automation.jobs import build_report_job, record_user_media_days_job
from unde_catalog.defs.automation.maintenance_jobs import (
    clean_up_collages_job,
    clean_up_downloads_job,
    maintain_tables_job,
    prune_history_job,
)
from unde_catalog.settings.environment import Settings

_IN_FLIGHT = [
    DagsterRunStatus.QUEUED, DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]  # fmt: skip


def single_run(schedule: str, moment: datetime, in_flight: int) -> dg.RunRequest | dg.SkipReason:
    """The one run of a tick; none while earlier runs are in flight."""
    if in_flight:
        return dg.SkipReason("The last run is still in flight.")
    return dg.RunRequest(
        run_key=f"{schedule}:{moment.astimezone(UTC):%Y-%m-%dT%H:%M}", tags={"trigger": "schedule", "lane": "work"}
    )


def unfinished_runs(instance: dg.DagsterInstance, job: str) -> int:
    """How many runs of the job have not ended, including those launched under a former name."""
    return sum(instance.get_runs_count(dg.RunsFilter(job_name=name, statuses=_IN_FLIGHT)) for name in all_names(job))


def operations_schedules(settings: Settings, status: dg.DefaultScheduleStatus) -> list[dg.ScheduleDefinition]:
    """All of them, in `SCHEDULE_TIMEZONE`."""

    # Any: the type of an asset job has no public name.
    def schedule(name: str, cron: str, job: Any, description: str) -> dg.ScheduleDefinition:
        def evaluate(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
            return single_run(name, context.scheduled_execution_time, unfinished_runs(context.instance, job.name))

        decorated: Callable[..., dg.ScheduleDefinition] = dg.schedule(
            name=name,
            cron_schedule=cron,
            job=job,
            execution_timezone=settings.schedule_timezone,
            default_status=status,
            description=description,
        )
        return decorated(evaluate)

    return [
        schedule(
            "build_report_hourly", "20 * * * *", build_report_job,
            "Hourly at :20, after most of that hour's publishing: builds the report on the state of the catalogue.",
        ),
        schedule(
            "record_user_media_days_daily", "15 0 * * *", record_user_media_days_job,
            "Daily at 00:15: records what the user media service did and checks that every request was answered.",
        ),
        schedule(
            "maintain_tables_daily", "0 3 * * *", maintain_tables_job,
            "Daily at 03:00: updates statistics, removes dead rows and rebuilds bloated or broken indexes.",
        ),
        schedule(
            "prune_history_daily", "30 3 * * *", prune_history_job,
            "Daily at 03:30: deletes rows, manifests and runs that are past their retention time.",
        ),
        schedule(
            "clean_up_collages_daily", "0 4 * * *", clean_up_collages_job,
            "Daily at 04:00: removes temporary files that interrupted writers of collages left behind.",
        ),
        schedule(
            "clean_up_downloads_daily", "0 5 * * *", clean_up_downloads_job,
            "Daily at 05:00: removes temporary files that interrupted downloads left behind.",
        ),
    ]  # fmt: skip
