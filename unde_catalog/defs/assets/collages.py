"""One picture a product, for virtual try-on."""

import dagster as dg

from unde_catalog.defs.assets.stage_asset import StageConfig, StoredByRun, work_off
from unde_catalog.defs.partitions import BRAND_PARTITIONS
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.stage_specs import STAGE_SPECS

_SPEC = STAGE_SPECS["collages"]


@dg.asset(
    partitions_def=BRAND_PARTITIONS,
    io_manager_key="manifest_io_manager",
    group_name=_SPEC.group,
    kinds={"jpeg", "s3", "postgres"},
    tags={"rhythm": "quarter-hourly"},
    code_version="1",  # raise it when the same input gives another result
    pool=_SPEC.pool,
    deps=_SPEC.upstream,
)
def collages(
    context: dg.AssetExecutionContext, config: StageConfig, backends: dg.ResourceParam[BackendsResource]
) -> StoredByRun:
    """All stored photos of each product side by side, as one JPEG for virtual try-on.

    Objects: `collages/<brand>/<external_id>.jpg`. `image_status` becomes `collage_ready`; a product whose collage
    would be too wide for a JPEG stays `uploaded`, with the reason in `error_message`.

    When red: the storage or the database stood in the way, as the message says; run it again.
    """
    return work_off("collages", context, config, backends)
