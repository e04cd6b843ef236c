import json
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster._serdes import deserialize_value

from unde_catalog.defs.automation.in_flight import stages_of
from unde_catalog.defs.automation.job_names import UPDATE_CATALOG_STAGES
from unde_catalog.defs.automation.run_tags import missing_tags
from unde_catalog_tests.support.dagster_processes import WORKSPACE, DagsterProcesses
from unde_catalog_tests.support.servers import Sandbox, Server


def a_run(*assets: str, job: str = "__ASSET_JOB", **tags: str) -> dg.DagsterRun:
    named = {name.replace("__", "/"): value for name, value in tags.items()}
    return dg.DagsterRun(
        job, run_id="1", tags=named, asset_selection=frozenset(map(dg.AssetKey, assets)) if assets else None
    )


@pytest.mark.parametrize(
    ("run", "tags"),
    [
        (
            a_run("originals", dagster__partition="zara"),
            {"brand": "zara", "stage": "originals", "trigger": "hand"},
        ),
        (
            a_run("availability", dagster__partition="x", dagster__partition__brand="oysho"),
            {"brand": "oysho", "stage": "availability", "trigger": "hand"},
        ),
        (
            a_run("originals", "collages", dagster__partition="zara", dagster__backfill="abc"),
            {"brand": "zara", "stage": "several", "trigger": "backfill"},
        ),
        (a_run(job="update_catalog", dagster__partition="zara"), {"brand": "zara", "trigger": "hand"}),
        (
            a_run(job="download_originals", dagster__partition="zara"),
            {"brand": "zara", "stage": "originals", "trigger": "hand"},
        ),
        (a_run(job="maintain_tables", dagster__schedule_name="maintain_tables_daily"), {"trigger": "schedule"}),
        (  # launched under a former name of the job
            a_run(job="work_off_originals", dagster__partition="zara"),
            {"brand": "zara", "stage": "originals", "trigger": "hand"},
        ),
        (a_run("catalog_report"), {"stage": "catalog_report", "trigger": "hand"}),
        (
            a_run("originals", dagster__partition="zara", brand="zara", stage="originals", trigger="sensor"),
            {},
        ),
    ],
)
def test_missing_tags_are_derived_from_the_run(run: dg.DagsterRun, tags: dict[str, str]) -> None:
    assert missing_tags(run) == tags


@pytest.mark.slow
def test_a_run_launched_by_hand_is_tagged_when_it_is_queued(
    server: Server, sandbox: Sandbox, configured: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    database = server.new_database(migrated=False)
    url = server.direct_url(database)
    processes = DagsterProcesses(configured(sandbox), tmp_path, url, tmp_path / "output")
    tags = json.dumps({"dagster/partition": "zara"})
    launched = processes.command("dagster", "job", "launch", "-w", WORKSPACE, "-j", "update_catalog", "--tags", tags)
    assert launched.wait() == 0, (tmp_path / "output").read_text()[-3000:]
    (row,) = processes.query("SELECT run_body, status FROM runs")
    run = deserialize_value(row["run_body"], dg.DagsterRun)
    assert row["status"] == "QUEUED"
    found = {row["key"]: row["value"] for row in processes.query("SELECT key, value FROM run_tags")}
    assert (found["brand"], found["trigger"]) == ("zara", "hand")
    assert stages_of(run) == frozenset(UPDATE_CATALOG_STAGES)
    server.drop(database)
