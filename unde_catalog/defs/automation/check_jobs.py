"""When checks run that do not go with a run of their asset: jobs of checks alone, and the clock that asks for them.

What they look at is in `checks/`. A run of a stage takes along only the checks that are about that very run; a step
costs seconds, and stages run up to four times an hour.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from unde_catalog.brands import BRANDS
from unde_catalog.defs.automation.in_flight import BRAND_TAG
from unde_catalog.defs.automation.jobs import CHECKS_DAILY, CHECKS_HOURLY, CHECKS_OF_THE_HOUSE
from unde_catalog.defs.checks.brand_checks import BRAND_CHECKS
from unde_catalog.defs.checks.due_checks import index_in_use
from unde_catalog.defs.checks.freshness import FRESHNESS_CHECKS
from unde_catalog.defs.checks.system import SYSTEM_CHECKS
from unde_catalog.settings.environment import Settings

_PARTITION = "dagster/partition"  # a job of checks alone has no partitions: its runs name theirs by the tag


def _job(name: str, keys: Iterable[dg.AssetCheckKey], description: str) -> Any:  # Dagster's type has no public name
    return dg.define_asset_job(
        name,
        selection=dg.AssetSelection.checks(*keys),
        executor_def=dg.in_process_executor,  # one step: a process of its own would cost more than the checks
        description=description,
    )


checks_daily_job = _job(
    CHECKS_DAILY, (one.key for one in BRAND_CHECKS), "What must hold of a brand's data; of the brand in its tags."
)
checks_hourly_job = _job(
    CHECKS_HOURLY,
    (one.key for one in FRESHNESS_CHECKS),
    "Whether the stages of a brand go on; of the brand in its tags.",
)
house_job = _job(
    CHECKS_OF_THE_HOUSE,
    (*(one.key for one in SYSTEM_CHECKS), *index_in_use.check_keys),
    "Disk, backups, indexes, the shops' hosts, and stock of all brands.",
)

CHECK_JOBS = (checks_daily_job, checks_hourly_job, house_job)


def runs_of_checks(job: str, moment: datetime, brands: Sequence[str]) -> list[dg.RunRequest]:
    """A run for each brand, or one for none of them."""
    at = f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M}"
    tags = {"trigger": "schedule", "lane": "work"}
    if not brands:
        return [dg.RunRequest(run_key=f"{job}:{at}", tags=tags)]
    return [
        dg.RunRequest(run_key=f"{job}:{brand}:{at}", tags={**tags, BRAND_TAG: brand, _PARTITION: brand})
        for brand in brands
    ]


def check_schedules(settings: Settings, status: dg.DefaultScheduleStatus) -> list[dg.ScheduleDefinition]:
    """All of them, in `SCHEDULE_TIMEZONE`."""

    def schedule(
        job: Any,
        name: str,
        cron: str,
        brands: Sequence[str],
        description: str,
    ) -> dg.ScheduleDefinition:
        def evaluate(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
            return runs_of_checks(job.name, context.scheduled_execution_time, brands)

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
            checks_daily_job, "checks_of_brands", "30 7 * * *", brands,
            "Daily at 07:30, when all is collected and before people come: what must hold of each brand's data.",
        ),
        schedule(
            checks_hourly_job, "checks_of_freshness", "40 * * * *", brands,
            "Hourly at :40, when the hour's runs had their time: does every stage of every brand go on.",
        ),
        schedule(
            house_job, "checks_of_the_house_hourly", "45 * * * *", [],
            "Hourly at :45: disk, backups, the shops' hosts and stock.",
        ),
    ]  # fmt: skip
