"""The asset of photo embeddings for visual search."""

import dagster as dg

from unde_catalog.defs.partitions import BRAND_PARTITIONS
from unde_catalog.defs.queues import QUEUE_TAG
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.stage_execution import StageConfig, run_external_stage
from unde_catalog.stage_specs import STAGE_SPECS

_SPEC = STAGE_SPECS["visual_index"]


@dg.asset(
    partitions_def=BRAND_PARTITIONS,
    io_manager_key="table_io_manager",
    group_name=_SPEC.group,
    kinds={"postgres"},
    tags={"runs": "quarter-hourly", "costs": "cpu"},
    op_tags={QUEUE_TAG: _SPEC.queue},
    code_version="1",  # raise it when the same input gives another result
    pool=_SPEC.pool,
    deps=_SPEC.upstream,
)
def visual_index(
    context: dg.AssetExecutionContext, config: StageConfig, backends: dg.ResourceParam[BackendsResource]
) -> dg.MaterializeResult:
    """An embedding of 512 numbers for each stored photo of products with `index_scope` `pilot` or `pgvector`.

    Search finds these products by photo or text. A photo is embedded once for its content and model; changes and
    removals follow the catalogue. The note names the model. Another model (`EMBEDDING_MODEL`, or other files in
    `CLIP_MODEL_DIR`) is built beside the one that serves searches and replaces it when all brands are complete.

    On failure: the model or the vector store is unavailable, or two runs use different models, as the message says.
    Nothing is lost; run it again. Failed products are listed by reason; `retry_failed` makes them due.
    """
    return run_external_stage("visual_index", context, config, backends)
