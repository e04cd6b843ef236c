"""What one run of the raw_products stage has at hand, from its start to its report. No step of it is here."""

import logging
import time
from collections import Counter
from datetime import timedelta

from unde_catalog.brands import BRANDS, IndexScope
from unde_catalog.settings.environment import Settings
from unde_catalog.stages.raw_products.source import Source
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.products.ingest import Merged
from unde_catalog.stores.staging.products.scrapes import Scrape
from unde_catalog.worker.report import RunOptions, StageReport

LEASE = timedelta(minutes=5)  # renewed with every page and every look at the run
_DAILY = timedelta(hours=12)


class CollectRun:
    """A run of the stage: what it was asked for, what it works with and what it counts."""

    def __init__(
        self, brand: str, db: Database, settings: Settings, options: RunOptions, log: logging.Logger,
        source: Source, report: StageReport,
    ) -> None:  # fmt: skip
        self.brand, self.db, self.settings, self.options = brand, db, settings, options
        self.log, self.source, self.report = log, source, report
        self.source_name = BRANDS[brand].source
        self.index_scope: IndexScope = settings.brands[brand].index_scope
        minutes = options.max_minutes
        self._ends_at = None if minutes is None else time.monotonic() + 60 * minutes

    @property
    def interval(self) -> timedelta:
        """How young a complete scrape may be that is not repeated; of a daily one never more than half a day.

        So that a schedule never finds the one before too young.
        """
        hours = timedelta(hours=self.settings.scrape_interval_hours)
        return min(hours, _DAILY) if BRANDS[self.brand].collected == "daily" else hours

    @property
    def seconds_left(self) -> float | None:
        """Until `max_minutes` are over; None without."""
        return None if self._ends_at is None else max(self._ends_at - time.monotonic(), 0.0)

    @property
    def time_is_over(self) -> bool:
        """Whether nothing more is to begin."""
        return self.seconds_left == 0.0

    def note(self, sentence: str) -> None:
        """Add to what the report says in words."""
        self.report.note = f"{self.report.note}; {sentence}" if self.report.note else sentence


class Progress:
    """How far a scrape got, over all the runs that had it in hand."""

    def __init__(self, scrape: Scrape) -> None:
        self.read_to, self.place, self.staged = scrape.read_to, scrape.place, scrape.staged
        self.counts = Counter(scrape.counts)


def merged_counts(merged: Merged) -> Counter[str]:
    """What was merged, as it is counted in reports and in `scrapes`."""
    return Counter(
        new=merged.new, changed=merged.changed, returned=merged.returned, unchanged=merged.unchanged,
        repeated=merged.repeated,
    )  # fmt: skip
