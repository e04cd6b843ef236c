"""The asset of collages: one image a product."""

import dagster as dg

from unde_catalog.defs.partitions import BRAND_PARTITIONS
from unde_catalog.defs.queues import QUEUE_TAG
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.stage_execution import StageConfig, StageOutput, run_storing_stage
from unde_catalog.stage_specs import STAGE_SPECS

_SPEC = STAGE_SPECS["collages"]


@dg.asset(
    partitions_def=BRAND_PARTITIONS,
    io_manager_key="manifest_io_manager",
    group_name=_SPEC.group,
    kinds={"jpeg", "s3", "postgres"},
    tags={"runs": "quarter-hourly"},
    op_tags={QUEUE_TAG: _SPEC.queue},
    code_version="1",  # raise it when the same input gives another result
    pool=_SPEC.pool,
    deps=_SPEC.upstream,
)
def collages(
    context: dg.AssetExecutionContext, config: StageConfig, backends: dg.ResourceParam[BackendsResource]
) -> StageOutput:
    """All stored photos of a product side by side in one JPEG, for virtual try-on.

    The object keys are `collages/<brand>/<external_id>.jpg`. `image_status` becomes `collage_ready`. A product whose
    collage would be too wide for a JPEG stays `uploaded`, with the reason in `error_message`.

    On failure: the object store or the database could not be used, as the message says; run it again.
    """
    return run_storing_stage("collages", context, config, backends)
