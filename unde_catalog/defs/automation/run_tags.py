"""The tags that every run has, so that the UI can filter runs by them: brand, stage and trigger.

Runs of schedules and sensors bring their tags (`run_requests.py`). A run that was launched by hand or by a backfill
brings none; its tags are derived here.
"""

from collections.abc import Mapping

import dagster as dg

from unde_catalog.defs.automation.in_flight import BRAND_TAG, STAGE_TAG, brand_of
from unde_catalog.defs.automation.job_names import STAGES_OF_JOB

TRIGGER_TAG = "trigger"
SEVERAL = "several"  # value of the stage tag for a run of more than one stage

# The tags that Dagster itself sets, and the trigger each one stands for; the first that is present counts.
_TRIGGERS = {
    "dagster/backfill": "backfill",
    "dagster/schedule_name": "schedule",
    "dagster/sensor_name": "sensor",
    "dagster/from_automation_condition": "automation",
}


def missing_tags(run: dg.DagsterRun) -> Mapping[str, str]:
    """The tags to add to a run that is about to be queued. Existing tags stay, so a retry keeps those of its run."""
    derived = {
        BRAND_TAG: brand_of(run),
        STAGE_TAG: _stage(run),
        TRIGGER_TAG: next((name for tag, name in _TRIGGERS.items() if tag in run.tags), "hand"),
    }
    return {tag: value for tag, value in derived.items() if value is not None and tag not in run.tags}


def _stage(run: dg.DagsterRun) -> str | None:
    """The asset that is materialized; None for a run of a job of several, which is found by the job's name."""
    if not run.asset_selection:
        stages = STAGES_OF_JOB.get(run.job_name, frozenset())
        return next(iter(stages)) if len(stages) == 1 else None
    names = {key.path[-1] for key in run.asset_selection}
    return names.pop() if len(names) == 1 else SEVERAL
