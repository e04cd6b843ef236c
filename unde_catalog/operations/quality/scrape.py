"""Whether the last scrape may be believed: what it did not see is only marked inactive if it saw enough (spec 1)."""

from unde_catalog.brands import BRANDS, SourceKind
from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.stores.staging.reports.freshness import LastScrape

_LOOK_AT: dict[SourceKind, str] = {
    "apify": "its run in Apify's console",
    "bakai": "unde-catalog doctor --only bakai",
}


def vanished(brand: str, last: LastScrape | None, min_share: float) -> CheckResult:
    """The last scrape was whole. One that saw too few products marks nothing inactive, and is told here."""
    if last is None:
        return CheckResult(True, f"{brand} was not collected yet")
    figures = {"seen": last.seen, "active": last.active, "vanished": last.vanished, "rejected": last.rejected}
    seen = f"the last scrape of {brand} saw {last.seen} of {last.active} active products"
    again = f"look at {_LOOK_AT[BRANDS[brand].source_kind]}, then run raw_products again"
    if last.state == "complete":
        return CheckResult(True, f"{seen}, {last.vanished} were marked inactive", figures=figures)
    if last.reason == "too_few_products":
        todo = f"fewer than SCRAPE_MIN_SHARE ({min_share:.0%}), so nothing was marked inactive and nothing is published"
        return CheckResult(False, f"{seen}, {todo}: {again}", "wake", figures)
    if last.state == "partial":
        return CheckResult(False, f"{seen} and is not whole ({last.reason}): nothing was marked inactive; {again}",
                      figures=figures)  # fmt: skip
    return CheckResult(False, f"the last scrape of {brand} failed ({last.reason}): {again}", figures=figures)
