"""The one Definitions of the project; importing it reads settings and does nothing else."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from unde_catalog.defs.assets.availability import availability
from unde_catalog.defs.assets.catalog_report import catalog_report
from unde_catalog.defs.assets.collages import collages
from unde_catalog.defs.assets.external import external_assets
from unde_catalog.defs.assets.metadata import asset_metadata
from unde_catalog.defs.assets.originals import originals
from unde_catalog.defs.assets.production_catalog import production_catalog
from unde_catalog.defs.assets.raw_products import raw_products
from unde_catalog.defs.assets.raw_stores import raw_stores
from unde_catalog.defs.assets.user_media_days import user_media_days
from unde_catalog.defs.assets.visual_index import visual_index
from unde_catalog.defs.assets.ximilar_index import ximilar_index
from unde_catalog.defs.automation.check_jobs import CHECK_JOBS, check_schedules
from unde_catalog.defs.automation.due_sensors import due_sensor
from unde_catalog.defs.automation.jobs import CATALOGUE_JOB, SENSOR_STAGES, STAGE_JOBS
from unde_catalog.defs.automation.notice_sensors import notice_sensor
from unde_catalog.defs.automation.pause_jobs import pause_job, resume_job
from unde_catalog.defs.automation.report_schedule import REPORT_JOB, report_schedule
from unde_catalog.defs.automation.stage_schedules import shop_schedules, stage_schedules
from unde_catalog.defs.automation.upkeep_jobs import clean_up_job, pruning_job, upkeep_job
from unde_catalog.defs.automation.upkeep_schedules import upkeep_schedules
from unde_catalog.defs.automation.user_media_schedule import USER_MEDIA_JOB, user_media_schedule
from unde_catalog.defs.checks.brand_checks import brand_checks
from unde_catalog.defs.checks.due_checks import checked_in_time, index_in_use
from unde_catalog.defs.checks.freshness import fresh
from unde_catalog.defs.checks.indexing import credits_left, nothing_held_back
from unde_catalog.defs.checks.publishing import publishable, published
from unde_catalog.defs.checks.system import system_checks
from unde_catalog.defs.checks.user_media import people_are_answered
from unde_catalog.defs.io_managers import ObjectManifestIOManager, PostgresProductIOManager
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.settings.environment import Settings, load_settings


def build_definitions(settings: Settings | None = None, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Everything Dagster knows of; `resources` replaces those of the same key, for tests."""
    settings = settings or load_settings()
    is_on = settings.automation == "on"
    sensors = dg.DefaultSensorStatus.RUNNING if is_on else dg.DefaultSensorStatus.STOPPED
    schedules = dg.DefaultScheduleStatus.RUNNING if is_on else dg.DefaultScheduleStatus.STOPPED
    given = {"backends": BackendsResource(settings), **(resources or {})}
    return dg.Definitions(
        assets=asset_metadata(
            [
                raw_products,
                raw_stores,
                originals,
                collages,
                ximilar_index,
                visual_index,
                availability,
                production_catalog,
                catalog_report,
                user_media_days,
                *external_assets(settings),
            ],
            settings,
        ),
        asset_checks=[
            credits_left,
            nothing_held_back,
            publishable,
            published,
            checked_in_time,
            index_in_use,
            brand_checks,
            fresh,
            system_checks,
            people_are_answered,
        ],  # fmt: skip
        jobs=[
            CATALOGUE_JOB,
            *STAGE_JOBS.values(),
            *CHECK_JOBS,
            REPORT_JOB,
            USER_MEDIA_JOB,
            pause_job,
            resume_job,
            upkeep_job,
            pruning_job,
            clean_up_job,
        ],
        schedules=[
            *stage_schedules(settings, schedules),
            *shop_schedules(settings, schedules),
            *upkeep_schedules(settings, schedules),
            *check_schedules(settings, schedules),
            report_schedule(settings, schedules),
            user_media_schedule(settings, schedules),
        ],
        sensors=[*(due_sensor(stage, sensors) for stage in SENSOR_STAGES), notice_sensor(sensors)],
        resources={
            "postgres_io_manager": PostgresProductIOManager(given["backends"]),
            "manifest_io_manager": ObjectManifestIOManager(given["backends"]),
            **given,
        },
    )


defs = build_definitions()
