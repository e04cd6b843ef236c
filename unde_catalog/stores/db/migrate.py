"""Brings a database to the newest migration; safe to run twice, by several processes, and beside workers.

A migration is one transaction in which nobody else writes, so none may take as long as a table is big. On
raw_products, due_work, product_photos and raw_availability that means: columns without a default that has to be
computed, constraints NOT VALID, and no CREATE INDEX, no rewriting ALTER and no UPDATE of all rows. An index for such a
table is built by hand before (CREATE INDEX CONCURRENTLY IF NOT EXISTS, past any pooler), and the migration's own
CREATE INDEX IF NOT EXISTS finds it there; rows are filled in chunks by whoever works on them.
"""

import random
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import errors, sql

from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.text import first_line

FOLDER = Path(__file__).parents[1] / "staging" / "migrations"


@dataclass(frozen=True, slots=True)
class Series:
    """The migrations of one kind of database: their folder (in `versions`), where it keeps which it is at, its tables.

    `tables` is what the names of its tables begin with: in a database that others use, too, theirs are left alone.
    """

    folder: Path
    version_table: str = "alembic_version"
    tables: str = ""


STAGING = Series(FOLDER)
_LOCK = 0x756E6465  # any number that only our migrations use
_LOCK_SECONDS = 30  # it tries to have the tables to itself for so long, ...
_LOCK_TRY = "500ms"  # ... each time so short that others hardly wait, and no deadlock is found before it gives way
_PAUSE = (0.1, 0.5)  # seconds between two tries, in which the others get on

# All tables before anything else, in the order of workers (products before their photos before due rows), so that
# waiting is mostly done before working. Everything can still be read.
_LOCK_ALL = """
DO $$
DECLARE
    tables text := (SELECT string_agg(c.oid::regclass::text, ', ' ORDER BY
                           CASE c.relname WHEN 'raw_products' THEN 1 WHEN 'due_work' THEN 3 ELSE 2 END, c.relname)
                    FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
                        AND starts_with(c.relname, '{prefix}'));
BEGIN
    IF tables IS NOT NULL THEN
        EXECUTE 'LOCK TABLE ' || tables || ' IN EXCLUSIVE MODE';
    END IF;
END $$;
"""


def upgrade(url: str, series: Series = STAGING) -> list[str]:
    """Run what is missing on the database at `url`; the revisions that ran, oldest first."""
    # Here, as SQLAlchemy and alembic take half a second to import and are wanted only now.
    import sqlalchemy
    import sqlalchemy.exc
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from sqlalchemy.pool import NullPool

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(series.folder / "versions"))
    config.attributes["version_table"] = series.version_table
    script = ScriptDirectory.from_config(config)
    known = [revision.revision for revision in script.walk_revisions()]
    name = Database(url).name
    engine = sqlalchemy.create_engine(_with_driver(url), poolclass=NullPool, connect_args={"prepare_threshold": None})

    def run() -> str | None:
        with engine.begin() as connection:
            # A transaction's lock, not a session's: it works behind PgBouncer, and a killed migration lets go of it.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            opts = {"version_table": series.version_table}
            before = MigrationContext.configure(connection, opts=opts).get_current_revision()
            if before is not None and before not in known:
                raise DatabaseUnavailable(
                    f"the database {name} is at migration {before}, which this program does not know: "
                    "it is older than the database, so install the newer one"
                )
            if before != known[0]:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_TRY}'")
                connection.exec_driver_sql(_LOCK_ALL.replace("{prefix}", series.tables))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            return before

    def run_among_workers() -> str | None:
        ends = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                return run()
            except sqlalchemy.exc.DBAPIError as error:
                if not isinstance(error.orig, errors.LockNotAvailable | errors.DeadlockDetected):
                    raise
                if time.monotonic() > ends:
                    raise DatabaseUnavailable(
                        f"the database {name} can't be migrated: others held its tables for {_LOCK_SECONDS} s, so it "
                        "is as it was: end long queries and dumps, then migrate again"
                    ) from error
            time.sleep(random.uniform(*_PAUSE))

    try:
        before = run_among_workers()
    except sqlalchemy.exc.DBAPIError as error:
        if not isinstance(error.orig, psycopg.OperationalError | errors.InsufficientPrivilege):
            raise
        said = first_line(error.orig)
        raise DatabaseUnavailable(f"the database {name} can't be migrated: {said}") from error
    finally:
        engine.dispose()
    return list(reversed(known[: known.index(before)] if before else known))


def revisions(series: Series = STAGING) -> list[str]:
    """All migrations there are, oldest first, e.g. `0003`."""
    return sorted(file.name.split("_")[0] for file in (series.folder / "versions").glob("[0-9]*.py"))


def newest_revision(series: Series = STAGING) -> str:
    """The newest of them."""
    return revisions(series)[-1]


def revision(db: Database, series: Series = STAGING) -> str | None:
    """The migration a database is at; None before the first."""
    with db.transaction() as cursor:
        cursor.execute("SELECT to_regclass(%s) AS versions", (series.version_table,))
        row = cursor.fetchone()
        if row is None or row["versions"] is None:
            return None
        cursor.execute(sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(series.version_table)))
        row = cursor.fetchone()
        return row["version_num"] if row else None


def _with_driver(url: str) -> str:
    return "postgresql+psycopg://" + url.split("://", 1)[1]
