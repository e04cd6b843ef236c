"""The asset of product photos in the object store."""

import dagster as dg

from unde_catalog.defs.partitions import BRAND_PARTITIONS
from unde_catalog.defs.queues import QUEUE_TAG
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.stage_execution import StageConfig, StageOutput, run_storing_stage
from unde_catalog.stage_specs import STAGE_SPECS

_SPEC = STAGE_SPECS["originals"]


@dg.asset(
    partitions_def=BRAND_PARTITIONS,
    io_manager_key="manifest_io_manager",
    group_name=_SPEC.group,
    kinds={"jpeg", "s3", "postgres"},
    tags={"runs": "quarter-hourly", "costs": "proxy"},
    op_tags={QUEUE_TAG: _SPEC.queue},
    code_version="1",  # raise it when the same input gives another result
    pool=_SPEC.pool,
    deps=[*_SPEC.upstream, "brand_cdn"],
)
def originals(
    context: dg.AssetExecutionContext, config: StageConfig, backends: dg.ResourceParam[BackendsResource]
) -> StageOutput:
    """The first five photos of each product: downloaded, validated as complete images, and stored.

    The object keys are `originals/<brand>/<external_id>/<n>.jpg`. `image_status` is `pending` while retries are left.
    It becomes `uploaded` when the photos are stored, also when some of them are gone for good, and `error` when the
    product was given up without a photo; `error_message` has the reason.

    On failure: no photo could be downloaded or stored because of the photo host, the proxy or the object store, as the
    message says. Nothing is lost; run it again. Failed products are listed by reason; `retry_failed` makes them due.
    """
    return run_storing_stage("originals", context, config, backends)
