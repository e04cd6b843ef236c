"""Brings a staging database to the newest migration; safe to run twice, and by several processes at once."""

from pathlib import Path

from unde_catalog.staging.database import Database

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x756E6465  # any number that only our migrations use


def upgrade(url: str) -> list[str]:
    """Run what is missing on the database at `url`; the revisions that ran, oldest first."""
    # Here, as SQLAlchemy and alembic take half a second to import and are wanted only now.
    import sqlalchemy
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from sqlalchemy.pool import NullPool

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    engine = sqlalchemy.create_engine(_with_driver(url), poolclass=NullPool, connect_args={"prepare_threshold": None})
    with engine.begin() as connection:
        # A transaction's lock, not a session's: it works behind PgBouncer, and a killed migration lets go of it.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        before = MigrationContext.configure(connection).get_current_revision()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        script = ScriptDirectory.from_config(config)
        ran = [revision.revision for revision in script.iterate_revisions("head", before or "base")]
    engine.dispose()
    return list(reversed(ran))


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
