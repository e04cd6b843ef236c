"""What all stage assets share: their run configuration, and the call that runs a stage.

Numbers shown for a run are in `run_metadata.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import dagster as dg
from pydantic import Field

from unde_catalog.brands import RETIRED_BRANDS
from unde_catalog.defs.asset_content import content_of
from unde_catalog.defs.asset_metadata import lineage_of
from unde_catalog.defs.queues.executor import step_minutes
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence, failure_on_partition, metadata_of
from unde_catalog.settings.environment import Settings
from unde_catalog.stages.photos.manifest import ManifestWriter
from unde_catalog.stages.run import run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.staging.reports import contents
from unde_catalog.worker.handler import StageStopped, StoredObject
from unde_catalog.worker.report import RunOptions, StageReport


class StageConfig(dg.Config):
    """The run configuration of every stage."""

    limit: int | None = Field(None, description="Process at most this many products.")
    max_minutes: float | None = Field(None, description="Start no new product after this many minutes.")
    product_ids: list[str] | None = Field(None, description="Process only these products, by external_id.")
    retry_failed: bool = Field(
        False,
        description="Make products due that were given up or wait for a retry. A retry of the run does not repeat it.",
    )
    force: bool = Field(
        False,
        description="Make all products due. A retry of the run does not repeat it, but continues where it stopped.",
    )


@dataclass(frozen=True, slots=True)
class StageOutput:
    """What a run stored, for the IO manager: the manifest, the report, and the cause if the stage had to stop."""

    manifest: ManifestWriter
    report: StageReport
    stopped: StageStopped | None
    contact_sheet: str | None


def run_options(context: dg.AssetExecutionContext, config: StageConfig, settings: Settings) -> RunOptions:
    """The options of the run. `dg.Failure` for a brand that was removed: it has a partition, but no settings."""
    key = context.partition_key
    brand = key.keys_by_dimension["brand"] if isinstance(key, dg.MultiPartitionKey) else key
    if brand in RETIRED_BRANDS:
        raise dg.Failure(f"the brand {brand} was removed, so nothing is done for it", allow_retries=False)
    return RunOptions(
        limit=config.limit,
        max_minutes=step_minutes(settings, config.max_minutes),
        product_ids=tuple(config.product_ids) if config.product_ids is not None else None,
        retry_failed=config.retry_failed,
        force=config.force,
        run_id=context.run.run_id,
        root_run=context.run.get_root_run_id() or context.run.run_id,
    )


def run_storing_stage(
    stage: str, context: dg.AssetExecutionContext, config: StageConfig, backends: BackendsResource
) -> StageOutput:
    """Run a stage that stores objects for the run's brand.

    A stage that had to stop is a value too: what it stored until then belongs into a manifest.
    """
    from unde_catalog.stages.photos.contact_sheet import (  # imports Pillow, which few stages need
        THUMBNAILS,
        Sample,
        contact_sheet,
    )

    brand = context.partition_key
    manifest, sample = ManifestWriter(), Sample()

    def keep(stored: Sequence[StoredObject]) -> None:
        manifest.add(stored)
        sample.add(stored)

    stopped = None
    with (
        failure_on_partition(context, brand),
        fail_in_one_sentence(f"{stage} of {brand} could not start"),
        backends.open() as opened,
    ):
        try:
            options = run_options(context, config, opened.settings)
            report = run_stage(stage, StageRun(brand, opened, options, context.log, keep))
        except StageStopped as cause:
            report, stopped = cause.report, cause
        sheet = None
        if sample.seen:
            sheet = contact_sheet(sample, opened.store)
        elif stopped is None:  # nothing is new: the newest of what is stored
            for row in opened.db.run(contents.newest_objects, stage, brand, THUMBNAILS):
                sample.add([StoredObject(**row)])
            sheet = contact_sheet(sample, opened.store, "stored")
    if sheet is not None and stopped is None:
        # Not by the IO manager: its output event would contain all these bytes a second time.
        context.add_asset_metadata({"contact_sheet": dg.MetadataValue.md(sheet)}, partition_key=brand)
    return StageOutput(manifest, report, stopped, sheet)


def run_external_stage(
    stage: str,
    context: dg.AssetExecutionContext,
    config: StageConfig,
    backends: BackendsResource,
    *,
    brand: str | None = None,
    day: date | None = None,
    poll_minutes: float | None = None,
) -> dg.MaterializeResult:
    """Run a stage that stores no objects: it changes rows or another system.

    `brand`: for a partition that is more than a brand.
    """
    brand = brand or context.partition_key
    options = replace(run_options(context, config, backends.settings), day=day, poll_minutes=poll_minutes)
    with (
        failure_on_partition(context, context.partition_key),
        fail_in_one_sentence(f"{stage} of {brand} could not start"),
        backends.open() as opened,
    ):
        report = run_stage(stage, StageRun(brand, opened, options, context.log))
        content = content_of(stage, brand, opened, context.log)
    context.log.info(report.sentence())
    return dg.MaterializeResult(metadata={**metadata_of(report, content), **lineage_of(stage)})
