"""Whether the last scrape was complete: products that a scrape did not list become inactive only if it was."""

from unde_catalog.brands import BRANDS, SourceKind
from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.stores.staging.products.scrapes import TOO_FEW_PRODUCTS
from unde_catalog.stores.staging.reports.freshness import LastScrape

_CHECK: dict[SourceKind, str] = {
    "apify": "Check its run in Apify's console",
    "bakai": "Check with unde-catalog doctor --only bakai",
}


def vanished(brand: str, last: LastScrape | None, min_share: float) -> CheckResult:
    """The last scrape was complete. One that listed less than `min_share` marks nothing inactive and fails here."""
    if last is None:
        return CheckResult(True, f"{brand} has not been collected yet.")
    figures = {"seen": last.seen, "active": last.active, "vanished": last.vanished, "rejected": last.rejected}
    listed = f"The last scrape of {brand} listed {last.seen} of {last.active} active products"
    action = f"{_CHECK[BRANDS[brand].source_kind]}, then run raw_products again."
    if last.state == "complete":
        return CheckResult(True, f"{listed}; {last.vanished} were marked inactive.", figures=figures)
    if last.reason == TOO_FEW_PRODUCTS:
        limit = f"less than SCRAPE_MIN_SHARE ({min_share:.0%})"
        message = f"{listed}, {limit}. Therefore nothing was marked inactive and nothing is published. {action}"
        return CheckResult(False, message, "alert", figures)
    if last.state == "partial":
        message = f"{listed} and is incomplete ({last.reason}). Nothing was marked inactive. {action}"
        return CheckResult(False, message, figures=figures)
    return CheckResult(False, f"The last scrape of {brand} failed ({last.reason}). {action}", figures=figures)
