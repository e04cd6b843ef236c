"""`unde-catalog objects`: commands about the whole object store."""

from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from unde_catalog.backends import Backends
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.objects.copying import CopyReport, copy_objects
from unde_catalog.stores.objects.open import CONFIGURED, named_store
from unde_catalog.stores.staging.photos import object_urls

objects_app = typer.Typer(help="Copy the object store, and switch the database to the copy.", no_args_is_help=True)

_console = Console()


@objects_app.callback()
def _objects() -> None:
    """Copy the object store, and switch the database to the copy."""


@objects_app.command("copy")
def copy_command(
    to: Annotated[str, typer.Option(help="Target: a folder, s3://bucket, or 'configured'.")],
    from_: Annotated[str, typer.Option("--from", help="Source, in the same form.")] = CONFIGURED,
    prefix: Annotated[str, typer.Option(help="Copy only keys with this prefix, e.g. originals/zara.")] = "",
    sizes_only: Annotated[bool, typer.Option(help="Compare sizes and times only; read nothing back.")] = False,
) -> None:
    """Copy all objects to another store and verify them there; exit code 0 only if all are correct.

    Safe to repeat: correct objects are not copied again. An s3://bucket is at S3_ENDPOINT, unless COPY_TO_S3_...
    (COPY_FROM_S3_...) name another endpoint.
    """
    settings = load_settings()
    source, target = named_store(settings, from_, "from"), named_store(settings, to, "to")
    if source.where == target.where:
        raise ValueError(f"{source.where} is source and target: name another store with --to or --from")
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=_console, transient=True) as progress:
        task = progress.add_task("listing", total=None)
        report = copy_objects(
            source,
            target,
            prefix,
            content=not sizes_only,
            on_progress=lambda so_far: progress.update(task, description=_counts(so_far)),
        )
    for failure in report.failures:
        _console.print(f"[red]{escape(failure)}[/red]", soft_wrap=True, highlight=False)
    if len(report.failures) < report.failed:
        _console.print(f"... and {report.failed - len(report.failures)} more failed")
    if report.stopped:
        _console.print("Stopped after repeated errors of a store.")
    _console.print(f"{source.where} to {target.where}: {_counts(report)}", soft_wrap=True, highlight=False)
    if prefix and not report.seen:
        raise ValueError(f"no object in {source.where} has the prefix {prefix}")
    raise typer.Exit(0 if report.complete else 1)


@objects_app.command("relink")
def relink_command() -> None:
    """Rewrite the URLs in the database after a move to another store. Safe to repeat."""
    changed = after = 0
    with Backends(load_settings(), create=False) as backends:
        base = backends.store.public_url("x").removesuffix("x")
        while (done := backends.db.run(object_urls.relink, base, after)) is not None:
            changed, after = changed + done[0], done[1]
    _console.print(f"{changed:,} products now have URLs below {base}", soft_wrap=True, highlight=False)


def _counts(report: CopyReport) -> str:
    counts = [f"{report.copied:,} copied ({decimal(report.bytes_copied)})", f"{report.present:,} unchanged"]
    if report.vanished:
        counts.append(f"{report.vanished:,} deleted meanwhile")
    return ", ".join([*counts, f"{report.failed:,} failed"])
