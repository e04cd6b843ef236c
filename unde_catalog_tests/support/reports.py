"""A `CatalogReport` with every part filled in, and a parser for its page; shared by the tests of the report."""

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


def report(texts: Sequence[str] = ("a name",), *, failing: int = 1, products: int = 15_000) -> CatalogReport:
    """A report in which every untrusted text is one of `texts`, with `failing` rows of failures for each of them."""
    totals = BrandTotals(products, 12, products - 100, products - 200, 40, 30, products // 2)
    stored = StorageTotals(5 * products, products, 70_500_000_000)
    days = [CatalogDay("zara", (NOW - timedelta(days=n)).date(), totals, stored, NOW) for n in range(37, -1, -1)]
    growth = Growth(days[-8], days[-31], days, Changes(3, 2, 1, 4), Changes(9, 9, 9, 9))
    brands = [
        BrandReport(key, brand.name, totals, stored, NOW, StockTotals(6, 5, products - 10, products // 3), growth)
        for key, brand in BRANDS.items()
    ]
    states = ("fine", "late", "failing", "never", "not configured", "paused")
    pairs = [(stage, brand) for stage in STAGES for brand in BRANDS]
    freshness = {
        pair: StageFreshness(*pair, NOW - timedelta(minutes=12), states[n % 6], texts[n % len(texts)])
        for n, pair in enumerate(pairs)
    }
    failures = [
        FailingProducts("originals", "zara", text, 10, 4, text, ((text, text), (text, None)))
        for text in texts
        for _ in range(failing)
    ]
    return CatalogReport(
        at=NOW,
        brands=brands,
        stages=STAGES,
        freshness=freshness,
        failing=failures,
        failing_products=100 * len(failures),
        rejected=[FailingProducts("raw_products", "oysho", text, 2, 0, text, ((text, None),)) for text in texts],
        work=[DueWork("collages", brand, 300, 4, 0.5, active=True, paused=False) for brand in BRANDS],
        pauses=[PausedWork(text, text, text, NOW) for text in texts],
        slow_hosts=[HostState(text, 4.0, text, NOW - timedelta(hours=1), 3) for text in texts],
        credits_today=3,
        credits_month=9_500,
        credits_budget=10_000,
        database_bytes=10**9,
    )


@dataclass
class ParsedPage(HTMLParser):
    """A parsed page: (tag, attributes) in order, and (enclosing tag, text) in order."""

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

    def text_of(self, tag: str) -> list[str]:
        """All texts directly inside such tags, without blank ones."""
        return [text for around, text in self.texts if around == tag and text.strip()]

    def is_complete(self) -> bool:
        """Whether every element is closed."""
        return not self._open


def parsed(page: str) -> ParsedPage:
    """The parsed page; an element that is not closed in order fails the test."""
    parts = ParsedPage()
    parts.feed(page)
    parts.close()
    assert parts.is_complete()
    return parts
