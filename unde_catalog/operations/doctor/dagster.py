"""Dagster's database, which has to take events, and the instance that `DAGSTER_HOME` describes."""

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
from unde_catalog.text import first_line

_DRIVER = "psycopg2"  # dagster-postgres's own; with another one its first event fails


def look_at_database(databases: Databases) -> Finding:
    """Reachable with the driver that Dagster takes, and an event can be stored: one is, and is deleted again."""
    configured = databases.settings.dagster_db_url is not None
    if not configured and not databases.embedded_made:
        return not_configured(f"{databases.stand_in()} stands in, made at the first use", "DAGSTER_DB_URL")
    try:
        url = databases.dagster_url()
        with Database(url, label="Dagster", max_connections=1, patience=PATIENCE) as db, db.transaction():
            pass  # says why not, where Dagster tries again and again
        driver = sqlalchemy.make_url(url).get_dialect().driver
        if driver != _DRIVER:
            return red(
                f"Dagster would take the driver {driver}, which fails at its first event: pip install 'sqlalchemy<2.1'"
            )
        if not _has_tables(url):
            told = "reachable; Dagster makes its tables there at its first start"
        else:
            events = PostgresEventLogStorage(url, should_autocreate_tables=False)
            at, newest = events.alembic_version()
            if at != newest:
                return red(
                    f"at Dagster's migration {at}, and the installed one wants {newest}: run dagster instance migrate"
                )
            _store_an_event(events)
            told = "an event was stored and deleted"
    except EmbeddedPostgresError as error:
        return red(first_line(error), "UNDE_HOME", "DAGSTER_DB_URL")
    except sqlalchemy.exc.DBAPIError as error:
        return red(first_line(error.orig), "DAGSTER_DB_URL")
    except (DatabaseUnavailable, psycopg.Error, sqlalchemy.exc.ArgumentError) as error:
        return red(first_line(error), "DAGSTER_DB_URL")
    if not configured:
        return yellow(f"not configured: {databases.stand_in()} stands in ({told})", "DAGSTER_DB_URL")
    return green(told)


def look_at_instance(databases: Databases) -> Finding:
    """The project's dagster.yaml where Dagster looks for it, its pools and its run queue."""
    settings = databases.settings
    home = settings.dagster_home or settings.home / "dagster"
    config = home / "dagster.yaml"
    if settings.dagster_home is None and not config.exists():
        return not_configured(f"unde-catalog up and demo make {home}", "DAGSTER_HOME")
    if not config.exists():
        return red(f"there is no {config}: link the project's there", "DAGSTER_HOME")
    if not _has_tables(databases.dagster_url()):
        return yellow(f"{config} is there; Dagster has not been started yet")
    with DagsterInstance.from_config(str(home)) as instance:
        concurrency = instance.get_concurrency_config()
        queue = concurrency.run_queue_config
        waiting = instance.get_runs_count(RunsFilter(statuses=[DagsterRunStatus.QUEUED]))
        pools = instance.event_log_storage.get_pool_limits()
    most = f"{queue.max_concurrent_runs} runs at once" if queue else "no run queue"
    default = concurrency.pool_config.default_pool_limit
    told = f"{most}, {waiting} waiting; pools take {default or 'any number'}, {len(pools)} have a limit of their own"
    if _differs(config):
        return yellow(f"{config} is not the project's dagster.yaml; {told}", "DAGSTER_HOME")
    return green(told)


def _has_tables(url: str) -> bool:
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    return sqlalchemy.inspect(engine).has_table("event_logs")


def _store_an_event(events: PostgresEventLogStorage) -> None:
    run_id = f"doctor-{uuid.uuid4()}"  # no run of that name is ever shown
    entry = EventLogEntry(
        error_info=None, level=logging.DEBUG, user_message="doctor", run_id=run_id, timestamp=time.time()
    )
    try:
        events.store_event(entry)
    finally:
        events.delete_events(run_id)


def _differs(config: Path) -> bool:
    """Whether it is another than the project's, as far as the project's files lie beside the installed package."""
    ours = project_file("dagster.yaml")
    return ours.exists() and config.read_bytes() != ours.read_bytes()
