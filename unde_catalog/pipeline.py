"""The stages by name and in order, and the one call that runs one: assets and the command line both make it."""

import logging

from unde_catalog.brands import brand_for
from unde_catalog.handler import Keep, StageStopped
from unde_catalog.photos.collages import CollagesStage
from unde_catalog.photos.originals import OriginalsStage
from unde_catalog.sources.collect import collect
from unde_catalog.stage import run_stage
from unde_catalog.stage_report import RunOptions, StageReport
from unde_catalog.staging import stage_log
from unde_catalog.staging.database import StagingDown
from unde_catalog.workplace import Workplace

STAGES = ("raw_products", "originals", "collages")
DUE_STAGES = STAGES[1:]  # those that work off due work


def run(
    stage: str,
    brand: str,
    workplace: Workplace,
    options: RunOptions,
    log: logging.Logger,
    keep: Keep | None = None,
) -> StageReport:
    """Run a stage for a brand and write its row in scraper_logs; `keep` is told what objects were stored.

    `StageStopped` when something stands in the way of all of it; ValueError for an unknown stage, brand or product.
    """
    brand_for(brand)
    if stage not in STAGES:
        raise ValueError(f"unknown stage {stage!r}; the stages are {', '.join(STAGES)}")
    row = workplace.db.run(stage_log.begin, stage, brand, options.run_id)
    try:
        report = _run(stage, brand, workplace, options, log, keep)
    except StageStopped as stopped:
        _end(workplace, row, "error", stopped.report, str(stopped), log)
        raise
    except BaseException as error:  # also a cancelled run: its row must not say "running" for ever
        _end(workplace, row, "error", StageReport(stage, brand), f"{type(error).__name__}: {error}", log)
        raise
    _end(workplace, row, "success", report, None, log)
    return report


def _run(
    stage: str, brand: str, workplace: Workplace, options: RunOptions, log: logging.Logger, keep: Keep | None
) -> StageReport:
    settings = workplace.settings
    if stage == "raw_products":
        return collect(brand, workplace.db, settings, options, log)
    if stage == "originals":
        handler = OriginalsStage(settings.brands[brand], settings, workplace.store, workplace.db)
    else:
        handler = CollagesStage(settings, workplace.store)
    return run_stage(handler, workplace.db, brand, options, log, keep)


def _end(
    workplace: Workplace,
    row: int,
    status: stage_log.RunStatus,
    report: StageReport,
    error_message: str | None,
    log: logging.Logger,
) -> None:
    counts = report.counts
    try:
        workplace.db.run(
            stage_log.end,
            row,
            status,
            fetched=counts["items"] or report.handled,
            new=counts["new"] or counts["photos_stored"] or counts["collages_stored"],
            updated=counts["changed"] + counts["returned"],
            errors=report.failed,
            error_message=error_message,
            metadata=report.as_dict(),
        )
    except StagingDown as error:  # must not hide why the stage stopped
        log.warning("the row of this run in scraper_logs still says running: %s", error)
