"""Checks the staging and the production database. Dagster's database is in `dagster.py`."""

import threading
from collections.abc import Container

import psycopg

from unde_catalog.backends import Backends
from unde_catalog.operations.doctor.result import Finding, green, not_configured, red, yellow
from unde_catalog.settings.environment import Settings
from unde_catalog.stage_specs import STAGES_BY_ROLE
from unde_catalog.stores.db import sessions
from unde_catalog.stores.db.database import Cursor, Database, DatabaseUnavailable
from unde_catalog.stores.db.sessions import Holdup
from unde_catalog.stores.embedded.errors import EmbeddedPostgresError
from unde_catalog.stores.production.migrate import PRODUCTION
from unde_catalog.stores.staging.admin import privileges
from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog.text import first_line

PATIENCE = 8.0  # seconds; less than a check may take, so that the database's own error is reported


class Databases:
    """The URLs of the databases. The first check that needs the embedded server starts it, and the others share it."""

    def __init__(self, settings: Settings, backends: Backends) -> None:
        self.settings, self._open_backends = settings, backends
        self._starting = threading.Lock()

    @property
    def embedded_exists(self) -> bool:
        """Whether the embedded server has data: creating it takes longer than a check may."""
        return (self.settings.home / "postgres" / "data" / "PG_VERSION").exists()

    def embedded_name(self) -> str:
        """The embedded server, which is used instead of a database that is not configured."""
        return f"the embedded PostgreSQL in {self.settings.home / 'postgres'}"

    def staging(self, patience: float = PATIENCE) -> Database:
        """The staging database, configured or embedded, migrated or not; `EmbeddedPostgresError`."""
        if self.settings.staging_db_url is not None:
            url = self.settings.staging_db_url.get_secret_value()
        elif not self.embedded_exists:
            raise EmbeddedPostgresError("the embedded PostgreSQL does not exist yet")
        else:
            with self._starting:
                url = self._open_backends.staging_url()
        return Database(url, label="staging", max_connections=1, patience=patience)

    def dagster_url(self) -> str:
        """The URL of Dagster's database, configured or embedded; `EmbeddedPostgresError`."""
        if self.settings.dagster_db_url is not None:
            return self.settings.dagster_db_url.get_secret_value()
        with self._starting:
            return self._open_backends.dagster_url()


def check_staging(databases: Databases) -> Finding:
    """Staging is reachable, has this program's migration, and the role can write its rows."""
    configured = databases.settings.staging_db_url is not None
    if not configured and not databases.embedded_exists:
        return not_configured(f"{databases.embedded_name()} is created at the first use", "STAGING_DB_URL")
    try:
        with databases.staging() as db:
            current, newest = STAGING.revision(db), STAGING.newest_revision()
            server = db.run(_server)
            if not configured:
                pending = "" if current == newest else ", migrated at the first use"
                return yellow(
                    f"not configured: {databases.embedded_name()} is used ({server}{pending})", "STAGING_DB_URL"
                )
            if current != newest:
                return red(f"{server}: {_migration_error(current, newest, STAGING.revisions())}")
            return db.run(_check_rights, f"{server}, migration {current}")
    except EmbeddedPostgresError as error:
        return red(first_line(error), "UNDE_HOME", "STAGING_DB_URL")
    except (DatabaseUnavailable, psycopg.Error) as error:
        return red(first_line(error), "STAGING_DB_URL")


def check_production(databases: Databases) -> Finding:
    """Production is reachable, has this program's migration, and the role can write what publishing writes."""
    settings = databases.settings
    url = settings.production_db_url
    if url is None and settings.staging_db_url is not None:
        return not_configured("nothing is published", "PRODUCTION_DB_URL")
    if url is None:
        return not_configured(f"{databases.embedded_name()} is used", "PRODUCTION_DB_URL")
    try:
        address = url.get_secret_value()
        with Database(address, label="production", max_connections=1, patience=PATIENCE) as db:
            server = db.run(_server)
            current, newest = PRODUCTION.revision(db), PRODUCTION.newest_revision()
            if current != newest:
                return red(f"{server}: {_migration_error(current, newest, PRODUCTION.revisions())}")
            if db.run(privileges.session).read_only:
                return red(f"{server}: the database is read-only", "PRODUCTION_DB_URL")
            if not db.run(privileges.may_write, "catalog_products"):
                return red(
                    f"{server}: the role cannot write catalog_products: run unde-catalog migrate as its owner",
                    "PRODUCTION_DB_URL",
                )
            return green(f"{server}, migration {current}")
    except (DatabaseUnavailable, psycopg.Error) as error:
        return red(first_line(error), "PRODUCTION_DB_URL")


def check_sessions(databases: Databases) -> Finding:
    """No session blocks others in staging, production or Dagster's, and nothing keeps dead rows or WAL for long."""
    settings = databases.settings
    if settings.staging_db_url is None and not databases.embedded_exists:
        return not_configured(f"{databases.embedded_name()} is created at the first use", "STAGING_DB_URL")
    found: list[Holdup] = []
    try:
        with databases.staging() as db:
            found += db.read(sessions.holdups)
        for label, url in (("production", settings.production_db_url), ("Dagster", settings.dagster_db_url)):
            if url is not None:
                address = url.get_secret_value()
                with Database(address, label=label, max_connections=1, patience=PATIENCE) as db:
                    found += [one for one in db.read(sessions.holdups) if one not in found]
    except (DatabaseUnavailable, EmbeddedPostgresError):  # that database's own line says why
        return yellow("unknown while a database cannot be used")
    if not found:
        return green("no session blocks others or keeps dead rows")
    message = "; ".join(one.message for one in found)
    return red(message) if any(one.urgent for one in found) else yellow(message)


def _server(cursor: Cursor) -> str:
    session = privileges.session(cursor)
    pooler = ", behind a pooler" if session.pooled else ""
    return f"PostgreSQL {session.version} as {session.role}{pooler}"


def _migration_error(current: str | None, newest: str | None, known: Container[str]) -> str:
    is_older = current is None or current in known
    advice = "run unde-catalog migrate" if is_older else "this program is older than the database, install a newer one"
    return f"the database has migration {current or 'none'}, this program needs {newest}: {advice}"


def _check_rights(cursor: Cursor, server: str) -> Finding:
    session = privileges.session(cursor)
    if session.read_only:
        return red(f"{server}: read-only (default_transaction_read_only, or a standby)", "STAGING_DB_URL")
    missing = privileges.missing_rights(cursor)
    writable = [stage for stage, rights in missing.items() if not rights]
    stage = STAGES_BY_ROLE.get(session.role)
    needed = [stage] if stage else list(missing) if session.role == "scraper" else []
    lacking = [f"{right} for {stage}" for stage in needed for right in missing[stage]]
    if lacking:
        advice = "run unde-catalog migrate as the owner of its tables"
        return red(f"{server}: the role lacks {', '.join(lacking)}: {advice}", "STAGING_DB_URL")
    if not writable:
        roles = ", ".join([*STAGES_BY_ROLE, "scraper"])
        return red(f"{server}: the role cannot write for any stage: use one of {roles}", "STAGING_DB_URL")
    return green(f"{server}, writes for {'all stages' if len(writable) == len(missing) else ', '.join(writable)}")
