"""`unde-catalog`: the command line. A command is a few lines around a call that an asset or a server makes as well.

Longer commands have a file each beside this one.
"""

import json
import logging
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from typer.core import TyperGroup

from unde_catalog.backends import Backends
from unde_catalog.brands import BRANDS
from unde_catalog.cli import status as reading
from unde_catalog.cli.adopt import adopt_command, handover_command
from unde_catalog.cli.backup import backup_command, restore_command, verify_command
from unde_catalog.cli.doctor import doctor_command
from unde_catalog.cli.export import export_command
from unde_catalog.cli.index_scope import scope_command, target_count_command
from unde_catalog.cli.notices import notices_app
from unde_catalog.cli.objects import objects_app
from unde_catalog.cli.pause import pause_command, resume_command
from unde_catalog.cli.release import release_command
from unde_catalog.cli.report import report_command
from unde_catalog.cli.roles import roles_command
from unde_catalog.cli.sandbox import sandbox_app
from unde_catalog.cli.search import search_app
from unde_catalog.cli.upkeep import upkeep_command
from unde_catalog.cli.user_media import user_media_app
from unde_catalog.cli.vectors import vectors_app
from unde_catalog.cli.worker import worker_command
from unde_catalog.local.processes import CannotStart
from unde_catalog.sandbox.identity import DEFAULT_PORT
from unde_catalog.settings.environment import SettingsError, load_settings, misspelt_variables
from unde_catalog.settings.search import SEARCH_PORT
from unde_catalog.stage_specs import DUE_STAGES, STAGES
from unde_catalog.stages.availability import recurring
from unde_catalog.stages.run import run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stages.visual_index.vector_store import VectorStoreUnavailable
from unde_catalog.stores.db.database import DatabaseUnavailable
from unde_catalog.stores.db.postgres_tools import ToolFailed
from unde_catalog.stores.embedded.errors import EmbeddedNatsError, EmbeddedPostgresError
from unde_catalog.stores.objects.objects import StorageUnavailable
from unde_catalog.stores.production.migrate import PRODUCTION
from unde_catalog.stores.staging.due_work import requeue
from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog.worker.handler import StageStopped
from unde_catalog.worker.report import RunOptions

# The order of --help: what a newcomer and an operator need first.
_ORDER = (
    "demo", "up", "doctor", "status", "show", "report", "run", "requeue", "release", "pause", "resume",
    "backup", "restore", "verify", "upkeep", "migrate", "worker", "objects", "export",
    "scope", "target-count", "search", "vectors", "user-media", "notices", "adopt", "handover", "roles", "sandbox",
)  # fmt: skip


class _OrderedGroup(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=_ORDER.index)


app = typer.Typer(
    cls=_OrderedGroup,
    help="Operate the catalogue of a fashion retailer from a terminal.",
    no_args_is_help=True,
    add_completion=False,
)
app.add_typer(sandbox_app, name="sandbox")
app.add_typer(objects_app, name="objects")
app.add_typer(notices_app, name="notices")
app.add_typer(vectors_app, name="vectors")
app.add_typer(user_media_app, name="user-media")
app.add_typer(search_app, name="search")
app.command("verify")(verify_command)
app.command("adopt")(adopt_command)
app.command("handover")(handover_command)
app.command("roles")(roles_command)
app.command("scope")(scope_command)
app.command("target-count")(target_count_command)
app.command("doctor")(doctor_command)
app.command("backup")(backup_command)
app.command("restore")(restore_command)
app.command("release")(release_command)
app.command("pause")(pause_command)
app.command("resume")(resume_command)
app.command("upkeep")(upkeep_command)
app.command("report")(report_command)
app.command("export")(export_command)
app.command("worker")(worker_command)

_console = Console()
_errors = Console(stderr=True)

# Printed as one sentence; any other exception is a bug and keeps its traceback.
_EXPECTED = (
    SettingsError, StageStopped, DatabaseUnavailable, StorageUnavailable, EmbeddedPostgresError,
    EmbeddedNatsError, CannotStart,
    ToolFailed, VectorStoreUnavailable, ValueError,
)  # fmt: skip

Brand = Annotated[str | None, typer.Option("--brand", "-b", help=f"One of {', '.join(BRANDS)}. Default: all.")]
SandboxPort = Annotated[
    int | None, typer.Option(help=f"Port of the sandbox. Default: the state's own, first {DEFAULT_PORT}.")
]


def main() -> None:
    """Run the command; exit with 1 and one sentence after an expected error."""
    try:
        _name_misspelt_settings()
        app()
    except _EXPECTED as error:
        _print_error(error)
        sys.exit(1)


def _name_misspelt_settings() -> None:
    """Before any command: a misspelt setting would have no effect. Only names are printed."""
    try:
        found = misspelt_variables()
    except SettingsError:
        return  # the command itself reports an invalid value, or needs no settings
    for one in found:
        _errors.print(
            f"{one.name} is not a setting: {one.advice}", style="yellow", soft_wrap=True, highlight=False, markup=False
        )


def _print_error(error: Exception) -> None:
    _errors.print(f"[red]{escape(str(error))}[/red]", soft_wrap=True, highlight=False)


@contextmanager
def _open_backends(*, create: bool = False) -> Iterator[Backends]:
    """The backends; `create` also makes a new state where there is none, and says so."""
    settings = load_settings()
    with Backends(settings, create=create) as backends:
        if create and settings.staging_db_url is None and not backends.has_embedded:
            _errors.print(f"New state: {settings.home}", soft_wrap=True, highlight=False, markup=False)
        yield backends


@app.command()
def demo(sandbox_port: SandboxPort = None) -> None:
    """Run the pipeline for all brands on embedded databases and the sandbox, and show the result."""
    from unde_catalog.local.demo import demo as run_demo

    raise typer.Exit(run_demo(_console, sandbox_port))


@app.command()
def up(
    port: Annotated[int, typer.Option(help="Port of Dagster's UI.")] = 3000,
    search_port: Annotated[
        int | None, typer.Option(help=f"Port of the search page. Default: {SEARCH_PORT}, or the next free one.")
    ] = None,
    nats_port: Annotated[
        int | None,
        typer.Option(
            help="Port of the NATS server that is started if NATS_URL is not set. Default: 4222, or the next free one."
        ),
    ] = None,
    sandbox_port: SandboxPort = None,
) -> None:
    """Serve Dagster's UI, the search page and user media until Ctrl-C; the sandbox, too, without APIFY_TOKEN."""
    from unde_catalog.local.up import up as serve

    raise typer.Exit(serve(_console, port, search_port, nats_port, sandbox_port))


@app.command("migrate")
def migrate_command() -> None:
    """Migrate the staging and the production database to the newest revision. Safe to repeat."""
    with _open_backends(create=True) as backends:
        _print_migrations("staging", STAGING.upgrade(backends.staging_url()), STAGING.newest_revision())
        url = backends.production_url()
        if url is None:
            _console.print("production: not configured; set PRODUCTION_DB_URL.")
        else:
            _print_migrations("production", PRODUCTION.upgrade(url), PRODUCTION.newest_revision())


def _print_migrations(database: str, ran: list[str], newest: str) -> None:
    _console.print(f"{database}: ran {', '.join(ran)}." if ran else f"{database}: already at {newest}.")


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show counts by status and failures by reason for every brand and stage."""
    with _open_backends() as backends:
        state = reading.status(backends.db, recurring.recurring_intervals(backends.settings))
    if as_json:
        print(json.dumps(state))
    else:
        _console.print(reading.status_view(state), soft_wrap=True)


@app.command()
def show(product: Annotated[str, typer.Argument(metavar="BRAND/EXTERNAL_ID", help="E.g. zara/495689099.")]) -> None:
    """Show one product: statuses, attempts, reasons, photos, objects, last runs."""
    brand, _, external_id = product.partition("/")
    if brand not in BRANDS or not external_id:
        raise ValueError(f"{product!r} is not BRAND/EXTERNAL_ID, e.g. zara/495689099; the brands: {', '.join(BRANDS)}")
    with _open_backends() as backends:
        _console.print(reading.product_view(backends.db, backends.store, brand, external_id), soft_wrap=True)


@app.command("requeue")
def requeue_command(
    stage: Annotated[str, typer.Option(help=f"One of {', '.join(DUE_STAGES)}.")],
    brand: Brand = None,
    reason: Annotated[str | None, typer.Option(help="Only failures with this reason, as status prints it.")] = None,
) -> None:
    """Make failed products due again now: those given up and those waiting for a retry."""
    if stage not in DUE_STAGES:
        raise ValueError(f"unknown stage {stage!r}: --stage must be one of {', '.join(DUE_STAGES)}")
    if brand is not None and brand not in BRANDS:
        raise ValueError(f"unknown brand {brand!r}: --brand must be one of {', '.join(BRANDS)}")
    with _open_backends() as backends:
        count = backends.db.run(requeue.given_up, stage, brand, reason)
    _console.print(f"{count} products are due for {stage}.")


@app.command()
def run(
    stage: Annotated[str, typer.Argument(help=f"One of {', '.join(STAGES)}.")],
    brand: Brand = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Process at most this many products.")] = None,
    max_minutes: Annotated[float | None, typer.Option(min=0, help="Start no new work after this many minutes.")] = None,
    product_ids: Annotated[str | None, typer.Option(help="Process only these external ids (comma-separated).")] = None,
    retry_failed: Annotated[bool, typer.Option(help="Also process failed products now.")] = False,
    force: Annotated[bool, typer.Option(help="Process every product again.")] = False,
) -> None:
    """Process the products that are due for a stage, as its asset does.

    Exits with 1 if the stage stopped for a brand, and with 2 if it is configured for none of the brands.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[RichHandler(console=_errors)])
    logging.getLogger("httpx").setLevel(logging.WARNING)
    run_id = f"cli-{uuid.uuid4()}"
    ids = tuple(one.strip() for one in product_ids.split(",") if one.strip()) if product_ids is not None else None
    options = RunOptions(limit, max_minutes, ids, retry_failed, force, run_id, run_id)
    stopped, not_configured, ran = False, False, False
    with _open_backends(create=True) as backends:
        for one in [brand] if brand else BRANDS:
            try:
                report = run_stage(stage, StageRun(one, backends, options, logging.getLogger("unde_catalog")))
            except StageStopped as error:  # the other brands still run
                stopped = True
                _print_error(error)
            else:
                if report.not_configured:
                    not_configured = True
                    _errors.print(report.sentence(), style="yellow", soft_wrap=True, highlight=False, markup=False)
                else:
                    ran = True
                    _console.print(report.sentence(), soft_wrap=True, highlight=False, markup=False)
    raise typer.Exit(1 if stopped else 2 if not_configured and not ran else 0)
