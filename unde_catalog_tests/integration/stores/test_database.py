"""Connections: short transactions, errors in one sentence, and automatic retries."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from unde_catalog.backends import Backends
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db.database import Cursor, Database, DatabaseUnavailable
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.servers import Server

AWAY = "postgresql://nobody:secret@127.0.0.1:9/none"


def count(cursor: Cursor) -> int:
    cursor.execute("SELECT count(*) AS n FROM raw_stores")
    row = cursor.fetchone()
    assert row is not None
    return row["n"]


def add_store(cursor: Cursor, number: int) -> None:
    cursor.execute("INSERT INTO raw_stores (brand, store_id) VALUES ('zara', %s)", (number,))


def cut(url: str) -> None:
    with psycopg.connect(url, autocommit=True, application_name="cutter") as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name <> 'cutter'"
        )


def test_a_transaction_is_committed_whole_or_not_at_all(db: Database) -> None:
    with pytest.raises(ZeroDivisionError), db.transaction() as cursor:
        add_store(cursor, 1)
        raise ZeroDivisionError
    assert db.run(count) == 0


def test_a_connection_that_was_cut_while_idle_is_replaced(db: Database, database_url: str) -> None:
    db.run(add_store, 1)
    cut(database_url)
    assert db.run(count) == 1


def test_work_whose_connection_is_cut_is_repeated_and_done_once(db: Database, database_url: str) -> None:
    calls = []

    def work(cursor: Cursor) -> None:
        calls.append(1)
        add_store(cursor, 1)
        if len(calls) == 1:
            cut(database_url)
        add_store(cursor, 2)

    db.run(work)
    assert (len(calls), db.run(count)) == (2, 2)


def test_reading_is_repeated_after_a_cut_and_leaves_no_autocommit_behind(
    database_url: str,
) -> None:
    calls = []

    def work(cursor: Cursor) -> int:
        calls.append(count(cursor))
        if len(calls) == 1:
            cut(database_url)
        return count(cursor)

    with Database(database_url, max_connections=1) as db:
        assert db.read(work) == 0  # one retry; behind a pooler the next statement uses another connection
        with pytest.raises(ZeroDivisionError), db.transaction() as cursor:  # on the same connection
            add_store(cursor, 1)
            raise ZeroDivisionError
        with pytest.raises(psycopg.errors.UndefinedTable):
            db.read(lambda cursor: cursor.execute("SELECT * FROM no_such_table"))
        assert db.read(count) == 0


def test_work_whose_commit_was_cut_is_not_repeated(db: Database, database_url: str) -> None:
    calls = []

    def work(cursor: Cursor) -> None:
        calls.append(1)
        add_store(cursor, 1)
        cut(database_url)

    with pytest.raises(DatabaseUnavailable, match="can't be used"):
        db.run(work)
    assert len(calls) == 1


def test_work_is_repeated_after_a_deadlock_or_serialization_failure(db: Database) -> None:
    calls = []

    def work(cursor: Cursor) -> str:
        calls.append(1)
        if len(calls) < 5:
            raise psycopg.errors.DeadlockDetected
        return "through"

    assert db.run(work) == "through"
    with pytest.raises(psycopg.errors.SerializationFailure):
        db.run(_always_loses)


def _always_loses(cursor: Cursor) -> None:
    raise psycopg.errors.SerializationFailure


@pytest.mark.timeout(20)
def test_an_unreachable_database_is_reported_at_once_without_the_password() -> None:
    with Database(AWAY, patience=600) as away:
        with pytest.raises(
            DatabaseUnavailable, match="the database none at 127.0.0.1:9 can't be used: .*refused"
        ) as down:
            away.run(count)
        assert "secret" not in repr(away)
    assert "secret" not in str(down.value)


def test_a_missing_database_is_reported_at_once(database_url: str) -> None:
    address = database_url.replace("/t_", "/no_t_")
    with Database(address) as away, pytest.raises(DatabaseUnavailable, match='"no_t_.*" does not exist'):
        away.run(count)


def test_missing_rights_are_reported_in_one_sentence(db: Database) -> None:
    def look(cursor: Cursor) -> None:
        cursor.execute("SET LOCAL ROLE pg_monitor")
        count(cursor)

    with pytest.raises(DatabaseUnavailable, match="can't be used: permission denied for table raw_stores"):
        db.run(look)


def test_a_read_only_database_is_reported_in_one_sentence(db: Database) -> None:
    def write(cursor: Cursor) -> None:
        cursor.execute("SET TRANSACTION READ ONLY")
        add_store(cursor, 1)

    with pytest.raises(DatabaseUnavailable, match="can't be used: cannot execute INSERT in a read-only transaction"):
        db.run(write)


def test_an_error_in_sql_is_not_an_unavailable_database(db: Database) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        execute(db, "SELECT * FROM no_such_table")


def test_when_all_connections_are_in_use_the_message_says_so(database_url: str) -> None:
    with (
        Database(database_url, max_connections=1, patience=0.2) as db,
        db.transaction(),
        pytest.raises(DatabaseUnavailable, match="no connection within 0.2 s"),
    ):
        db.run(count)


@pytest.mark.parametrize("label", ["staging", "production", "Dagster"])
def test_an_error_says_which_database_is_unavailable(label: str) -> None:
    with Database(AWAY, label=label) as database, pytest.raises(DatabaseUnavailable) as error:
        database.run(count)
    assert error.value.database == label
    assert str(error.value).startswith(f"the {label} database none at 127.0.0.1:9 can't be used: ")


def test_production_being_down_does_not_read_as_if_staging_were(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGING_DB_URL", database_url)
    monkeypatch.setenv("PRODUCTION_DB_URL", AWAY)
    with Backends(load_settings()) as backends:
        with pytest.raises(DatabaseUnavailable, match="the production database none at") as error:
            _ = backends.production
        assert error.value.database == "production"
        assert backends.db.run(count) == 0


@pytest.fixture
def psql(server: Server, database_url: str) -> Iterator[Callable[[str], psycopg.Connection]]:
    """Runs a statement in a transaction that somebody left open in psql; returns its connection."""
    url = server.past_poolers(database_url)
    with psycopg.connect(url, application_name="psql") as connection:

        def forget(statement: str) -> psycopg.Connection:
            connection.execute(statement.encode())
            return connection

        yield forget


@pytest.mark.timeout(20)
@pytest.mark.parametrize("read", [False, True])
def test_a_forgotten_lock_is_reported_with_who_holds_it(
    database_url: str, psql: Callable[[str], psycopg.Connection], read: bool
) -> None:
    pid = psql("LOCK TABLE raw_stores").info.backend_pid
    with Database(database_url, label="staging", patience=1) as db:
        with pytest.raises(DatabaseUnavailable) as error:
            db.read(count) if read else db.run(add_store, 1)
        message = str(error.value)
        assert "a statement waited 0.5 s for a lock of process" in message
        assert f"process {pid} (psql, role undeuser), in a transaction for " in message
        assert "idle in transaction: LOCK TABLE raw_stores." in message
        assert f"SELECT pg_terminate_backend({pid})" in message
        psql("ROLLBACK")
        assert db.run(count) == 0


@pytest.mark.timeout(20)
def test_a_row_that_another_session_locks_is_reported_with_who_does(
    db: Database, database_url: str, psql: Callable[[str], psycopg.Connection]
) -> None:
    db.run(add_store, 1)
    psql("UPDATE raw_stores SET name = 'x'")
    with (
        Database(database_url, patience=1) as impatient,
        pytest.raises(DatabaseUnavailable, match=r"\(psql, role undeuser\).*UPDATE raw_stores SET name"),
    ):
        impatient.run(lambda cursor: cursor.execute("UPDATE raw_stores SET name = 'y'"))


def test_what_other_programs_left_in_a_pooled_session_has_no_effect(database_url: str) -> None:
    with Database(database_url, max_connections=1) as db:
        for left in (
            "SET search_path = ''", "SET search_path = pg_temp", "SET statement_timeout = 1", "SET ROLE pg_monitor",
        ):  # fmt: skip
            with psycopg.connect(database_url, autocommit=True, prepare_threshold=None) as other:
                other.execute(left.encode())
            db.run(add_store, 1)
            execute(db, "SELECT pg_sleep(0.01)")
            assert db.read(count) == 1
            execute(db, "DELETE FROM raw_stores")
    with psycopg.connect(database_url, autocommit=True, prepare_threshold=None) as other:
        other.execute("RESET ALL")
        other.execute("RESET ROLE")


def test_a_search_path_in_the_address_is_kept(database_url: str, server: Server) -> None:
    url = server.past_poolers(database_url)
    execute_in = f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3Dpg_catalog"
    with Database(execute_in) as db, pytest.raises(psycopg.errors.UndefinedTable):
        db.run(count)
