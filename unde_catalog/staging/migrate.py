"""Brings a staging database to the newest migration; safe to run twice, and by several processes at once."""

from pathlib import Path

from unde_catalog.staging.database import Database, StagingDown

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x756E6465  # any number that only our migrations use
_LOCK_SECONDS = 30  # a table that a long query holds must not hold up, behind us, everybody else


def upgrade(url: str) -> list[str]:
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
    config.set_main_option("script_location", str(_FOLDER))
    script = ScriptDirectory.from_config(config)
    known = [revision.revision for revision in script.walk_revisions()]
    name = Database(url).name
    engine = sqlalchemy.create_engine(_with_driver(url), poolclass=NullPool, connect_args={"prepare_threshold": None})
    try:
        with engine.begin() as connection:
            # A transaction's lock, not a session's: it works behind PgBouncer, and a killed migration lets go of it.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
            before = MigrationContext.configure(connection).get_current_revision()
            if before is not None and before not in known:
                raise StagingDown(
                    f"the database {name} is at migration {before}, which this program does not know: "
                    "it is older than the database, so install the newer one"
                )
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except sqlalchemy.exc.OperationalError as error:
        said = str(error.orig).strip().partition("\n")[0]
        raise StagingDown(f"the database {name} can't be migrated: {said}") from error
    finally:
        engine.dispose()
    return list(reversed(known[: known.index(before)] if before else known))


def newest_revision() -> str:
    """The newest migration there is, e.g. `0003`."""
    return max(file.name.split("_")[0] for file in (_FOLDER / "versions").glob("[0-9]*.py"))


def revision(db: Database) -> str | None:
    """The migration a database is at; None before the first."""
    with db.transaction() as cursor:
        cursor.execute("SELECT to_regclass('alembic_version') AS versions")
        row = cursor.fetchone()
        if row is None or row["versions"] is None:
            return None
        cursor.execute("SELECT version_num FROM alembic_version")
        row = cursor.fetchone()
        return row["version_num"] if row else None


def _with_driver(url: str) -> str:
    return "postgresql+psycopg://" + url.split("://", 1)[1]
