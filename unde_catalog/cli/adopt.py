"""`unde-catalog adopt` and `handover`: taking over a running system, stage by stage and brand by brand."""

import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.logging import RichHandler
from rich.markup import escape
from rich.table import Table

from unde_catalog.backends import Backends
from unde_catalog.brands import BRANDS
from unde_catalog.operations.takeover import adopt as adoption
from unde_catalog.operations.takeover import handover
from unde_catalog.operations.takeover.plan import Plan, backup_is_recent, make_plan
from unde_catalog.operations.upkeep import backup
from unde_catalog.settings.environment import load_settings
from unde_catalog.text import duration, quantity
from unde_catalog.worker.report import RunOptions

_console = Console()
_errors = Console(stderr=True)


def adopt_command(
    plan: Annotated[
        bool, typer.Option("--plan", help="Print what would be done and what it costs; no change.")
    ] = False,
    backup_to: Annotated[
        Path | None, typer.Option("--backup", metavar="FOLDER", help="Back up the database to this folder first.")
    ] = None,
    no_backup: Annotated[bool, typer.Option("--no-backup", help="Go on without a recent backup.")] = False,
    pause: Annotated[
        bool, typer.Option(help="Leave the stages of deployed services to them; unde-catalog handover switches.")
    ] = True,
    trust_sizes: Annotated[
        bool,
        typer.Option(
            "--trust-sizes",
            help="Record photos as the bucket lists them. They are read and hashed later: before a stage works on the "
            "product, or by adopt without this option.",
        ),
    ] = False,
    lost_objects: Annotated[
        bool, typer.Option("--lost-objects", help="Go on although most photos that rows name are not in the bucket.")
    ] = False,
    max_minutes: Annotated[float | None, typer.Option(min=0, help="Start no new work after this many minutes.")] = None,
) -> None:
    """Adopt a database, bucket and Ximilar collection that other services filled. Safe to interrupt and repeat.

    Migrates the staging database, records the objects that its rows name, reading each once from the bucket, and
    finds the records of photos that are in Ximilar already. Nothing is downloaded from a brand or sent to Ximilar.
    A database that is empty, or was filled by this project, needs unde-catalog migrate alone.
    """
    with Backends(load_settings(), create=False) as backends:
        made = make_plan(backends, lost_objects=lost_objects)
        _print_plan(made)
        if made.obstacles:
            raise typer.Exit(1)
        if plan:
            return
        if made.migrations and not no_backup and not backup_is_recent(made):
            if backup_to is None:
                _errors.print("[red]No recent backup: repeat with --backup FOLDER or with --no-backup.[/red]")
                raise typer.Exit(2)
            _console.print(f"backing up to {backup_to}", highlight=False)
            _console.print(f"{backup.backup(backends.backup_url(), backup_to)} is complete.", highlight=False)
        logging.basicConfig(
            level=logging.INFO, format="%(message)s", handlers=[RichHandler(console=_errors, show_path=False)]
        )
        for noisy in ("alembic", "httpx"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        done = adoption.adopt(
            backends, RunOptions(max_minutes=max_minutes), logging.getLogger("unde_catalog"),
            lambda text: _console.print(text, highlight=False), pause=pause, trust_sizes=trust_sizes,
        )  # fmt: skip
        _print_adoption(done)
    raise typer.Exit(1 if any(report.failed or report.still_due for report in done.reports) else 0)


def handover_command(
    stage: Annotated[
        str | None,
        typer.Argument(help=f"One of {', '.join(handover.DEPLOYED_STAGES)}. Without it: show who does what."),
    ] = None,
    brand: Annotated[
        str | None, typer.Option("--brand", "-b", help=f"One of {', '.join(BRANDS)}. Default: all.")
    ] = None,
    back: Annotated[bool, typer.Option("--back", help="Leave the stage to the deployed service again.")] = False,
    stopped: Annotated[
        bool, typer.Option("--stopped", help="The deployed service is stopped, although it wrote.")
    ] = False,
) -> None:
    """Show who does which stage of which brand, or switch a stage from the deployed service to this project.

    Refused while the other side still writes, or products of the brand wait for adoption.
    """
    with Backends(load_settings(), create=False) as backends:
        if stage is None:
            _print_owners(handover.owners(backends.db), brand)
            return
        refused = False
        for one in [brand] if brand else BRANDS:
            try:
                text = (
                    handover.give_back(backends.db, stage, one)
                    if back
                    else handover.take(backends.db, stage, one, stopped=stopped)
                )
                _console.print(text, soft_wrap=True, highlight=False)
            except handover.HandoverRefused as error:  # the other brands are still switched
                refused = True
                _errors.print(f"[red]{escape(str(error))}[/red]", soft_wrap=True, highlight=False)
    if refused:
        sys.exit(1)


def _print_plan(plan: Plan) -> None:
    server = plan.server
    _console.print(f"PostgreSQL {server.version_name}, as {server.role}, {decimal(server.bytes)}", highlight=False)
    titles = ["brand", "products", "collage", "photos only", "to fetch", "objects", "in Ximilar", "unsent"]
    table = Table(*titles, box=None, pad_edge=False)
    table.columns[0].no_wrap, table.columns[0].min_width = True, max((len(one.brand) for one in plan.brands), default=0)
    for column in table.columns[1:]:
        column.justify = "right"
    for one in plan.brands:
        numbers = [one.products, one.with_collage, one.uploaded, one.to_fetch, one.photos + one.collages]
        numbers += [one.indexed, one.unsent]
        table.add_row(one.brand, *(f"{number:,}" for number in numbers))
    _console.print(table)
    for sentence in _sentences(plan):
        _console.print(f"- {escape(sentence)}", soft_wrap=True, highlight=False)
    for title, sentences in (("To decide", plan.decisions), ("Not possible yet", plan.obstacles)):
        if sentences:
            _console.print(f"[bold]{title}[/bold]")
        for sentence in sentences:
            _console.print(f"- {escape(sentence)}", soft_wrap=True, highlight=False)


def _sentences(plan: Plan) -> list[str]:
    grows = f"it grows by about {decimal(plan.database_bytes)}. Its free disk can't be seen from here: check it"
    left = sum(one.products for one in plan.left)
    return [
        f"Database: run {quantity(len(plan.migrations), 'migration')}; {grows}."
        if plan.migrations
        else "Database: no migration is missing.",
        f"Bucket: {quantity(left, 'product')} to adopt; {plan.requests:,} requests, about {decimal(plan.bytes)} read "
        f"once, at least {duration(plan.seconds)} at {plan.requests_per_second:g} requests a second "
        "(ADOPTION_REQUESTS_PER_SECOND)."
        if left
        else "Bucket: no product is left to adopt.",
        f"Ximilar: {quantity(sum(one.indexed for one in plan.left), 'photo')} to look up, none of them is sent again. "
        f"{sum(one.unsent for one in plan.brands):,} more are sent later, one credit each.",
        f"Proxy: nothing during the adoption; afterwards about {decimal(plan.download_bytes)} of photos that are not "
        "stored yet.",
        "Backup: " + (f"made {duration(datetime.now(UTC) - plan.backup_at)} ago." if plan.backup_at else "none known."),
    ]


def _print_adoption(done: adoption.Adoption) -> None:
    ran = (
        f"ran migrations {done.migrations[0]} to {done.migrations[-1]}"
        if done.migrations
        else "no migration was missing"
    )
    later = done.total("records_left")
    lines = [
        f"database: {ran}",
        f"objects: {done.total('photos_listed'):,} photos recorded as listed, {done.total('photos_adopted'):,} photos "
        f"and {done.total('collages_adopted'):,} collages adopted, {decimal(done.total('bytes'))}; "
        f"{done.total('photos_missing'):,} photos missing, {done.total('photos_damaged'):,} damaged: they are due",
        f"Ximilar: {done.total('records_adopted'):,} records adopted, "
        f"{done.total('records_not_found'):,} photos not found there"
        + (f", {later:,} not looked up: ximilar_index does that before it sends anything" if later else ""),
    ]
    if done.paused:
        lines.append(f"left to deployed services until unde-catalog handover: {', '.join(done.paused)}")
    for report in done.reports:
        if report.note or report.failed or report.still_due:
            lines.append(report.sentence())
    for line in lines:
        _console.print(escape(line), soft_wrap=True, highlight=False)


def _print_owners(owners: list[handover.StageOwner], brand: str | None) -> None:
    table = Table("brand", *handover.DEPLOYED_STAGES, box=None)
    for key in [brand] if brand else BRANDS:
        table.add_row(key, *(one.sentence() for one in owners if one.brand == key))
    _console.print(table)
