"""Runs of the visual_index stage: the model is opened, a new one is built beside the old one and takes its place.

What is done to a product is `stage.py`'s, what a model is `model.py`'s.
"""

from unde_catalog.backends import Backends
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stages.visual_index.model import EmbeddingModel, ModelMissing, kind_of
from unde_catalog.stages.visual_index.open_model import open_model
from unde_catalog.stages.visual_index.open_store import open_mirror
from unde_catalog.stages.visual_index.stage import STAGE, VisualIndexStage
from unde_catalog.stages.visual_index.vector_store import NO_PGVECTOR, VectorStoreUnavailable
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import work_queue
from unde_catalog.stores.staging.index import models, vectors
from unde_catalog.stores.staging.index.models import Models
from unde_catalog.text import quantity
from unde_catalog.worker.handler import StageStopped
from unde_catalog.worker.loop import run_worker
from unde_catalog.worker.report import RunOptions, StageReport


class AnotherModel(RuntimeError):
    """Runs disagree about the model; the sentence says what to do."""


def run(stage_run: StageRun) -> StageReport:
    """Embed what is due of a brand; at the end let a model that is through take over, and delete the old one's rows.

    `StageStopped` where the model or the vector store can't be had, or another model is being built.
    """
    brand, backends, options, log = stage_run.brand, stage_run.backends, stage_run.options, stage_run.log
    db, settings = backends.db, backends.settings
    standing = db.run(models.models)
    if _nothing_to_do(brand, backends, options, standing):
        return StageReport(STAGE, brand, note=_said_of(standing) if standing.serving else "")
    try:
        model = open_model(settings, settings.home, standing)
        mirror = open_mirror(backends)
        standing = _begin(db, model)
    except (ModelMissing, VectorStoreUnavailable, AnotherModel) as cause:
        raise StageStopped(StageReport(STAGE, brand), cause) from cause
    log.info("%s %s: embedded by %s", STAGE, brand, model.name)
    while db.run(models.enqueue_missing):
        log.info("%s: products are made due for %s", STAGE, model.name)
    handler = VisualIndexStage(
        model,
        backends.store,
        mirror,
        take_limit=settings.batch_size_of(STAGE),
        memory_mb=settings.originals_memory_mb,
    )
    report = run_worker(handler, db, brand, options, log)
    lacking = db.run(models.switch, model.name) if standing.building == model.name else None
    standing = db.run(models.models)
    if mirror is not None and standing.serving is not None:
        try:
            mirror.serve(standing.serving)
        except VectorStoreUnavailable as cause:
            raise StageStopped(report, cause) from cause
    clear_old(db)
    report.note = _said_of(standing, lacking)
    if mirror is None and not db.run(vectors.searchable):
        report.note += f"; {NO_PGVECTOR}"
    return report


def clear_old(db: Database) -> None:
    """Delete the rows of a model that serves no more."""
    after: int | None = 0 if db.run(models.models).old is not None else None
    while after is not None:
        after = db.run(models.clear_old, after)


def _nothing_to_do(brand: str, backends: Backends, options: RunOptions, standing: Models) -> bool:
    """Whether a model need not be opened for this run: that can take seconds."""
    if options.force or options.retry_failed or options.product_ids is not None:
        return False
    if standing.building is not None or standing.old is not None:
        return False
    setting = backends.settings.embedding_model
    if standing.serving is not None and setting not in ("auto", kind_of(standing.serving)):
        return False
    return backends.db.run(work_queue.count_open, STAGE, brand).due == 0


def _begin(db: Database, model: EmbeddingModel) -> Models:
    clear_old(db)
    standing = db.run(models.begin, model.name)
    if standing.building in (None, model.name) and model.name in (standing.serving, standing.building):
        return standing
    if standing.old is not None:
        raise AnotherModel(f"rows of {standing.old} are still being deleted: run it again")
    raise AnotherModel(
        f"{standing.building} is being built beside {standing.serving}, and this run would embed with {model.name}: "
        "set EMBEDDING_MODEL and CLIP_MODEL_DIR alike wherever stages run, or end that with unde-catalog vectors stop"
    )


def _said_of(standing: Models, lacking: int | None = None) -> str:
    if standing.building is None:
        return f"embedded by {standing.serving}"
    still = f", which {quantity(lacking, 'product')} still {'lacks' if lacking == 1 else 'lack'}" if lacking else ""
    return f"embedded by {standing.building}{still}; until it is through, {standing.serving} answers"
