"""The asset of the report on the whole catalogue."""

import dagster as dg

from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence, location_of
from unde_catalog.operations.report.catalog import build, store
from unde_catalog.operations.report.gather import figures
from unde_catalog.stage_specs import STAGES


@dg.asset(io_manager_key="table_io_manager", group_name="operations", kinds={"html"}, deps=STAGES)
def catalog_report(
    context: dg.AssetExecutionContext, backends: dg.ResourceParam[BackendsResource]
) -> dg.MaterializeResult:
    """The state of the catalogue: funnel, due work with an estimate of its end, failures, freshness, stores, growth.

    The materialization contains the report (*Show Markdown*). The same report is an HTML page in the object store;
    everybody who has its link can read it. The numbers are those of the database at that moment. The report is built
    hourly at :20 and whenever the asset is materialized.

    On failure: the database or the object store could not be used, as the message says; run it again. Problems that the
    report lists never fail this asset: each stage and each check fails by itself.
    """
    with fail_in_one_sentence("the report could not be built"), backends.open() as opened:
        rendered = build(opened)
        url = store(opened, rendered)
    return dg.MaterializeResult(
        metadata={
            "report": dg.MetadataValue.md(rendered.markdown), "page": location_of(url), **figures(rendered.report),
        }
    )  # fmt: skip
