"""Runs adoption for a brand. What it does to a product is in `stage.py`."""

from dataclasses import replace

from unde_catalog.stages.adoption.stage import AdoptionStage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stages.ximilar_index.listing import CollectionListing
from unde_catalog.stages.ximilar_index.open import SharedPace, open_ximilar
from unde_catalog.stores.staging.photos import adoption
from unde_catalog.worker.loop import run_worker
from unde_catalog.worker.report import StageReport


def run(stage_run: StageRun, *, trust_sizes: bool = False) -> StageReport:
    """Adopt what is due of the brand; `StageStopped` when the bucket or the database can't be used.

    A worker whose role serves one stage alone adopts nothing: it waits until one that serves all of them has.
    """
    backends, brand = stage_run.backends, stage_run.brand
    if not backends.db.read(adoption.permitted):
        note = "its products wait for a worker that serves all stages: run unde-catalog adopt with the role scraper"
        return StageReport(adoption.STAGE, brand, note=note)
    settings, db = backends.settings, backends.db
    api = open_ximilar(settings, SharedPace(db, settings.ximilar_rate_limit))
    listing = CollectionListing(api, db) if api is not None else None
    handler = AdoptionStage(settings, backends.store, listing, stage_run.log, backends.clock, trust_sizes=trust_sizes)
    options = replace(stage_run.options, limit=None, force=False, retry_failed=False, poll_minutes=None)
    return run_worker(handler, backends.db, brand, options, stage_run.log)
