"""Reports made by hand, and how a page is taken apart: what the tests of the report share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

from unde_catalog.brands import BRANDS
from unde_catalog.operations.report.numbers import BrandReport, CatalogReport, DueWork, Growth, StageFreshness
from unde_catalog.stage_specs import STAGES
from unde_catalog.stores.staging.due_work.host_pace import HostState
from unde_catalog.stores.staging.due_work.pauses import PausedWork
from unde_catalog.stores.staging.reports.catalog_days import CatalogDay
from unde_catalog.stores.staging.reports.runs import Changes
from unde_catalog.stores.staging.reports.totals import BrandTotals, FailingProducts, StockTotals, StorageTotals

NOW = datetime(2026, 3, 1, 4, 20, tzinfo=UTC)
HOSTILE = (
    "<script>alert(1)</script>",
    "'\"><img src=https://evil.test/x onerror=alert(1)>",
    "</style></title><svg onload=alert(1)>",
    "`|** [click](https://evil.test) ![x](https://evil.test/x.png)\n\n# H1\n| a | b |\n|---|---|",
    "www.evil.test \\` \\| &lt;b&gt; \u202e\u200b\x00\x1b[31m",
    "long " * 5_000,
)


def report(said: Sequence[str] = ("a name",), *, failing: int = 1, products: int = 15_000) -> CatalogReport:
    """Every part of a report, with these words wherever somebody else's stand; `failing` rows for each of them."""
    standing = BrandTotals(products, 12, products - 100, products - 200, 40, 30, products // 2)
    stored = StorageTotals(5 * products, products, 70_500_000_000)
    days = [CatalogDay("zara", (NOW - timedelta(days=n)).date(), standing, stored, NOW) for n in range(37, -1, -1)]
    growth = Growth(days[-8], days[-31], days, Changes(3, 2, 1, 4), Changes(9, 9, 9, 9))
    brands = [
        BrandReport(key, brand.name, standing, stored, NOW, StockTotals(6, 5, products - 10, products // 3), growth)
        for key, brand in BRANDS.items()
    ]
    states = ("fine", "late", "failing", "never", "not configured", "paused")
    pairs = [(stage, brand) for stage in STAGES for brand in BRANDS]
    fresh = {
        pair: StageFreshness(*pair, NOW - timedelta(minutes=12), states[n % 6], said[n % len(said)])
        for n, pair in enumerate(pairs)
    }
    fails = [
        FailingProducts("originals", "zara", one, 10, 4, one, ((one, one), (one, None)))
        for one in said
        for _ in range(failing)
    ]
    return CatalogReport(
        at=NOW,
        brands=brands,
        stages=STAGES,
        freshness=fresh,
        failing=fails,
        failing_products=100 * len(fails),
        rejected=[FailingProducts("raw_products", "oysho", one, 2, 0, one, ((one, None),)) for one in said],
        work=[DueWork("collages", brand, 300, 4, 0.5, going=True, paused=False) for brand in BRANDS],
        pauses=[PausedWork(one, one, one, NOW) for one in said],
        slow_hosts=[HostState(one, 4.0, one, NOW - timedelta(hours=1), 3) for one in said],
        credits_today=3,
        credits_month=9_500,
        credits_budget=10_000,
        database_bytes=10**9,
    )


@dataclass
class Taken(HTMLParser):
    """A page taken apart: (tag, attributes) in order, and text by the tag around it."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1] if self._open else "", data))

    def said(self, tag: str) -> list[str]:
        """All texts right in such tags."""
        return [text for around, text in self.texts if around == tag]

    def ended(self) -> bool:
        """Whether every element is closed."""
        return not self._open


def taken(page: str) -> Taken:
    """The page taken apart; an element that is not closed in order fails."""
    parts = Taken()
    parts.feed(page)
    parts.close()
    assert parts.ended()
    return parts
