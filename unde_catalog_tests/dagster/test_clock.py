"""Schedules: the runs that a tick requests are executed, and the database has their result."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from unde_catalog.brands import BRANDS
from unde_catalog.definitions import build_definitions
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import pauses
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.servers import Sandbox

pytestmark = pytest.mark.slow

SUNDAY = datetime(2026, 3, 1, tzinfo=UTC)
Tick = Callable[..., list[dg.RunRequest] | str]


@pytest.fixture
def evaluate(
    sandbox: Sandbox, configured: Callable[..., dict[str, str]], production_url: str, instance: dg.DagsterInstance
) -> Tick:
    """Evaluates a schedule at an hour of that Sunday; returns its run requests, or why there are none."""
    configured(sandbox, PRODUCTION_DB_URL=production_url, XIMILAR_RATE_LIMIT="1000", ZARA_INDEX_SCOPE="pilot")

    def run(name: str, hour: int = 0, minute: int = 0) -> list[dg.RunRequest] | str:
        settings = load_settings()
        schedule = next(one for one in build_definitions(settings).schedules or [] if one.name == name)
        context = dg.build_schedule_context(
            instance=instance,
            scheduled_execution_time=SUNDAY + timedelta(hours=hour, minutes=minute),
            resources={"backends": BackendsResource(settings)},
        )
        result: Any = schedule(context)  # type: ignore[operator]
        return result.skip_message or "" if isinstance(result, dg.SkipReason) else list(result)

    return run


@pytest.fixture
def execute_requests(evaluate: Tick, instance: dg.DagsterInstance) -> Callable[[str, int], list[str]]:
    """Executes the requested runs of two brands with the schedule's job; returns all requested brands."""

    def run(name: str, hour: int) -> list[str]:
        requests = evaluate(name, hour)
        assert not isinstance(requests, str), requests
        definitions = build_definitions(load_settings())
        job = next(one for one in definitions.schedules or [] if one.name == name).job_name  # type: ignore[union-attr]
        for request in requests:
            if request.tags["brand"] not in ("zara", "oysho"):
                continue
            assert (
                definitions.resolve_job_def(job)
                .execute_in_process(
                    partition_key=request.partition_key, run_config=request.run_config, tags=request.tags,
                    instance=instance,
                )
                .success
            )  # fmt: skip
        return [request.tags["brand"] for request in requests]

    return run


def test_a_week_of_schedules_takes_a_brand_to_production(
    execute_requests, evaluate: Tick, materialize, db: Database, production: Database
) -> None:
    assert execute_requests("collect_products_zara", 2) == ["zara"]
    assert execute_requests("collect_products_oysho", 7) == ["oysho"]
    for stage in ("originals", "collages"):
        assert materialize(stage).success
    assert execute_requests("sync_ximilar_weekly", 10) == list(BRANDS)
    execute(
        db,
        "UPDATE due_work SET due_at = unde_now(), attempts = 1 WHERE stage = 'ximilar_index' AND product_id ="
        " (SELECT min(product_id) FROM due_work WHERE stage = 'ximilar_index' AND brand = 'zara')",
    )
    assert execute_requests("sync_ximilar_retries", 12) == ["zara"]
    assert str(evaluate("sync_ximilar_retries", 12)).startswith("zara, ")
    assert execute_requests("publish_catalog_hourly", 12) == list(BRANDS)
    (row,) = execute(db, "SELECT count(*) AS n FROM raw_products WHERE ximilar_status = 'synced'")
    assert row["n"] == 20
    (row,) = execute(db, "SELECT count(*) AS n FROM raw_products WHERE sync_status = 'synced'")
    assert row["n"] == len(execute(production, "SELECT 1 FROM catalog_products WHERE active")) > 0


def test_given_up_products_are_not_retried(evaluate: Tick, db: Database) -> None:
    execute(
        db,
        "INSERT INTO raw_products (source, external_id, brand, scraped_at, index_scope, image_status)"
        " VALUES ('apify_zara', '1', 'zara', now(), 'pilot', 'uploaded')",
    )
    assert "there is no failed work to retry" in str(evaluate("sync_ximilar_retries", 12))  # new work waits for Sunday
    execute(db, "UPDATE due_work SET due_at = NULL, given_up = true, attempts = 3 WHERE stage = 'ximilar_index'")
    assert "there is no failed work to retry" in str(evaluate("sync_ximilar_retries", 12))
    execute(db, "UPDATE due_work SET due_at = now(), given_up = false, attempts = 0, taken = -1")  # released
    assert [one.partition_key for one in evaluate("sync_ximilar_retries", 12) if isinstance(one, dg.RunRequest)] == [
        "zara"
    ]


def test_paused_and_unconfigured_brands_are_skipped_with_the_reason(
    evaluate: Tick, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.run(pauses.pause, "*", "production_catalog", "a new schema there")
    reasons = str(evaluate("publish_catalog_hourly"))
    assert "oysho, bakai: paused since " in reasons and "(a new schema there)" in reasons
    monkeypatch.setenv("APIFY_TASK_ZARA", "")
    assert evaluate("collect_products_zara", 2) == "zara: not configured: set APIFY_TASK_ZARA"
    monkeypatch.delenv("PRODUCTION_DB_URL")
    db.run(pauses.resume, "*", "*")
    assert str(evaluate("publish_catalog_hourly")).endswith("bakai: not configured: set PRODUCTION_DB_URL")
    assert "bakai" not in [one.tags["brand"] for one in evaluate("find_stores_daily", 1)]  # type: ignore[union-attr]
    monkeypatch.setenv("BAKAI_CDN_SECRET_KEY", "")
    assert evaluate("collect_products_bakai", 2) == "bakai: not configured: set BAKAI_CDN_SECRET_KEY"


def test_every_schedule_runs_at_its_hour_in_the_configured_time_zone(
    evaluate: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCHEDULE_TIMEZONE", "Asia/Dubai")
    monkeypatch.setenv("AUTOMATION", "on")
    schedules: list[Any] = list(build_definitions(load_settings()).schedules or [])
    assert {one.name: one.cron_schedule for one in schedules} == {
        "collect_products_zara": "0 2 * * 0", "collect_products_bershka": "0 3 * * 0",
        "collect_products_pullandbear": "0 4 * * 0", "collect_products_stradivarius": "0 5 * * 0",
        "collect_products_massimodutti": "0 6 * * 0", "collect_products_oysho": "0 7 * * 0",
        "collect_products_bakai": "0 2 * * *", "collect_products_retries": "30 * * * *",
        "sync_ximilar_weekly": "0 10 * * 0", "sync_ximilar_retries": "0 12 * * *",
        "publish_catalog_hourly": "10 * * * *", "find_stores_daily": "0 1 * * *",
        "check_availability_hourly": "0 * * * *", "maintain_tables_daily": "0 3 * * *",
        "prune_history_daily": "30 3 * * *", "clean_up_collages_daily": "0 4 * * *",
        "clean_up_downloads_daily": "0 5 * * *", "brand_checks_daily": "30 7 * * *",
        "freshness_checks_hourly": "40 * * * *", "system_checks_hourly": "45 * * * *",
        "build_report_hourly": "20 * * * *", "record_user_media_days_daily": "15 0 * * *",
    }  # fmt: skip
    assert {one.execution_timezone for one in schedules} == {"Asia/Dubai"}
    assert {one.default_status for one in schedules} == {dg.DefaultScheduleStatus.RUNNING}
    monkeypatch.setenv("AUTOMATION", "off")
    stopped = build_definitions(load_settings()).schedules or []
    assert {one.default_status for one in stopped} == {dg.DefaultScheduleStatus.STOPPED}  # type: ignore[union-attr]


def test_a_failed_collection_is_retried_three_times(
    evaluate: Tick, execute_requests, sandbox: Sandbox, db: Database
) -> None:
    assert "there is no failed work to retry" in str(evaluate("collect_products_retries", 3, 30))
    for tries in range(1, 5):
        execute(
            db,
            "INSERT INTO scraper_logs (scraper_name, run_id, status, started_at)"
            " VALUES ('raw_products_zara', %s, 'error', unde_now())",
            str(tries),
        )
        requests = evaluate("collect_products_retries", 3, 30)
        if tries < 4:
            assert [request.tags["brand"] for request in requests] == ["zara"], tries  # type: ignore[union-attr]
        else:
            assert "zara" in str(requests)
    execute(db, "DELETE FROM scraper_logs WHERE run_id = '4'")
    assert execute_requests("collect_products_retries", 3) == ["zara"]
    assert len(sandbox.log("apify.start")) == 1
    assert "there is no failed work to retry" in str(evaluate("collect_products_retries", 4, 30))
