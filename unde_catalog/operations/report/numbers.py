"""The report as plain values: everything that its pages show, and what follows from the numbers at once.

How they are gathered is in `gather.py`, how they are put in words and shown in the modules that render.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from unde_catalog.operations.report.words import harmless
from unde_catalog.stores.staging.due_work.host_pace import HostState
from unde_catalog.stores.staging.due_work.pauses import PausedWork
from unde_catalog.stores.staging.reports.catalog_days import CatalogDay
from unde_catalog.stores.staging.reports.runs import Changes
from unde_catalog.stores.staging.reports.totals import BrandTotals, FailingProducts, StockTotals, StorageTotals

FreshnessState = Literal["fine", "late", "failing", "never", "not configured", "no shops", "paused"]


@dataclass(frozen=True, slots=True)
class StageFreshness:
    """When a stage of a brand last succeeded (None: never), how that is to be taken, and what its last run said."""

    stage: str
    brand: str
    succeeded_at: datetime | None
    state: FreshnessState
    said: str


@dataclass(frozen=True, slots=True)
class DueWork:
    """What is due of a stage and brand now.

    `per_second`: of its last runs, 0 where none had anything to do. `going`: somebody is at it, or will soon be again.
    """

    stage: str
    brand: str
    due: int
    in_hand: int
    per_second: float
    going: bool
    paused: bool

    @property
    def seconds(self) -> float | None:
        """How long it takes at that rate; None where no rate is known."""
        return self.due / self.per_second if self.per_second > 0 else None


@dataclass(frozen=True, slots=True)
class Growth:
    """A brand over time: `week_ago` and `month_ago` are None where nobody looked then; `days` the newest, oldest first.

    `week` and `month` are what scrapes changed in 7 and 30 days.
    """

    week_ago: CatalogDay | None
    month_ago: CatalogDay | None
    days: Sequence[CatalogDay]
    week: Changes
    month: Changes


@dataclass(frozen=True, slots=True)
class BrandReport:
    """A brand as it stands; `counted_at` is when `stored` was counted.

    `stock` is None where shops are not configured, or where the brand has none.
    """

    key: str
    name: str
    standing: BrandTotals
    stored: StorageTotals
    counted_at: datetime
    stock: StockTotals | None
    growth: Growth
    has_stores: bool = True


@dataclass(frozen=True, slots=True)
class CatalogReport:
    """The catalogue at a moment.

    `freshness` is by (stage, brand); `failing_products` counts also what `failing` does not list.
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
        """The name for people of a brand's key; the key itself of one that is not ours."""
        return next((one.name for one in self.brands if one.key == brand), harmless(brand))

    def total(self, field: str) -> int:
        """A field of `BrandTotals` or `StorageTotals` over all brands."""
        return sum(
            getattr(one.standing if field in BrandTotals.__slots__ else one.stored, field) for one in self.brands
        )  # fmt: skip

    def shops(self) -> StockTotals:
        """Stock over all brands whose shops are configured."""
        known = [one.stock for one in self.brands if one.stock is not None]
        return StockTotals(*(sum(getattr(one, name) for one in known) for name in StockTotals.__slots__))
