"""`unde-catalog export`: copy a brand's images to local files, in one folder per category."""

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
    from unde_catalog.cli.export_progress import ExportDisplay
    from unde_catalog.services.export.run import ExportConfig, ExportResult
    from unde_catalog.services.export.totals import ExportTotals

DONE, FAILED, SOME_FAILED, DISK_FULL, INTERRUPTED, TERMINATED = 0, 1, 3, 4, 130, 143


def export_command(
    output: Annotated[Path, typer.Option(metavar="DIR", help="The folder. Created if missing.")] = Path(
        "bakai_cdn_images"
    ),
    category: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only this category. `uncategorized`: products without a category."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="At most the first N images of the list. From the API: N products."),
    ] = None,
    skip_existing: Annotated[
        bool,
        typer.Option("--skip-existing/--no-skip-existing", help="Keep existing files, or download all files again."),
    ] = True,
    source: Annotated[
        ListName,
        typer.Option(
            "--from",
            metavar="LIST",
            help="The list of images: database (staging), api or bucket (BakaiMarket), or storage (object store).",
        ),
    ] = "database",
    parallel: Annotated[int, typer.Option(min=1, max=200, metavar="N", help="Concurrent downloads.")] = 10,
    brand: Annotated[
        str,
        typer.Option("--brand", "-b", metavar="KEY", help="The brand. api and bucket have only bakai."),
    ] = "bakai",
    all_photos: Annotated[
        bool, typer.Option("--all-photos", help="All photos of a product (..._2.jpg and so on), not only the first.")
    ] = False,
    reencode: Annotated[
        bool,
        typer.Option("--reencode", help="Also encode plain JPEGs (quality 95) instead of keeping them as they are."),
    ] = False,
    keep_free: Annotated[int, typer.Option(min=0, metavar="MB", help="Megabytes of disk space to leave free.")] = 100,
    log_dir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Log each image that failed, with its reason, to app_<date>.log there."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the totals as one JSON object. Progress goes to stderr.")
    ] = False,
) -> None:
    """Copy a brand's images to files: OUTPUT/<category>/<external_id>.jpg

    Run it again after an error, Ctrl-C or a crash: it resumes and downloads
    nothing twice. A file under its final name is always complete. All images
    become JPEG. Images smaller than 50 pixels, larger than 20 MB or invalid
    are skipped with a reason. One export at a time can write to a folder.

    Examples:
    unde-catalog export --from api        # the first copy, without a database
    unde-catalog export                   # new products, according to staging
    unde-catalog export --category electronics --limit 100
    unde-catalog export --no-skip-existing             # download everything again
    unde-catalog export -b zara --from storage --output zara --all-photos
    nohup unde-catalog export --log-dir logs > download.log &

    Exit codes:
    0    all selected images are there
    1    it could not continue; the message says why and what to do
    2    an option is invalid
    3    some images failed or are invalid; run it again to retry them
    4    the disk is full
    130  Ctrl-C; progress is saved (143: SIGTERM)
    """
    from unde_catalog.cli.export_progress import ExportDisplay
    from unde_catalog.services.export.batches import ExportFilter
    from unde_catalog.services.export.copier import CopyOptions
    from unde_catalog.services.export.run import ExportConfig
    from unde_catalog.services.export.totals import ExportTotals
    from unde_catalog.stages.photos.image import ImageLimits

    settings = load_settings()
    config = ExportConfig(
        output,
        source,
        ExportFilter(brand_for(brand).key, category.strip() if category else None, limit, all_photos),
        refresh=not skip_existing,
        reencode=reencode,
        limits=ImageLimits(max_bytes=settings.photo_max_bytes),
        options=CopyOptions(
            parallel=parallel,
            keep_free=keep_free * 1_000_000,
            memory=settings.originals_memory_mb * 1_000_000,
            threads=max(2, os.cpu_count() or 2),
        ),
    )
    totals = ExportTotals()
    stream = sys.stderr if as_json else sys.stdout
    display = ExportDisplay(Console(file=stream, force_terminal=stream.isatty()))  # despite FORCE_COLOR: logs are plain
    code, message = _export(config, totals, display, log_dir)
    if as_json:
        print(json.dumps({"exit_code": code, "message": message, "output": str(output), **totals.as_dict()}))
    elif totals.products or code == DONE:
        display.print_totals(totals)
    if message:
        print(message, file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    raise typer.Exit(code)


def _export(
    config: "ExportConfig", totals: "ExportTotals", display: "ExportDisplay", log_dir: Path | None
) -> tuple[int, str]:
    """The exit code and a message."""
    from unde_catalog.net.download import UpstreamUnavailable
    from unde_catalog.services.export.folder import CopyStopped, DiskFull
    from unde_catalog.stages.raw_products.errors import SourceUnusable
    from unde_catalog.stages.run import START_SANDBOX
    from unde_catalog.stores.db.database import DatabaseUnavailable
    from unde_catalog.stores.objects.objects import StorageUnavailable

    resume = f"continue with: {shlex.join(['unde-catalog', *sys.argv[1:]])}"
    settings = load_settings()
    if config.source != "storage" and settings.sandbox is not None and not settings.sandbox.runs():
        return FAILED, f"the sandbox at {settings.sandbox.url} does not respond: {START_SANDBOX}"
    try:
        with Backends(settings, create=False) as backends:
            result = asyncio.run(_copy(backends, config, totals, display, log_dir))
    except DiskFull as error:
        return DISK_FULL, f"{error}. Then {resume}"
    except (CopyStopped, UpstreamUnavailable, SourceUnusable, DatabaseUnavailable, StorageUnavailable) as error:
        return FAILED, f"{error}. When that is fixed, {resume}" if totals.products else str(error)
    except ValueError as error:
        return FAILED, str(error)
    except KeyboardInterrupt:
        return INTERRUPTED, f"Interrupted before anything was copied; {resume}"
    if result == "completed":
        if totals.complete:
            return DONE, ""
        return SOME_FAILED, f"{totals.failures + totals.missed:,} images are missing; run it again to retry them"
    return INTERRUPTED if result == "interrupted" else TERMINATED, f"Stopped, progress is saved; {resume}"


async def _copy(
    backends: Backends, config: "ExportConfig", totals: "ExportTotals", display: "ExportDisplay", log_dir: Path | None
) -> "ExportResult":
    """Open what the list needs, and export."""
    from unde_catalog.services.export.factory import open_image_list
    from unde_catalog.services.export.failure_log import FailureLog
    from unde_catalog.services.export.run import export

    with ExitStack() as stack:
        log = stack.enter_context(FailureLog(log_dir)) if log_dir is not None else None
        async with AsyncExitStack() as connections:
            images, fetch = await open_image_list(backends, config, connections)
            with display:
                return await export(
                    config,
                    images,
                    fetch,
                    totals,
                    on_progress=display.update,
                    on_message=display.print,
                    on_failure=log.failed if log is not None else lambda job, failure: None,
                )
