"""The databases that the catalogue is kept in and published to. Dagster's own is `dagster.py`'s."""

import threading

import psycopg

from unde_catalog.backends import Backends
from unde_catalog.operations.doctor.result import Finding, green, not_configured, red, yellow
from unde_catalog.settings.environment import Settings
from unde_catalog.stage_specs import STAGES_BY_ROLE
from unde_catalog.stores.db.database import Cursor, Database, DatabaseUnavailable
from unde_catalog.stores.embedded.errors import EmbeddedPostgresError
from unde_catalog.stores.production.migrate import PRODUCTION
from unde_catalog.stores.staging.admin import privileges
from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog.text import first_line

PATIENCE = 8.0  # seconds: less than a look may take, so that the database's own sentence is heard


class Databases:
    """The addresses of the databases; the embedded server is started once, by the first that asks for it."""

    def __init__(self, settings: Settings, backends: Backends) -> None:
        self.settings, self._open_backends = settings, backends
        self._starting = threading.Lock()

    @property
    def embedded_made(self) -> bool:
        """Whether there is an embedded server's data: what makes it takes longer than a look may."""
        return (self.settings.home / "postgres" / "data" / "PG_VERSION").exists()

    def stand_in(self) -> str:
        """What takes the place of a database that is not configured."""
        return f"the embedded PostgreSQL in {self.settings.home / 'postgres'}"

    def staging(self, patience: float = PATIENCE) -> Database:
        """The staging database, configured or embedded, migrated or not; `EmbeddedPostgresError`."""
        if self.settings.staging_db_url is not None:
            url = self.settings.staging_db_url.get_secret_value()
        elif not self.embedded_made:
            raise EmbeddedPostgresError("the embedded PostgreSQL was not made yet")
        else:
            with self._starting:
                url = self._open_backends.staging_url()
        return Database(url, label="staging", max_connections=1, patience=patience)

    def dagster_url(self) -> str:
        """The address of Dagster's database, configured or embedded; `EmbeddedPostgresError`."""
        if self.settings.dagster_db_url is not None:
            return self.settings.dagster_db_url.get_secret_value()
        with self._starting:
            return self._open_backends.dagster_url()


def look_at_staging(databases: Databases) -> Finding:
    """Reachable, at this program's migration, and open to the rows that its role has to write."""
    configured = databases.settings.staging_db_url is not None
    if not configured and not databases.embedded_made:
        return not_configured(f"{databases.stand_in()} stands in, made at the first use", "STAGING_DB_URL")
    try:
        with databases.staging() as db:
            at, newest = STAGING.revision(db), STAGING.newest_revision()
            told = db.run(_standing)
            if not configured:
                later = "" if at == newest else ", which is migrated at the first use"
                return yellow(f"not configured: {databases.stand_in()} stands in ({told}{later})", "STAGING_DB_URL")
            if at != newest:
                advice = "run unde-catalog migrate" if _is_older(at) else "the program is older: install the newer one"
                return red(f"at migration {at or 'none'}, and this program wants {newest}: {advice}")
            return db.run(_rights, f"{told}, migration {at}")
    except EmbeddedPostgresError as error:
        return red(first_line(error), "UNDE_HOME", "STAGING_DB_URL")
    except (DatabaseUnavailable, psycopg.Error) as error:
        return red(first_line(error), "STAGING_DB_URL")


def look_at_production(databases: Databases) -> Finding:
    """Reachable, at this program's migration of its own tables, and open to what publishing writes."""
    settings = databases.settings
    url = settings.production_db_url
    if url is None and settings.staging_db_url is not None:
        return not_configured("nothing is published", "PRODUCTION_DB_URL")
    if url is None:
        return not_configured(f"{databases.stand_in()} stands in", "PRODUCTION_DB_URL")
    try:
        address = url.get_secret_value()
        with Database(address, label="production", max_connections=1, patience=PATIENCE) as db:
            told = db.run(_standing)
            at, newest = PRODUCTION.revision(db), PRODUCTION.newest_revision()
            if at != newest:
                older = at is None or at in PRODUCTION.revisions()
                advice = "run unde-catalog migrate" if older else "the program is older: install the newer one"
                return red(f"{told}: at migration {at or 'none'}, and this program wants {newest}: {advice}")
            if db.run(privileges.session).read_only:
                return red(f"{told}: it takes no writes", "PRODUCTION_DB_URL")
            if not db.run(privileges.may_write, "catalog_products"):
                return red(
                    f"{told}: the role may not write catalog_products: let the owner migrate", "PRODUCTION_DB_URL"
                )
            return green(f"{told}, migration {at}")
    except (DatabaseUnavailable, psycopg.Error) as error:
        return red(first_line(error), "PRODUCTION_DB_URL")


def _standing(cursor: Cursor) -> str:
    found = privileges.session(cursor)
    pooled = ", behind a pooler" if found.pooled else ""
    return f"PostgreSQL {found.version} as {found.role}{pooled}"


def _rights(cursor: Cursor, told: str) -> Finding:
    session = privileges.session(cursor)
    if session.read_only:
        return red(f"{told}: it takes no writes (default_transaction_read_only, or a standby)", "STAGING_DB_URL")
    missing = privileges.missing_rights(cursor)
    able = [stage for stage, lacking in missing.items() if not lacking]
    own = STAGES_BY_ROLE.get(session.role)
    wanted = [own] if own else list(missing) if session.role == "scraper" else []
    lacking = [f"{right} for {stage}" for stage in wanted for right in missing[stage]]
    if lacking:
        advice = "let the owner of its tables run unde-catalog migrate"
        return red(f"{told}: the role lacks {', '.join(lacking)}; {advice}", "STAGING_DB_URL")
    if not able:
        roles = ", ".join([*STAGES_BY_ROLE, "scraper"])
        return red(f"{told}: the role may write for no stage, as {roles} may", "STAGING_DB_URL")
    return green(f"{told}, writes for {'all stages' if len(able) == len(missing) else ', '.join(able)}")


def _is_older(at: str | None) -> bool:
    return at is None or at in STAGING.revisions()
