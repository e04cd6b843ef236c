"""Maintenance in Dagster: the runs that a night's ticks request are executed, and their metadata."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from unde_catalog.brands import BRANDS
from unde_catalog.definitions import build_definitions
from unde_catalog.defs.automation.run_pruning import prune_runs
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.dagster.runs import failure
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.roles import url_as
from unde_catalog_tests.support.servers import Server

PROGRAM = str(Path(sys.executable).parent / "unde-catalog")
NIGHT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def configured_home(server: Server, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STAGING_DB_URL", database_url)
    monkeypatch.setenv("BACKUP_DB_URL", server.past_poolers(database_url))
    monkeypatch.setenv("UNDE_HOME", str(tmp_path / "home"))


def tick(name: str, instance: dg.DagsterInstance) -> tuple[str, dg.RunRequest | dg.SkipReason]:
    settings = load_settings()
    schedule: Any = next(one for one in build_definitions(settings).schedules or [] if one.name == name)
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=NIGHT,
        resources={"backends": BackendsResource(settings)},
    )
    return schedule.job_name, schedule(context)


def run(name: str, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    job, request = tick(name, instance)
    assert isinstance(request, dg.RunRequest)
    return (
        build_definitions(load_settings())
        .resolve_job_def(job)
        .execute_in_process(instance=instance, run_config=request.run_config, tags=request.tags, raise_on_error=False)
    )


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """The metadata of all ops."""
    found: dict[str, Any] = {}
    for event in result.all_events:
        if event.is_successful_output:
            found |= {name: value.value for name, value in event.step_output_data.metadata.items()}
    return found


@pytest.mark.usefixtures("configured_home")
def test_a_night_of_maintenance_shows_what_it_did(db: Database, instance: dg.DagsterInstance) -> None:
    execute(
        db,
        "INSERT INTO raw_availability (brand, store_id, product_id, sizes_in_stock, fetched_at)"
        " VALUES ('zara', 1, '1', '[]', now() - interval '31 days')",
    )
    maintenance = run("maintain_tables_daily", instance)
    assert maintenance.success
    rows = [record.data for record in metadata(maintenance)["tables"].records]
    assert [(row["name"], row["action"]) for row in rows][:2] == [
        ("raw_products", "analyzed"),
        ("due_work", "analyzed"),
    ]
    pruning = run("prune_history_daily", instance)
    assert pruning.success
    assert {name: metadata(pruning)[name] for name in ("raw_availability", "scrapes", "manifests", "deleted")} == {
        "raw_availability": 1, "scrapes": 0, "manifests": 0, "deleted": 0,
    }  # fmt: skip
    for schedule in ("clean_up_collages_daily", "clean_up_downloads_daily"):
        assert metadata(run(schedule, instance)) == {"files": 0}


@pytest.mark.usefixtures("configured_home")
def test_the_upkeep_command_does_the_same(db: Database) -> None:
    execute(db, "INSERT INTO scraper_logs (scraper_name, status, started_at) VALUES ('x', 'success', '2020-01-01')")
    done = subprocess.run([PROGRAM, "upkeep"], capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "raw_availability" in done.stdout and "analyzed" in done.stdout
    assert "deleted: 0 raw_availability, 1 scraper_logs" in done.stdout


@pytest.mark.usefixtures("configured_home")
def test_a_role_that_owns_no_tables_fails_with_advice(
    server: Server, database_url: str, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKUP_DB_URL", url_as(server, server.past_poolers(database_url), "scraper"))
    result = run("maintain_tables_daily", instance)
    assert not result.success
    assert "scraper may not maintain raw_products" in failure(result) and "set BACKUP_DB_URL" in failure(result)
    assert "Traceback" not in failure(result)


@pytest.mark.usefixtures("configured_home")
def test_a_job_is_not_requested_while_its_last_run_is_in_flight(instance: dg.DagsterInstance) -> None:
    definitions = build_definitions(load_settings())
    instance.create_run_for_job(definitions.resolve_job_def("clean_up_downloads"), status=dg.DagsterRunStatus.STARTED)

    @dg.job(name="pruning")
    def former() -> None: ...

    instance.create_run_for_job(former, status=dg.DagsterRunStatus.STARTED)
    _, request = tick("clean_up_downloads_daily", instance)
    assert isinstance(request, dg.SkipReason)
    _, request = tick("prune_history_daily", instance)
    assert isinstance(request, dg.SkipReason), "a run under the former name of the job is in flight"
    _, request = tick("maintain_tables_daily", instance)
    assert isinstance(request, dg.RunRequest)


def _materializes(instance: dg.DagsterInstance, partition: str, partitions: dg.PartitionsDefinition) -> str:
    @dg.asset(name="made", partitions_def=partitions)
    def made() -> None:
        pass

    return dg.materialize([made], partition_key=partition, instance=instance).run_id


def test_pruning_keeps_the_latest_run_of_each_brand(instance: dg.DagsterInstance) -> None:
    brands = dg.StaticPartitionsDefinition(list(BRANDS))
    first, second = (_materializes(instance, "zara", brands) for _ in range(2))
    oysho = _materializes(instance, "oysho", brands)
    days = dg.MultiPartitionsDefinition({"brand": brands, "date": dg.DailyPartitionsDefinition("2026-01-01")})

    @dg.asset(name="stock", partitions_def=days)
    def stock() -> None:
        pass

    day = dg.MultiPartitionKey({"brand": "zara", "date": "2026-01-02"})
    of_a_day = dg.materialize([stock], partition_key=day, instance=instance).run_id
    before = datetime.now(UTC) + timedelta(seconds=1)
    assert prune_runs(instance, before - timedelta(days=1)).deleted == 0
    pruned = prune_runs(instance, before, limit=1)
    assert (pruned.deleted, instance.has_run(first)) == (1, False), "the oldest goes first"
    pruned = prune_runs(instance, before)
    assert (pruned.deleted, pruned.kept) == (1, 2)
    assert [instance.has_run(one) for one in (first, second, oysho, of_a_day)] == [False, True, True, False]
    assert instance.get_latest_materialization_event(dg.AssetKey("made")) is not None
    assert instance.get_materialized_partitions(dg.AssetKey("made")) == {"zara", "oysho"}


def test_pruning_keeps_runs_that_have_not_ended(instance: dg.DagsterInstance) -> None:
    @dg.job
    def waits() -> None:
        pass

    started = instance.create_run_for_job(waits, status=dg.DagsterRunStatus.STARTED).run_id
    ended = instance.create_run_for_job(waits, status=dg.DagsterRunStatus.FAILURE).run_id
    assert prune_runs(instance, datetime.now(UTC) + timedelta(seconds=1)).deleted == 1
    assert (instance.has_run(started), instance.has_run(ended)) == (True, False)
