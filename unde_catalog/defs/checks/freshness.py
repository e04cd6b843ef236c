"""Checks that each stage of a brand runs on time; the job `freshness_checks` evaluates them hourly.

They are not part of a stage's runs, because they report that runs are missing. Availability, whose partitions are also
days, is checked in `system.py`.
"""

from collections.abc import Iterator

import dagster as dg

from unde_catalog.backends import Backends
from unde_catalog.defs.checks.results import brand_check, brand_of, check_result
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence
from unde_catalog.operations.quality import freshness
from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.stage_specs import STAGE_SPECS
from unde_catalog.stages.configured import why_not_configured
from unde_catalog.stores.staging.due_work import pauses
from unde_catalog.stores.staging.reports.freshness import stage_times

FRESHNESS_CHECKS = [
    brand_check(
        "fresh",
        stage,
        "A run of the brand succeeded recently, or one is in progress. A stage that is paused or not configured is "
        "never late.",
    )
    for stage, spec in STAGE_SPECS.items()
    if not spec.recurs
]


@dg.multi_asset_check(name="check_freshness", specs=FRESHNESS_CHECKS, can_subset=True)
def fresh(
    context: dg.AssetCheckExecutionContext, backends: dg.ResourceParam[BackendsResource]
) -> Iterator[dg.AssetCheckResult]:
    """Evaluates the freshness of each stage of the brand in one step."""
    brand = brand_of(context)
    with fail_in_one_sentence(f"the checks of {brand} could not start"), backends.open() as opened:
        for key in sorted(context.selected_asset_check_keys, key=str):
            yield check_result(key, evaluate(opened, key.asset_key.to_user_string(), brand))


def evaluate(backends: Backends, stage: str, brand: str) -> CheckResult:
    """The freshness of a stage of a brand now."""
    paused = backends.db.run(pauses.paused, stage, brand)
    inactive_reason = paused or why_not_configured(stage, brand, backends.settings)
    return freshness.fresh(stage, brand, backends.db.run(stage_times, stage, brand), inactive_reason)
