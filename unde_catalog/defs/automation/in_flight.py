"""Runs that have not ended: which brands and stages somebody works on, or is about to.

What follows from that is decided in `run_requests.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import dagster as dg
from dagster import DagsterRunStatus

from unde_catalog.brands import BRANDS
from unde_catalog.defs.automation.jobs import STAGES_OF_JOB

STAGE_TAG, BRAND_TAG, HOUR_TAG = "stage", "brand", "hour"

_BEGUN = (DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING)
_WAITING = (DagsterRunStatus.QUEUED, DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING)


@dataclass(frozen=True, slots=True)
class RunInFlight:
    """A run that has not ended, whoever launched it. `stages` is None where it may be any; `hour` is its tag."""

    brand: str
    stages: frozenset[str] | None
    begun: bool
    hour: str | None = None

    def works_on(self, stage: str) -> bool:
        """Whether the stage may be among what it does."""
        return self.stages is None or stage in self.stages


def flights(instance: dg.DagsterInstance) -> list[RunInFlight]:
    """All runs of brands that are queued or run."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=[*_WAITING, *_BEGUN]))
    return [
        RunInFlight(brand, stages_of(run), run.status in _BEGUN, run.tags.get(HOUR_TAG))
        for run in runs
        if (brand := brand_of(run)) is not None
    ]


def brands_in_flight(in_flight: Iterable[RunInFlight], stage: str) -> dict[str, str]:
    """Brands that a run already works on in this stage, or will, each with what to say of it."""
    return {one.brand: "a run is in flight" for one in in_flight if one.works_on(stage)}


def brands_of_the_hour(in_flight: Iterable[RunInFlight], stage: str, hour: str) -> dict[str, str]:
    """The same for a stage whose runs last an hour each: one that has begun before is about to end.

    One that still waits will do, whichever hour it is of, and is all that the queue should hold of a brand.
    """
    busy = {}
    for one in in_flight:
        if one.works_on(stage) and one.hour == hour:
            busy[one.brand] = "the hour's run is in flight"
        elif one.works_on(stage) and not one.begun:
            busy[one.brand] = "a run still waits in the queue"
    return busy


def brand_of(run: dg.DagsterRun) -> str | None:
    """Partitions of one dimension are brands, those of two have a brand among them; None for a run of no brand."""
    named = (run.tags.get(tag) for tag in ("dagster/partition/brand", "dagster/partition", BRAND_TAG))
    return next((brand for brand in named if brand in BRANDS), None)


def stages_of(run: dg.DagsterRun) -> frozenset[str] | None:
    """The stages that the run works on; None where it may be any."""
    if run.asset_selection is not None:
        return frozenset(key.path[-1] for key in run.asset_selection)
    return STAGES_OF_JOB.get(run.job_name)
