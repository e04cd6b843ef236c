"""Runs that have not ended: the brands and stages that are being worked on, or are queued.

What follows from that is decided in `run_requests.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import dagster as dg
from dagster import DagsterRunStatus

from unde_catalog.brands import BRANDS
from unde_catalog.defs.automation.job_names import STAGES_OF_JOB

STAGE_TAG, BRAND_TAG, HOUR_TAG = "stage", "brand", "hour"

_STARTED = (DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING)
_WAITING = (DagsterRunStatus.QUEUED, DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING)


@dataclass(frozen=True, slots=True)
class RunInFlight:
    """A run that has not ended, however it was launched. `stages` is None where any is possible; `hour` is its tag."""

    brand: str
    stages: frozenset[str] | None
    started: bool
    hour: str | None = None

    def works_on(self, stage: str) -> bool:
        """Whether the stage may be part of the run."""
        return self.stages is None or stage in self.stages


def runs_in_flight(instance: dg.DagsterInstance) -> list[RunInFlight]:
    """All queued and started runs that belong to a brand."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=[*_WAITING, *_STARTED]))
    return [
        RunInFlight(brand, stages_of(run), run.status in _STARTED, run.tags.get(HOUR_TAG))
        for run in runs
        if (brand := brand_of(run)) is not None
    ]


def brands_in_flight(in_flight: Iterable[RunInFlight], stage: str) -> dict[str, str]:
    """The brands for which a run of this stage is queued or started, each with the reason to show."""
    return {run.brand: "a run is in flight" for run in in_flight if run.works_on(stage)}


def brands_in_flight_this_hour(in_flight: Iterable[RunInFlight], stage: str, hour: str) -> dict[str, str]:
    """The same for a stage whose runs last an hour each: a run of an earlier hour that has started is about to end.

    A run that still waits in the queue counts whatever its hour: the queue holds at most one run of each brand.
    """
    reasons = {}
    for run in in_flight:
        if run.works_on(stage) and run.hour == hour:
            reasons[run.brand] = "the run of this hour is in flight"
        elif run.works_on(stage) and not run.started:
            reasons[run.brand] = "a run is waiting in the queue"
    return reasons


def brand_of(run: dg.DagsterRun) -> str | None:
    """The brand of a run, None for a run of no brand. A partition is a brand, or has the brand as one dimension."""
    candidates = (run.tags.get(tag) for tag in ("dagster/partition/brand", "dagster/partition", BRAND_TAG))
    return next((brand for brand in candidates if brand in BRANDS), None)


def stages_of(run: dg.DagsterRun) -> frozenset[str] | None:
    """The stages that the run works on; None where any is possible."""
    if run.asset_selection is not None:
        return frozenset(key.path[-1] for key in run.asset_selection)
    return STAGES_OF_JOB.get(run.job_name)
