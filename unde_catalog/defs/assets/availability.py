"""The asset of stock: a brand on a day."""

from datetime import date

import dagster as dg
from pydantic import Field

from unde_catalog.defs.partitions import availability_partitions
from unde_catalog.defs.queues import QUEUE_TAG
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.stage_execution import StageConfig, run_external_stage
from unde_catalog.stage_specs import STAGE_SPECS

_SPEC = STAGE_SPECS["availability"]


class AvailabilityConfig(StageConfig):
    """The configuration of every stage, and how long a run polls."""

    poll_minutes: float | None = Field(
        None,
        description="Keep running for this many minutes and check what becomes due. Without it, the run checks only "
        "what is due when it starts.",
    )


def availability_asset(first_day: date) -> dg.AssetsDefinition:
    """The asset; its partitions begin with `first_day`."""

    @dg.asset(
        partitions_def=availability_partitions(first_day),
        io_manager_key="table_io_manager",
        group_name=_SPEC.group,
        kinds={"postgres"},
        tags={"runs": "hourly"},
        op_tags={QUEUE_TAG: _SPEC.queue},
        code_version="1",  # raise it when the same input gives another result
        deps=[dg.AssetDep("raw_products", partition_mapping=dg.AllPartitionMapping()), "raw_stores", "shops_api"],
    )
    def availability(
        context: dg.AssetExecutionContext, config: AvailabilityConfig, backends: dg.ResourceParam[BackendsResource]
    ) -> dg.MaterializeResult:
        """The stock of a brand's stores today: a row in `raw_availability` for each store, product and UTC day.

        Every product is checked once an hour, spread evenly over the hour; the hourly run polls until the hour ends.
        `sizes_in_stock` lists the sizes, `[]` for none. Unknown stock (no response, or an empty one) is not written. A
        host that answers 403, 429 or 5xx, or times out, is throttled and recovers step by step.

        The partitions are the brands with stores, on each day since `AVAILABILITY_FIRST_DAY`.

        On failure: the stock API did not respond at all, as the message says, and the next hourly run tries again; or
        the day is over, because stock of a past day cannot be checked. A brand without a configured address does not
        fail: its note says so.
        """
        keys = context.partition_key.keys_by_dimension  # pyright: ignore[reportAttributeAccessIssue]
        return run_external_stage(
            "availability", context, config, backends, brand=keys["brand"], day=date.fromisoformat(keys["date"]),
            poll_minutes=config.poll_minutes,
        )  # fmt: skip

    return availability
