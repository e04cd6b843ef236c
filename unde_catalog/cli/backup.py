"""`unde-catalog verify`, `backup` and `restore`."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from unde_catalog.backends import Backends
from unde_catalog.brands import brand_for
from unde_catalog.operations.upkeep import backup, restore
from unde_catalog.operations.upkeep.backup_folder import OBJECTS
from unde_catalog.operations.upkeep.verify import VerifyReport, verify
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.objects.copying import CopyReport
from unde_catalog.stores.objects.open import configured_store

_console = Console()

# For each kind of finding: its meaning, and what --mend does about it.
_KINDS = {
    "missing": ("a row without an object", "due again"),
    "wrong_size": ("an object with a size other than in its row", "due again"),
    "wrong_hash": ("an object with content other than in its row", "due again"),
    "orphan": ("an object without a row", "deleted"),
    "unrecorded": ("a product with photos or a collage, but without their rows", "due again"),
    "busy": ("a product that is being processed; verify again later", "skipped"),
}


def verify_command(
    brand: Annotated[str | None, typer.Option("--brand", "-b", help="Compare only this brand.")] = None,
    hashes: Annotated[bool, typer.Option(help="Read every object and compare its SHA-256, not only sizes.")] = False,
    mend: Annotated[bool, typer.Option(help="Make missing and wrong objects due again, and delete orphans.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare the stored objects with their rows. Workers may run at the same time.

    The exit code is 0 only when everything agrees or was repaired.
    """
    if brand is not None:
        brand_for(brand)
    with Backends(load_settings(), create=False) as backends, _progress(quiet=as_json) as show:
        report = verify(
            backends.db, backends.store, brand, hashes=hashes, repairs=mend,
            progress=lambda activity, count: show(f"{activity} {count:,}" if count else activity),
        )  # fmt: skip
    if as_json:
        print(json.dumps(report.as_dict()))
    else:
        _print_report(report, mend)
    raise typer.Exit(1 if report.left else 0)


def backup_command(
    folder: Annotated[
        Path, typer.Argument(help="The folder of all backups. Each backup is a folder in it, named by its time.")
    ],
    objects: Annotated[bool, typer.Option(help="Also copy new and changed objects to FOLDER/objects.")] = False,
) -> None:
    """Back up the staging database, and with --objects the photos and collages.

    The production database, which is published again from staging, and Dagster's own database are not included.
    """
    with Backends(load_settings(), create=False) as backends, _progress() as show:
        show("dumping the database")
        url, store = backends.backup_url(), backends.store if objects else None
        created = backup.backup(url, folder, store, lambda report: show(f"copying objects: {_copied(report)}"))
    manifest = backup.read_manifest(created)
    saved = f"{sum(manifest.rows.values()):,} rows in {len(manifest.rows)} tables, {decimal(manifest.dump_bytes)}"
    if manifest.objects is not None:
        saved += f"; {manifest.objects:,} objects, {decimal(manifest.object_bytes or 0)}, in {folder / OBJECTS}"
    _print(f"{created}: {saved}.")


def restore_command(
    backup_folder: Annotated[Path, typer.Argument(metavar="FOLDER/TIME", help="The folder of the backup.")],
    replace: Annotated[bool, typer.Option(help="Replace a database that is not empty. Its contents are lost.")] = False,
    objects: Annotated[bool, typer.Option(help="Also copy the objects of the backup to the object store.")] = False,
) -> None:
    """Restore a backup of the staging database in one transaction, and migrate it. Stop the workers first."""
    backup_folder = backup_folder.expanduser().absolute()
    copied = None
    with Backends(load_settings(), create=True) as backends, _progress() as show:
        show("restoring the database")
        manifest = restore.restore(backends.backup_url(), backup_folder, replace=replace)
        if objects:
            # Not backends.store, which reports a missing folder as an unmounted disk: here it may really be lost.
            store = configured_store(backends.settings)
            copied = backup.copy_back(backup_folder, store, lambda report: show(f"copying objects: {_copied(report)}"))
    _print(f"Restored {sum(manifest.rows.values()):,} rows of {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC.")
    if copied is not None:
        _print(f"Objects: {_copied(copied)}.")
        for failure in copied.failures:
            _print(f"  {failure}")
    _print("Next, run unde-catalog verify --hashes. With --mend, what differs becomes due again.")
    raise typer.Exit(0 if copied is None or copied.complete else 1)


def _print_report(report: VerifyReport, repaired: bool) -> None:
    if report.found:
        table = Table("finding", "stage", "count", "repaired" if repaired else "--mend", "examples", box=None)
        for (kind, stage), count in report.found.items():
            meaning, remedy = _KINDS[kind]
            examples = ", ".join(report.examples[kind, stage])
            done = f"{remedy}: {report.repaired.get(kind, 0):,}" if repaired and kind != "busy" else remedy
            table.add_row(f"{kind}: {meaning}", stage, f"{count:,}", done, escape(examples))
        _console.print(table)
    for product in report.skipped:
        _print(f"{product} is leased by a worker and was skipped: verify again later.")
    compared = "read and compared with their rows" if report.hashed else "compared with their rows by size"
    _print(
        f"{report.objects:,} objects {compared}: {report.wrong:,} wrong"
        + (f", {report.left:,} left." if repaired else ".")
    )


def _copied(report: CopyReport) -> str:
    failed = f", {report.failed:,} failed" if report.failed else ""
    return f"{report.copied:,} copied ({decimal(report.bytes_copied)}), {report.present:,} already there{failed}"


def _print(text: str) -> None:
    _console.print(escape(text), soft_wrap=True, highlight=False)


@contextmanager
def _progress(quiet: bool = False) -> Iterator[Callable[[str], None]]:
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=_console, transient=True, disable=quiet or not _console.is_terminal) as progress:
        task = progress.add_task("starting", total=None)
        yield lambda text: progress.update(task, description=text)
