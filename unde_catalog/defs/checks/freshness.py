"""Whether each stage of a brand goes on: hourly by the job `checks_hourly`, whether or not a stage ran.

It can't go with the stages' own runs, as it is their absence that it tells. Availability, whose partitions are days as
well, is in `system.py`.
"""

from collections.abc import Iterator

import dagster as dg

from unde_catalog.backends import Backends
from unde_catalog.defs.checks.results import brand_check, brand_of, result
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence
from unde_catalog.operations.quality import freshness
from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.stage_specs import STAGE_SPECS, STAGES
from unde_catalog.stages.configured import why_not_configured
from unde_catalog.stores.staging.due_work import pauses
from unde_catalog.stores.staging.reports.freshness import stage_times

_STAGES = tuple(stage for stage in STAGES if not STAGE_SPECS[stage].recurs)

FRESHNESS_CHECKS = [
    brand_check(
        "fresh",
        stage,
        "A run has ended well lately, or somebody is at it; what is paused or not configured stands still on purpose.",
    )
    for stage in _STAGES
]


@dg.multi_asset_check(name="check_freshness", specs=FRESHNESS_CHECKS, can_subset=True)
def fresh(
    context: dg.AssetCheckExecutionContext, backends: dg.ResourceParam[BackendsResource]
) -> Iterator[dg.AssetCheckResult]:
    """Whether each stage of the brand was through within its rhythm."""
    brand = brand_of(context)
    with fail_in_one_sentence(f"the checks of {brand} could not begin"), backends.open() as opened:
        for key in sorted(context.selected_asset_check_keys, key=str):
            yield result(key, look(opened, key.asset_key.to_user_string(), brand))


def look(backends: Backends, stage: str, brand: str) -> CheckResult:
    """The answer for a stage of a brand now."""
    stands_still = backends.db.run(pauses.paused, stage, brand) or why_not_configured(stage, brand, backends.settings)
    return freshness.fresh(stage, brand, backends.db.run(stage_times, stage, brand), stands_still)
