"""`unde-catalog verify`, `backup` and `restore`: what one practises before it is needed."""

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
from unde_catalog.operations.upkeep.verify import VerifyReport, verify
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.objects.copying import CopyReport
from unde_catalog.stores.objects.open import configured_store

_console = Console()

# What is wrong, and what --mend does about it.
_KINDS = {
    "missing": ("a row, and no object", "due again"),
    "wrong_size": ("an object of another size than its row's", "due again"),
    "wrong_hash": ("an object with other content than its row's", "due again"),
    "orphan": ("an object, and no row", "deleted"),
    "unrecorded": ("a product with photos or a collage, and no row of them", "due again"),
    "busy": ("being worked on; look again later", "left alone"),
}


def verify_command(
    brand: Annotated[str | None, typer.Option("--brand", "-b", help="Only this brand.")] = None,
    hashes: Annotated[bool, typer.Option(help="Read every object and compare its SHA-256, not only sizes.")] = False,
    mend: Annotated[bool, typer.Option(help="Make due again what is missing or wrong; delete orphans.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON object.")] = False,
) -> None:
    """Compare stored objects with their rows; 0 only if all is right, or was mended. Safe beside running workers."""
    if brand is not None:
        brand_for(brand)
    with Backends(load_settings()) as backends, _progress(quiet=as_json) as say:
        report = verify(
            backends.db, backends.store, brand, hashes=hashes, mend=mend,
            tell=lambda doing, count: say(f"{doing} {count:,}" if count else doing),
        )  # fmt: skip
    if as_json:
        print(json.dumps(report.as_dict()))
    else:
        _show(report, mend)
    raise typer.Exit(1 if report.left else 0)


def backup_command(
    folder: Annotated[Path, typer.Argument(help="Where backups are kept, each in a folder named by its time.")],
    objects: Annotated[bool, typer.Option(help="Copy new and changed objects as well, to FOLDER/objects.")] = False,
) -> None:
    """Save the staging database. Not in it: production, which is published anew, and Dagster's memory of runs."""
    with Backends(load_settings()) as backends, _progress() as say:
        say("dumping the database")
        url, store = backends.backup_url(), backends.store if objects else None
        made = backup.backup(url, folder, store, lambda report: say(f"copying objects: {_copied(report)}"))
    manifest = backup.read_manifest(made)
    saved = f"{sum(manifest.rows.values()):,} rows in {len(manifest.rows)} tables, {decimal(manifest.dump_bytes)}"
    if manifest.objects is not None:
        saved += f"; {manifest.objects:,} objects, {decimal(manifest.object_bytes or 0)}, in {folder / backup.OBJECTS}"
    _print(f"{made}: {saved}.")


def restore_command(
    backup_folder: Annotated[Path, typer.Argument(metavar="FOLDER/TIME", help="A backup.")],
    replace: Annotated[bool, typer.Option(help="Also where the database holds something: all of it goes.")] = False,
    objects: Annotated[bool, typer.Option(help="Copy the objects that lie beside it back, too.")] = False,
) -> None:
    """Put a backup of the staging database back, in one transaction, and migrate it. Stop the workers before."""
    backup_folder = backup_folder.expanduser().absolute()
    copied = None
    with Backends(load_settings()) as backends, _progress() as say:
        say("restoring the database")
        manifest = restore.restore(backends.backup_url(), backup_folder, replace=replace)
        if objects:
            told = lambda report: say(f"copying objects: {_copied(report)}")  # noqa: E731
            # Not the backends's, which takes a folder that is gone for a disk that is not mounted: it may be lost.
            copied = backup.copy_back(backup_folder, configured_store(backends.settings), told)
    _print(f"Restored {sum(manifest.rows.values()):,} rows of {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC.")
    if copied is not None:
        _print(f"Objects: {_copied(copied)}.")
        for failure in copied.failures:
            _print(f"  {failure}")
    _print("Now: unde-catalog verify --hashes, and with --mend what differs is due again.")
    raise typer.Exit(0 if copied is None or copied.complete else 1)


def _show(report: VerifyReport, mended: bool) -> None:
    if report.found:
        table = Table("what", "of", "how many", "mended" if mended else "--mend makes it", "for example", box=None)
        for (kind, stage), count in report.found.items():
            told, remedy = _KINDS[kind]
            examples = ", ".join(report.examples[kind, stage])
            done = f"{remedy}: {report.mended.get(kind, 0):,}" if mended and kind != "busy" else remedy
            table.add_row(f"{kind}: {told}", stage, f"{count:,}", done, escape(examples))
        _console.print(table)
    for product in report.skipped:
        _print(f"{product} is in a worker's hands and was left alone: verify again later")
    compared = "read and compared with their rows" if report.hashed else "compared with their rows by size"
    _print(
        f"{report.objects:,} objects {compared}: {report.wrong:,} wrong"
        + (f", {report.left:,} left." if mended else ".")
    )


def _copied(report: CopyReport) -> str:
    failed = f", {report.failed:,} failed" if report.failed else ""
    return f"{report.copied:,} copied ({decimal(report.bytes_copied)}), {report.there:,} there already{failed}"


def _print(text: str) -> None:
    _console.print(escape(text), soft_wrap=True, highlight=False)


@contextmanager
def _progress(quiet: bool = False) -> Iterator[Callable[[str], None]]:
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=_console, transient=True, disable=quiet or not _console.is_terminal) as progress:
        task = progress.add_task("looking", total=None)
        yield lambda text: progress.update(task, description=text)
