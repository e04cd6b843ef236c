"""The photos of a brand in object storage."""

import dagster as dg

from unde_catalog.defs.assets.stage_asset import StageConfig, StoredByRun, work_off
from unde_catalog.defs.partitions import BRAND_PARTITIONS
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.stage_specs import STAGE_SPECS

_SPEC = STAGE_SPECS["originals"]


@dg.asset(
    partitions_def=BRAND_PARTITIONS,
    io_manager_key="manifest_io_manager",
    group_name=_SPEC.group,
    kinds={"jpeg", "s3", "postgres"},
    tags={"rhythm": "quarter-hourly", "costs": "proxy"},
    code_version="1",  # raise it when the same input gives another result
    pool=_SPEC.pool,
    deps=[*_SPEC.upstream, "brand_cdn"],
)
def originals(
    context: dg.AssetExecutionContext, config: StageConfig, backends: dg.ResourceParam[BackendsResource]
) -> StoredByRun:
    """The first five photos of each product, downloaded, validated as whole images and stored.

    Objects: `originals/<brand>/<external_id>/<n>.jpg`. `image_status` is `pending` while tries are left, becomes
    `uploaded`, also when some photos are gone for good, or `error` when the product was given up without a photo;
    `error_message` says why.

    When red: the far side, the proxy or the storage stood in the way of everything, as the message says; nothing is
    lost, run it again. Failed products are listed by reason; `retry_failed` takes them up again.
    """
    return work_off("originals", context, config, backends)
