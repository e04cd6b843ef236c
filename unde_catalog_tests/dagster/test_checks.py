"""The scheduled checks in Dagster: a result for each brand, their schedules, and runs without them."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from unde_catalog.brands import BRANDS
from unde_catalog.definitions import build_definitions
from unde_catalog.defs.automation.check_jobs import CHECK_JOBS
from unde_catalog.defs.automation.due_sensors import SENSOR_STAGES
from unde_catalog.defs.automation.in_flight import runs_in_flight
from unde_catalog.defs.checks.brand_checks import BRAND_CHECKS
from unde_catalog.defs.checks.freshness import FRESHNESS_CHECKS
from unde_catalog.defs.checks.system import SYSTEM_CHECKS
from unde_catalog.settings.environment import load_settings
from unde_catalog.stage_specs import STAGE_SPECS
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import host_pace
from unde_catalog.stores.staging.due_work.host_pace import RequestSlot
from unde_catalog_tests.dagster.conftest import Materialize
from unde_catalog_tests.dagster.runs import failure
from unde_catalog_tests.support.due import add_products, execute
from unde_catalog_tests.support.quality import add_photos, add_whole, fail, ran, reprice, scraped
from unde_catalog_tests.support.servers import Sandbox

MORNING = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
Evaluations = dict[tuple[str, str], dg.AssetCheckEvaluation]
Run = Callable[..., Evaluations]


@pytest.fixture
def tick(database_url: str, instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs what a schedule of checks requests for a brand; returns the evaluations by asset and check."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STAGING_DB_URL", database_url)
    monkeypatch.setenv("UNDE_HOME", str(tmp_path / "home"))

    def run(schedule: str, brand: str | None = None) -> Evaluations:
        definitions = build_definitions(load_settings())
        definition: Any = next(one for one in definitions.schedules or [] if one.name == schedule)
        requests = definition(dg.build_schedule_context(instance=instance, scheduled_execution_time=MORNING))
        assert {one.tags.get("brand") for one in requests} == ({None} if brand is None else set(BRANDS))
        (request,) = [one for one in requests if one.tags.get("brand") == brand]
        result = definitions.resolve_job_def(definition.job_name).execute_in_process(
            instance=instance, tags=request.tags
        )
        evaluations = result.get_asset_check_evaluations()
        return {(one.asset_key.to_user_string(), one.check_name): one for one in evaluations}

    return run


def failed(evaluations: Evaluations) -> dict[tuple[str, str], str]:
    """The severity of those that failed."""
    return {key: one.severity.value for key, one in evaluations.items() if not one.passed}


@pytest.mark.slow  # all checks of all brands
def test_each_brand_has_its_own_result_of_each_check(db: Database, tick: Run) -> None:
    add_photos(db, add_whole(db, 40, "oysho"))
    ids = add_whole(db, 40)
    add_photos(db, ids[:20], "a" * 64)
    add_photos(db, ids[20:])
    reprice(db, ids[:30], "100")
    fail(db, add_products(db, 20, first=100), "originals", days=5)
    scraped(db, "zara", "partial", "too_few_products", 3)
    good = tick("brand_checks_daily", "oysho")
    assert set(good) == {(spec.asset_key.to_user_string(), spec.name) for spec in BRAND_CHECKS}
    assert {one.partition for one in good.values()} == {"oysho"}
    assert failed(good) == {}
    bad = tick("brand_checks_daily", "zara")
    assert failed(bad) == {
        ("raw_products", "vanished_products"): "ERROR", ("raw_products", "price_outliers"): "ERROR",
        ("originals", "coverage"): "WARN", ("originals", "failures"): "ERROR", ("originals", "same_photo"): "WARN",
    }  # fmt: skip
    assert failed(tick("brand_checks_daily", "oysho")) == {}
    result = bad["originals", "failures"]
    assert (result.metadata["failing_for_3_days"].value, result.metadata["products"].value) == (20, 60)
    table: Any = result.metadata["table"]
    (row,) = table.records
    assert (row.data["reason"], row.data["for 3 days"]) == ("http_403", 20)
    assert "not configured" in (bad["ximilar_index", "collection_agrees"].description or "")
    assert all(one.description for one in (*bad.values(), *good.values()))


def test_a_stage_that_is_not_configured_is_never_late(db: Database, tick: Run) -> None:
    add_whole(db, 3)
    ran(db, "raw_products", "zara", 24 * 30)
    found = tick("freshness_checks_hourly", "zara")
    assert set(found) == {(spec.asset_key.to_user_string(), spec.name) for spec in FRESHNESS_CHECKS}
    assert "not configured: set APIFY_TOKEN" in (found["raw_products", "fresh"].description or "")
    assert failed(found) == {}


def test_a_configured_brand_is_late_after_eight_days(db: Database, tick: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("APIFY_TOKEN", "APIFY_TASK_ZARA", "APIFY_TASK_OYSHO"):
        monkeypatch.setenv(name, "x")
    for brand, days in (("zara", 20), ("oysho", 2)):
        add_whole(db, 3, brand)
        ran(db, "raw_products", brand, 24 * days)
    assert failed(tick("freshness_checks_hourly", "zara")) == {("raw_products", "fresh"): "ERROR"}
    assert failed(tick("freshness_checks_hourly", "oysho")) == {}


def test_the_system_is_checked_hourly(db: Database, tick: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = tick("system_checks_hourly")
    expected = {(spec.asset_key.to_user_string(), spec.name) for spec in SYSTEM_CHECKS}
    assert set(found) == expected | {("raw_products", "index_in_use")}
    assert found["originals", "disk_space"].passed == (found["originals", "disk_space"].metadata["free_share"].value
                                                       >= 0.15)  # type: ignore[operator]  # fmt: skip
    assert "set BACKUP_FOLDER" in (found["raw_products", "backup_age"].description or "")
    assert found["availability", "fresh"].description == f"All {len(BRANDS) - 1} brands pass."  # bakai has no stores
    monkeypatch.setenv("BACKUP_FOLDER", str(tmp_path / "backups"))
    db.run(host_pace.next_slot, "shop.test", 0.1)
    db.run(host_pace.slow_down, "shop.test", "http_403", RequestSlot(0, 0))
    execute(db, "UPDATE host_pace SET slowed_at = now() - interval '2 hours'")
    fail(db, add_products(db, 20), "availability", days=4)
    found = tick("system_checks_hourly")
    assert {key for key in failed(found) if key[1] != "disk_space"} == {
        ("raw_products", "backup_age"), ("availability", "hosts_not_throttled"), ("availability", "failures"),
    }  # fmt: skip
    assert "shop.test has been throttled" in (found["availability", "hosts_not_throttled"].description or "")
    assert "20 products failed for longer than 3 days" in (found["availability", "failures"].description or "")
    table: Any = found["availability", "failures"].metadata["table"]
    assert [row.data["brand"] for row in table.records if row.data["passed"] == "no"] == ["zara"]


def test_scheduled_checks_are_not_part_of_a_stages_runs() -> None:
    definitions = build_definitions(load_settings())
    scheduled = {spec.key for spec in (*BRAND_CHECKS, *FRESHNESS_CHECKS, *SYSTEM_CHECKS)}
    graph = definitions.resolve_asset_graph()
    assert scheduled < set(graph.asset_check_keys)
    of_stages = {f"{STAGE_SPECS[stage].job}_due" for stage in SENSOR_STAGES}
    automation: Any = [*(definitions.schedules or []), *(definitions.sensors or [])]
    jobs = [
        str(one.job_name) for one in automation if not isinstance(one, dg.SensorDefinition) or one.name in of_stages
    ]
    names = set(jobs) - {job.name for job in CHECK_JOBS}
    assert len(names) > 10
    names.add("update_catalog")
    for name in names:
        assert not definitions.resolve_job_def(name).asset_layer.asset_graph.asset_check_keys & scheduled, name


@pytest.mark.usefixtures("tick")
def test_a_run_of_checks_without_a_brand_fails_with_advice(instance: dg.DagsterInstance) -> None:
    job = build_definitions(load_settings()).resolve_job_def("brand_checks")
    message = failure(job.execute_in_process(instance=instance, raise_on_error=False))
    assert "launch it with the tag dagster/partition set to a brand" in message and "Traceback" not in message


def test_a_run_of_checks_holds_up_no_stage(instance: dg.DagsterInstance) -> None:
    job = build_definitions(load_settings()).resolve_job_def("brand_checks")
    tags = {"brand": "zara", "dagster/partition": "zara"}
    instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)
    (flight,) = runs_in_flight(instance)
    assert not any(flight.works_on(stage) for stage in ("raw_products", "originals", "production_catalog"))


@pytest.mark.slow
def test_a_manual_run_evaluates_all_checks_of_its_assets(materialize: Materialize, sandbox: Sandbox) -> None:
    result = materialize("raw_products", "originals")
    assert result.success
    found = {(one.asset_key.to_user_string(), one.check_name): one for one in result.get_asset_check_evaluations()}
    assert found["raw_products", "vanished_products"].passed
    assert found["originals", "coverage"].passed and found["originals", "failures"].passed
    assert found["originals", "fresh"].passed
    assert {one.partition for key, one in found.items() if key[1] == "coverage"} == {"zara"}
