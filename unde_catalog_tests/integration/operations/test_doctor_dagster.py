"""Dagster's own database: never the staging database, and not behind a transaction pooler."""

import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from dagster import DagsterInstance
from dagster._daemon.types import DaemonHeartbeat

from unde_catalog.backends import Backends
from unde_catalog.defs.instance.storage import CatalogueDagsterStorage
from unde_catalog.operations.doctor.dagster import check_database, check_instance
from unde_catalog.operations.doctor.databases import Databases, check_sessions
from unde_catalog.operations.doctor.result import Finding
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db import sessions
from unde_catalog.stores.db.database import DatabaseUnavailable
from unde_catalog_tests.support.servers import PROJECT, Server

Check = Callable[[Callable[[Databases], Finding], str], Finding]


@pytest.fixture
def check(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Runs one check, with the test's database as staging and this one as Dagster's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNDE_HOME", "home")
    monkeypatch.setenv("STAGING_DB_URL", database_url)

    def run(check: Callable[[Databases], Finding], dagster_url: str) -> Finding:
        monkeypatch.setenv("DAGSTER_DB_URL", dagster_url)
        settings = load_settings()
        with Backends(settings) as backends:
            return check(Databases(settings, backends))

    return run


def test_the_staging_database_is_refused_as_that_of_dagster(check: Check, server: Server, database_url: str) -> None:
    found = check(check_database, server.past_poolers(database_url))  # under another address
    assert (found.state, found.settings) == ("red", ("DAGSTER_DB_URL",))
    assert "it is the staging database" in found.message
    with pytest.raises(
        DatabaseUnavailable, match="is the staging database: set DAGSTER_DB_URL to a database of its own"
    ):
        CatalogueDagsterStorage.from_config_value(None, {})
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT to_regclass('event_logs')").fetchone() == (None,)


def test_a_pooler_before_the_database_of_dagster_is_yellow(check: Check, server: Server) -> None:
    if server.pgbouncer is None:
        pytest.skip("PgBouncer is not installed")
    url = server.new_database(migrated=False)
    found = check(check_database, url)
    assert (found.state, found.settings) == ("yellow", ("DAGSTER_DB_URL",))
    assert "behind a pooler: with transaction pooling its SET statement_timeout stays" in found.message
    found = check(check_database, server.past_poolers(url))
    assert found.state == "green" and "pooler" not in found.message
    server.drop(url)


def test_the_sessions_of_a_quiet_database_are_green(check: Check, database_url: str) -> None:
    assert check(check_sessions, database_url).state == "green"


def test_a_forgotten_session_in_the_database_of_dagster_is_named(
    check: Check, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "IDLE_IN_TRANSACTION", timedelta())
    url = server.past_poolers(server.new_database(migrated=False))
    with psycopg.connect(url, application_name="psql") as psql:
        psql.execute("CREATE TABLE runs ()")
        found = check(check_sessions, url)
        assert found.state == "yellow" and f"process {psql.info.backend_pid} (psql" in found.message
    server.drop(url)


def test_a_second_daemon_is_an_error_of_the_heartbeats_and_red(
    check: Check, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.past_poolers(server.new_database(migrated=False))
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_bytes((PROJECT / "dagster.yaml").read_bytes())
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("DAGSTER_DB_URL", url)
    ids = {"first": str(uuid.uuid4()), "second": str(uuid.uuid4())}
    with ExitStack() as stack:
        daemons = {name: stack.enter_context(DagsterInstance.from_config(str(home))) for name in ids}
        for name in ("first", "first", "second"):  # a restart is no second daemon
            beat(daemons[name], ids[name])
        assert check(check_instance, url).state == "green"
        beat(daemons["first"], ids["first"])
        found = check(check_instance, url)
        assert found.state == "red" and "another dagster-daemon works on the same database" in found.message
        beat(daemons["second"], ids["second"])
        assert check(check_instance, url).state == "red"
        beat(daemons["second"], ids["second"])  # the first one was stopped
        assert check(check_instance, url).state == "green"
    server.drop(url)


def beat(instance: DagsterInstance, daemon_id: str) -> None:
    instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), "SENSOR", daemon_id))
