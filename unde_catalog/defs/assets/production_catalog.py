"""The asset of what is published of a brand in the production database."""

import dagster as dg

from unde_catalog.defs.partitions import BRAND_PARTITIONS, STORES_OF_BRAND
from unde_catalog.defs.queues import QUEUE_TAG
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.stage_execution import StageConfig, run_external_stage
from unde_catalog.stage_specs import STAGE_SPECS

_SPEC = STAGE_SPECS["production_catalog"]


@dg.asset(
    partitions_def=BRAND_PARTITIONS,
    io_manager_key="table_io_manager",
    group_name=_SPEC.group,
    kinds={"postgres"},
    tags={"runs": "hourly"},
    op_tags={QUEUE_TAG: _SPEC.queue},
    code_version="1",  # raise it when the same input gives another result
    pool=_SPEC.pool,
    deps=[
        "raw_products",
        "originals",
        "collages",
        dg.AssetDep("availability", partition_mapping=dg.AllPartitionMapping()),
        dg.AssetDep("raw_stores", partition_mapping=STORES_OF_BRAND),
    ],
)
def production_catalog(
    context: dg.AssetExecutionContext, config: StageConfig, backends: dg.ResourceParam[BackendsResource]
) -> dg.MaterializeResult:
    """Verified products and availability of a brand in the `catalog_...` tables of the production database.

    A brand is published as a whole or not at all: one transaction merges everything that is due. `sync_status` becomes
    `synced`, `skipped` for a product that fails verification and is therefore not on sale, or `error` where the product
    could not be processed. Products that are no longer on sale become inactive; nothing is deleted. Where
    `STAGING_DB_URL` is set and `PRODUCTION_DB_URL` is not, nothing is published and the note says "not configured".

    On failure: the brand as a whole breaks a rule, which the message names with what to do, and its published state
    stays as it was; or a database could not be used. Other brands are not affected.
    """
    return run_external_stage("production_catalog", context, config, backends)
