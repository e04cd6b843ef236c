"""Pruning Dagster's own memory: runs that ended long ago, with their events and logs.

Ticks are pruned by Dagster itself (`retention` in dagster.yaml); rows of ours by `operations/upkeep/retention.py`.
"""

from dataclasses import dataclass
from datetime import datetime

import dagster as dg
from dagster import DagsterRunStatus

from unde_catalog.brands import BRANDS

_ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
_BATCH = 100
_MOST = 20_000  # at a time: a day has some 2,000, so that years of them are caught up with in days


@dataclass(frozen=True, slots=True)
class Pruned:
    """Runs that were deleted, and old ones that were kept for what they made."""

    deleted: int
    kept: int


def prune_runs(instance: dg.DagsterInstance, before: datetime, most: int = _MOST) -> Pruned:
    """Delete runs that were created before that moment and have ended, oldest first.

    A run that holds the latest materialization of a brand stays, so that the UI never forgets what is there; of
    availability, whose partitions are days, none does.
    """
    keep = latest_runs(instance)
    old = dg.RunsFilter(statuses=_ENDED, created_before=before)
    deleted = 0
    while deleted < most:
        found = instance.get_run_records(old, limit=_BATCH + len(keep), ascending=True)
        go = [one.dagster_run.run_id for one in found if one.dagster_run.run_id not in keep][: most - deleted]
        if not go:
            break
        for run_id in go:
            instance.compute_log_manager.delete_logs(prefix=[run_id])
            instance.delete_run(run_id)
        deleted += len(go)
    return Pruned(deleted, sum(one.dagster_run.run_id in keep for one in instance.get_run_records(old)))


def latest_runs(instance: dg.DagsterInstance) -> set[str]:
    """The runs that hold the latest materialization of any brand partition of any asset."""
    found = set()
    for asset in instance.get_asset_keys():
        for brand in BRANDS:
            of_brand = dg.AssetRecordsFilter(asset_key=asset, asset_partitions=[brand])
            found |= {record.run_id for record in instance.fetch_materializations(of_brand, limit=1).records}
    return found
