"""Checks of due work: is everything checked in time and evenly, and do indexes serve the queries (spec 5)."""

import dagster as dg

from unde_catalog.brands import BRANDS
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence
from unde_catalog.stage_specs import DUE_STAGES
from unde_catalog.stages.availability import recurring
from unde_catalog.stores.staging.due_work.query_plans import sequential_scans
from unde_catalog.stores.staging.due_work.statistics import DueFigures, alarms

_ADVICE = "unde-catalog upkeep does ANALYZE; if it stays, REINDEX due_work and raw_products, then look again"


@dg.asset_check(asset="availability")
def checked_on_time(backends: dg.ResourceParam[BackendsResource]) -> dg.AssetCheckResult:
    """Whether each brand's products have their places in the interval and are checked when they are due."""
    with fail_in_one_sentence("the check could not begin"), backends.open() as opened:
        found = recurring.due_figures(opened.db, recurring.recurring_intervals(opened.settings))
    wrong = [sentence for one in found.values() for sentence in alarms(one)]
    products = sum(one.active for one in found.values())
    in_time = sum(one.in_time * one.active for one in found.values()) / products if products else 1.0
    return dg.AssetCheckResult(
        passed=not wrong,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(wrong) or f"{in_time:.1%} of {products} products are checked in time",
        metadata={
            "products": products,
            "never_checked": sum(one.never_checked for one in found.values()),
            "due": sum(one.due for one in found.values()),
            "in_hand": sum(one.in_hand for one in found.values()),
            "checked_last_hour": sum(one.checked_last_hour for one in found.values()),
            "in_time": round(in_time, 4),
            "brands": dg.MarkdownMetadataValue(_table(list(found.values()))),
        },
    )


@dg.asset_check(asset="raw_products")
def index_in_use(backends: dg.ResourceParam[BackendsResource]) -> dg.AssetCheckResult:
    """Whether the database looks for due work by its indexes, in every stage: never by reading a big table whole."""
    with fail_in_one_sentence("the check could not begin"), backends.open() as opened:
        scans = opened.db.run(sequential_scans, DUE_STAGES, tuple(BRANDS))
    big = [one for one in scans if not one.small]
    tables = ", ".join(sorted({one.table for one in scans if one.small}))
    fine = "indexes serve all queries of due work" + (f"; still small enough to be read whole: {tables}" * bool(tables))
    return dg.AssetCheckResult(
        passed=not big,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{big[0].sentence()}, and {len(big) - 1} more: {_ADVICE}" if big else fine,
        metadata={"sequential_scans": len(big)},
    )


def _table(found: list[DueFigures]) -> str:
    if not found:
        return "not configured for any brand"
    lines = ["| brand | active | never checked | due | in hand | in time | last hour | a minute |", "|---" * 8 + "|"]
    lines += [
        f"| {one.brand} | {one.active} | {one.never_checked} | {one.due} | {one.in_hand} | {one.in_time:.1%} "
        f"| {one.checked_last_hour} | {one.emptiest} to {one.fullest}, share {one.share:g} |"
        for one in found
    ]
    return "\n".join(lines)
