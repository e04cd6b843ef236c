"""A stage's run as a whole, and its row in scraper_logs, also of a run that was killed."""

import logging
import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest

from unde_catalog.backends import Backends
from unde_catalog.operations.upkeep import retention
from unde_catalog.stages import run as stage_module
from unde_catalog.stages.run import run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import stage_runs
from unde_catalog.worker.report import RunOptions
from unde_catalog_tests.support.due import execute, poll
from unde_catalog_tests.support.servers import PROJECT, Sandbox, Server

LOG = logging.getLogger("test")


def run(backends: Backends, stage: str, brand: str = "zara", **options):
    return run_stage(stage, StageRun(brand, backends, RunOptions(run_id="run", root_run="run", **options), LOG))


def test_a_product_goes_from_the_scrape_to_its_collage(backends: Backends, sandbox: Sandbox) -> None:
    assert run(backends, "raw_products").counts["new"] == 20
    assert run(backends, "originals").done == 20
    assert run(backends, "collages").done == 20
    with backends.db.transaction() as cursor:
        cursor.execute("SELECT DISTINCT image_status FROM raw_products")
        assert cursor.fetchall() == [{"image_status": "collage_ready"}]
    paths = [request["path"] for request in sandbox.log("photo")]
    assert len(paths) == len(set(paths))


# A run whose work never ends.
_ENDLESS = """
import sys, threading
from unde_catalog.backends import Backends
from unde_catalog.settings.environment import load_settings
from unde_catalog.stages import run
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.worker.report import RunOptions
import logging

run._function_of = lambda stage: lambda stage_run: threading.Event().wait()
with Backends(load_settings()) as backends:
    options = RunOptions(run_id="killed", root_run="killed")
    run.run_stage("collages", StageRun("zara", backends, options, logging.getLogger()))
"""


def rows(db: Database) -> list[dict[str, object]]:
    return execute(db, "SELECT run_id, status, coalesce(error_message, '') AS why FROM scraper_logs ORDER BY id")


def test_a_killed_run_is_ended_by_the_next_one(backends: Backends, server: Server) -> None:
    process = subprocess.Popen([sys.executable, "-c", _ENDLESS], env=os.environ | {"PYTHONPATH": str(PROJECT)})
    poll(server.direct_url(backends.staging_url()), "SELECT count(*) = 1 FROM scraper_logs", seconds=30)
    process.send_signal(signal.SIGKILL)
    process.wait()
    run(backends, "collages")  # a moment later nobody knows that it is dead
    assert [(row["run_id"], row["status"]) for row in rows(backends.db)] == [("killed", "running"), ("run", "success")]
    execute(backends.db, "UPDATE scraper_logs SET started_at = started_at - interval '1 hour',"
                         " alive_at = alive_at - interval '16 minutes'")  # fmt: skip
    run(backends, "collages", "oysho")
    assert rows(backends.db)[0]["status"] == "running"  # another brand
    run(backends, "collages")
    killed = rows(backends.db)[0]
    assert killed["status"] == "error" and str(killed["why"]).startswith("killed: its process ended without a word")
    assert execute(backends.db, "SELECT duration_seconds / 60 AS n FROM scraper_logs WHERE run_id = 'killed'") == [
        {"n": 44}
    ]


def test_upkeep_ends_killed_runs_but_not_rows_of_other_programs(db: Database) -> None:
    execute(
        db,
        "INSERT INTO scraper_logs (scraper_name, run_id, status, started_at, alive_at) VALUES"
        " ('originals_zara', 'killed', 'running', now() - interval '2 days', now() - interval '1 day'),"
        " ('originals_zara', 'alive', 'running', now() - interval '2 days', now() - interval '1 minute'),"
        " ('apify_zara', 'other', 'running', now() - interval '2 days', NULL)",
    )
    assert retention.end_killed_runs(db) == 1
    assert [(row["run_id"], row["status"]) for row in rows(db)] == [
        ("killed", "error"), ("alive", "running"), ("other", "running"),
    ]  # fmt: skip


def test_a_run_writes_signs_of_life_while_it_works(
    backends: Backends, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage_runs, "SIGN_OF_LIFE", timedelta(milliseconds=10))
    url = server.direct_url(backends.staging_url())

    def work(stage_run: StageRun) -> object:
        poll(url, "SELECT bool_and(alive_at > started_at) FROM scraper_logs", seconds=10)
        return stage_module.StageReport("collages", stage_run.brand)

    monkeypatch.setattr(stage_module, "_function_of", lambda stage: work)
    run(backends, "collages")
    assert rows(backends.db) == [{"run_id": "run", "status": "success", "why": ""}]
