"""Jobs: what can be launched as one run."""

import dagster as dg

CATALOGUE_JOB = dg.define_asset_job(
    "catalogue",
    selection=dg.AssetSelection.assets("raw_products", "originals", "collages", "ximilar_index", "production_catalog"),
    description="A brand from its scrape to what is published of it.",
)
