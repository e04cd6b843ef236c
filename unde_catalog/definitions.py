"""The one `Definitions` of the project. Importing this module reads settings and does no other I/O."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from unde_catalog.defs.asset_metadata import with_metadata
from unde_catalog.defs.assets.availability import availability_asset
from unde_catalog.defs.assets.catalog_report import catalog_report
from unde_catalog.defs.assets.collages import collages
from unde_catalog.defs.assets.external import external_assets
from unde_catalog.defs.assets.originals import originals
from unde_catalog.defs.assets.production_catalog import production_catalog
from unde_catalog.defs.assets.raw_products import raw_products
from unde_catalog.defs.assets.raw_stores import raw_stores
from unde_catalog.defs.assets.user_media_days import user_media_days
from unde_catalog.defs.assets.visual_index import visual_index
from unde_catalog.defs.assets.ximilar_index import ximilar_index
from unde_catalog.defs.automation.alert_sensor import alert_sensor
from unde_catalog.defs.automation.check_jobs import CHECK_JOBS, check_schedules
from unde_catalog.defs.automation.due_sensors import SENSOR_STAGES, due_sensor
from unde_catalog.defs.automation.index_scope_jobs import set_index_scope_job
from unde_catalog.defs.automation.jobs import (
    STAGE_JOBS,
    build_report_job,
    record_user_media_days_job,
    retry_failed_products_job,
    update_catalog_job,
)
from unde_catalog.defs.automation.maintenance_jobs import (
    clean_up_collages_job,
    clean_up_downloads_job,
    maintain_tables_job,
    prune_history_job,
)
from unde_catalog.defs.automation.operations_schedules import operations_schedules
from unde_catalog.defs.automation.pause_jobs import pause_job, resume_job
from unde_catalog.defs.automation.queue_sensor import queue_sensor
from unde_catalog.defs.automation.stage_schedules import catalog_schedules, store_schedules
from unde_catalog.defs.checks.brand_checks import brand_checks
from unde_catalog.defs.checks.due_checks import checked_on_time, index_in_use
from unde_catalog.defs.checks.freshness import fresh
from unde_catalog.defs.checks.publishing import publishable, published
from unde_catalog.defs.checks.system import system_checks
from unde_catalog.defs.checks.user_media import requests_answered
from unde_catalog.defs.checks.ximilar import credits_left, no_work_deferred
from unde_catalog.defs.io_managers import ObjectManifestIOManager, PostgresProductIOManager, TableIOManager
from unde_catalog.defs.queues.executor import executor_of
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.settings.environment import Settings, load_settings


def build_definitions(settings: Settings | None = None, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Everything that Dagster loads; tests pass `resources` to replace those of the same key."""
    settings = settings or load_settings()
    is_on = settings.automation == "on"
    sensors = dg.DefaultSensorStatus.RUNNING if is_on else dg.DefaultSensorStatus.STOPPED
    schedules = dg.DefaultScheduleStatus.RUNNING if is_on else dg.DefaultScheduleStatus.STOPPED
    own = {"backends": BackendsResource(settings), **(resources or {})}
    return dg.Definitions(
        assets=with_metadata(
            [
                raw_products,
                raw_stores,
                originals,
                collages,
                ximilar_index,
                visual_index,
                availability_asset(settings.first_day),
                production_catalog,
                catalog_report,
                user_media_days,
                *external_assets(settings),
            ],
            settings,
        ),
        asset_checks=[
            credits_left,
            no_work_deferred,
            publishable,
            published,
            checked_on_time,
            index_in_use,
            brand_checks,
            fresh,
            system_checks,
            requests_answered,
        ],  # fmt: skip
        jobs=[
            update_catalog_job,
            retry_failed_products_job,
            *STAGE_JOBS.values(),
            *CHECK_JOBS,
            build_report_job,
            record_user_media_days_job,
            pause_job,
            resume_job,
            set_index_scope_job,
            maintain_tables_job,
            prune_history_job,
            clean_up_collages_job,
            clean_up_downloads_job,
        ],
        schedules=[
            *catalog_schedules(settings, schedules),
            *store_schedules(settings, schedules),
            *check_schedules(settings, schedules),
            *operations_schedules(settings, schedules),
        ],
        sensors=[
            *(due_sensor(stage, sensors) for stage in SENSOR_STAGES),
            alert_sensor(sensors),
            queue_sensor(sensors),
        ],
        executor=executor_of(settings),
        resources={
            "postgres_io_manager": PostgresProductIOManager(own["backends"]),
            "manifest_io_manager": ObjectManifestIOManager(own["backends"]),
            "table_io_manager": TableIOManager(own["backends"]),
            **own,
        },
    )


defs = build_definitions()
