"""The asset of a brand's stores."""

import dagster as dg

from unde_catalog.defs.partitions import STORE_PARTITIONS
from unde_catalog.defs.queues import QUEUE_TAG
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.stage_execution import StageConfig, run_external_stage
from unde_catalog.stage_specs import STAGE_SPECS

_SPEC = STAGE_SPECS["raw_stores"]


@dg.asset(
    partitions_def=STORE_PARTITIONS,
    io_manager_key="table_io_manager",
    group_name=_SPEC.group,
    kinds={"postgres"},
    tags={"runs": "daily"},
    op_tags={QUEUE_TAG: _SPEC.queue},
    code_version="1",  # raise it when the same input gives another result
    deps=["shops_api"],
)
def raw_stores(
    context: dg.AssetExecutionContext, config: StageConfig, backends: dg.ResourceParam[BackendsResource]
) -> dg.MaterializeResult:
    """The stores of `DUBAI_<BRAND>_STORES` with name, address, mall and coordinates from the brand's store finder.

    The note lists stores in Dubai that are not configured, and configured stores that the finder does not know. A brand
    without a configured finder does not fail: its note says what to set.

    On failure: the finder did not respond, or its response has another format. The stores stay as they were, and their
    stock is still checked.
    """
    return run_external_stage("raw_stores", context, config, backends)
