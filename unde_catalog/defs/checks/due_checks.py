"""Checks of due work: products are checked on time and evenly, and indexes serve the queries for due work.

How due work functions is described in `docs/reference/rules.md`.
"""

import dagster as dg

from unde_catalog.brands import BRANDS
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence
from unde_catalog.stage_specs import DUE_STAGES
from unde_catalog.stages.availability import recurring
from unde_catalog.stores.staging.due_work.query_plans import sequential_scans
from unde_catalog.stores.staging.due_work.statistics import DueFigures, alarms

_ADVICE = (
    "Run unde-catalog upkeep, which updates the statistics. If that does not help, REINDEX due_work and raw_products."
)


@dg.asset_check(asset="availability")
def checked_on_time(backends: dg.ResourceParam[BackendsResource]) -> dg.AssetCheckResult:
    """The products of each brand are spread over the interval and checked when they are due."""
    with fail_in_one_sentence("the check could not start"), backends.open() as opened:
        figures = recurring.due_figures(opened.db, recurring.recurring_intervals(opened.settings)).values()
    problems = [problem for one in figures for problem in alarms(one)]
    products = sum(one.active for one in figures)
    on_time = sum(one.in_time * one.active for one in figures) / products if products else 1.0
    return dg.AssetCheckResult(
        passed=not problems,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(problems) or f"{on_time:.1%} of {products} products are checked on time.",
        metadata={
            "products": products,
            "never_checked": sum(one.never_checked for one in figures),
            "due": sum(one.due for one in figures),
            "leased": sum(one.in_hand for one in figures),
            "checked_last_hour": sum(one.checked_last_hour for one in figures),
            "on_time": round(on_time, 4),
            "brands": dg.MarkdownMetadataValue(_table(list(figures))),
        },
    )


@dg.asset_check(asset="raw_products")
def index_in_use(backends: dg.ResourceParam[BackendsResource]) -> dg.AssetCheckResult:
    """The queries for due work of every stage use indexes and never read a large table sequentially."""
    with fail_in_one_sentence("the check could not start"), backends.open() as opened:
        scans = opened.db.run(sequential_scans, DUE_STAGES, tuple(BRANDS))
    large = [scan for scan in scans if not scan.small]
    description = "Indexes serve all queries for due work."
    if tables := ", ".join(sorted({scan.table for scan in scans if scan.small})):
        description += f" Tables that are still small enough to be read sequentially: {tables}."
    if large:
        others = f" {len(large) - 1} other queries do the same." if len(large) > 1 else ""
        description = f"{large[0].sentence()}.{others} {_ADVICE}"
    return dg.AssetCheckResult(
        passed=not large,
        severity=dg.AssetCheckSeverity.WARN,
        description=description,
        metadata={"sequential_scans": len(large)},
    )


def _table(figures: list[DueFigures]) -> str:
    if not figures:
        return "Not configured for any brand."
    lines = [
        "| brand | active | never checked | due | leased | on time | last hour | products a minute |", "|---" * 8 + "|",
    ]  # fmt: skip
    lines += [
        f"| {one.brand} | {one.active} | {one.never_checked} | {one.due} | {one.in_hand} | {one.in_time:.1%} "
        f"| {one.checked_last_hour} | {one.emptiest} to {one.fullest}, average {one.share:g} |"
        for one in figures
    ]
    return "\n".join(lines)
