"""Jobs that maintain the databases and the object store: each is one or more ops around a call of `operations/upkeep/`.

When they run is in `operations_schedules.py`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import dagster as dg

from unde_catalog.backends import Backends
from unde_catalog.defs.automation.job_names import (
    CLEAN_UP_COLLAGES,
    CLEAN_UP_DOWNLOADS,
    MAINTAIN_TABLES,
    PRUNE_HISTORY,
)
from unde_catalog.defs.automation.run_pruning import prune_runs
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence
from unde_catalog.operations.upkeep import retention
from unde_catalog.operations.upkeep.tables import MaintainedObject, maintain
from unde_catalog.stores.db.postgres_tools import ToolFailed


@dg.op
def hot_tables(context: dg.OpExecutionContext, backends: dg.ResourceParam[BackendsResource]) -> None:
    """Updates the statistics of the tables that change most, removes their dead rows and rebuilds bloated indexes."""
    with _open(backends, "the tables could not be maintained") as opened:
        report = maintain(opened.backup_url())
    metadata = {
        "tables": _table(report.tables), "indexes": _table(report.indexes), "repaired": len(report.indexes),
        "seconds": round(report.seconds, 1),
    }  # fmt: skip
    if report.failures:
        raise dg.Failure("; ".join(report.failures), metadata=metadata, allow_retries=False)
    context.add_output_metadata(metadata)


@dg.op
def old_rows(context: dg.OpExecutionContext, backends: dg.ResourceParam[BackendsResource]) -> None:
    """Ends the rows of killed runs; deletes availability, log and scrape rows that are past their retention time."""
    with _open(backends, "old rows could not be deleted") as opened:
        context.add_output_metadata({"killed_runs_ended": retention.end_killed_runs(opened.db)})
        context.add_output_metadata({**retention.delete_old_rows(opened.db, opened.settings)})


@dg.op
def old_manifests(context: dg.OpExecutionContext, backends: dg.ResourceParam[BackendsResource]) -> None:
    """Deletes manifests older than `MANIFEST_KEEP_DAYS`, except the newest of each partition."""
    with _open(backends, "old manifests could not be deleted") as opened:
        context.add_output_metadata({"manifests": retention.delete_old_manifests(opened.store, opened.settings)})


@dg.op
def old_runs(context: dg.OpExecutionContext, backends: dg.ResourceParam[BackendsResource]) -> None:
    """Deletes Dagster runs older than `RUN_KEEP_DAYS`, except the latest that materialized a brand."""
    before = datetime.now(UTC) - timedelta(days=backends.settings.run_keep_days)
    pruned = prune_runs(context.instance, before)
    context.add_output_metadata({"deleted": pruned.deleted, "kept": pruned.kept})


@dg.op
def temporary_files(context: dg.OpExecutionContext, backends: dg.ResourceParam[BackendsResource]) -> None:
    """Removes files that interrupted writers of photos and collages left unfinished more than a day ago."""
    with _open(backends, "temporary files could not be removed") as opened:
        context.add_output_metadata({"files": retention.remove_unfinished_files(opened.store)})


@dg.job(
    name=MAINTAIN_TABLES,
    executor_def=dg.in_process_executor,
    description="Updates statistics, removes dead rows and rebuilds bloated or broken indexes of the busiest tables.",
)
def maintain_tables_job() -> None:
    """One op."""
    hot_tables()


@dg.job(
    name=PRUNE_HISTORY,
    description="Deletes rows, manifests and Dagster runs that are past their retention time (`..._KEEP_DAYS`).",
)
def prune_history_job() -> None:
    """Three ops that do not depend on each other."""
    old_rows()
    old_manifests()
    old_runs()


# Two jobs, one op: both clean the one folder in which the object store keeps unfinished files.
@dg.job(
    name=CLEAN_UP_COLLAGES,
    executor_def=dg.in_process_executor,
    description="Removes temporary files that interrupted writers of collages left behind.",
)
def clean_up_collages_job() -> None:
    """One op."""
    temporary_files()


@dg.job(
    name=CLEAN_UP_DOWNLOADS,
    executor_def=dg.in_process_executor,
    description="Removes temporary files that interrupted downloads left behind.",
)
def clean_up_downloads_job() -> None:
    """One op."""
    temporary_files()


def _table(maintained: Sequence[MaintainedObject]) -> dg.TableMetadataValue:
    rows = [
        dg.TableRecord(
            {
                "name": one.name, "state": one.state, "action": one.action,
                "bytes before": one.bytes_before, "bytes after": one.bytes_after,
            }
        )
        for one in maintained
    ]  # fmt: skip
    columns = [
        dg.TableColumn(name, "int" if name.startswith("bytes") else "string")
        for name in ("name", "state", "action", "bytes before", "bytes after")
    ]
    return dg.MetadataValue.table(rows, dg.TableSchema(columns=columns))


@contextmanager
def _open(backends: BackendsResource, failure: str) -> Iterator[Backends]:
    """The backends. What an operator has to fix fails the step with one sentence that starts with `failure`."""
    try:
        with fail_in_one_sentence(failure), backends.open() as opened:
            yield opened
    except (ToolFailed, ValueError) as error:
        raise dg.Failure(f"{failure}: {error}", allow_retries=False) from error
