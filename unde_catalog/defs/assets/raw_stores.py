"""A brand's shops."""

import dagster as dg

from unde_catalog.defs.assets.stage_asset import StageConfig, tell_others
from unde_catalog.defs.partitions import BRAND_PARTITIONS
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.stage_specs import STAGE_SPECS

_SPEC = STAGE_SPECS["raw_stores"]


@dg.asset(
    partitions_def=BRAND_PARTITIONS,
    group_name=_SPEC.group,
    kinds={"postgres"},
    tags={"rhythm": "daily"},
    code_version="1",  # raise it when the same input gives another result
    deps=["shops_api"],
)
def raw_stores(
    context: dg.AssetExecutionContext, config: StageConfig, backends: dg.ResourceParam[BackendsResource]
) -> dg.MaterializeResult:
    """The shops of `DUBAI_<BRAND>_STORES` with name, address, mall and place, as the brand's own finder tells them.

    The note names shops in Dubai that are not set, and set ones that the finder does not know.

    A brand without an address of its finder is not red, its note says what to set.

    When red: the finder did not answer, or in another form; the shops stay as they were, and stock is checked on.
    """
    return tell_others("raw_stores", context, config, backends)
