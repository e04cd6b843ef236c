"""The stages by name and in order, and the one call that runs one: assets and the command line both make it.

A stage's own modules are imported where it runs: whoever only wants the names needs no image or HTTP library.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from unde_catalog.backends import Backends
from unde_catalog.brands import brand_for
from unde_catalog.stage_specs import STAGES
from unde_catalog.stores.db.database import DatabaseUnavailable
from unde_catalog.stores.objects.objects import StorageUnavailable
from unde_catalog.stores.staging.due_work import pauses, stage_runs
from unde_catalog.worker.handler import OnStored, StageStopped
from unde_catalog.worker.report import RunOptions, StageReport

if TYPE_CHECKING:
    from unde_catalog.stages.raw_products.collect import ProductStream


def run_stage(
    stage: str,
    brand: str,
    backends: Backends,
    options: RunOptions,
    log: logging.Logger,
    keep: OnStored | None = None,
) -> StageReport:
    """Run a stage for a brand and write its row in scraper_logs; `keep` is told what objects were stored.

    What an operator has paused does nothing, and its note says why.

    `StageStopped` when something stands in the way of all of it; ValueError for an unknown stage, brand or product.
    """
    brand_for(brand)
    if stage not in STAGES:
        raise ValueError(f"unknown stage {stage!r}; the stages are {', '.join(STAGES)}")
    if stage == "raw_products":
        from unde_catalog.stages.raw_products.collect import ProductStream

        return merge(ProductStream(brand, backends.settings, options, log), backends)
    if stage == "raw_stores":
        from unde_catalog.stages.availability.run import find_stores

        return _logged(stage, brand, backends, options, log, lambda: find_stores(brand, backends))
    return _logged(
        stage, brand, backends, options, log, lambda: _DUE_STAGES[stage](brand, backends, options, log, keep)
    )


def merge(stream: "ProductStream", backends: Backends) -> StageReport:
    """Run the raw_products stage: what `run_worker` does of it, for whoever was handed the stream."""
    return _logged(
        "raw_products", stream.brand, backends, stream.options, stream.log, lambda: stream.merge(backends.db)
    )


def _logged(
    stage: str,
    brand: str,
    backends: Backends,
    options: RunOptions,
    log: logging.Logger,
    work: Callable[[], StageReport],
) -> StageReport:
    row = backends.db.run(stage_runs.begin, stage, brand, options.run_id)
    why_paused = backends.db.run(pauses.paused, stage, brand)
    try:
        report = StageReport(stage, brand, note=why_paused) if why_paused else work()
    except StageStopped as stopped:
        _end(backends, row, "error", stopped.report, str(stopped), log)
        raise
    except (StorageUnavailable, DatabaseUnavailable) as cause:  # before there was anything to hand back
        stopped = StageStopped(StageReport(stage, brand), cause)
        _end(backends, row, "error", stopped.report, str(stopped), log)
        raise stopped from cause
    except BaseException as error:  # also a cancelled run: its row must not say "running" for ever
        _end(backends, row, "error", StageReport(stage, brand), _what_broke(error), log)
        raise
    _end(backends, row, "success", report, None, log)
    return report


def _what_broke(error: BaseException) -> str:
    """An engine's own exceptions, with which it interrupts a run, are no errors of Python's kind, and say nothing."""
    if isinstance(error, Exception):
        return f"{type(error).__name__}: {error}"
    return "interrupted: it was cancelled, or its worker was told to end; what it did is kept, the rest is still due"


def _originals(
    brand: str, backends: Backends, options: RunOptions, log: logging.Logger, keep: OnStored | None
) -> StageReport:
    from unde_catalog.stages.photos.originals import OriginalsStage
    from unde_catalog.worker.loop import run_worker

    settings = backends.settings
    handler = OriginalsStage(settings.brands[brand], settings, backends.store, backends.db)
    return run_worker(handler, backends.db, brand, options, log, keep)


def _collages(
    brand: str, backends: Backends, options: RunOptions, log: logging.Logger, keep: OnStored | None
) -> StageReport:
    from unde_catalog.stages.photos.collages import CollagesStage
    from unde_catalog.worker.loop import run_worker

    return run_worker(CollagesStage(backends.settings, backends.store), backends.db, brand, options, log, keep)


def _ximilar_index(
    brand: str, backends: Backends, options: RunOptions, log: logging.Logger, keep: OnStored | None
) -> StageReport:
    from unde_catalog.stages.ximilar_index.client import Ximilar
    from unde_catalog.stages.ximilar_index.stage import SharedPace, XimilarStage
    from unde_catalog.worker.loop import run_worker

    settings = backends.settings
    token, collection = settings.ximilar_api_token, settings.ximilar_collection_id
    if token is None or collection is None:
        return StageReport(
            "ximilar_index", brand, note="not configured: set XIMILAR_API_TOKEN and XIMILAR_COLLECTION_ID"
        )
    api = Ximilar(
        str(settings.ximilar_api_url),
        settings.ximilar_prefix,
        token.get_secret_value(),
        collection,
        SharedPace(backends.db, settings.ximilar_rate_limit),
    )
    handler = XimilarStage(
        api,
        collection,
        backends.store,
        backends.db,
        take_limit=settings.batch_size_of("ximilar_index"),
        budget=settings.ximilar_monthly_credits,
    )
    return run_worker(handler, backends.db, brand, options, log, keep)


def _visual_index(
    brand: str, backends: Backends, options: RunOptions, log: logging.Logger, keep: OnStored | None
) -> StageReport:
    from unde_catalog.stages.visual_index.run import index_photos

    return index_photos(brand, backends, options, log)


def _availability(
    brand: str, backends: Backends, options: RunOptions, log: logging.Logger, keep: OnStored | None
) -> StageReport:
    from unde_catalog.stages.availability.run import check_stock

    return check_stock(brand, backends, options, log)


def _production_catalog(
    brand: str, backends: Backends, options: RunOptions, log: logging.Logger, keep: OnStored | None
) -> StageReport:
    from unde_catalog.stages.production_catalog.limits import limits_of
    from unde_catalog.stages.production_catalog.publish import Publishing

    try:
        production = backends.production
    except DatabaseUnavailable as down:
        raise StageStopped(StageReport("production_catalog", brand), down) from down
    if production is None:
        return StageReport("production_catalog", brand, note="not configured: set PRODUCTION_DB_URL")
    limits = limits_of(brand, backends.settings)
    return Publishing(brand, backends.db, production, limits, options, log).publish()


_DUE_STAGES = {
    "originals": _originals,
    "collages": _collages,
    "ximilar_index": _ximilar_index,
    "visual_index": _visual_index,
    "availability": _availability,
    "production_catalog": _production_catalog,
}


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
        log.warning("the row of this run in scraper_logs still says running: %s", error)
