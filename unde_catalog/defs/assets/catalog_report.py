"""How the whole catalogue stands."""

import dagster as dg

from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence, location_of
from unde_catalog.operations.report.catalog import render, store
from unde_catalog.operations.report.gather import counted
from unde_catalog.stage_specs import STAGES


@dg.asset(
    group_name="operations",
    kinds={"html"},
    deps=STAGES,
)
def catalog_report(
    context: dg.AssetExecutionContext, backends: dg.ResourceParam[BackendsResource]
) -> dg.MaterializeResult:
    """The state of the catalogue: funnel, what is due and until when, failures, freshness, shops, growth.

    In the materialization (*Show Markdown*), and as a page of its own in the object store, which whoever has its link
    can read. Each number is the database's at that moment; hourly at :20, and whenever somebody materializes it.

    When red: the database or the storage could not be used, as the message says; run it again. What the report itself
    says is never red here: each stage and check is red for itself.
    """
    with fail_in_one_sentence("the report could not be made"), backends.open() as opened:
        made = render(opened)
        url = store(opened, made)
    return dg.MaterializeResult(
        metadata={"report": dg.MetadataValue.md(made.markdown), "page": location_of(url), **counted(made.report)}
    )
