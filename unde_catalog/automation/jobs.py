"""Jobs: what can be launched as one run."""

import dagster as dg

CATALOGUE_JOB = dg.define_asset_job(
    "catalogue",
    selection=dg.AssetSelection.assets("raw_products", "originals", "collages"),
    description="A brand from its scrape to its collages.",
)
