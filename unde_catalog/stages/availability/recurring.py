"""How all recurring work stands, brand by brand: for `status` and for the checks, which say the same.

What the figures mean and when they are alarming is `stores/staging/due_work/statistics.py`'s.
"""

from collections.abc import Mapping
from datetime import timedelta

from unde_catalog.settings.environment import Settings
from unde_catalog.stages.configured import why_not_configured
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work.statistics import DueFigures, figures


def recurring_intervals(settings: Settings) -> Mapping[tuple[str, str], timedelta]:
    """The interval of each recurring stage by (brand, stage), for the brands that it is configured for."""
    interval = timedelta(seconds=settings.availability_interval)
    return {
        (brand, "availability"): interval
        for brand in settings.brands
        if why_not_configured("availability", brand, settings) is None
    }


def due_figures(db: Database, intervals: Mapping[tuple[str, str], timedelta]) -> dict[tuple[str, str], DueFigures]:
    """The figures of each (brand, stage) that recurs."""
    return {
        (brand, stage): db.run(figures, stage, brand, interval) for (brand, stage), interval in intervals.items()
    }  # fmt: skip
