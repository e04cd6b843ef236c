"""Jobs made of checks alone, and their schedules.

What each check means is in `checks/`. A run of a stage takes along only the checks that are about that run: a step
costs seconds, and stages run up to four times an hour.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from unde_catalog.brands import BRANDS
from unde_catalog.defs.automation.in_flight import BRAND_TAG
from unde_catalog.defs.automation.job_names import BRAND_CHECKS_JOB, FRESHNESS_CHECKS_JOB, SYSTEM_CHECKS_JOB
from unde_catalog.defs.checks.brand_checks import BRAND_CHECKS
from unde_catalog.defs.checks.due_checks import index_in_use
from unde_catalog.defs.checks.freshness import FRESHNESS_CHECKS
from unde_catalog.defs.checks.system import SYSTEM_CHECKS
from unde_catalog.settings.environment import Settings

PARTITION_TAG = "dagster/partition"  # a job of checks alone has no partitions: its runs name theirs by this tag


def _job(name: str, keys: Iterable[dg.AssetCheckKey], description: str) -> Any:  # Dagster's type has no public name
    return dg.define_asset_job(
        name,
        selection=dg.AssetSelection.checks(*keys),
        executor_def=dg.in_process_executor,  # one step: a process of its own would cost more than the checks
        description=description,
    )


brand_checks_job = _job(
    BRAND_CHECKS_JOB,
    (spec.key for spec in BRAND_CHECKS),
    "Checks the data of one brand. The tag dagster/partition names the brand.",
)
freshness_checks_job = _job(
    FRESHNESS_CHECKS_JOB,
    (spec.key for spec in FRESHNESS_CHECKS),
    "Checks that every stage of one brand still runs on time. The tag dagster/partition names the brand.",
)
system_checks_job = _job(
    SYSTEM_CHECKS_JOB,
    (*(spec.key for spec in SYSTEM_CHECKS), *index_in_use.check_keys),
    "Checks what all brands share: disk space, backups, database indexes, hosts of the store APIs, availability.",
)

CHECK_JOBS = (brand_checks_job, freshness_checks_job, system_checks_job)


def check_runs(job: str, moment: datetime, brands: Sequence[str]) -> list[dg.RunRequest]:
    """One run for each brand; a single run where `brands` is empty."""
    at = f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M}"
    tags = {"trigger": "schedule", "lane": "work"}
    if not brands:
        return [dg.RunRequest(run_key=f"{job}:{at}", tags=tags)]
    return [
        dg.RunRequest(run_key=f"{job}:{brand}:{at}", tags={**tags, BRAND_TAG: brand, PARTITION_TAG: brand})
        for brand in brands
    ]


def check_schedules(settings: Settings, status: dg.DefaultScheduleStatus) -> list[dg.ScheduleDefinition]:
    """The schedules of the check jobs, in `SCHEDULE_TIMEZONE`."""

    def schedule(name: str, cron: str, job: Any, brands: Sequence[str], description: str) -> dg.ScheduleDefinition:
        def evaluate(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
            return check_runs(job.name, context.scheduled_execution_time, brands)

        decorated: Callable[..., dg.ScheduleDefinition] = dg.schedule(
            name=name,
            cron_schedule=cron,
            job=job,
            execution_timezone=settings.schedule_timezone,
            default_status=status,
            description=description,
        )
        return decorated(evaluate)

    brands = list(BRANDS)
    return [
        schedule(
            "brand_checks_daily", "30 7 * * *", brand_checks_job, brands,
            "Daily at 07:30, after the night's collection: checks the data of each brand.",
        ),
        schedule(
            "freshness_checks_hourly", "40 * * * *", freshness_checks_job, brands,
            "Hourly at :40, after the runs of that hour: checks that every stage of every brand still runs on time.",
        ),
        schedule(
            "system_checks_hourly", "45 * * * *", system_checks_job, [],
            "Hourly at :45: checks disk space, backups, database indexes, hosts of the store APIs and availability.",
        ),
    ]  # fmt: skip
