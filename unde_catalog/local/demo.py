"""`unde-catalog demo`: run the pipeline on embedded databases and the sandbox, and show progress and results.

The Dagster runs themselves are in `demo_runs.py`.
"""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Column, Table

from unde_catalog.backends import Backends
from unde_catalog.brands import BRANDS
from unde_catalog.local.own_sandbox import SandboxService
from unde_catalog.local.processes import dagster_environment, missing_extra, requests_logged, stop
from unde_catalog.local.progress import ProgressView, table
from unde_catalog.settings.environment import SettingsError, load_settings
from unde_catalog.settings.search import SEARCH_PORT
from unde_catalog.settings.sources import publish, sandbox_settings
from unde_catalog.stage_specs import DUE_STAGES
from unde_catalog.stores.staging.reports import overview
from unde_catalog.stores.staging.stock import stock_rows

SEARCH_PAGE = f"http://127.0.0.1:{SEARCH_PORT}"  # where `up` serves it
_POLL_SECONDS = 0.5
_LINE_SECONDS = 5.0  # between two lines of progress where the output is not a terminal
_TABLE_WIDTH = 40 + 12 * len(BRANDS)
_PRODUCTS_SHOWN = 2  # of each brand
_STORES_SHOWN = 3  # of each product
_PHOTO_KINDS = ("photo", "bakai.photo")  # of requests in the sandbox's log
_EXTERNAL_STORES = ("staging_db_url", "production_db_url", "dagster_db_url", "s3_endpoint")


def demo(console: Console, port: int | None) -> int:
    """Run the demo; 0 if every run succeeded. `SettingsError` if a database or bucket of your own is configured.

    `port`: of the sandbox; None: the state's own.
    """
    started = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that child processes are stopped
    configured = [name.upper() for name in _EXTERNAL_STORES if getattr(load_settings(), name) is not None]
    if configured:
        raise SettingsError(f"the demo writes to embedded databases only: unset {', '.join(configured)} (also in .env)")
    home = load_settings().home
    console.print(f"State: {home}", soft_wrap=True, highlight=False)
    with SandboxService(console, home, port) as sandbox:
        base_url = sandbox.address.url
        console.print(f"Sandbox: {base_url}", highlight=False)
        publish(sandbox_settings(sandbox.address))  # also where a real service is configured
        with Backends(load_settings()) as backends:
            return _run_and_show(console, sandbox, backends, started)


def _run_and_show(console: Console, sandbox: SandboxService, backends: Backends, started: float) -> int:
    """The runs with their progress, then what became of the products; 0 if every run succeeded."""
    base_url = sandbox.address.url
    _, position = requests_logged(base_url)
    log = backends.settings.home / "logs" / "demo.log"

    def keep_sandbox() -> None:
        if happened := sandbox.keep_running():
            console.print(happened, style="red", soft_wrap=True, highlight=False, markup=False)

    status = _run(console, backends, log, keep_sandbox)
    requested = sum(requests_logged(base_url, kind, position)[0] for kind in _PHOTO_KINDS)
    wide = Console(width=max(console.width, _TABLE_WIDTH))  # a table in a file must not be cut
    wide.print(_summary(backends))
    wide.print(_stock(backends))
    _search(wide, backends)
    console.print(f"{requested} photos were requested. The demo took {time.monotonic() - started:.0f} s.")
    console.print(f"Collages: {backends.objects_folder / 'collages'}", soft_wrap=True)
    console.print(f"Photos:   {backends.objects_folder / 'originals'}", soft_wrap=True)
    where = f"Dagster's UI and the search page ({SEARCH_PAGE})"
    console.print(f"Next: make up serves {where} on this state.", soft_wrap=True)
    if status:
        console.print(f"[red]A run failed.[/red] make up shows which one and why. Log: {log}")
    return status


def _search(console: Console, backends: Backends) -> None:
    if missing := missing_extra("search", "fastapi"):
        console.print(f"Search: {missing}.", markup=False)
        return
    from unde_catalog.local.example_search import example_search

    example_search(console, backends, SEARCH_PAGE)


def _run(console: Console, backends: Backends, log: Path, keep_sandbox: Callable[[], None]) -> int:
    """Start the Dagster runs, show their progress until they end, and return their exit status."""
    log.parent.mkdir(parents=True, exist_ok=True)
    progress, db = ProgressView(backends.db), backends.db
    with log.open("a") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "unde_catalog.local.demo_runs"],
            env=dagster_environment(backends.settings, {}),
            stdout=output,
            stderr=output,
            text=True,
            start_new_session=True,
        )
        try:
            if console.is_terminal:
                with Live(console=console, refresh_per_second=4) as live:
                    while _still_running(process):
                        keep_sandbox()
                        live.update(table(progress.read(), db.run(overview.product_counts)))
                    live.update(Table())
            else:
                _plain_lines(console, process, progress, keep_sandbox)
            return process.wait()
        finally:
            stop(process)


def _still_running(process: subprocess.Popen[str]) -> bool:
    try:
        process.wait(_POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


def _plain_lines(
    console: Console, process: subprocess.Popen[str], view: ProgressView, keep_sandbox: Callable[[], None]
) -> None:
    printed: dict[tuple[str, str], str] = {}
    last = 0.0
    running = True
    while running:
        running = _still_running(process)
        keep_sandbox()
        progress = view.read()
        if running and time.monotonic() - last < _LINE_SECONDS:
            continue
        last = time.monotonic()
        for brand, stages in progress.items():
            for stage, state in stages.items():
                if printed.get((brand, stage)) != str(state):
                    printed[brand, stage] = str(state)
                    console.print(f"{brand} {stage}: {state}", highlight=False)


def _summary(backends: Backends) -> Table:
    counts = backends.db.run(overview.stage_counts)
    products = backends.db.run(overview.product_counts)
    failures = backends.db.run(overview.failures)
    names = [brand.name for brand in BRANDS.values()]
    result = Table(Column("products done", no_wrap=True), *names, "failed", title="Catalogue")
    for stage in ("raw_products", *DUE_STAGES):
        reasons: Counter[str] = Counter()
        for brand in BRANDS:
            reasons.update(failures.get((brand, stage), {}))
        if stage == "raw_products":
            cells = [products.get(brand, {}).get("active", 0) for brand in BRANDS]
        else:
            cells = [counts.get((brand, stage), {}).get("done", 0) for brand in BRANDS]
        failed = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        result.add_row(stage, *map(str, cells), failed)
    return result


def _stock(backends: Backends) -> Table:
    """A few products with the stores that have them, and the sizes."""
    result = Table("product", "store", "sizes in stock", title="Stock")
    for brand in BRANDS:
        shown: dict[str, int] = {}
        for row in backends.db.run(stock_rows.sample_products, brand, _PRODUCTS_SHOWN):
            name = f"{BRANDS[brand].name}: {row['name']}"
            shown[name] = shown.get(name, 0) + 1
            if shown[name] <= _STORES_SHOWN:
                first = name if shown[name] == 1 else ""
                result.add_row(first, row["store"], ", ".join(row["sizes"]) or "none")
    return result
