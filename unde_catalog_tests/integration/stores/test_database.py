"""Connections: short transactions, errors in one sentence, and automatic retries."""

import psycopg
import pytest

from unde_catalog.backends import Backends
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db.database import Cursor, Database, DatabaseUnavailable
from unde_catalog_tests.support.due import execute

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
