"""`unde-catalog upkeep`: runs the daily maintenance now."""

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from unde_catalog.backends import Backends
from unde_catalog.operations.upkeep import retention
from unde_catalog.operations.upkeep.tables import maintain
from unde_catalog.settings.environment import load_settings
from unde_catalog.text import quantity

_console = Console()


def upkeep_command() -> None:
    """Maintain the busiest tables and their indexes, and delete data that is past its retention time.

    The exit code is 1 when an index could not be rebuilt. The job prune_history deletes Dagster's old runs.
    """
    with Backends(load_settings(), create=False) as backends:
        report = maintain(backends.backup_url())
        table = Table("name", "state", "action", "before", "after", box=None)
        for one in [*report.tables, *report.indexes]:
            table.add_row(one.name, one.state, one.action, decimal(one.bytes_before), decimal(one.bytes_after))
        _console.print(table)
        killed = retention.end_killed_runs(backends.db)
        deleted = retention.delete_old_rows(backends.db, backends.settings) | {
            "manifests": retention.delete_old_manifests(backends.store, backends.settings),
            "temporary files": retention.remove_unfinished_files(backends.store),
        }
    _console.print("deleted: " + ", ".join(f"{count:,} {name}" for name, count in deleted.items()), highlight=False)
    if killed:
        _console.print(f"ended in scraper_logs: {quantity(killed, 'killed run')}", highlight=False)
    for sentence in report.failures:
        _console.print(sentence, soft_wrap=True, highlight=False, markup=False)
    raise typer.Exit(1 if report.failures else 0)
