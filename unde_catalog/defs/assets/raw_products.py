"""The asset of a brand's products as its source lists them."""

import dagster as dg

from unde_catalog.defs.partitions import BRAND_PARTITIONS
from unde_catalog.defs.queues import QUEUE_TAG
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.stage_execution import StageConfig, run_options
from unde_catalog.stage_specs import STAGE_SPECS
from unde_catalog.stages.raw_products.collect import ProductStream

_SPEC = STAGE_SPECS["raw_products"]


@dg.asset(
    partitions_def=BRAND_PARTITIONS,
    io_manager_key="postgres_io_manager",
    group_name=_SPEC.group,
    kinds={"apify", "postgres"},
    tags={"runs": "weekly", "costs": "apify"},
    op_tags={QUEUE_TAG: _SPEC.queue},
    code_version="1",  # raise it when the same input gives another result
    pool=_SPEC.pool,
    deps=["apify_task", "bakai_list"],
)
def raw_products(
    context: dg.AssetExecutionContext, config: StageConfig, backends: dg.ResourceParam[BackendsResource]
) -> ProductStream:
    """The products of a brand, from its Apify task or its own list, merged into `raw_products` by source and id.

    A scrape is paid for once: a complete scrape younger than `SCRAPE_INTERVAL_HOURS` is not repeated unless `force` is
    set. BakaiMarket's list is free and changes daily; it is not repeated within half a day. New, changed and returning
    products make their later stages due; products that a complete scrape did not list become inactive. A new product
    has `image_status`, `sync_status` and `ximilar_status` `pending`.

    On failure: the message has the response of the source and what to set. A brand without `APIFY_TASK_<BRAND>`, or
    BakaiMarket without its keys, does not fail: its note says "not configured".
    """
    settings = backends.settings
    return ProductStream(context.partition_key, settings, run_options(context, config, settings), context.log)
