"""The tags that every run has, so that runs can be found by them in the UI: brand, stage, and what launched it.

Runs of schedules and sensors bring theirs (`run_requests.py`); here they are told from a run that has none, as
launched by hand or by a backfill.
"""

from collections.abc import Mapping

import dagster as dg

from unde_catalog.defs.automation.in_flight import BRAND_TAG, STAGE_TAG, brand_of
from unde_catalog.defs.automation.jobs import STAGES_OF_JOB

TRIGGER_TAG = "trigger"
SEVERAL = "several"  # stages in one run, as a tag has one value

# What Dagster itself notes of a run, and what we call that; the first that is there.
_TRIGGERS = {
    "dagster/backfill": "backfill",
    "dagster/schedule_name": "schedule",
    "dagster/sensor_name": "sensor",
    "dagster/from_automation_condition": "automation",
}


def missing_tags(run: dg.DagsterRun) -> Mapping[str, str]:
    """The tags to add to a run that is about to be queued; those it has stay, so that a retry keeps its run's."""
    found = {
        BRAND_TAG: brand_of(run),
        STAGE_TAG: _stage(run),
        TRIGGER_TAG: next((name for tag, name in _TRIGGERS.items() if tag in run.tags), "hand"),
    }
    return {tag: value for tag, value in found.items() if value is not None and tag not in run.tags}


def _stage(run: dg.DagsterRun) -> str | None:
    """The asset that is materialized; None for a run of a job of several, which has its name to be found by."""
    if not run.asset_selection:
        of_job = STAGES_OF_JOB.get(run.job_name, frozenset())
        return next(iter(of_job)) if len(of_job) == 1 else None
    names = {key.path[-1] for key in run.asset_selection}
    return names.pop() if len(names) == 1 else SEVERAL
