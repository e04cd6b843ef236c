"""What each shop has in stock, a brand on a day."""

from datetime import date

import dagster as dg
from pydantic import Field

from unde_catalog.defs.assets.stage_asset import StageConfig, tell_others
from unde_catalog.defs.partitions import AVAILABILITY_PARTITIONS
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.stage_specs import STAGE_SPECS

_SPEC = STAGE_SPECS["availability"]


class AvailabilityConfig(StageConfig):
    """What every stage takes, and how long a run goes on."""

    poll_minutes: float | None = Field(
        None, description="Go on for so many minutes with what comes due meanwhile; without it, only what is due now."
    )


@dg.asset(
    partitions_def=AVAILABILITY_PARTITIONS,
    group_name=_SPEC.group,
    kinds={"postgres"},
    tags={"rhythm": "hourly"},
    code_version="1",  # raise it when the same input gives another result
    deps=[*_SPEC.upstream, "shops_api"],
)
def availability(
    context: dg.AssetExecutionContext, config: AvailabilityConfig, backends: dg.ResourceParam[BackendsResource]
) -> dg.MaterializeResult:
    """What each of a brand's shops has in stock today: a row in `raw_availability` for each shop, product and UTC day.

    Every product is checked once an hour, evenly over it; the run of an hour stays for what comes due. `sizes_in_stock`
    names the sizes, `[]` for none; what is unknown (no answer, or an empty one) is not written. A host in distress
    (403, 429, 5xx, time-outs) is asked more slowly, and by and by as usual again.

    When red: the shops' API did not answer at all, as the message says, and the next hour's run asks again; or the day
    is over, as stock can't be asked for afterwards. A brand without shops or address is not red, its note says so.
    """
    keys = context.partition_key.keys_by_dimension  # pyright: ignore[reportAttributeAccessIssue]
    return tell_others(
        "availability", context, config, backends, brand=keys["brand"], day=date.fromisoformat(keys["date"]),
        poll_minutes=config.poll_minutes,
    )  # fmt: skip
