"""Clocks that are wrong: the database's is turned back between and in the middle of runs, the worker's is ahead."""

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
from unde_catalog_tests.support.outages import Line, Undisturbed, collected
from unde_catalog_tests.support.servers import Server
from unde_catalog_tests.torture.house import PROGRAM

pytestmark = pytest.mark.slow

BACK = [timedelta(hours=2), timedelta(days=2)]
STAGES = ("originals", "collages")


def mend(db: Database, interval: timedelta | None = None) -> int:
    return db.run(work_queue.repair_times, STAGE, BRAND, LEASE, interval)


@pytest.mark.parametrize("back", BACK, ids=str)
def test_a_clock_that_is_turned_back_between_runs_changes_nothing(
    open_line: Callable[..., Line], undisturbed: Undisturbed, back: timedelta
) -> None:
    line = open_line()
    for stage in ("raw_products", *STAGES):
        report = line.run(stage)
        assert (report.still_due, report.leased_elsewhere) == (0, 0)
        assert report.done > 0
        line.house.later(-back)
        line.reconnect()
    line.is_as(undisturbed)


@pytest.mark.parametrize("back", BACK, ids=str)
def test_a_clock_that_is_turned_back_within_a_run_loses_nothing_and_the_same_command_finishes(
    open_line: Callable[..., Line], undisturbed: Undisturbed, back: timedelta
) -> None:
    line = collected(open_line())
    pool = line.house.server.pgbouncer
    for stage in STAGES:

        def turn_back() -> None:
            line.house.later(-back)
            if pool is None:  # a pooler gives its clients new connections, the others must be cut
                line.house.query(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

        line.at_put(5, turn_back)
        line.run(stage)
        line.reconnect()
        line.run(stage)
        line.nothing_is_leased()
    line.nothing_was_tried()
    line.is_as(undisturbed)
    rows = line.house.query("SELECT DISTINCT status, duration_seconds < 0 AS negative FROM scraper_logs")
    assert rows == [{"status": "success", "negative": False}]


@pytest.mark.parametrize("back", BACK, ids=str)
def test_a_dead_workers_lease_ends_in_an_hour_and_a_living_ones_never_too_early(
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
        assert (mend(db), mend(db)) == (3, 0)
        assert [lease.product_id for lease in take(db)] == [max(lease.product_id for lease in leases) + 1]
        assert finish(db, leases[:1]) == {leases[0].product_id: True}  # its holder was alive
        assert open_work(db) == work_queue.OpenWork(due=0, leased=2)
    with at(now - back + timedelta(minutes=59)) as db:
        assert [lease.product_id for lease in take(db)] == [leases[0].product_id + 2]  # had ten minutes, as ever
    with at(now - back + timedelta(minutes=61)) as db:
        assert leases[1].product_id in [lease.product_id for lease in take(db)]
        assert finish(db, leases[1:]) == {}


@pytest.mark.parametrize("back", BACK, ids=str)
def test_what_the_wrong_clock_made_due_comes_when_its_rule_says(
    server: Server, database_url: str, back: timedelta
) -> None:
    with Database(database_url) as db:
        fresh, tried, often = add_products(db, 3)
        for product, times in ((tried, 1), (often, 6)):
            execute(db, "UPDATE due_work SET attempts = %s WHERE product_id = %s", times - 1, product)
        leases = [lease for lease in take(db) if lease.product_id != fresh]
        db.run(work_queue.finish, STAGE, [LeaseOutcome(lease, "later", "why", "detail") for lease in leases])
        execute(db, "UPDATE due_work SET lease_token = NULL, leased_until = NULL")
        before = {one: due_row(db, one) for one in (fresh, tried, often)}
        assert mend(db) == 0  # all of that is what rules say
        assert {one: due_row(db, one) for one in (fresh, tried, often)} == before
    server.set_now(database_url, (datetime.now(UTC) - back).isoformat())
    with Database(database_url) as db:
        assert take(db) == []
        assert db.run(ticks.brands_with_due_work, STAGE, [BRAND]) == [
            BRAND
        ]  # for the one that was put off the farthest
        assert run(db, ToyStage()).done == 1
        waits = {
            row["product_id"]: row["hours"]
            for row in execute(db, "SELECT product_id, extract(epoch FROM due_at - unde_now()) / 3600 AS hours"
                                   " FROM due_work WHERE due_at IS NOT NULL")
        }  # fmt: skip
    assert waits.keys() == {tried, often}
    assert 1 <= waits[tried] <= 2 and 22 <= waits[often] <= 25


def test_recurring_work_waits_an_interval_at_the_most(db: Database) -> None:
    products = add_products(db, 4)
    hour = timedelta(hours=1)
    execute(db, "DELETE FROM due_work")
    spreading.spread(db, STAGE, BRAND, hour)
    spread = execute(db, "SELECT product_id, due_at FROM due_work ORDER BY 1")
    assert mend(db, hour) == 0
    execute(db, "UPDATE due_work SET due_at = due_at + interval '2 days' WHERE product_id = %s", products[3])
    assert mend(db, hour) == 1
    after = execute(db, "SELECT product_id, due_at FROM due_work ORDER BY 1")
    assert after[:3] == spread[:3]
    assert execute(db, "SELECT bool_and(due_at <= unde_now() + interval '1 hour') AS well FROM due_work")[0]["well"]


def test_what_was_asked_for_anew_is_fetched_once_also_when_the_clock_is_turned_back(
    open_line: Callable[..., Line], undisturbed: Undisturbed
) -> None:
    line = collected(open_line(), "raw_products", "originals")
    asked = len(line.house.sandbox.log("photo"))
    line.house.later(timedelta(minutes=1))
    line.reconnect()
    line.run("originals", force=True, limit=4)
    line.house.later(-BACK[0])
    line.reconnect()
    assert line.run("originals").still_due == 0
    once_more = len(line.house.sandbox.log("photo"))
    assert once_more == 2 * asked
    line.house.query("UPDATE due_work SET due_at = unde_now() WHERE stage = 'originals'")  # as a later try is
    line.reconnect()
    assert line.run("originals").counts["photos_stored"] == 0
    assert len(line.house.sandbox.log("photo")) == once_more


def test_mending_reads_only_what_is_due_or_waits_of_its_brand(db: Database) -> None:
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
def test_a_scrape_whose_collector_died_is_gone_on_with_in_minutes(apify_brand: ApifyBrand, back: timedelta) -> None:
    assert apify_brand.run_worker("first", killed_at_line=2).returncode == -9
    hours = -back.total_seconds() / 3600
    apify_brand.advance_hours(hours)
    assert apify_brand.collect("next").leased_elsewhere == 1
    apify_brand.advance_hours(hours + 0.1)
    assert apify_brand.collect("next").counts["new"] == 20
    assert (apify_brand.paid_runs(), apify_brand.last_scrape()["state"]) == (1, "complete")


def test_a_workers_own_clock_may_be_days_behind(open_line: Callable[..., Line], undisturbed: Undisturbed) -> None:
    faketime = shutil.which("faketime")
    if faketime is None:
        pytest.skip("faketime is not installed, so no process can be given a wrong clock: apt-get install faketime")
    line = open_line()  # behind Apify's: half a minute is what that once cost
    for stage in ("raw_products", *STAGES):
        line.house.look()
        done = subprocess.run(
            [faketime, "-f", "-2d", PROGRAM, "run", stage, "--brand", BRAND],
            env=dict(line.house.environment),
            cwd=Path(line.house.folder), capture_output=True, text=True, timeout=25,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    line.is_as(undisturbed)
