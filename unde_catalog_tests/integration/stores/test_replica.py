"""Reads from a replica, and from the database itself while the replica is away or slow."""

from collections.abc import Iterator

import psycopg
import pytest

from unde_catalog.stores.db import replica
from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.db.replica import ReplicatedDatabase
from unde_catalog_tests.support.servers import Server, closed_port


def name_of(cursor: Cursor) -> str:
    cursor.execute("SELECT current_database() AS name")
    row = cursor.fetchone()
    assert row is not None
    return row["name"]


def name_after_a_second(cursor: Cursor) -> str:
    cursor.execute("SELECT pg_sleep(1) WHERE current_database() = %s", (_replica_name,))
    return name_of(cursor)


_replica_name = ""


@pytest.fixture
def replica_url(server: Server) -> Iterator[str]:
    """Another database, so that answers show where they come from."""
    url = server.new_database()
    yield url
    server.drop(url)


def database(url: str) -> str:
    with psycopg.connect(url) as connection:
        return connection.info.dbname


def test_reads_go_to_the_replica_and_writes_do_not(database_url: str, replica_url: str) -> None:
    with ReplicatedDatabase(database_url, replica_url) as db:
        assert (db.read(name_of), db.run(name_of)) == (database(replica_url), database(database_url))
        db.check_replica()


def test_an_absent_replica_is_named_once_and_not_asked_for_a_while(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    away = f"postgresql://nobody:secret@127.0.0.1:{closed_port()}/none"
    with ReplicatedDatabase(database_url, away, label="staging") as db:
        assert {db.read(name_of) for _ in range(3)} == {database(database_url)}
    (message,) = caplog.messages
    assert message.startswith("reads go to the staging database") and "the replica database none at" in message
    assert "secret" not in message


def test_a_slow_replica_is_left_after_its_time(
    database_url: str, replica_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "_STATEMENT_SECONDS", 0.2)
    monkeypatch.setitem(globals(), "_replica_name", database(replica_url))
    with ReplicatedDatabase(database_url, replica_url) as db:
        assert db.read(name_after_a_second) == database(database_url)


def test_a_replica_that_answers_again_is_asked_again(
    database_url: str, replica_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(replica, "monotonic", lambda: now)
    with ReplicatedDatabase(database_url, replica_url) as db, psycopg.connect(replica_url) as other:
        other.execute("LOCK raw_products")  # a read of it waits longer than a reader would

        def count(cursor: Cursor) -> str:
            cursor.execute("SELECT count(*) FROM raw_products")
            return name_of(cursor)

        assert db.read(count) == database(database_url)
        other.rollback()
        assert db.read(count) == database(database_url)
        now = 10.0
        assert db.read(count) == database(replica_url)
