"""SIGKILL at every step of a publication: the outcome of the next run equals that of an uninterrupted one.

The test holds a lock, waits until the worker blocks on it, and kills the worker there.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.due import execute, expire_leases, poll
from unde_catalog_tests.support.publishing import add_good, assert_idle, on_sale, publish, published_rows, statuses
from unde_catalog_tests.support.servers import PROJECT, Server

pytestmark = pytest.mark.slow

COUNT = 2_500  # three chunks
WAITS = "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@contextmanager
def worker(database_url: str, production_url: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "unde_catalog_tests.support.publish_worker", database_url, production_url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROJECT)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def kill_at(server: Server, database_url: str, production_url: str, held: str, lock: str) -> None:
    """Start a worker and kill it when it waits for this lock in one of the databases."""
    with psycopg.connect(server.direct_url(held)) as holder:
        holder.execute(lock.encode())
        with worker(database_url, production_url) as process:
            poll(server.direct_url(held), WAITS)
            process.kill()
            process.wait(10)
        holder.rollback()
    # The server notices the lost client only when it next writes to it, and then releases its locks.
    poll(server.direct_url(held), "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database()"
         " AND state <> 'idle' AND pid <> pg_backend_pid()")  # fmt: skip


# Deleting the merged rows needs no lock that an earlier step does not need, so a trigger makes it wait.
WAIT_ON_DELETE = """
    CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$;
    CREATE TRIGGER wait BEFORE DELETE ON catalog_incoming_products FOR EACH STATEMENT EXECUTE FUNCTION wait()
"""
STEPS: dict[str, tuple[str, str]] = {
    "the brand is claimed": ("staging", "LOCK TABLE scrapes IN ACCESS EXCLUSIVE MODE"),
    "products are being leased": ("staging", "LOCK TABLE price_history IN ACCESS EXCLUSIVE MODE"),
    "products are leased, not copied": ("production", "LOCK TABLE catalog_incoming_products IN SHARE MODE"),
    "everything is copied": ("staging", "LOCK TABLE raw_stores IN ACCESS EXCLUSIVE MODE"),
    "the merge is half done": ("production", "LOCK TABLE catalog_availability IN SHARE MODE"),
    "the merge is done": ("staging", "SELECT 1 FROM raw_products WHERE external_id = '2000' FOR UPDATE"),
    "written back, not settled in production": ("production", "SELECT pg_advisory_xact_lock(7)"),
}


@pytest.fixture
def other_brand(db: Database, production: Database) -> dict[str, Any]:
    """Another published brand, which must not change."""
    add_good(db, 2, "oysho")
    publish(db, production, "oysho")
    return published_rows(production, "oysho")


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_does_not_change_the_outcome(
    server: Server, database_url: str, production_url: str, db: Database, production: Database,
    other_brand: dict[str, Any], step: str,
) -> None:  # fmt: skip
    ids = add_good(db, COUNT)
    publish(db, production, limit=1_000)
    execute(db, "UPDATE raw_products SET price = 90 WHERE id = ANY(%s)", ids[:500])
    execute(db, "UPDATE raw_products SET active = false WHERE id = ANY(%s)", ids[500:600])
    execute(db, "UPDATE raw_products SET name = '' WHERE id = ANY(%s)", ids[600:700])
    execute(production, WAIT_ON_DELETE)
    before = published_rows(production)
    where, lock = STEPS[step]
    held = database_url if where == "staging" else production_url
    kill_at(server, database_url, production_url, held, lock)
    committed = step in ("the merge is done", "written back, not settled in production")
    assert (published_rows(production) != before) == committed, "the brand is published completely or not at all"
    assert len(on_sale(production)) in ((2_300,) if committed else (1_000,))
    publish(db, production, root_run="worker")
    after = published_rows(production)
    expected = {str(n) for n in range(1, COUNT + 1)} - {str(n) for n in range(501, 701)}
    assert on_sale(production) == expected
    assert {key for key, row in after.items() if row["price"] == 90} == {str(n) for n in range(1, 501)}
    assert {row["inactive_reason"] for key, row in after.items() if key not in expected} == {
        "left_the_shop", "name_missing",
    }  # fmt: skip
    assert statuses(db) == {"synced": COUNT - 100, "skipped": 100}
    assert published_rows(production, "oysho") == other_brand
    expire_leases(db)
    assert publish(db, production).handled == 0
    assert_idle(db, production)


def test_a_worker_whose_brand_was_taken_over_publishes_nothing(
    server: Server, database_url: str, production_url: str, db: Database, production: Database
) -> None:
    add_good(db, 3)
    with psycopg.connect(server.direct_url(database_url)) as holder:
        holder.execute("LOCK TABLE raw_stores IN ACCESS EXCLUSIVE MODE")
        with worker(database_url, production_url) as process:
            poll(server.direct_url(database_url), WAITS)
            claimed = "UPDATE catalog_brands SET lease_token = 'another', leased_until = now() + interval '1 hour'"
            execute(production, claimed)
            holder.rollback()
            _, stderr = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "another run took over the brand" in stderr
    assert on_sale(production) == set()
    execute(production, "UPDATE catalog_brands SET leased_until = now() - interval '1 second'")
    assert publish(db, production).done == 3
    assert_idle(db, production)
