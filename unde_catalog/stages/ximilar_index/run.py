"""Runs of the ximilar_index stage: opens the client and runs the handler of `stage.py`."""

from unde_catalog.stages.configured import why_not_configured
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stages.ximilar_index.open import SharedPace, open_ximilar
from unde_catalog.stages.ximilar_index.stage import XimilarStage
from unde_catalog.stores.staging.products import scrapes
from unde_catalog.worker.loop import run_worker
from unde_catalog.worker.report import StageReport


def run(stage_run: StageRun) -> StageReport:
    """Bring the collection up to date with the brand's pilot products; `StageStopped` when Ximilar can't be used."""
    backends, brand = stage_run.backends, stage_run.brand
    settings = backends.settings
    pace = SharedPace(backends.db, settings.ximilar_rate_limit)
    api = open_ximilar(settings, pace)
    if api is None:
        note = why_not_configured(XimilarStage.stage, brand, settings) or ""
        return StageReport(XimilarStage.stage, brand, note=note)
    if why := backends.db.run(scrapes.why_outward_waits, brand) or pace.why_held():
        return StageReport(XimilarStage.stage, brand, note=why)
    handler = XimilarStage(
        api,
        backends.store,
        backends.db,
        take_limit=settings.batch_size_of(XimilarStage.stage),
        budget=settings.ximilar_monthly_credits,
    )
    return run_worker(handler, backends.db, brand, stage_run.options, stage_run.log)
