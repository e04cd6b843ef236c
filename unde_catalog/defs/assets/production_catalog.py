"""What is published of a brand, in the production database."""

import dagster as dg

from unde_catalog.defs.assets.stage_asset import StageConfig, tell_others
from unde_catalog.defs.partitions import BRAND_PARTITIONS
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.stage_specs import STAGE_SPECS

_SPEC = STAGE_SPECS["production_catalog"]


@dg.asset(
    partitions_def=BRAND_PARTITIONS,
    group_name=_SPEC.group,
    kinds={"postgres"},
    tags={"rhythm": "hourly"},
    code_version="1",  # raise it when the same input gives another result
    pool=_SPEC.pool,
    deps=_SPEC.upstream,
)
def production_catalog(
    context: dg.AssetExecutionContext, config: StageConfig, backends: dg.ResourceParam[BackendsResource]
) -> dg.MaterializeResult:
    """Verified products and availability of a brand in the production database, in tables named `catalog_...`.

    A brand appears whole or not at all: everything due is merged in one transaction. `sync_status` becomes
    `synced`, `skipped` for a product that fails verification and so is not on sale, or `error` where it could not be
    handled; those that left the shop become inactive, and nothing is deleted. Without `PRODUCTION_DB_URL` beside a
    `STAGING_DB_URL` the note says "not configured".

    When red: the brand as a whole fails a rule, named in the message with what to do, and what is published of it
    stays; or a database could not be used. Other brands are not held up.
    """
    return tell_others("production_catalog", context, config, backends)
