"""The photos of pilot products in Ximilar's collection."""

import dagster as dg

from unde_catalog.defs.assets.stage_asset import StageConfig, tell_others
from unde_catalog.defs.partitions import BRAND_PARTITIONS
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.stage_specs import STAGE_SPECS

_SPEC = STAGE_SPECS["ximilar_index"]


@dg.asset(
    partitions_def=BRAND_PARTITIONS,
    group_name=_SPEC.group,
    kinds={"ximilar", "postgres"},
    tags={"rhythm": "weekly", "costs": "ximilar"},
    code_version="1",  # raise it when the same input gives another result
    pool=_SPEC.pool,
    deps=_SPEC.upstream,
)
def ximilar_index(
    context: dg.AssetExecutionContext, config: StageConfig, backends: dg.ResourceParam[BackendsResource]
) -> dg.MaterializeResult:
    """The first `ximilar_target_count` photos of each product with `index_scope = 'pilot'`, as records of a collection.

    `ximilar_status` is `partial` while fewer than the target are in, `synced` when all are, `error` when Ximilar could
    not read a photo three times; `ximilar_synced_urls` names what is in. Every record is billed once: what was sent
    and not confirmed is looked up before anything is sent again. Out of the pilot or the shop, a product leaves.

    At the month's `XIMILAR_MONTHLY_CREDITS`, or when the collection is full, the run ends well, and the note and the
    check say so. When red: Ximilar refused or did not answer, as the message says; nothing is bought twice, run it
    again.
    """
    return tell_others("ximilar_index", context, config, backends)
