"""Steps on Celery workers: real Redis, real workers, one of them killed."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from dagster_postgres import DagsterPostgresStorage

from unde_catalog import stage_specs
from unde_catalog.defs.automation.due_sensors import run_numbers
from unde_catalog.operations.doctor.queues import check_queues
from unde_catalog.settings.environment import load_settings
from unde_catalog.stage_specs import QUEUES, STAGE_SPECS
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.queues import free_slots, queue_states
from unde_catalog_tests.support.due import execute, poll
from unde_catalog_tests.support.redis_servers import running_redis
from unde_catalog_tests.support.servers import PROJECT, Sandbox, Server

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
SOME_STORED = "SELECT count(*) >= 2 FROM due_work WHERE stage = 'originals' AND done_at IS NOT NULL"


@pytest.fixture
def celery(
    sandbox: Sandbox, configured: Callable[..., dict[str, str]], server: Server, tmp_path: Path
) -> Iterator[dict[str, str]]:
    """The environment with EXECUTOR=celery, Redis and a Dagster home; zara has been collected."""
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").symlink_to(PROJECT / "dagster.yaml")
    database = server.new_database(migrated=False)
    with running_redis(tmp_path / "redis") as url:
        environment = configured(
            sandbox, EXECUTOR="celery", REDIS_URL=url, DAGSTER_HOME=str(home),
            DAGSTER_DB_URL=server.past_poolers(database), PYTHONPATH=str(PROJECT),
            DOWNLOAD_DELAY_MIN="0.3", DOWNLOAD_DELAY_MAX="0.3", CONCURRENT_DOWNLOADS="2",
        )  # fmt: skip
        DagsterPostgresStorage(environment["DAGSTER_DB_URL"])  # creates its tables
        subprocess.run([BIN / "unde-catalog", "run", "raw_products", "--brand", "zara"], check=True, timeout=60)
        yield environment
    server.drop(database)


@contextmanager
def started(*command: str | Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own, killed with all its children at the end."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def worker(name: str, *queues: str) -> tuple[str | Path, ...]:
    """The command of a worker to which Redis delivers again after a second."""
    module = "unde_catalog_tests.support.celery_worker"
    return sys.executable, "-m", module, "-Q", ",".join(queues), "-c", "2", "-n", f"{name}@%h"


def run_of(stage: str) -> tuple[str | Path, ...]:
    """The command that runs a stage of zara."""
    return (BIN / "dagster", "asset", "materialize", "-m", "unde_catalog.definitions", "--select", stage,
            "--partition", "zara")  # fmt: skip


RUN = run_of("originals")


@pytest.mark.parametrize("whole", [True, False], ids=["worker", "process of it"])
def test_the_step_of_a_killed_worker_comes_back_and_stores_nothing_twice(
    celery: dict[str, str], sandbox: Sandbox, db: Database, database_url: str, tmp_path: Path, whole: bool
) -> None:
    log = tmp_path / "log"
    with ExitStack() as stack:
        first = stack.enter_context(started(*worker("first", "photos", "default"), log=log))
        run = stack.enter_context(started(*RUN, log=log))
        poll(database_url, SOME_STORED, seconds=90)
        if whole:
            kill(first)
        else:
            for child in psutil.Process(first.pid).children():
                child.kill()
        before = execute(db, "SELECT count(*) AS n FROM due_work WHERE stage = 'originals' AND done_at IS NULL")
        assert before[0]["n"] > 0, "it was killed too late"
        if whole:
            stack.enter_context(started(*worker("second", "photos", "default"), log=log))
        assert run.wait(120) == 0, log.read_text()[-4000:]
    deliveries = Counter(re.findall(r"execute_plan\[([\w-]+)\] received", log.read_text()))
    assert max(deliveries.values()) == 2, "the killed worker's step was not delivered again"
    requests = Counter(one["path"] for one in sandbox.log("photo"))
    assert requests and max(requests.values()) == 1
    left = execute(
        db, "SELECT 1 FROM due_work WHERE stage = 'originals' AND due_at IS NOT NULL AND lease_token IS NULL"
    )
    assert left == []
    leased = execute(db, "SELECT count(*) AS n FROM due_work WHERE lease_token IS NOT NULL")[0]["n"]
    assert 0 <= leased < before[0]["n"]


def test_two_runs_of_a_large_brand_share_its_work_on_two_workers(
    celery: dict[str, str], db: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    subprocess.run([BIN / "unde-catalog", "run", "originals", "--brand", "zara"], check=True, timeout=90)
    monkeypatch.setitem(stage_specs.STAGE_SPECS, "collages", replace(STAGE_SPECS["collages"], products_per_run=10))
    monkeypatch.setenv("BATCH_SIZE", "2")
    settings, logs = load_settings(), [tmp_path / "first", tmp_path / "second"]
    with ExitStack() as stack:
        for log in logs:
            command = (*worker(log.name, "collage", "default"), "-c", "1")
            stack.enter_context(started(*command, log=log))
        while free_slots(settings, "collage") < len(logs):
            assert not any("Error" in log.read_text() for log in logs)
        (numbers,) = (run_numbers("collages", db, settings, ["zara"], []) or {}).values()
        assert list(numbers) == [1, 2]  # 20 products, 10 for each run
        runs = [stack.enter_context(started(*run_of("collages"), log=tmp_path / "runs")) for _ in numbers]
        assert [run.wait(120) for run in runs] == [0, 0], (tmp_path / "runs").read_text()[-4000:]
    assert all("execute_plan" in log.read_text() for log in logs), "one worker did everything"
    stored = execute(
        db, "SELECT sum((metadata ->> 'collages_stored')::int) AS n, count(*) AS runs FROM scraper_logs"
        " WHERE scraper_name = 'collages_zara'",
    )  # fmt: skip
    assert stored == [{"n": 20, "runs": 2}]
    assert execute(db, "SELECT 1 FROM raw_products WHERE brand = 'zara' AND image_status <> 'collage_ready'") == []


def test_a_queue_without_a_worker_is_reported_with_what_waits(celery: dict[str, str], tmp_path: Path) -> None:
    settings, log = load_settings(), tmp_path / "log"
    with started(*RUN, log=log):
        while not (waiting := queue_states(settings, ["photos"])[0]).waiting:
            assert not log.read_text().count("Error"), log.read_text()
    assert waiting.workers == 0 and waiting.oldest is not None and waiting.oldest < 60
    finding = check_queues(settings)
    assert finding.state == "red" and "The queue photos has no worker (1 waiting" in finding.message


def test_a_worker_serves_the_queues_that_it_was_started_with(celery: dict[str, str], tmp_path: Path) -> None:
    settings, log = load_settings(), tmp_path / "log"
    with started(BIN / "unde-catalog", "worker", "--queues", "photos,collage", log=log) as process:
        while sum(one.workers for one in queue_states(settings, QUEUES)) < 2:
            assert process.poll() is None, log.read_text()
        states = {one.name: one.workers for one in queue_states(settings, QUEUES)}
        process.terminate()
        assert process.wait(30) == 0, log.read_text()
    assert states == {name: int(name in ("photos", "collage")) for name in QUEUES}
