"""Jobs that materialize assets: the whole pipeline of a brand, one stage of it, and the assets of operations.

Jobs of checks alone are in `check_jobs.py`; jobs made of ops are in `maintenance_jobs.py`, `pause_jobs.py` and
`index_scope_jobs.py`.
"""

import dagster as dg

from unde_catalog.defs.automation.job_names import (
    BUILD_REPORT,
    RECORD_USER_MEDIA_DAYS,
    RETRY_FAILED_PRODUCTS,
    RETRY_STAGES,
    UPDATE_CATALOG,
    UPDATE_CATALOG_STAGES,
)
from unde_catalog.defs.checks.brand_checks import BRAND_CHECKS
from unde_catalog.defs.checks.freshness import FRESHNESS_CHECKS
from unde_catalog.defs.checks.system import SYSTEM_CHECKS
from unde_catalog.stage_specs import STAGE_SPECS


def stage_selection(*stages: str) -> dg.AssetSelection:
    """The stages with the checks of their own runs; the checks of `check_jobs.py` have schedules of their own."""
    scheduled = dg.AssetSelection.checks(*(spec.key for spec in (*BRAND_CHECKS, *FRESHNESS_CHECKS, *SYSTEM_CHECKS)))
    return dg.AssetSelection.assets(*stages) - scheduled


update_catalog_job = dg.define_asset_job(
    UPDATE_CATALOG,
    selection=stage_selection(*UPDATE_CATALOG_STAGES),
    description="Takes a brand through the whole pipeline, from collecting its products to publishing them.",
)

# A task of operators with its configuration filled in: the launchpad shows it, and Materialize all uses it.
retry_failed_products_job = dg.define_asset_job(
    RETRY_FAILED_PRODUCTS,
    selection=stage_selection(*RETRY_STAGES),
    config={"ops": {stage: {"config": {"retry_failed": True}} for stage in RETRY_STAGES}},
    description="Makes the products of a brand due that were given up or wait for a retry, in every stage after "
    "collecting, and works them off. Products that did not fail and are not due are left as they are.",
)

STAGE_JOBS = {
    stage: dg.define_asset_job(
        spec.job,
        selection=stage_selection(stage),
        description=f"{spec.description} Checks that have a schedule of their own are not part of it.",
    )
    for stage, spec in STAGE_SPECS.items()
}

build_report_job = dg.define_asset_job(
    BUILD_REPORT,
    selection=dg.AssetSelection.assets("catalog_report"),
    description="Builds the report on the state of the catalogue.",
)

record_user_media_days_job = dg.define_asset_job(
    RECORD_USER_MEDIA_DAYS,
    selection=dg.AssetSelection.assets("user_media_days"),
    description="Records what the user media service did on each day and checks that every request was answered.",
)
