"""Runs of the visual_index stage: opens the model, embeds due products, and switches to a new model when it is built.

The work on a product is in `stage.py`, the interface of a model in `model.py`.
"""

from unde_catalog.backends import Backends
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stages.visual_index.model import EmbeddingModel, ModelMissing, kind_of
from unde_catalog.stages.visual_index.open_model import open_model
from unde_catalog.stages.visual_index.open_store import open_mirror
from unde_catalog.stages.visual_index.stage import STAGE, VisualIndexStage
from unde_catalog.stages.visual_index.vector_store import VectorStoreUnavailable, why_not_searchable
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import work_queue
from unde_catalog.stores.staging.index import models, vectors
from unde_catalog.stores.staging.index.models import Models
from unde_catalog.text import quantity
from unde_catalog.worker.handler import StageStopped
from unde_catalog.worker.loop import run_worker
from unde_catalog.worker.report import RunOptions, StageReport


class ModelConflict(RuntimeError):
    """This run's model is not the model in use or being built; the message says what to do."""


def run(stage_run: StageRun) -> StageReport:
    """Embed the photos of a brand's due products; then switch to a model that is complete, and delete the old rows.

    Raises `StageStopped` if the model or the vector store is unavailable, or another model is being built.
    """
    brand, backends, options, log = stage_run.brand, stage_run.backends, stage_run.options, stage_run.log
    db, settings = backends.db, backends.settings
    current = db.run(models.current)
    if _nothing_to_do(brand, backends, options, current):
        return StageReport(STAGE, brand, note=_describe(current) if current.serving else "")
    try:
        model = open_model(settings, settings.home, current)
        mirror = open_mirror(backends)
        current = _begin(db, model)
    except (ModelMissing, VectorStoreUnavailable, ModelConflict) as cause:
        raise StageStopped(StageReport(STAGE, brand), cause) from cause
    log.info("%s %s: embedding with %s", STAGE, brand, model.name)
    while db.run(models.enqueue_missing):
        log.info("%s: made products due for %s", STAGE, model.name)
    handler = VisualIndexStage(
        model,
        backends.store,
        mirror,
        take_limit=settings.batch_size_of(STAGE),
        memory_mb=settings.originals_memory_mb,
    )
    report = run_worker(handler, db, brand, options, log)
    lacking = db.run(models.switch, model.name) if current.building == model.name else None
    current = db.run(models.current)
    if mirror is not None and current.serving is not None:
        try:
            mirror.serve(current.serving)
        except VectorStoreUnavailable as cause:
            raise StageStopped(report, cause) from cause
    clear_old(db)
    report.note = _describe(current, lacking)
    if mirror is None and not db.run(vectors.searchable):
        report.note += f"; {why_not_searchable(db.read(vectors.pgvector_installed))}"
    return report


def clear_old(db: Database) -> None:
    """Delete the rows of a model that is no longer used."""
    after: int | None = 0 if db.run(models.current).old is not None else None
    while after is not None:
        after = db.run(models.clear_old, after)


def _nothing_to_do(brand: str, backends: Backends, options: RunOptions, current: Models) -> bool:
    """Whether this run needs no model, which can take seconds to load."""
    if options.force or options.retry_failed or options.product_ids is not None:
        return False
    if current.building is not None or current.old is not None:
        return False
    setting = backends.settings.embedding_model
    if current.serving is not None and setting not in ("auto", kind_of(current.serving)):
        return False
    return backends.db.run(work_queue.count_open, STAGE, brand).due == 0


def _begin(db: Database, model: EmbeddingModel) -> Models:
    clear_old(db)
    current = db.run(models.begin, model.name)
    if current.building in (None, model.name) and model.name in (current.serving, current.building):
        return current
    if current.old is not None:
        raise ModelConflict(f"rows of {current.old} are still being deleted: run the stage again")
    raise ModelConflict(
        f"{current.building} is being built beside {current.serving}, and this run would embed with {model.name}: "
        "set the same EMBEDDING_MODEL and CLIP_MODEL_DIR for all workers, or run unde-catalog vectors stop"
    )


def _describe(current: Models, lacking: int | None = None) -> str:
    if current.building is None:
        return f"embedded by {current.serving}"
    left = f" ({quantity(lacking, 'product')} left)" if lacking else ""
    return f"embedded by {current.building}{left}; {current.serving} is in use until all products are embedded"
