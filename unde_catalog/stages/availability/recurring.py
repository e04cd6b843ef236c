"""The state of recurring work by brand, for `unde-catalog status` and the checks, which report the same figures.

The figures and their limits are defined in `stores/staging/due_work/statistics.py`.
"""

from collections.abc import Mapping
from datetime import timedelta

from unde_catalog.settings.environment import Settings
from unde_catalog.stages.configured import why_not_configured
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work.statistics import DueFigures, figures

AVAILABILITY = "availability"


def recurring_intervals(settings: Settings) -> Mapping[tuple[str, str], timedelta]:
    """The interval of each recurring stage by (brand, stage), for brands with a configured stage."""
    interval = timedelta(seconds=settings.availability_interval)
    return {
        (brand, AVAILABILITY): interval
        for brand in settings.brands
        if why_not_configured(AVAILABILITY, brand, settings) is None
    }


def due_figures(db: Database, intervals: Mapping[tuple[str, str], timedelta]) -> dict[tuple[str, str], DueFigures]:
    """The figures of each recurring stage by (brand, stage)."""
    return {
        (brand, stage): db.run(figures, stage, brand, interval) for (brand, stage), interval in intervals.items()
    }  # fmt: skip
