"""Runs numbered migrations; safe to run twice, by several processes, and beside workers.

Each database's package defines its own series: `stores/staging/migrate.py`, `stores/production/migrate.py`.

A migration is one transaction during which nobody else writes, so its duration must not depend on the size of a table.
On a big table that means: no column whose default must be computed per row, constraints only as NOT VALID, and no
CREATE INDEX, no rewriting ALTER and no UPDATE of all rows. Build an index for such a table by hand first (CREATE INDEX
CONCURRENTLY IF NOT EXISTS, past any pooler); the migration's own CREATE INDEX IF NOT EXISTS then finds it. Workers fill
new columns in chunks.
"""

import random
import re
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import errors, sql

from unde_catalog.stores.db.database import Cursor, Database, DatabaseUnavailable, own_session
from unde_catalog.stores.db.sessions import lock_wait
from unde_catalog.text import first_line

_ENVIRONMENT = Path(__file__).parent / "alembic_environment"
_LOCK = 0x756E6465  # advisory lock of migrations; an arbitrary number
_LOCK_SECONDS = 30  # how long to try to lock all tables
_LOCK_TRY = "500ms"  # one try: short, so that writers hardly wait and the deadlock detector does not fire
_PAUSE = (0.1, 0.5)  # seconds between two tries, so that writers get on

_OWN_REVISION = re.compile(r"\d{4}")

# Lock all tables first, in the order that workers use, so that waiting is over before the migration changes anything.
# Reading stays possible.
_LOCK_ALL = """
DO $$
DECLARE
    tables text := (SELECT string_agg(c.oid::regclass::text, ', ' ORDER BY
                           c.relname = '{last}', c.relname <> '{first}', c.relname)
                    FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
                        AND starts_with(c.relname, '{prefix}'));
BEGIN
    IF tables IS NOT NULL THEN
        EXECUTE 'LOCK TABLE ' || tables || ' IN EXCLUSIVE MODE';
    END IF;
END $$;
"""


@dataclass(frozen=True, slots=True)
class MigrationSeries:
    """The migrations of one database, which is called `database` in error messages.

    `versions`: the folder of the migrations. `version_table`: where the database keeps its revision. `table_prefix`:
    only tables with this prefix are locked; others in the same database belong to somebody else. `first_locked` and
    `last_locked`: the tables that workers lock first and last. `own_table`: one that no other program has.
    """

    database: str
    versions: Path
    own_table: str
    version_table: str = "alembic_version"
    table_prefix: str = ""
    first_locked: str = ""
    last_locked: str = ""

    def upgrade(self, url: str, target: str | None = None) -> list[str]:
        """Run the missing migrations up to `target` (the newest by default); returns those that ran, oldest first."""
        # Imported here: SQLAlchemy and Alembic take half a second, which other commands need not pay.
        import sqlalchemy
        import sqlalchemy.exc
        from alembic import command
        from alembic.config import Config
        from alembic.runtime.migration import MigrationContext
        from sqlalchemy.pool import NullPool

        config = Config()
        config.set_main_option("script_location", str(_ENVIRONMENT))
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", str(self.versions))
        config.attributes["version_table"] = self.version_table
        known = self.revisions()
        target = target or known[-1]
        with Database(url, label=self.database) as db:
            title = db.title
            self.revision(db)
        engine = sqlalchemy.create_engine(
            _with_driver(url), poolclass=NullPool, connect_args={"prepare_threshold": None}
        )

        def run() -> str | None:
            with engine.begin() as connection:
                connection.exec_driver_sql(own_session(url))
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
                # Held by the transaction, not the session: works behind PgBouncer, and a killed migration releases it.
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
                options = {"version_table": self.version_table}
                current = MigrationContext.configure(connection, opts=options).get_current_revision()
                if current is not None and current not in known:
                    raise self._unavailable(
                        f"{title} is at migration {current}, which this program does not know: "
                        "it is older than the database, so install the newer one"
                    )
                if current is None or current < target:
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_TRY}'")
                    connection.exec_driver_sql(
                        _LOCK_ALL.format(prefix=self.table_prefix, first=self.first_locked, last=self.last_locked)
                    )
                    config.attributes["connection"] = connection
                    command.upgrade(config, target)
                return current

        def run_beside_workers() -> str | None:
            deadline = time.monotonic() + _LOCK_SECONDS
            while True:
                try:
                    return run()
                except sqlalchemy.exc.DBAPIError as error:
                    if not isinstance(error.orig, errors.LockNotAvailable | errors.DeadlockDetected):
                        raise
                    if time.monotonic() > deadline:
                        raise self._unavailable(
                            f"{title} can't be migrated: other sessions locked its tables for {_LOCK_SECONDS} s. "
                            f"Nothing was changed; end long queries and dumps, then migrate again{_who_locks(url)}"
                        ) from error
                time.sleep(random.uniform(*_PAUSE))

        try:
            before = run_beside_workers()
        except sqlalchemy.exc.DBAPIError as error:
            if not isinstance(error.orig, psycopg.OperationalError | errors.InsufficientPrivilege):
                raise
            raise self._unavailable(f"{title} can't be migrated: {first_line(error.orig)}") from error
        finally:
            engine.dispose()
        return [revision for revision in known if (before or "") < revision <= target]

    def revisions(self) -> list[str]:
        """All migrations of this program, oldest first, e.g. `0003`."""
        return sorted(file.name.split("_")[0] for file in self.versions.glob("[0-9]*.py"))

    def newest_revision(self) -> str:
        """The newest migration of this program."""
        return self.revisions()[-1]

    def revision(self, db: Database) -> str | None:
        """The migration that the database is at; None before the first.

        `DatabaseUnavailable` if the tables are in a schema that the session does not see, or the database belongs to
        another program.
        """
        found = db.read(self._revision)
        if found != self.newest_revision():  # it may be that of another program in another schema
            db.read(self._require_visible, db.title)
        if found is not None and not _OWN_REVISION.fullmatch(found):
            raise self._unavailable(
                f"{db.title} belongs to another program: its table {self.version_table} has the revision {found}, as "
                "Dagster's own database has. Give each a database of its own: STAGING_DB_URL, DAGSTER_DB_URL"
            )
        return found

    def owns(self, db: Database) -> bool:
        """Whether this series has migrated the database."""
        return _OWN_REVISION.fullmatch(db.read(self._revision) or "") is not None

    def _revision(self, cursor: Cursor) -> str | None:
        cursor.execute("SELECT to_regclass(%s) AS versions", (self.version_table,))
        row = cursor.fetchone()
        if row is None or row["versions"] is None:
            return None
        cursor.execute(sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(self.version_table)))
        row = cursor.fetchone()
        return row["version_num"] if row else None

    def _require_visible(self, cursor: Cursor, title: str) -> None:
        """`DatabaseUnavailable` where a migration would create all tables a second time, or could create none."""
        cursor.execute(
            """
            SELECT current_schema() AS schema, current_setting('search_path') AS path, current_user AS role,
                   EXISTS (SELECT 1 FROM pg_class o JOIN pg_class v USING (relnamespace)
                           WHERE o.relname = %(own)s AND v.oid = to_regclass(%(versions)s)) AS visible,
                   (SELECT min(o.relnamespace::regnamespace::text) FROM pg_class o JOIN pg_class v USING (relnamespace)
                    WHERE o.relname = %(own)s AND v.relname = %(versions)s) AS found
            """,
            {"own": self.own_table, "versions": self.version_table},
        )
        row = cursor.fetchone()
        assert row is not None  # a SELECT without FROM has one
        if row["visible"] or row["found"] is None and row["schema"] is not None:
            return
        where = f"its tables are in the schema {row['found']}" if row["found"] else "it has no tables yet"
        raise self._unavailable(
            f"{title} can't be used: {where}, and the search_path of role {row['role']} is {row['path'] or 'empty'}. "
            f"ALTER ROLE {row['role']} SET search_path = {row['found'] or 'public'}, and reconnect the pooler if there "
            "is one"
        )

    def require_newest(self, db: Database) -> None:
        """`DatabaseUnavailable` unless the database has all migrations of this program.

        It may have newer ones: migrations only add, so that processes of the former version, whose runs are in flight,
        go on until they are replaced.
        """
        current, newest = self.revision(db), self.newest_revision()
        if current is None or current < newest:
            raise self._unavailable(
                f"{db.title} is at migration {current}, this program needs {newest}: run unde-catalog migrate"
            )

    def _unavailable(self, message: str) -> DatabaseUnavailable:
        return DatabaseUnavailable(message, database=self.database)


def _who_locks(url: str) -> str:
    """`. A statement waited ... for a lock of ...`, empty if that cannot be said."""
    try:
        with Database(url, patience=5) as db:
            reason = db.read(lock_wait, _LOCK_SECONDS, by_readers=True)
    except DatabaseUnavailable:
        return ""
    return f". {reason[0].upper()}{reason[1:]}"


def _with_driver(url: str) -> str:
    return "postgresql+psycopg://" + url.split("://", 1)[1]
