"""`unde-catalog export`: a local copy of a brand's images, as files in folders by category."""

import asyncio
import json
import os
import shlex
import sys
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from unde_catalog.backends import Backends
from unde_catalog.brands import brand_for
from unde_catalog.services.export.image_list import ListName
from unde_catalog.settings.environment import load_settings

if TYPE_CHECKING:
    from unde_catalog.cli.export_progress import Screen
    from unde_catalog.services.export.figures import ExportTotals
    from unde_catalog.services.export.run import Export, ExportResult

DONE, FAULT, SOME_FAILED, DISK_FULL, INTERRUPTED, TERMINATED = 0, 1, 3, 4, 130, 143


def export_command(
    output: Annotated[Path, typer.Option(metavar="DIR", help="The folder, made if missing.")] = Path(
        "bakai_cdn_images"
    ),
    category: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this category; `uncategorized` for what has none.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="The first so many images of the list; products, from the API."),
    ] = None,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing/--no-skip-existing", help="Leave alone what lies there, or fetch it anew.")
    ] = True,
    source: Annotated[
        ListName,
        typer.Option(
            "--from",
            metavar="LIST",
            help="database (staging), api or bucket (BakaiMarket's own), or storage (our own objects).",
        ),
    ] = "database",
    parallel: Annotated[int, typer.Option(min=1, max=200, metavar="N", help="Downloads at once.")] = 10,
    brand: Annotated[
        str, typer.Option("--brand", "-b", metavar="KEY", help="Other brands from database and storage only.")
    ] = "bakai",
    all_photos: Annotated[
        bool, typer.Option("--all-photos", help="Not the first photo of a product alone; the others are ..._2.jpg.")
    ] = False,
    reencode: Annotated[
        bool, typer.Option("--reencode", help="Encode anew also what is a plain JPEG already (quality 95).")
    ] = False,
    keep_free: Annotated[int, typer.Option(min=0, metavar="MB", help="Megabytes of the disk to leave free.")] = 100,
    log_dir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Name each image that failed, with its reason, in app_<date>.log there."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The figures as one JSON object; progress goes to stderr.")
    ] = False,
) -> None:
    """Copy a brand's images to files: OUTPUT/<category>/<external_id>.jpg

    Run it again after anything, also after Ctrl-C or a crash: it goes on where
    it was and fetches nothing twice. A file under its name is whole. All become
    JPEG; what is smaller than 50 pixels, larger than 20 MB or no valid image is
    left out with the reason. One export at a time fills a folder.

    Examples:
    unde-catalog export --from api        # the first load, without a database
    unde-catalog export                   # what is new, by staging
    unde-catalog export --category electronics --limit 100
    unde-catalog export --no-skip-existing             # everything anew
    unde-catalog export -b zara --from storage --output zara --all-photos
    nohup unde-catalog export --log-dir logs > download.log &

    Exit codes:
    0    all that is wanted is there
    1    it could not go on; one sentence says why and what to do
    2    an option is wrong
    3    some images failed or are not valid; run again to try them again
    4    the disk is full
    130  Ctrl-C; all is saved (143: SIGTERM)
    """
    from unde_catalog.cli.export_progress import Screen
    from unde_catalog.services.export.copying import CopyOptions
    from unde_catalog.services.export.figures import ExportTotals
    from unde_catalog.services.export.listing import ExportFilter
    from unde_catalog.services.export.run import Export
    from unde_catalog.stages.photos.image import ImageLimits

    settings = load_settings()
    wanted = Export(
        output,
        source,
        ExportFilter(brand_for(brand).key, category.strip() if category else None, limit, all_photos),
        anew=not skip_existing,
        reencode=reencode,
        limits=ImageLimits(max_bytes=settings.photo_max_bytes),
        options=CopyOptions(
            parallel=parallel,
            keep_free=keep_free * 1_000_000,
            memory=settings.originals_memory_mb * 1_000_000,
            threads=max(2, os.cpu_count() or 2),
        ),
    )
    figures = ExportTotals()
    shown = sys.stderr if as_json else sys.stdout
    screen = Screen(Console(file=shown, force_terminal=shown.isatty()))  # FORCE_COLOR would put bars into a log
    code, told = _export(wanted, figures, screen, log_dir)
    if as_json:
        print(json.dumps({"exit_code": code, "message": told, "output": str(output), **figures.as_dict()}))
    elif figures.products or code == DONE:
        screen.figures(figures)
    if told:
        print(told, file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    raise typer.Exit(code)


def _export(wanted: "Export", figures: "ExportTotals", screen: "Screen", log_dir: Path | None) -> tuple[int, str]:
    """The exit code, and what is to be said about it."""
    from unde_catalog.net.download import UpstreamUnavailable
    from unde_catalog.services.export.folder import CopyStopped, DiskFull
    from unde_catalog.stages.raw_products.errors import SourceUnusable
    from unde_catalog.stores.db.database import DatabaseUnavailable
    from unde_catalog.stores.objects.objects import StorageUnavailable

    go_on = f"go on with: {shlex.join(['unde-catalog', *sys.argv[1:]])}"
    try:
        with Backends(load_settings()) as backends:
            ended = asyncio.run(_copy(backends, wanted, figures, screen, log_dir))
    except DiskFull as error:
        return DISK_FULL, f"{error}. Then {go_on}"
    except (CopyStopped, UpstreamUnavailable, SourceUnusable, DatabaseUnavailable, StorageUnavailable) as error:
        return FAULT, f"{error}. When that is mended, {go_on}" if figures.products else str(error)
    except ValueError as error:
        return FAULT, str(error)
    except KeyboardInterrupt:
        return INTERRUPTED, f"Interrupted before anything was copied; {go_on}"
    if ended == "whole":
        if figures.whole:
            return DONE, ""
        return SOME_FAILED, f"{figures.failures + figures.missed:,} are not there; run it again to try them again"
    return INTERRUPTED if ended == "interrupted" else TERMINATED, f"Stopped, and all is saved; {go_on}"


async def _copy(
    backends: Backends, wanted: "Export", figures: "ExportTotals", screen: "Screen", log_dir: Path | None
) -> "ExportResult":
    """Open what the list needs, and export."""
    from unde_catalog.services.export.failure_log import FailureLog
    from unde_catalog.services.export.open import open_list
    from unde_catalog.services.export.run import export

    with ExitStack() as stack:
        log = stack.enter_context(FailureLog(log_dir)) if log_dir is not None else None
        async with AsyncExitStack() as connections:
            images, fetch = await open_list(backends, wanted, connections)
            with screen:
                return await export(
                    wanted,
                    images,
                    fetch,
                    figures,
                    look=screen.look,
                    note=screen.say,
                    tell_failed=log.failed if log is not None else lambda job, problem: None,
                )
