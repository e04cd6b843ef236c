"""Lanes with the project's dagster.yaml and Dagster's real daemon: which runs wait in the queue."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from unde_catalog.brands import BRANDS
from unde_catalog.defs.automation.stage_schedules import Tick, availability_runs
from unde_catalog_tests.support.dagster_processes import WORKSPACE, DagsterProcesses
from unde_catalog_tests.support.due import poll
from unde_catalog_tests.support.servers import Sandbox, Server

pytestmark = pytest.mark.slow

_BACKFILL_RUNS = "run_id IN (SELECT run_id FROM run_tags WHERE key = 'dagster/backfill')"
_STOCK_RUNS = "run_id IN (SELECT run_id FROM run_tags WHERE key = 'lane' AND value = 'stock')"
_TIMEOUT = 150.0  # seconds, for a busy machine


@contextmanager
def dagster(server: Server, environment: dict[str, str], folder: Path) -> Iterator[tuple[DagsterProcesses, str]]:
    database = server.new_database(migrated=False)
    url = server.direct_url(database)
    processes = DagsterProcesses(environment, folder, url, folder / "output")
    try:
        processes.start()
        yield processes, url
    finally:
        processes.stop()
        server.drop(database)


@pytest.mark.timeout(400)
def test_availability_starts_while_a_backfill_fills_the_bulk_lane(
    server: Server,
    start_sandbox: Callable[..., Sandbox],
    configured: Callable[..., dict[str, str]],
    tmp_path: Path,
) -> None:
    environment = configured(start_sandbox("--run-seconds", "86400"))  # scrapes take a day
    (request, *_) = availability_runs(Tick(datetime.now(UTC), datetime.now(UTC))).requests
    with dagster(server, environment, tmp_path) as (processes, url):

        def run(*arguments: str) -> None:
            exit_code = processes.command("dagster", "job", *arguments).wait(_TIMEOUT)
            assert exit_code == 0, (tmp_path / "output").read_text()[-3000:]

        run(
            "backfill", "-w", WORKSPACE, "-j", "update_catalog", "--partitions", ",".join(BRANDS), "--noprompt",
            "--tags", json.dumps({"lane": "work"}),  # a lane set by a user is an additional limit
        )  # fmt: skip
        poll(url, f"SELECT count(*) = 4 FROM runs WHERE status = 'STARTED' AND {_BACKFILL_RUNS}", _TIMEOUT)
        day = str(request.partition_key).partition("|")[2]
        tags = {
            **request.tags, "dagster/partition": str(request.partition_key), "dagster/partition/brand": "zara",
            "dagster/partition/date": day,
        }  # fmt: skip
        run(
            "launch", "-w", WORKSPACE, "-j", "check_availability", "--tags", json.dumps(tags),
            "--config-json", json.dumps(request.run_config),
        )  # fmt: skip
        started = f"SELECT count(*) = 1 FROM runs WHERE status IN ('STARTED', 'SUCCESS') AND {_STOCK_RUNS}"
        poll(url, started, _TIMEOUT)
        rows = processes.query(
            "SELECT status, count(*) AS runs FROM runs WHERE run_id IN"
            " (SELECT run_id FROM run_tags WHERE key = 'dagster/backfill') GROUP BY status ORDER BY status"
        )
        assert {row["status"]: row["runs"] for row in rows} == {"STARTED": 4, "QUEUED": len(BRANDS) - 4}
