"""When upkeep runs: at night, once a day, and never beside itself.

What a pause holds up are stages; these are stopped by their own switch in the UI.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import dagster as dg
from dagster import DagsterRunStatus

from unde_catalog.defs.automation.upkeep_jobs import clean_up_job, pruning_job, upkeep_job
from unde_catalog.settings.environment import Settings

IN_FLIGHT = [
    DagsterRunStatus.QUEUED, DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]  # fmt: skip


def upkeep_run(schedule: str, moment: datetime, in_flight: int) -> dg.RunRequest | dg.SkipReason:
    """The one run of a tick, unless the last one still goes on."""
    if in_flight:
        return dg.SkipReason("the last run is still in flight")
    return dg.RunRequest(
        run_key=f"{schedule}:{moment.astimezone(UTC):%Y-%m-%dT%H:%M}", tags={"trigger": "schedule", "lane": "work"}
    )


def upkeep_schedules(settings: Settings, status: dg.DefaultScheduleStatus) -> list[dg.ScheduleDefinition]:
    """All of them, in `SCHEDULE_TIMEZONE`."""

    def schedule(name: str, cron: str, job: dg.JobDefinition, description: str) -> dg.ScheduleDefinition:
        def evaluate(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
            running = dg.RunsFilter(job_name=job.name, statuses=IN_FLIGHT)
            return upkeep_run(name, context.scheduled_execution_time, context.instance.get_runs_count(running))

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
        schedule("upkeep_daily", "0 3 * * *", upkeep_job, "Daily at 03:00: statistics, bloat and indexes."),
        schedule("pruning_daily", "30 3 * * *", pruning_job, "Daily at 03:30: what is old enough to go."),
        schedule("clean_up_collages", "0 4 * * *", clean_up_job, "Daily at 04:00: temporary files of collages."),
        schedule("clean_up_downloads", "0 5 * * *", clean_up_job, "Daily at 05:00: temporary files of downloads."),
    ]
