"""Migrations of a database in use: workers continue to lease, finish and merge, and nothing is lost."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from unde_catalog.backends import Backends
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db import migrate
from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog_tests.support.concurrent_writers import MIN_TURNS, WriterGroup
from unde_catalog_tests.support.due import BRAND, STAGE, add_products, execute, poll
from unde_catalog_tests.support.migrations import database_at
from unde_catalog_tests.support.servers import Server
from unde_catalog_tests.support.workers import prepare, report_of, worker

pytestmark = pytest.mark.slow


@pytest.fixture
def old(each_server: Server) -> Iterator[str]:
    """A database at the oldest revision that the current worker loop supports."""
    url = database_at(each_server, "0010")
    yield url
    each_server.drop(url)


def test_all_kinds_of_writers_continue_while_the_database_is_migrated(server: Server) -> None:
    old = database_at(server, "0003")
    direct = server.direct_url(old)
    with Database(old) as db:
        add_products(db, 200)
        writers = WriterGroup(old)
        poll(direct, "SELECT sum(wanted) > 600 FROM due_work")
        assert STAGING.upgrade(old)[0] == "0004"
        at_once = execute(db, "SELECT sum(wanted) AS n FROM due_work")[0]["n"]
        poll(direct, f"SELECT sum(wanted) > {at_once} + 600 FROM due_work", seconds=60)  # the writers continue
        assert min(writers.end()) >= MIN_TURNS
        assert STAGING.revision(db) == STAGING.newest_revision()
        assert execute(
            db,
            "SELECT p.id FROM raw_products p LEFT JOIN due_work w ON w.product_id = p.id AND w.stage = 'originals'"
            " WHERE p.active AND p.image_status = 'pending' AND w.due_at IS NULL AND w.given_up IS DISTINCT FROM true"
            " UNION ALL SELECT p.id FROM raw_products p JOIN due_work w ON w.product_id = p.id"
            " WHERE NOT p.active AND w.stage = 'originals' AND w.due_at IS NOT NULL",
        ) == []  # fmt: skip
        assert execute(db, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [
            {"deadlocks": 0}
        ]
    server.drop(old)


def test_workers_do_everything_once_while_the_database_is_migrated(each_server: Server, old: str) -> None:
    direct = each_server.direct_url(old)
    with Database(old) as db, ExitStack() as stack:
        prepare(db)
        add_products(db, 600)
        workers = [stack.enter_context(worker(old, f"w{n}", take_limit=3)) for n in range(4)]
        poll(direct, "SELECT count(*) > 40 FROM handled")
        STAGING.upgrade(old)
        done_before = execute(db, "SELECT count(*) AS n FROM handled")[0]["n"]
        reports = [report_of(one, seconds=60) for one in workers]
        assert done_before < 600, "it was not migrated among them"
        assert [report["stopped"] for report in reports] == [None] * 4
        assert sum(report["done"] for report in reports) == 600
        assert execute(db, "SELECT count(*) AS n, count(DISTINCT product_id) AS products FROM handled") == [
            {"n": 600, "products": 600}
        ]
        assert execute(db, "SELECT 1 FROM due_work WHERE stage = %s AND (due_at IS NOT NULL OR lease_token"
                       " IS NOT NULL)", STAGE) == []  # fmt: skip


def test_runs_of_the_former_version_start_and_end_after_the_migration(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in a rolling deployment: `migrate` of the new version runs first, then its processes replace the old ones."""
    url = server.new_database()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STAGING_DB_URL", url)
    with Database(url) as db, ExitStack() as stack:
        prepare(db)
        add_products(db, 600)
        in_flight = stack.enter_context(worker(url, "in flight", take_limit=3))
        poll(server.direct_url(url), "SELECT count(*) > 40 FROM handled")
        execute(db, "UPDATE alembic_version SET version_num = '9999'")  # what the new version's migration leaves
        with Backends(load_settings()) as backends:  # as each new run of the former version opens it
            assert STAGING.revision(backends.db) == "9999"
        new = stack.enter_context(worker(url, "new", take_limit=3))
        reports = [report_of(one, seconds=60) for one in (in_flight, new)]
        assert [report["stopped"] for report in reports] == [None, None]
        assert sum(report["done"] for report in reports) == 600
        counted = execute(db, "SELECT count(*) AS n, count(DISTINCT product_id) AS products FROM handled")
        assert counted == [{"n": 600, "products": 600}]
    server.drop(url)


def test_a_migration_that_gets_no_locks_changes_and_blocks_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database_at(server, "0003")
    monkeypatch.setattr(migrate, "_LOCK_SECONDS", 2)
    with Database(url) as db:
        add_products(db, 1)
        with psycopg.connect(server.direct_url(url)) as reading:
            reading.execute("SELECT 1 FROM due_work")  # like a report or a dump that never ends
            errors: list[DatabaseUnavailable] = []

            def try_it() -> None:
                with pytest.raises(DatabaseUnavailable) as down:
                    STAGING.upgrade(url)
                errors.append(down.value)

            trying = threading.Thread(target=try_it)
            trying.start()
            writes = 0
            while trying.is_alive():
                with db.transaction() as cursor:
                    cursor.execute("SET LOCAL lock_timeout = '900ms'")
                    cursor.execute("UPDATE raw_products SET name = 'x' WHERE brand = %s", (BRAND,))
                writes += 1
            trying.join()
        assert "other sessions locked its tables for 2 s. Nothing was changed; end long queries and dumps" in str(
            errors[0]
        )
        assert "for a lock of process" in str(errors[0]) and "SELECT 1 FROM due_work" in str(errors[0])
        assert writes > 5
        assert STAGING.revision(db) == "0003"
        assert execute(db, "SELECT to_regclass('photo_intents') AS t") == [{"t": None}]
        STAGING.upgrade(url)
        assert STAGING.revision(db) == STAGING.newest_revision()
    server.drop(url)
