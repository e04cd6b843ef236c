"""When the report is made: hourly, when most of that hour's publishing is through."""

import dagster as dg

from unde_catalog.defs.automation.upkeep_schedules import IN_FLIGHT, upkeep_run
from unde_catalog.settings.environment import Settings

REPORT_JOB = dg.define_asset_job(
    "report", selection=dg.AssetSelection.assets("catalog_report"), description="How the whole catalogue stands."
)


def report_schedule(settings: Settings, status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    """Hourly at :20, in `SCHEDULE_TIMEZONE`; never beside a report that is being made."""

    @dg.schedule(
        name="report_hourly",
        cron_schedule="20 * * * *",
        job=REPORT_JOB,
        execution_timezone=settings.schedule_timezone,
        default_status=status,
        description="Hourly at :20: how the whole catalogue stands.",
    )
    def report_hourly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        running = dg.RunsFilter(job_name=REPORT_JOB.name, statuses=IN_FLIGHT)
        return upkeep_run("report_hourly", context.scheduled_execution_time, context.instance.get_runs_count(running))

    return report_hourly
