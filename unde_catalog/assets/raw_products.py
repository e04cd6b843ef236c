"""The products of a brand as its Apify task lists them, one row a product in `raw_products`."""

import dagster as dg

from unde_catalog.assets.stage_asset import StageConfig, materialize
from unde_catalog.partitions import BRAND_PARTITIONS
from unde_catalog.resources import WorkplaceResource


@dg.asset(
    partitions_def=BRAND_PARTITIONS,
    group_name="catalogue",
    kinds={"apify", "postgres"},
    pool="apify",
)
def raw_products(
    context: dg.AssetExecutionContext, config: StageConfig, workplace: dg.ResourceParam[WorkplaceResource]
) -> dg.MaterializeResult:
    """Products of a brand from its Apify task, merged into `raw_products` by (source, external_id).

    Paid for once: a complete scrape younger than `SCRAPE_INTERVAL_HOURS` is not repeated unless forced. New, changed
    and returning products make their later stages due; those a complete scrape did not see become inactive.

    When red: the message names what Apify answered and what to set. A brand without `APIFY_TASK_<BRAND>` is not red,
    its note says "not configured".
    """
    return materialize("raw_products", context, config, workplace)
