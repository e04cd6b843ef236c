"""What all stage assets share: the run configuration, and the one domain call of those that store objects."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import dagster as dg
from pydantic import Field

from unde_catalog.defs.assets.metadata import lineage_of
from unde_catalog.defs.assets.row_counts import rows_of
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence, metadata_of
from unde_catalog.stages.photos.manifest import ManifestWriter
from unde_catalog.stages.run import run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.worker.handler import StageStopped, StoredObject
from unde_catalog.worker.report import RunOptions, StageReport


class StageConfig(dg.Config):
    """What every stage takes when it is launched by hand."""

    limit: int | None = Field(None, description="Work on so many products at the most.")
    max_minutes: float | None = Field(None, description="Begin nothing new after so many minutes.")
    product_ids: list[str] | None = Field(None, description="Work only on these products, named by external_id.")
    retry_failed: bool = Field(
        False, description="What was given up, or waits for a later try, is due now. Once per root run."
    )
    force: bool = Field(False, description="Everything is due again. Once per root run, so that a retry goes on.")


@dataclass(frozen=True, slots=True)
class StoredByRun:
    """What a run stored, for the IO manager: its manifest, how the run went, and why it stopped where it had to."""

    manifest: ManifestWriter
    report: StageReport
    stopped: StageStopped | None
    contact_sheet: str | None


def options_of(context: dg.AssetExecutionContext, config: StageConfig) -> RunOptions:
    """What the run is asked for."""
    return RunOptions(
        limit=config.limit,
        max_minutes=config.max_minutes,
        product_ids=tuple(config.product_ids) if config.product_ids is not None else None,
        retry_failed=config.retry_failed,
        force=config.force,
        run_id=context.run.run_id,
        root_run=context.run.get_root_run_id() or context.run.run_id,
    )


def work_off(
    stage: str, context: dg.AssetExecutionContext, config: StageConfig, backends: BackendsResource
) -> StoredByRun:
    """Work off what is due for a stage in the run's brand, and keep what it stores.

    A stage that had to stop half-way is a value, too: what it stored until then belongs into a manifest.
    """
    from unde_catalog.stages.photos.contact_sheet import Sample, contact_sheet  # Pillow: only where photos are at hand

    brand = context.partition_key
    manifest, sample = ManifestWriter(), Sample()

    def keep(stored: Sequence[StoredObject]) -> None:
        manifest.keep(stored)
        sample.keep(stored)

    stopped = None
    with fail_in_one_sentence(f"{stage} of {brand} could not begin"), backends.open() as opened:
        try:
            report = run_stage(stage, StageRun(brand, opened, options_of(context, config), context.log, keep))
        except StageStopped as cause:
            report, stopped = cause.report, cause
        sheet = contact_sheet(sample, opened.store) if sample.seen else None
    if sheet is not None and stopped is None:
        # Not by the IO manager: the event of its own would hold all these bytes a second time.
        context.add_asset_metadata({"contact_sheet": dg.MetadataValue.md(sheet)}, partition_key=brand)
    return StoredByRun(manifest, report, stopped, sheet)


def tell_others(
    stage: str,
    context: dg.AssetExecutionContext,
    config: StageConfig,
    backends: BackendsResource,
    *,
    brand: str | None = None,
    day: date | None = None,
    poll_minutes: float | None = None,
) -> dg.MaterializeResult:
    """Work off what is due for a stage that stores no objects: what it does is in other systems, and in its report.

    `brand`: where the partition is more than a brand.
    """
    brand = brand or context.partition_key
    options = replace(options_of(context, config), day=day, poll_minutes=poll_minutes)
    with fail_in_one_sentence(f"{stage} of {brand} could not begin"), backends.open() as opened:
        report = run_stage(stage, StageRun(brand, opened, options, context.log))
        rows = rows_of(stage, brand, opened, context.log)
    context.log.info(report.sentence())
    return dg.MaterializeResult(metadata={**metadata_of(report), **rows, **lineage_of(stage)})
