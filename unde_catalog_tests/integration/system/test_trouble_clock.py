"""Wrong clocks: the database's is turned back between and during runs, the worker's is days behind."""

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import spreading, ticks, work_queue
from unde_catalog.stores.staging.due_work.work_queue import LeaseOutcome
from unde_catalog_tests.integration.stores.test_due_leases import _Explaining
from unde_catalog_tests.support.apify_brand import ApifyBrand
from unde_catalog_tests.support.due import (
    BRAND,
    LEASE,
    STAGE,
    ToyStage,
    add_products,
    due_row,
    execute,
    finish,
    open_work,
    run,
    take,
)
from unde_catalog_tests.support.outages import Baseline, Pipeline, run_stages
from unde_catalog_tests.support.servers import Server
from unde_catalog_tests.torture.trial_system import PROGRAM

pytestmark = pytest.mark.slow

BACK = [timedelta(hours=2), timedelta(days=2)]
STAGES = ("originals", "collages")


def repair(db: Database, interval: timedelta | None = None) -> int:
    return db.run(work_queue.repair_times, STAGE, BRAND, LEASE, interval)


@pytest.mark.parametrize("back", BACK, ids=str)
def test_a_clock_turned_back_between_runs_changes_nothing(
    open_pipeline: Callable[..., Pipeline], baseline: Baseline, back: timedelta
) -> None:
    pipeline = open_pipeline()
    for stage in ("raw_products", *STAGES):
        report = pipeline.run(stage)
        assert (report.still_due, report.leased_elsewhere) == (0, 0)
        assert report.done > 0
        pipeline.system.advance(-back)
        pipeline.reconnect()
    pipeline.assert_equals(baseline)


@pytest.mark.parametrize("back", BACK, ids=str)
def test_a_clock_turned_back_during_a_run_loses_nothing(
    open_pipeline: Callable[..., Pipeline], baseline: Baseline, back: timedelta
) -> None:
    pipeline = run_stages(open_pipeline())
    pool = pipeline.system.server.pgbouncer
    for stage in STAGES:

        def turn_back() -> None:
            pipeline.system.advance(-back)
            if pool is None:  # a pooler gives its clients new connections; direct ones must be cut
                pipeline.system.query(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

        pipeline.at_put(5, turn_back)
        pipeline.run(stage)
        pipeline.reconnect()
        pipeline.run(stage)
        pipeline.assert_nothing_leased()
    pipeline.assert_no_attempts()
    pipeline.assert_equals(baseline)
    rows = pipeline.system.query("SELECT DISTINCT status, duration_seconds < 0 AS negative FROM scraper_logs")
    assert rows == [{"status": "success", "negative": False}]


@pytest.mark.parametrize("back", BACK, ids=str)
def test_a_dead_workers_lease_expires_within_an_hour_and_no_lease_early(
    server: Server, database_url: str, back: timedelta
) -> None:
    now = datetime.now(UTC)

    def at(moment: datetime) -> Database:
        server.set_now(database_url, moment.isoformat())
        return Database(database_url)

    with at(now) as db:
        add_products(db, 3)
        leases = take(db, 2)
    with at(now - back) as db:
        assert (repair(db), repair(db)) == (3, 0)
        assert [lease.product_id for lease in take(db)] == [max(lease.product_id for lease in leases) + 1]
        assert finish(db, leases[:1]) == {leases[0].product_id: True}  # its worker was alive
        assert open_work(db) == work_queue.OpenWork(due=0, leased=2)
    with at(now - back + timedelta(minutes=59)) as db:
        assert [lease.product_id for lease in take(db)] == [leases[0].product_id + 2]  # had the usual ten minutes
    with at(now - back + timedelta(minutes=61)) as db:
        assert leases[1].product_id in [lease.product_id for lease in take(db)]
        assert finish(db, leases[1:]) == {}


@pytest.mark.parametrize("back", BACK, ids=str)
def test_work_made_due_by_a_wrong_clock_is_done_at_its_regular_time(
    server: Server, database_url: str, back: timedelta
) -> None:
    with Database(database_url) as db:
        new, failed_once, failed_often, asked = products = add_products(db, 4)
        for product, times in ((failed_once, 1), (failed_often, 6), (asked, 1)):
            execute(db, "UPDATE due_work SET attempts = %s WHERE product_id = %s", times - 1, product)
        leases = [lease for lease in take(db) if lease.product_id != new]
        outcomes = [
            LeaseOutcome(one, "later", "http_503", wait=timedelta(days=3))
            if one.product_id == asked
            else LeaseOutcome(one, "later", "why")
            for one in leases
        ]
        db.run(work_queue.finish, STAGE, outcomes)
        execute(db, "UPDATE due_work SET lease_token = NULL, leased_until = NULL")
        before = {one: due_row(db, one) for one in products}
        assert repair(db) == 0  # all of it follows the rules
        assert {one: due_row(db, one) for one in products} == before
    server.set_now(database_url, (datetime.now(UTC) - back).isoformat())
    with Database(database_url) as db:
        assert take(db) == []
        assert db.run(ticks.brands_with_due_work, STAGE, [BRAND]) == [
            BRAND
        ]  # because of the product with the longest delay
        assert run(db, ToyStage()).done == 1
        waits = {
            row["product_id"]: row["hours"]
            for row in execute(db, "SELECT product_id, extract(epoch FROM due_at - unde_now()) / 3600 AS hours"
                                   " FROM due_work WHERE due_at IS NOT NULL")
        }  # fmt: skip
    assert waits.keys() == {failed_once, failed_often, asked}
    assert (
        1 <= waits[failed_once] <= 2
        and 22 <= waits[failed_often] <= 25
        and float(waits[asked]) == pytest.approx(72 + back / timedelta(hours=1), abs=0.1)
    )


def test_recurring_work_waits_at_most_one_interval(db: Database) -> None:
    products = add_products(db, 4)
    hour = timedelta(hours=1)
    execute(db, "DELETE FROM due_work")
    spreading.spread(db, STAGE, BRAND, hour)
    spread = execute(db, "SELECT product_id, due_at FROM due_work ORDER BY 1")
    assert repair(db, hour) == 0
    execute(db, "UPDATE due_work SET due_at = due_at + interval '2 days' WHERE product_id = %s", products[3])
    assert repair(db, hour) == 1
    after = execute(db, "SELECT product_id, due_at FROM due_work ORDER BY 1")
    assert after[:3] == spread[:3]
    assert execute(db, "SELECT bool_and(due_at <= unde_now() + interval '1 hour') AS well FROM due_work")[0]["well"]


def test_forced_photos_are_downloaded_once_despite_a_clock_turned_back(
    open_pipeline: Callable[..., Pipeline], baseline: Baseline
) -> None:
    pipeline = run_stages(open_pipeline(), "raw_products", "originals")
    requests = len(pipeline.system.sandbox.log("photo"))
    pipeline.system.advance(timedelta(minutes=1))
    pipeline.reconnect()
    pipeline.run("originals", force=True, limit=4)
    pipeline.system.advance(-BACK[0])
    pipeline.reconnect()
    assert pipeline.run("originals").still_due == 0
    requests_after = len(pipeline.system.sandbox.log("photo"))
    assert requests_after == 2 * requests
    pipeline.system.query("UPDATE due_work SET due_at = unde_now() WHERE stage = 'originals'")  # as a retry is
    pipeline.reconnect()
    assert pipeline.run("originals").counts["photos_stored"] == 0
    assert len(pipeline.system.sandbox.log("photo")) == requests_after


def test_repair_reads_only_due_or_waiting_rows_of_its_brand(db: Database) -> None:
    with db.transaction() as cursor:
        cursor.execute(
            "INSERT INTO raw_products (source, external_id, brand, image_status, scraped_at)"
            " SELECT 's', n, 'brand' || n % 6, 'pending', now() FROM generate_series(1, 20000) AS n"
        )
        cursor.execute("UPDATE due_work SET due_at = NULL WHERE product_id % 100 <> 0")
    with db.transaction() as cursor:
        cursor.execute("ANALYZE due_work")
    with db.transaction() as cursor:
        explaining: Any = _Explaining(cursor)
        work_queue.repair_times(explaining, STAGE, "brand0", LEASE)
        ticks.brands_with_due_work(explaining, STAGE, ["brand0", "brand1"])
    for plan in explaining.plans:
        assert "idx_due_work_due" in plan and "Seq Scan on" not in plan, plan


@pytest.mark.parametrize("back", BACK, ids=str)
def test_a_scrape_whose_worker_died_is_resumed_within_minutes(apify_brand: ApifyBrand, back: timedelta) -> None:
    assert apify_brand.run_worker("first", killed_at_line=2).returncode == -9
    hours = -back.total_seconds() / 3600
    apify_brand.advance_hours(hours)
    assert apify_brand.collect("next").leased_elsewhere == 1
    apify_brand.advance_hours(hours + 0.1)
    assert apify_brand.collect("next").counts["new"] == 20
    assert (apify_brand.paid_runs(), apify_brand.last_scrape()["state"]) == (1, "complete")


def test_a_workers_clock_may_be_days_behind(open_pipeline: Callable[..., Pipeline], baseline: Baseline) -> None:
    faketime = shutil.which("faketime")
    if faketime is None:
        pytest.skip("faketime is not installed, so no process can be given a wrong clock: apt-get install faketime")
    pipeline = open_pipeline()  # behind Apify's clock; that once cost half a minute
    for stage in ("raw_products", *STAGES):
        pipeline.system.record_stored_photos()
        result = subprocess.run(
            [faketime, "-f", "-2d", PROGRAM, "run", stage, "--brand", BRAND],
            env=dict(pipeline.system.environment),
            cwd=Path(pipeline.system.folder), capture_output=True, text=True, timeout=25,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
    pipeline.assert_equals(baseline)
