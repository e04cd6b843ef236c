"""What all stage assets share: the run configuration, the one domain call, and what an operator reads afterwards."""

from typing import Any

import dagster as dg
from pydantic import Field

from unde_catalog import pipeline
from unde_catalog.embedded.errors import EmbeddedPostgresError
from unde_catalog.handler import StageStopped
from unde_catalog.resources import WorkplaceResource
from unde_catalog.stage_report import RunOptions, StageReport
from unde_catalog.staging.database import StagingDown
from unde_catalog.storage.objects import StorageDown


class StageConfig(dg.Config):
    """What every stage takes when it is launched by hand."""

    limit: int | None = Field(None, description="Work on so many products at the most.")
    max_minutes: float | None = Field(None, description="Begin nothing new after so many minutes.")
    product_ids: list[str] | None = Field(None, description="Work only on these products, named by external_id.")
    retry_failed: bool = Field(
        False, description="What was given up, or waits for a later try, is due now. Once per root run."
    )
    force: bool = Field(False, description="Everything is due again. Once per root run, so that a retry goes on.")


def materialize(
    stage: str, context: dg.AssetExecutionContext, config: StageConfig, workplace: WorkplaceResource
) -> dg.MaterializeResult:
    """Work off what is due for a stage in the run's brand; a stage that had to stop fails with one sentence."""
    options = RunOptions(
        limit=config.limit,
        max_minutes=config.max_minutes,
        product_ids=tuple(config.product_ids) if config.product_ids is not None else None,
        retry_failed=config.retry_failed,
        force=config.force,
        run_id=context.run.run_id,
        root_run=context.run.get_root_run_id() or context.run.run_id,
    )
    try:
        with workplace.open() as place:
            report = pipeline.run(stage, context.partition_key, place, options, context.log)
    except StageStopped as stopped:
        raise dg.Failure(str(stopped), metadata=_metadata(stopped.report), allow_retries=False) from stopped
    except (StagingDown, StorageDown, EmbeddedPostgresError) as down:
        raise dg.Failure(f"{stage} of {context.partition_key} could not begin: {down}", allow_retries=False) from down
    context.log.info(report.sentence())
    return dg.MaterializeResult(metadata=_metadata(report))


def _metadata(report: StageReport) -> dict[str, Any]:
    numbers: dict[str, Any] = {
        "done": report.done,
        "failed": report.failed,
        "still_due": report.still_due,
        "in_other_hands": report.in_other_hands,
        "handed_back": report.handed_back,
        **report.counts,
        "seconds": round(report.seconds, 2),
        "products_per_second": round(report.per_second, 2),
    }
    if report.note:
        numbers["note"] = report.note
    if report.failed:
        numbers["failures"] = dg.MetadataValue.md(_failure_table(report))
    return numbers


def _failure_table(report: StageReport) -> str:
    rows = ["| reason | products | outcome | for example |", "|---|---|---|---|"]
    for outcome, counts in (("tries again later", report.later), ("given up", report.given_up)):
        for reason, count in counts.most_common():
            rows.append(f"| {reason} | {count} | {outcome} | {', '.join(report.examples.get(reason, []))} |")
    return "\n".join(rows)
