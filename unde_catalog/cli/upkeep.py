"""`unde-catalog upkeep`: what schedules do at night, now."""

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from unde_catalog.backends import Backends
from unde_catalog.operations.upkeep import retention
from unde_catalog.operations.upkeep.tables import maintain
from unde_catalog.settings.environment import load_settings

_console = Console()


def upkeep_command() -> None:
    """Look after the hot tables and their indexes, and delete what is old; 1 where an index could not be mended.

    Dagster's old runs are pruned by its own job, `pruning`.
    """
    with Backends(load_settings()) as backends:
        report = maintain(backends.backup_url())
        table = Table("what", "found", "done", "before", "after", box=None)
        for one in [*report.tables, *report.indexes]:
            table.add_row(one.name, one.found, one.done, decimal(one.before), decimal(one.after))
        _console.print(table)
        rows = retention.old_rows(backends.db, backends.settings)
        manifests, files = (
            retention.old_manifests(backends.store, backends.settings),
            retention.leftovers(backends.store),
        )
    deleted = {**rows, "manifests": manifests, "temporary files": files}
    _console.print("deleted: " + ", ".join(f"{count:,} {name}" for name, count in deleted.items()), highlight=False)
    for sentence in report.trouble:
        _console.print(sentence, soft_wrap=True, highlight=False, markup=False)
    raise typer.Exit(1 if report.trouble else 0)
