"""The asset of the pilot products' photos in Ximilar's collection."""

import dagster as dg

from unde_catalog.defs.partitions import BRAND_PARTITIONS
from unde_catalog.defs.queues import QUEUE_TAG
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.stage_execution import StageConfig, run_external_stage
from unde_catalog.stage_specs import STAGE_SPECS

_SPEC = STAGE_SPECS["ximilar_index"]


@dg.asset(
    partitions_def=BRAND_PARTITIONS,
    io_manager_key="table_io_manager",
    group_name=_SPEC.group,
    kinds={"ximilar", "postgres"},
    tags={"runs": "weekly", "costs": "ximilar"},
    op_tags={QUEUE_TAG: _SPEC.queue},
    code_version="1",  # raise it when the same input gives another result
    pool=_SPEC.pool,
    deps=_SPEC.upstream,
)
def ximilar_index(
    context: dg.AssetExecutionContext, config: StageConfig, backends: dg.ResourceParam[BackendsResource]
) -> dg.MaterializeResult:
    """The first `ximilar_target_count` photos of each product with `index_scope = 'pilot'`, as records in Ximilar.

    `ximilar_status` is `partial` while fewer records than the target exist, `synced` when all exist, and `error` when
    Ximilar could not read a photo in three attempts; `ximilar_synced_urls` lists the photos that are in the collection.
    Ximilar bills every record once, so a record that was sent and not confirmed is looked up before it is sent again.
    Records of products that left the pilot or are no longer on sale are deleted.

    When `XIMILAR_MONTHLY_CREDITS` are used or the collection is full, the run succeeds, and its note and the check say
    so.

    On failure: Ximilar rejected the request or did not respond, as the message says. Nothing is billed twice; run it
    again.
    """
    return run_external_stage("ximilar_index", context, config, backends)
