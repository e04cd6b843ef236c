"""The report as one HTML page.

The markup is in `templates/page.html`, the tables are in `sections.py`.
"""

from collections.abc import Sequence

from unde_catalog.operations.report.attention import headline, notes
from unde_catalog.operations.report.numbers import CatalogReport
from unde_catalog.operations.report.rendering import render
from unde_catalog.operations.report.sections import sections
from unde_catalog.operations.report.words import count, moment, share, size


def page(report: CatalogReport) -> str:
    """The whole document."""
    found = notes(report)
    return render(
        "page.html",
        report=report,
        headline=headline(report, found),
        figures=_figures(report),
        notes=found,
        sections=sections(report),
        limits=_limits(report),
    )


def _figures(report: CatalogReport) -> Sequence[tuple[str, str, str]]:
    active, stock, published = report.total("active"), report.stock(), report.total("published")
    photos = share(report.total("photographed"), active)
    return [
        ("Products", count(active), f"{count(report.total('inactive'))} no longer on sale"),
        ("Photos stored", photos or "–", f"{count(report.total('photos'))} photos"),
        ("Published", share(published, active) or "–", f"{count(published)} products"),
        ("In stock", share(stock.in_stock, stock.checked) or "–", f"{count(stock.checked)} checked"),
        ("Due now", count(sum(work.due for work in report.work)), f"{count(report.failing_products)} failing"),
    ]


def _limits(report: CatalogReport) -> Sequence[tuple[str, str]]:
    used, budget = report.credits_month, report.credits_budget
    of_budget = f", {share(used, budget)} of {count(budget)}" if used and budget else f" of {count(budget)}"
    oldest = min((brand.counted_at for brand in report.brands), default=report.at)
    counted = "" if (report.at - oldest).total_seconds() < 60 else f", counted at {moment(oldest)}"
    photos, collages = count(report.total("photos")), count(report.total("collages"))
    return [
        ("Ximilar credits this month", f"{count(used)}{of_budget}; {count(report.credits_today)} today"),
        ("Objects", f"{size(report.total('bytes'))} in {photos} photos and {collages} collages{counted}"),
        ("Staging database", size(report.database_bytes)),
    ]
