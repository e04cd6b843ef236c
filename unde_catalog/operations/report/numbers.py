"""The report as plain values: everything its pages show, and what follows directly from the numbers.

They are gathered in `gather.py` and put into words in `sections.py` and `attention.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from unde_catalog.operations.report.words import one_line
from unde_catalog.stores.staging.due_work.host_pace import HostState
from unde_catalog.stores.staging.due_work.pauses import PausedWork
from unde_catalog.stores.staging.reports.catalog_days import CatalogDay
from unde_catalog.stores.staging.reports.runs import Changes
from unde_catalog.stores.staging.reports.totals import BrandTotals, FailingProducts, StockTotals, StorageTotals

FreshnessState = Literal["fine", "late", "failing", "never", "not configured", "no stores", "paused"]


@dataclass(frozen=True, slots=True)
class StageFreshness:
    """When a stage of a brand last succeeded (None: never), how to judge that, and the message of its last run."""

    stage: str
    brand: str
    succeeded_at: datetime | None
    state: FreshnessState
    message: str


@dataclass(frozen=True, slots=True)
class DueWork:
    """What is due now in a stage of a brand.

    `per_second`: the rate of its last runs, 0 where none had anything to do. `active`: a run is in progress or near.
    """

    stage: str
    brand: str
    due: int
    leased: int
    per_second: float
    active: bool
    paused: bool

    @property
    def seconds(self) -> float | None:
        """How long the work takes at that rate; None where the rate is unknown."""
        return self.due / self.per_second if self.per_second > 0 else None


@dataclass(frozen=True, slots=True)
class Growth:
    """A brand over time: `days` are the newest, oldest first; `week_ago` and `month_ago` are None where not recorded.

    `week` and `month` are the changes that scrapes found in 7 and 30 days.
    """

    week_ago: CatalogDay | None
    month_ago: CatalogDay | None
    days: Sequence[CatalogDay]
    week: Changes
    month: Changes


@dataclass(frozen=True, slots=True)
class BrandReport:
    """The state of a brand; `counted_at` is when `stored` was counted.

    `stock` is None where the stores are not configured, or where the brand has none.
    """

    key: str
    name: str
    totals: BrandTotals
    stored: StorageTotals
    counted_at: datetime
    stock: StockTotals | None
    growth: Growth
    has_stores: bool = True


@dataclass(frozen=True, slots=True)
class CatalogReport:
    """The catalogue at one moment.

    `freshness` is by (stage, brand); `failing_products` includes those whose reasons `failing` does not list.
    """

    at: datetime
    brands: Sequence[BrandReport]
    stages: Sequence[str]
    freshness: Mapping[tuple[str, str], StageFreshness]
    failing: Sequence[FailingProducts]
    failing_products: int
    rejected: Sequence[FailingProducts]
    work: Sequence[DueWork]
    pauses: Sequence[PausedWork]
    slow_hosts: Sequence[HostState]
    credits_today: int
    credits_month: int
    credits_budget: int
    database_bytes: int

    def name_of(self, brand: str) -> str:
        """The display name of a brand's key; the key itself where it is unknown."""
        return next((one.name for one in self.brands if one.key == brand), one_line(brand))

    def total(self, field: str) -> int:
        """A field of `BrandTotals` or `StorageTotals`, summed over all brands."""
        return sum(
            getattr(brand.totals if field in BrandTotals.__slots__ else brand.stored, field) for brand in self.brands
        )

    def stock(self) -> StockTotals:
        """Stock, summed over all brands whose stores are configured."""
        known = [brand.stock for brand in self.brands if brand.stock is not None]
        return StockTotals(*(sum(getattr(stock, name) for stock in known) for name in StockTotals.__slots__))
