"""When the days of people's photos are counted: daily, when a UTC day is just over."""

import dagster as dg

from unde_catalog.defs.automation.upkeep_schedules import IN_FLIGHT, upkeep_run
from unde_catalog.settings.environment import Settings

USER_MEDIA_JOB = dg.define_asset_job(
    "people_photos",
    selection=dg.AssetSelection.assets("user_media_days"),
    description="What the service for people's photos did, and whether all were answered.",
)


def user_media_schedule(settings: Settings, status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    """Daily at 00:15, in `SCHEDULE_TIMEZONE`."""

    @dg.schedule(
        name="people_photos_daily",
        cron_schedule="15 0 * * *",
        job=USER_MEDIA_JOB,
        execution_timezone=settings.schedule_timezone,
        default_status=status,
        description="Daily at 00:15: what the service for people's photos did, and whether all were answered.",
    )
    def people_photos_daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        running = dg.RunsFilter(job_name=USER_MEDIA_JOB.name, statuses=IN_FLIGHT)
        moment = context.scheduled_execution_time
        return upkeep_run("people_photos_daily", moment, context.instance.get_runs_count(running))

    return people_photos_daily
