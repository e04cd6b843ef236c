"""What holds a database up is found and named: locks, forgotten transactions, prepared ones, slots."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from unde_catalog.operations.quality.database import nothing_holds_it_up
from unde_catalog.stores.db import postgres_tools, sessions
from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.stores.db.sessions import Holdup, OpenSession
from unde_catalog_tests.support.due import poll
from unde_catalog_tests.support.servers import PROJECT, Server, debian_postgres_bin, debian_server, missing

Connect = Callable[..., psycopg.Connection]


@pytest.fixture
def connect(server: Server, database_url: str) -> Iterator[Connect]:
    """Opens a session past the pooler."""
    opened: list[psycopg.Connection] = []

    def connect(application: str, *, autocommit: bool = False) -> psycopg.Connection:
        url = server.past_poolers(database_url)
        opened.append(psycopg.connect(url, application_name=application, autocommit=autocommit))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


def found(db: Database, kind: str) -> list[Holdup]:
    return [one for one in db.read(sessions.holdups) if one.kind == kind]


def test_a_quiet_database_is_held_up_by_nothing(db: Database) -> None:
    assert [one for one in db.read(sessions.holdups) if one.kind != "slot"] == []


def test_a_session_that_others_wait_for_is_named(
    db: Database, server: Server, database_url: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_BLOCKING", timedelta())
    psql = connect("psql")
    psql.execute("LOCK TABLE raw_stores")
    waiting = connect("report")
    reader = threading.Thread(target=waiting.execute, args=("SELECT 1 FROM raw_stores",))
    reader.start()
    poll(server.direct_url(database_url), "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted", seconds=10)
    (one,) = found(db, "blocking")
    assert f"another session waits for process {psql.info.backend_pid} (psql, role undeuser)" in one.message
    assert "LOCK TABLE raw_stores" in one.message
    result = nothing_holds_it_up([one])
    assert (result.passed, result.urgency) == (False, "alert")
    psql.rollback()
    reader.join()
    assert found(db, "blocking") == []


def test_a_direct_connection_waits_no_longer_and_names_readers_too(
    server: Server, database_url: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_tools, "LOCK_SECONDS", 0.2)
    connect("report").execute("SELECT count(*) FROM raw_stores")
    with (
        pytest.raises(DatabaseUnavailable, match=r"waited 0.2 s for a lock of process \d+ \(report, role undeuser\)"),
        postgres_tools.direct(server.past_poolers(database_url)) as owner,
    ):
        owner.connection.execute("ALTER TABLE raw_stores ADD COLUMN x int")


@pytest.mark.slow
def test_the_command_status_ends_with_who_holds_a_lock(database_url: str, connect: Connect, tmp_path: Path) -> None:
    connect("psql").execute("LOCK TABLE raw_products")
    environment = {**os.environ, "STAGING_DB_URL": database_url, "UNDE_HOME": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", "from unde_catalog.cli.app import main; main()", "status"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "a statement waited 15 s for a lock of process" in done.stderr and "(psql, role undeuser)" in done.stderr


def test_a_forgotten_transaction_is_named(db: Database, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    psql = connect("psql")
    psql.execute("SELECT count(*) FROM raw_stores")
    assert found(db, "transaction") == []
    monkeypatch.setattr(sessions, "IDLE_IN_TRANSACTION", timedelta())
    (one,) = found(db, "transaction")
    assert "(psql, role undeuser)" in one.message and "SELECT count(*) FROM raw_stores" in one.message
    assert nothing_holds_it_up([one]).urgency == "warn"


def test_an_abandoned_replication_slot_is_named() -> None:
    programs = debian_postgres_bin()
    if programs is None:
        missing("Debian's PostgreSQL is not installed: apt-get install postgresql")
    with debian_server(programs) as server, psycopg.connect(server.admin_url, autocommit=True) as admin:
        url = server.new_database()
        admin.execute("SELECT pg_create_physical_replication_slot('left_behind', true)")
        with Database(url) as db:
            (one,) = found(db, "slot")
        assert "nobody reads the replication slot left_behind: the server keeps 0.0 GiB of WAL" in one.message
        assert "pg_drop_replication_slot('left_behind')" in one.message
        assert nothing_holds_it_up([one]).urgency == "warn"
        admin.execute("SELECT pg_drop_replication_slot('left_behind')")


def test_a_session_of_another_role_is_named_without_its_statement(db: Database, connect: Connect) -> None:
    psql = connect("psql")
    psql.execute("LOCK TABLE raw_stores")

    def look(cursor: sessions.Cursor) -> OpenSession | None:
        cursor.execute("SET LOCAL ROLE scraper")
        return sessions.blocking_session(cursor, 0)

    session = db.run(look)
    assert session is not None and session.pid == psql.info.backend_pid
    assert "psql, role undeuser" in session.sentence() and "pg_read_all_stats" in session.sentence()
    assert "LOCK TABLE" not in session.sentence()


def test_a_password_in_a_statement_is_not_repeated() -> None:
    session = OpenSession(1, "me", "psql", timedelta(minutes=5), "active", "ALTER ROLE x PASSWORD 'it''s secret' LOGIN")
    assert session.sentence() == (
        "process 1 (psql, role me), in a transaction for 5 minutes, active: ALTER ROLE x PASSWORD '...' LOGIN"
    )
