"""The state of one run of the raw_products stage, from its start to its report. Its steps are in `collect.py`."""

import logging
import time
from collections import Counter
from datetime import timedelta

from unde_catalog.brands import BRANDS, IndexScope
from unde_catalog.settings.environment import Settings
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.products.ingest import MergeCounts
from unde_catalog.stores.staging.products.scrapes import Scrape
from unde_catalog.worker.report import RunOptions, StageReport

LEASE = timedelta(minutes=5)  # of a scrape; renewed with every page and every poll of the Apify run
_DAILY_INTERVAL = timedelta(hours=12)


class CollectRun:
    """A run of the stage: its options, its settings and its report."""

    def __init__(
        self, brand: str, db: Database, settings: Settings, options: RunOptions, log: logging.Logger,
        report: StageReport,
    ) -> None:  # fmt: skip
        self.brand, self.db, self.settings, self.options = brand, db, settings, options
        self.log, self.report = log, report
        self.source_name = BRANDS[brand].source
        self.index_scope: IndexScope = settings.brands[brand].index_scope
        minutes = options.max_minutes
        self._ends_at = None if minutes is None else time.monotonic() + 60 * minutes

    @property
    def interval(self) -> timedelta:
        """A younger complete scrape is not repeated; at most 12 hours for a daily brand.

        So the next daily schedule never finds the previous scrape too young.
        """
        hours = timedelta(hours=self.settings.scrape_interval_hours)
        return min(hours, _DAILY_INTERVAL) if BRANDS[self.brand].collected == "daily" else hours

    @property
    def seconds_left(self) -> float | None:
        """Seconds until `max_minutes` have passed; None without that option."""
        return None if self._ends_at is None else max(self._ends_at - time.monotonic(), 0.0)

    @property
    def time_is_up(self) -> bool:
        """Whether `max_minutes` have passed, so that nothing more may start."""
        return self.seconds_left == 0.0

    def note(self, message: str) -> None:
        """Append to the note of the report."""
        self.report.note = f"{self.report.note}; {message}" if self.report.note else message


class Progress:
    """How far a scrape got, over all runs that worked on it."""

    def __init__(self, scrape: Scrape) -> None:
        self.scrape = scrape
        self.read_to, self.place, self.staged = scrape.read_to, scrape.place, scrape.staged
        self.counts = Counter(scrape.counts)


def merged_counts(merged: MergeCounts) -> Counter[str]:
    """The counts of a merge, by their names in reports and in `scrapes.counts`."""
    return Counter(
        new=merged.new, changed=merged.changed, returned=merged.returned, unchanged=merged.unchanged,
        repeated=merged.repeated,
    )  # fmt: skip
