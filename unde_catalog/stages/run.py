"""The one call that runs a stage, for assets and the command line alike; it also keeps the run's row in scraper_logs.

What a stage does is in its package; names, order and schedules of the stages are in `stage_specs.py`.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from unde_catalog.backends import Backends
from unde_catalog.brands import brand_for
from unde_catalog.stage_specs import DUE_STAGES, STAGES
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.stores.objects.objects import StorageUnavailable
from unde_catalog.stores.staging.due_work import pauses, stage_runs
from unde_catalog.stores.staging.photos import adoption
from unde_catalog.worker.handler import StageStopped
from unde_catalog.worker.loop import known_products
from unde_catalog.worker.report import StageReport

if TYPE_CHECKING:
    from unde_catalog.stages.raw_products.collect import ProductStream

START_SANDBOX = "start it with unde-catalog up, or alone with unde-catalog sandbox serve"
_ASKS_SERVICES = ("raw_products", "raw_stores", "originals", "ximilar_index", "availability")


def run_stage(stage: str, stage_run: StageRun) -> StageReport:
    """Run a stage for a brand. While the stage or the brand is paused the run does nothing, and its note says so.

    `StageStopped` when something prevents all of the work; ValueError for an unknown stage, brand or product.
    """
    brand_for(stage_run.brand)
    if stage not in STAGES:
        raise ValueError(f"unknown stage {stage!r}; the stages are {', '.join(STAGES)}")
    if stage in DUE_STAGES and stage_run.options.product_ids is not None:
        # Before the run is in scraper_logs: a mistyped id is no failure of the stage, which the report would list.
        known_products(stage_run.backends.db, stage_run.brand, stage_run.options.product_ids)
    return _logged(stage, stage_run, lambda: _function_of(stage)(stage_run))


def merge_products(stream: "ProductStream", backends: Backends) -> StageReport:
    """Run the raw_products stage for a stream that was made elsewhere; otherwise as `run_stage`."""
    stage_run = StageRun(stream.brand, backends, stream.options, stream.log)
    return _logged("raw_products", stage_run, lambda: stream.merge(backends.db))


def adopt_products(stage_run: StageRun, *, trust_sizes: bool = False) -> StageReport:
    """Record what another program stored, and inserted into Ximilar, for the brand's products that are due for it."""
    from unde_catalog.stages.adoption.run import run

    return _logged(adoption.STAGE, stage_run, lambda: run(stage_run, trust_sizes=trust_sizes))


def _function_of(stage: str) -> Callable[[StageRun], StageReport]:
    """The stage's own `run`. It is imported here, so that a process loads the libraries of the stages it runs only."""
    match stage:
        case "raw_products":
            from unde_catalog.stages.raw_products.collect import run
        case "raw_stores":
            from unde_catalog.stages.availability.run import find_stores as run
        case "originals":
            from unde_catalog.stages.photos.originals import run
        case "collages":
            from unde_catalog.stages.photos.collages import run
        case "ximilar_index":
            from unde_catalog.stages.ximilar_index.run import run
        case "visual_index":
            from unde_catalog.stages.visual_index.run import run
        case "availability":
            from unde_catalog.stages.availability.run import check_stock as run
        case "production_catalog":
            from unde_catalog.stages.production_catalog.publish import run
        case _:
            raise AssertionError(f"{stage} has no package")
    return run


def _logged(stage: str, stage_run: StageRun, work: Callable[[], StageReport]) -> StageReport:
    """Do the work between the first and the last writing of the run's row in scraper_logs."""
    brand, db, log = stage_run.brand, stage_run.backends.db, stage_run.log
    why_paused = db.run(pauses.paused, stage, brand)
    if stage in DUE_STAGES and not why_paused and db.read(adoption.due, brand):
        adopt_products(stage_run)
    db.run(stage_runs.end_killed, stage, brand)
    row = db.run(stage_runs.begin, stage, brand, stage_run.options.run_id)
    try:
        if not why_paused:
            _require_sandbox(stage, stage_run)
        with _signs_of_life(db, row):
            report = StageReport(stage, brand, note=why_paused) if why_paused else work()
    except StageStopped as stopped:
        _end(stage_run.backends, row, "error", stopped.report, str(stopped), log)
        raise
    except (StorageUnavailable, DatabaseUnavailable) as cause:  # before any product was leased
        stopped = StageStopped(StageReport(stage, brand), cause)
        _end(stage_run.backends, row, "error", stopped.report, str(stopped), log)
        raise stopped from cause
    except BaseException as error:  # a canceled run too: its row must not stay "running"
        _end(stage_run.backends, row, "error", StageReport(stage, brand), _describe(error), log)
        raise
    _end(stage_run.backends, row, "success", report, None, log)
    return report


def _require_sandbox(stage: str, stage_run: StageRun) -> None:
    """Raise `StageStopped` where the sandbox that stands in for external services does not run: no product is tried."""
    sandbox = stage_run.backends.settings.sandbox
    if stage in _ASKS_SERVICES and sandbox is not None and not sandbox.runs():
        cause = ConnectionError(f"the sandbox at {sandbox.url} does not respond; {START_SANDBOX}")
        raise StageStopped(StageReport(stage, stage_run.brand), cause)


@contextmanager
def _signs_of_life(db: Database, row: int) -> Iterator[None]:
    """Writes every minute that the run is alive. A killed process cannot say that it ended."""
    ended = threading.Event()

    def write() -> None:
        while not ended.wait(stage_runs.SIGN_OF_LIFE.total_seconds()):
            with suppress(DatabaseUnavailable):  # the run itself reports it
                db.run(stage_runs.is_alive, row)

    thread = threading.Thread(target=write, daemon=True, name="signs-of-life")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _describe(error: BaseException) -> str:
    if isinstance(error, Exception):
        return f"{type(error).__name__}: {error}"
    # KeyboardInterrupt, SystemExit or Dagster's own exception for a canceled run: their messages say nothing.
    return "interrupted: the run was canceled or its worker was stopped; finished work is kept, the rest is still due"


def _end(
    backends: Backends,
    row: int,
    status: stage_runs.RunStatus,
    report: StageReport,
    error_message: str | None,
    log: logging.Logger,
) -> None:
    counts = report.counts
    try:
        backends.db.run(
            stage_runs.end,
            row,
            status,
            fetched=counts["items"] or report.handled,
            new=counts["new"] or counts["photos_stored"] or counts["collages_stored"] or counts["photos_embedded"],
            updated=counts["changed"] + counts["returned"],
            errors=report.failed,
            error_message=error_message,
            metadata=report.as_dict(),
        )
    except DatabaseUnavailable as error:  # must not hide why the stage stopped
        log.warning("the run's row in scraper_logs keeps the status running: %s", error)
