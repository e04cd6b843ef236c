"""Jobs that keep the house in order, each a few ops around one call of `upkeep/`."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import dagster as dg

from unde_catalog.backends import Workplace
from unde_catalog.defs.automation.run_pruning import prune_runs
from unde_catalog.defs.resources import WorkplaceResource
from unde_catalog.defs.run_metadata import one_sentence
from unde_catalog.operations.upkeep import retention
from unde_catalog.operations.upkeep.tables import Tended, tend
from unde_catalog.stores.db.postgres_tools import ToolFailed


@dg.op
def hot_tables(context: dg.OpExecutionContext, workplace: dg.ResourceParam[WorkplaceResource]) -> None:
    """Statistics, dead rows and indexes of the tables that change most."""
    with _opened(workplace, "the tables could not be looked after") as place:
        report = tend(place.backup_url())
    told = {
        "tables": _table(report.tables), "indexes": _table(report.indexes), "mended": len(report.indexes),
        "seconds": round(report.seconds, 1),
    }  # fmt: skip
    if report.trouble:
        raise dg.Failure("; ".join(report.trouble), metadata=told, allow_retries=False)
    context.add_output_metadata(told)


@dg.op
def old_rows(context: dg.OpExecutionContext, workplace: dg.ResourceParam[WorkplaceResource]) -> None:
    """Stock, logs and scrapes that are older than settings say."""
    with _opened(workplace, "old rows could not be deleted") as place:
        context.add_output_metadata({**retention.old_rows(place.db, place.settings)})


@dg.op
def old_manifests(context: dg.OpExecutionContext, workplace: dg.ResourceParam[WorkplaceResource]) -> None:
    """Manifests that are older than `MANIFEST_KEEP_DAYS`, but the newest of each partition."""
    with _opened(workplace, "old manifests could not be deleted") as place:
        context.add_output_metadata({"manifests": retention.old_manifests(place.store, place.settings)})


@dg.op
def old_runs(context: dg.OpExecutionContext, workplace: dg.ResourceParam[WorkplaceResource]) -> None:
    """Dagster's runs that are older than `RUN_KEEP_DAYS`, but the latest that materialized a brand."""
    before = datetime.now(UTC) - timedelta(days=workplace.settings.run_keep_days)
    pruned = prune_runs(context.instance, before)
    context.add_output_metadata({"deleted": pruned.deleted, "kept": pruned.kept})


@dg.op
def temporary_files(context: dg.OpExecutionContext, workplace: dg.ResourceParam[WorkplaceResource]) -> None:
    """Files that killed writers of photos and collages left unfinished more than a day ago."""
    with _opened(workplace, "temporary files could not be removed") as place:
        context.add_output_metadata({"files": retention.leftovers(place.store)})


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


def _table(tended: list[Tended]) -> dg.TableMetadataValue:
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
def _opened(workplace: WorkplaceResource, what: str) -> Iterator[Workplace]:
    """The workplace; what an operator has to set is told in one sentence."""
    try:
        with one_sentence(what), workplace.open() as place:
            yield place
    except (ToolFailed, ValueError) as error:
        raise dg.Failure(f"{what}: {error}", allow_retries=False) from error
