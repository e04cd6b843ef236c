"""Jobs: what can be launched as one run."""

import dagster as dg

# `raw_stores` and `availability` have a clock of their own.
CATALOGUE_STAGES = ("raw_products", "originals", "collages", "ximilar_index", "production_catalog")
STAGES_OF_JOB = {"catalogue": frozenset(CATALOGUE_STAGES)}

CATALOGUE_JOB = dg.define_asset_job(
    "catalogue",
    selection=dg.AssetSelection.assets(*CATALOGUE_STAGES),
    description="A brand from its scrape to what is published of it.",
)
