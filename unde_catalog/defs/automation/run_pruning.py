"""Prunes Dagster's own database: runs that ended long ago, with their events and logs.

Dagster prunes ticks itself (`retention` in dagster.yaml); rows of the catalogue are deleted by
`operations/upkeep/retention.py`.
"""

from dataclasses import dataclass
from datetime import datetime

import dagster as dg
from dagster import DagsterRunStatus

from unde_catalog.brands import BRANDS

_ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
_BATCH = 100
_LIMIT = 20_000  # a day has some 2,000 runs, so a backlog of years is deleted within days


@dataclass(frozen=True, slots=True)
class PrunedRuns:
    """How many runs were deleted, and how many old ones were kept because of what they materialized."""

    deleted: int
    kept: int


def prune_runs(instance: dg.DagsterInstance, before: datetime, limit: int = _LIMIT) -> PrunedRuns:
    """Delete ended runs that were created before that moment, oldest first.

    A run that holds the latest materialization of a brand is kept, so that the UI always shows the state of each
    brand. Partitions of availability are days; none of its runs is kept for that reason.
    """
    keep = latest_runs(instance)
    old = dg.RunsFilter(statuses=_ENDED, created_before=before)
    deleted = 0
    while deleted < limit:
        records = instance.get_run_records(old, limit=_BATCH + len(keep), ascending=True)
        run_ids = [record.dagster_run.run_id for record in records if record.dagster_run.run_id not in keep]
        run_ids = run_ids[: limit - deleted]
        if not run_ids:
            break
        for run_id in run_ids:
            instance.compute_log_manager.delete_logs(prefix=[run_id])
            instance.delete_run(run_id)
        deleted += len(run_ids)
    return PrunedRuns(deleted, sum(record.dagster_run.run_id in keep for record in instance.get_run_records(old)))


def latest_runs(instance: dg.DagsterInstance) -> set[str]:
    """The runs that hold the latest materialization of a brand partition of any asset."""
    run_ids = set()
    for asset in instance.get_asset_keys():
        for brand in BRANDS:
            of_brand = dg.AssetRecordsFilter(asset_key=asset, asset_partitions=[brand])
            run_ids |= {record.run_id for record in instance.fetch_materializations(of_brand, limit=1).records}
    return run_ids
