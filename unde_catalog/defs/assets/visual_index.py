"""The photos of products in the index's scope as embeddings, for visual search."""

import dagster as dg

from unde_catalog.defs.assets.stage_asset import StageConfig, tell_others
from unde_catalog.defs.partitions import BRAND_PARTITIONS
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.stage_specs import STAGE_SPECS

_SPEC = STAGE_SPECS["visual_index"]


@dg.asset(
    partitions_def=BRAND_PARTITIONS,
    group_name=_SPEC.group,
    kinds={"postgres"},
    tags={"rhythm": "quarter-hourly", "costs": "processor"},
    code_version="1",  # raise it when the same input gives another result
    pool=_SPEC.pool,
    deps=_SPEC.upstream,
)
def visual_index(
    context: dg.AssetExecutionContext, config: StageConfig, backends: dg.ResourceParam[BackendsResource]
) -> dg.MaterializeResult:
    """Each stored photo of products with `index_scope` `pilot` or `pgvector` as 512 numbers, to be found by photo or
    words.

    A photo is embedded once for its content and model. What changed follows, what left the shop or the scope leaves.
    The note says which model it is: another one (`EMBEDDING_MODEL`, other files in `CLIP_MODEL_DIR`) is built beside
    the one that answers and takes its place when it is through, in all brands.

    When red: the model or the vector store can't be had, or runs disagree about the model, as the message says;
    nothing is lost, run it again. Failed products are listed by reason; `retry_failed` takes them up again.
    """
    return tell_others("visual_index", context, config, backends)
