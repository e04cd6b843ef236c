"""The products of a brand as its source lists them, one row a product in `raw_products`."""

import dagster as dg

from unde_catalog.defs.assets.stage_asset import StageConfig, options_of
from unde_catalog.defs.partitions import BRAND_PARTITIONS
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.stage_specs import STAGE_SPECS
from unde_catalog.stages.raw_products.collect import ProductStream

_SPEC = STAGE_SPECS["raw_products"]


@dg.asset(
    partitions_def=BRAND_PARTITIONS,
    io_manager_key="postgres_io_manager",
    group_name=_SPEC.group,
    kinds={"apify", "postgres"},
    tags={"rhythm": "weekly", "costs": "apify"},
    code_version="1",  # raise it when the same input gives another result
    pool=_SPEC.pool,
    deps=["apify_task", "bakai_list"],
)
def raw_products(
    context: dg.AssetExecutionContext, config: StageConfig, backends: dg.ResourceParam[BackendsResource]
) -> ProductStream:
    """Products of a brand, merged into `raw_products` by (source, external_id): from its Apify task or its own list.

    Paid for once: a complete scrape younger than `SCRAPE_INTERVAL_HOURS` is not repeated unless forced (one of
    BakaiMarket's, which is free and made daily, for half a day). New, changed and returning products make their later
    stages due; those a complete scrape did not see become inactive. A new product has `image_status`, `sync_status` and
    `ximilar_status` at `pending`.

    When red: the message names what the source answered and what to set. A brand without `APIFY_TASK_<BRAND>`, or
    BakaiMarket without its keys, is not red: its note says "not configured".
    """
    return ProductStream(context.partition_key, backends.settings, options_of(context, config), context.log)
