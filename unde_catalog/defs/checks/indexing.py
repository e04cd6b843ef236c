"""Checks of the Ximilar index: is there money and room left for what waits."""

import dagster as dg

from unde_catalog.defs.checks.results import brand_check, brand_of
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence
from unde_catalog.stores.staging.due_work import stage_runs, work_queue
from unde_catalog.stores.staging.index import ximilar_rows

_NEARLY = 0.9  # of the month's credits


@dg.asset_check(asset="ximilar_index")
def credits_left(backends: dg.ResourceParam[BackendsResource]) -> dg.AssetCheckResult:
    """Whether less than nine tenths of the month's Ximilar credits are used; they are one account's, for all brands."""
    with fail_in_one_sentence("the check could not begin"), backends.open() as opened:
        today, month = opened.db.run(ximilar_rows.credits_used)
        budget = opened.settings.ximilar_monthly_credits
    passed = month < _NEARLY * budget
    advice = "" if passed else ": raise XIMILAR_MONTHLY_CREDITS, or the rest waits for the next month"
    return dg.AssetCheckResult(
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN if month < budget else dg.AssetCheckSeverity.ERROR,
        description=f"{month} of the month's {budget} credits are used, {today} of them today{advice}",
        metadata={"credits_today": today, "credits_this_month": month, "credits_budget": budget},
    )


_HELD_BACK = brand_check(
    "no_work_deferred",
    "ximilar_index",
    "The brand's last run could do all that was due, and did not pause for want of credits or room.",
)


@dg.multi_asset_check(name="no_work_deferred", specs=[_HELD_BACK])
def no_work_deferred(
    context: dg.AssetCheckExecutionContext, backends: dg.ResourceParam[BackendsResource]
) -> dg.AssetCheckResult:
    """Whether the brand's last run could do all that was due, or paused for want of credits or room."""
    brand = brand_of(context)
    with fail_in_one_sentence("the check could not begin"), backends.open() as opened:
        note = opened.db.run(stage_runs.last_note, "ximilar_index", brand)
        waiting = opened.db.run(work_queue.count_open, "ximilar_index", brand).due
    held_back = bool(waiting and note)
    return dg.AssetCheckResult(
        passed=not held_back,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{waiting} products wait: {note}" if held_back else f"{waiting} products are due",
        metadata={"waiting": waiting},
    )
