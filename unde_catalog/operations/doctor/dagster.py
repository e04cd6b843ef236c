"""Checks Dagster's database, which must accept events, and the instance in `DAGSTER_HOME`."""

import logging
import time
import uuid
from pathlib import Path

import psycopg
import sqlalchemy
import sqlalchemy.exc
from dagster import DagsterInstance, DagsterRunStatus, EventLogEntry, RunsFilter
from dagster_postgres import PostgresEventLogStorage

from unde_catalog.operations.doctor.databases import PATIENCE, Databases
from unde_catalog.operations.doctor.result import Finding, green, not_configured, red, yellow
from unde_catalog.settings.project import project_file
from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.stores.embedded.errors import EmbeddedPostgresError
from unde_catalog.stores.staging.admin import privileges
from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog.text import first_line

_DRIVER = "psycopg2"  # of dagster-postgres; with another one the first event fails
_HEARTBEAT_SECONDS = 120  # a daemon writes one every 30 s
_SHARED = "Dagster needs one of its own, since both keep their revision in alembic_version"
_POOLED = (
    "with transaction pooling its SET statement_timeout stays in sessions that other programs use; give it the "
    "database's own address (PostgreSQL's port, often 5432), or a pool with pool_mode = session"
)


def check_database(databases: Databases) -> Finding:
    """The database is reachable with Dagster's driver and accepts events: a test event is stored and deleted."""
    configured = databases.settings.dagster_db_url is not None
    if not configured and not databases.embedded_exists:
        return not_configured(f"{databases.embedded_name()} is created at the first use", "DAGSTER_DB_URL")
    try:
        url = databases.dagster_url()
        with Database(url, label="Dagster", max_connections=1, patience=PATIENCE) as db:
            pooled = db.read(privileges.session).pooled  # raises the reason, while Dagster would retry silently
            if STAGING.owns(db):
                return red(f"it is the staging database: {_SHARED}", "DAGSTER_DB_URL")
        driver = sqlalchemy.make_url(url).get_dialect().driver
        if driver != _DRIVER:
            return red(f"Dagster would use the driver {driver}, with which events fail: pip install 'sqlalchemy<2.1'")
        if not _has_tables(url):
            status = "reachable; Dagster creates its tables at its first start"
        else:
            events = PostgresEventLogStorage(url, should_autocreate_tables=False)
            current, newest = events.alembic_version()
            if current != newest:
                return red(
                    f"the database has Dagster's migration {current}, the installed version needs {newest}:"
                    " run dagster instance migrate"
                )
            _store_event(events)
            status = "a test event was stored and deleted"
    except EmbeddedPostgresError as error:
        return red(first_line(error), "UNDE_HOME", "DAGSTER_DB_URL")
    except sqlalchemy.exc.DBAPIError as error:
        return red(first_line(error.orig), "DAGSTER_DB_URL")
    except (DatabaseUnavailable, psycopg.Error, sqlalchemy.exc.ArgumentError) as error:
        return red(first_line(error), "DAGSTER_DB_URL")
    if pooled:
        return yellow(f"{status}, but behind a pooler: {_POOLED}", "DAGSTER_DB_URL")
    if not configured:
        return yellow(f"not configured: {databases.embedded_name()} is used ({status})", "DAGSTER_DB_URL")
    return green(status)


def check_instance(databases: Databases) -> Finding:
    """`DAGSTER_HOME` has the project's dagster.yaml; reports the run queue and the pools."""
    settings = databases.settings
    home = settings.dagster_home or settings.home / "dagster"
    config = home / "dagster.yaml"
    if settings.dagster_home is None and not config.exists():
        return not_configured(f"unde-catalog up and demo create {home}", "DAGSTER_HOME")
    if not config.exists():
        return red(f"{config} is missing: link the project's dagster.yaml there", "DAGSTER_HOME")
    if not _has_tables(databases.dagster_url()):
        return yellow(f"{config} exists; Dagster has not been started yet")
    with DagsterInstance.from_config(str(home)) as instance:
        concurrency = instance.get_concurrency_config()
        queue = concurrency.run_queue_config
        queued = instance.get_runs_count(RunsFilter(statuses=[DagsterRunStatus.QUEUED]))
        pools = instance.event_log_storage.get_pool_limits()
        errors = _daemon_errors(instance, time.time() - _HEARTBEAT_SECONDS)
    if errors:
        return red("; ".join(errors))
    runs = f"at most {queue.max_concurrent_runs} runs at once" if queue else "no run queue"
    default = concurrency.pool_config.default_pool_limit
    status = f"{runs}, {queued} queued; default pool limit {default or 'none'}, {len(pools)} pools with their own limit"
    if _differs(config):
        return yellow(f"{config} differs from the project's dagster.yaml; {status}", "DAGSTER_HOME")
    return green(status)


def _daemon_errors(instance: DagsterInstance, since: float) -> list[str]:
    """What daemons have reported in their heartbeats since this time, each error once."""
    heartbeats = [one for one in instance.get_daemon_heartbeats().values() if one.timestamp >= since]
    found = {first_line(error.message): one.daemon_type for one in heartbeats for error in one.errors or ()}
    return [f"the daemon ({kind.lower()}) reports: {message}" for message, kind in found.items()]


def _has_tables(url: str) -> bool:
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    return sqlalchemy.inspect(engine).has_table("event_logs")


def _store_event(events: PostgresEventLogStorage) -> None:
    run_id = f"doctor-{uuid.uuid4()}"  # not an existing run, so the UI never shows it
    entry = EventLogEntry(
        error_info=None, level=logging.DEBUG, user_message="doctor", run_id=run_id, timestamp=time.time()
    )
    try:
        events.store_event(entry)
    finally:
        events.delete_events(run_id)


def _differs(config: Path) -> bool:
    """Whether it differs from the project's file, if that is installed."""
    project = project_file("dagster.yaml")
    return project.exists() and config.read_bytes() != project.read_bytes()
