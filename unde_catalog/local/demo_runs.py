"""The demo's Dagster runs: `python -m unde_catalog.local.demo_runs`.

A process of its own, since Dagster redirects the output of the process that executes a run.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.workspace.load_target import WorkspaceFileTarget

from unde_catalog.brands import BRANDS
from unde_catalog.definitions import build_definitions
from unde_catalog.defs.automation.check_jobs import PARTITION_TAG
from unde_catalog.defs.automation.job_names import (
    BRAND_CHECKS_JOB,
    BUILD_REPORT,
    FRESHNESS_CHECKS_JOB,
    RECORD_USER_MEDIA_DAYS,
    SYSTEM_CHECKS_JOB,
    UPDATE_CATALOG,
)
from unde_catalog.defs.automation.run_tags import TRIGGER_TAG, missing_tags
from unde_catalog.settings.project import project_file
from unde_catalog.stage_specs import STAGE_SPECS


@dataclass(frozen=True, slots=True)
class DemoRun:
    """A run of a job; `partition` is None for a job that has none, `config` the one of its only asset."""

    job: str
    partition: str | None = None
    config: Mapping[str, Any] | None = None


def demo_runs(now: datetime) -> Iterator[DemoRun]:
    """Every brand from its source to publishing, its stores and stock, then what operations runs: checks and report."""
    for brand in BRANDS:
        yield DemoRun(UPDATE_CATALOG, brand)
    for brand in (key for key, one in BRANDS.items() if one.has_stores):
        yield DemoRun(STAGE_SPECS["raw_stores"].job, brand)
        day = str(dg.MultiPartitionKey({"brand": brand, "date": f"{now:%Y-%m-%d}"}))
        # force: without it, products come due spread over the hour.
        yield DemoRun(STAGE_SPECS["availability"].job, day, {"ops": {"availability": {"config": {"force": True}}}})
    for brand in BRANDS:
        yield DemoRun(STAGE_SPECS["production_catalog"].job, brand)  # now with their stock
    for brand in BRANDS:
        yield DemoRun(BRAND_CHECKS_JOB, brand)
        yield DemoRun(FRESHNESS_CHECKS_JOB, brand)
    for job in (SYSTEM_CHECKS_JOB, RECORD_USER_MEDIA_DAYS, BUILD_REPORT):
        yield DemoRun(job)


def main() -> int:
    """Execute all runs one after the other; 1 if one failed."""
    definitions = build_definitions()
    (location,) = WorkspaceFileTarget([str(project_file("workspace.yaml"))]).create_origins()
    repository = RemoteRepositoryOrigin(location, definitions.get_repository_def().name)
    failed = []
    with dg.DagsterInstance.get() as instance:
        for one in demo_runs(datetime.now(UTC)):
            if not _execute(definitions.resolve_job_def(one.job), one, repository, instance):
                failed.append(f"{one.job} {one.partition or ''}".strip())
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _execute(
    job: dg.JobDefinition, one: DemoRun, repository: RemoteRepositoryOrigin, instance: dg.DagsterInstance
) -> bool:
    """Execute a run in this process, since starting a run worker and its steps takes seconds; whether it succeeded.

    `JobDefinition.execute_in_process` would do, but its runs have no origin, and the UI shows them under no job.
    """
    tags = {TRIGGER_TAG: "demo"}
    if one.partition is not None:
        tags |= (
            job.get_tags_for_partition_key(one.partition, None)
            if job.partitions_def
            else {PARTITION_TAG: one.partition}
        )
    run = instance.create_run_for_job(
        job,
        run_config=one.config,
        tags={**job.run_tags, **tags},
        remote_job_origin=RemoteJobOrigin(repository, job.name),
    )
    instance.add_run_tags(run.run_id, missing_tags(run))  # which the queue adds to other runs
    return execute_run(InMemoryJob(job.with_executor_def(dg.in_process_executor)), run, instance).success


if __name__ == "__main__":
    sys.exit(main())
