"""Checks of the Ximilar index after a run: credits and space are left for the remaining work."""

import dagster as dg

from unde_catalog.defs.checks.results import brand_check, brand_of
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence
from unde_catalog.stores.staging.due_work import stage_runs, work_queue
from unde_catalog.stores.staging.index import ximilar_rows
from unde_catalog.text import quantity

_WARN_SHARE = 0.9  # of the month's credits


@dg.asset_check(asset="ximilar_index")
def credits_left(backends: dg.ResourceParam[BackendsResource]) -> dg.AssetCheckResult:
    """Less than 90 % of the month's Ximilar credits are used. All brands share one account."""
    with fail_in_one_sentence("the check could not start"), backends.open() as opened:
        today, month = opened.db.run(ximilar_rows.credits_used)
        budget = opened.settings.ximilar_monthly_credits
    passed = month < _WARN_SHARE * budget
    advice = "" if passed else " Raise XIMILAR_MONTHLY_CREDITS, or the remaining work waits for the next month."
    return dg.AssetCheckResult(
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN if month < budget else dg.AssetCheckSeverity.ERROR,
        description=f"{month} of this month's {budget} credits are used, {today} of them today.{advice}",
        metadata={"credits_today": today, "credits_this_month": month, "credits_budget": budget},
    )


_NO_WORK_DEFERRED = brand_check(
    "no_work_deferred",
    "ximilar_index",
    "The last run of the brand processed all due work and did not stop for lack of credits or space.",
)


@dg.multi_asset_check(name="no_work_deferred", specs=[_NO_WORK_DEFERRED])
def no_work_deferred(
    context: dg.AssetCheckExecutionContext, backends: dg.ResourceParam[BackendsResource]
) -> dg.AssetCheckResult:
    """The last run of the brand processed all due work and did not stop for lack of credits or space."""
    brand = brand_of(context)
    with fail_in_one_sentence("the check could not start"), backends.open() as opened:
        note = opened.db.run(stage_runs.last_note, "ximilar_index", brand)
        waiting = opened.db.run(work_queue.count_open, "ximilar_index", brand).due
    deferred = bool(waiting and note)
    due = f"{quantity(waiting, 'product')} {'is' if waiting == 1 else 'are'} due."
    return dg.AssetCheckResult(
        passed=not deferred,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{due} The last run deferred work: {note}" if deferred else due,
        metadata={"waiting": waiting},
    )
