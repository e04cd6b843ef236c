"""Jobs that keep the house in order, each a few ops around one call of `upkeep/`."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import dagster as dg

from unde_catalog.backends import Backends
from unde_catalog.defs.automation.run_pruning import prune_runs
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import first_sentence
from unde_catalog.operations.upkeep import retention
from unde_catalog.operations.upkeep.tables import MaintainedTable, maintain
from unde_catalog.stores.db.postgres_tools import ToolFailed


@dg.op
def hot_tables(context: dg.OpExecutionContext, backends: dg.ResourceParam[BackendsResource]) -> None:
    """Statistics, dead rows and indexes of the tables that change most."""
    with _opened(backends, "the tables could not be looked after") as opened:
        report = maintain(opened.backup_url())
    told = {
        "tables": _table(report.tables), "indexes": _table(report.indexes), "mended": len(report.indexes),
        "seconds": round(report.seconds, 1),
    }  # fmt: skip
    if report.trouble:
        raise dg.Failure("; ".join(report.trouble), metadata=told, allow_retries=False)
    context.add_output_metadata(told)


@dg.op
def old_rows(context: dg.OpExecutionContext, backends: dg.ResourceParam[BackendsResource]) -> None:
    """Stock, logs and scrapes that are older than settings say."""
    with _opened(backends, "old rows could not be deleted") as opened:
        context.add_output_metadata({**retention.old_rows(opened.db, opened.settings)})


@dg.op
def old_manifests(context: dg.OpExecutionContext, backends: dg.ResourceParam[BackendsResource]) -> None:
    """Manifests that are older than `MANIFEST_KEEP_DAYS`, but the newest of each partition."""
    with _opened(backends, "old manifests could not be deleted") as opened:
        context.add_output_metadata({"manifests": retention.old_manifests(opened.store, opened.settings)})


@dg.op
def old_runs(context: dg.OpExecutionContext, backends: dg.ResourceParam[BackendsResource]) -> None:
    """Dagster's runs that are older than `RUN_KEEP_DAYS`, but the latest that materialized a brand."""
    before = datetime.now(UTC) - timedelta(days=backends.settings.run_keep_days)
    pruned = prune_runs(context.instance, before)
    context.add_output_metadata({"deleted": pruned.deleted, "kept": pruned.kept})


@dg.op
def temporary_files(context: dg.OpExecutionContext, backends: dg.ResourceParam[BackendsResource]) -> None:
    """Files that killed writers of photos and collages left unfinished more than a day ago."""
    with _opened(backends, "temporary files could not be removed") as opened:
        context.add_output_metadata({"files": retention.leftovers(opened.store)})


@dg.job(
    name="upkeep",
    executor_def=dg.in_process_executor,
    description="Statistics, dead rows and bloated or broken indexes of the hot tables.",
)
def upkeep_job() -> None:
    """One op."""
    hot_tables()


@dg.job(name="pruning", description="Old rows, manifests and runs of Dagster's go; for how long each is kept is set.")
def pruning_job() -> None:
    """Ops that do not wait for each other."""
    old_rows()
    old_manifests()
    old_runs()


@dg.job(name="clean_up", executor_def=dg.in_process_executor, description="Temporary files of killed writers go.")
def clean_up_job() -> None:
    """One op."""
    temporary_files()


def _table(tended: list[MaintainedTable]) -> dg.TableMetadataValue:
    rows = [
        dg.TableRecord(
            {
                "name": one.name,
                "found": one.found,
                "done": one.done,
                "bytes before": one.before,
                "bytes after": one.after,
            }
        )
        for one in tended
    ]
    columns = [
        ("name", "string"),
        ("found", "string"),
        ("done", "string"),
        ("bytes before", "int"),
        ("bytes after", "int"),
    ]
    return dg.MetadataValue.table(rows, dg.TableSchema(columns=[dg.TableColumn(*column) for column in columns]))


@contextmanager
def _opened(backends: BackendsResource, what: str) -> Iterator[Backends]:
    """The backends; what an operator has to set is told in one sentence."""
    try:
        with first_sentence(what), backends.open() as opened:
            yield opened
    except (ToolFailed, ValueError) as error:
        raise dg.Failure(f"{what}: {error}", allow_retries=False) from error
