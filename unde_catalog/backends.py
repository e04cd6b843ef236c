"""The backends of every stage: settings, both databases and the object store, opened at first use.

Without configuration these are the embedded PostgreSQL and a folder, both below UNDE_HOME.
"""

from functools import cached_property
from pathlib import Path
from typing import Self

from unde_catalog.net.clock import SYSTEM_CLOCK, Clock
from unde_catalog.settings.environment import Settings
from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.stores.db.migrate import MigrationSeries
from unde_catalog.stores.db.replica import ReplicatedDatabase
from unde_catalog.stores.embedded.postgres import EmbeddedPostgres
from unde_catalog.stores.objects.directory import is_store, not_mounted
from unde_catalog.stores.objects.objects import ObjectStore
from unde_catalog.stores.objects.open import configured_store
from unde_catalog.stores.production.migrate import PRODUCTION
from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog.stores.staging.photos import originals

DATABASES = ("staging", "production", "dagster")


class NoState(DatabaseUnavailable):
    """Nothing was ever stored in UNDE_HOME; the message says how to create it."""


class Backends:
    """Settings and lazily opened backends. Close it, or use it as a context manager, to stop the embedded server."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock = SYSTEM_CLOCK,
        *,
        connections: int = 4,
        patience: float = 30,
        create: bool = True,
        replica_url: str | None = None,
    ) -> None:
        """`clock`: time and waiting of stages. `connections` and `patience` are those of the staging `Database`.

        `replica_url`: a read replica of it, with its password.

        Without `create`, a missing embedded PostgreSQL is not created: `NoState`.
        """
        self.settings, self.clock = settings, clock
        self._create = create
        self._connections, self._patience, self._replica_url = connections, patience, replica_url
        self._embedded: EmbeddedPostgres | None = None

    @cached_property
    def db(self) -> Database:
        """The staging database at the newest migration; raises `DatabaseUnavailable`, which says what to do."""
        options = {"label": "staging", "max_connections": self._connections, "patience": self._patience}
        if self._replica_url is None:
            db = Database(self.staging_url(), **options)
        else:
            db = ReplicatedDatabase(self.staging_url(), self._replica_url, **options)
        return _at_newest_migration(db, STAGING, embedded=self.settings.staging_db_url is None)

    @cached_property
    def production(self) -> Database | None:
        """The production database at the newest migration, None if none is configured.

        Raises `DatabaseUnavailable`.
        """
        url = self.production_url()
        if url is None:
            return None
        embedded = self.settings.production_db_url is None
        return _at_newest_migration(Database(url, label="production"), PRODUCTION, embedded=embedded)

    @cached_property
    def store(self) -> ObjectStore:
        """The object store: a bucket if S3 is configured, otherwise a folder; raises `StorageUnavailable`.

        The folder is created only if no photo is stored yet. Otherwise its disk is probably not mounted.
        """
        folder = self.settings.objects_folder
        if self.settings.s3 is None and not is_store(folder) and self.db.run(originals.any_stored):
            raise not_mounted(folder)
        return configured_store(self.settings)

    @property
    def has_embedded(self) -> bool:
        """Whether the embedded PostgreSQL was created already."""
        return (self.settings.home / "postgres" / "data" / "PG_VERSION").exists()

    @property
    def objects_folder(self) -> Path:
        """The folder of objects, used if no S3 is configured."""
        return self.settings.objects_folder

    def staging_url(self) -> str:
        """The URL of the staging database with its password; the database may not be migrated."""
        url = self.settings.staging_db_url
        return url.get_secret_value() if url else self._embedded_url("staging")

    def production_url(self) -> str | None:
        """The URL of the production database with its password; None if only a staging database is configured."""
        url = self.settings.production_db_url
        if url is not None:
            return url.get_secret_value()
        # Products of a configured staging database are not published to the embedded database, which nobody reads.
        return None if self.settings.staging_db_url is not None else self._embedded_url("production")

    def dagster_url(self) -> str:
        """The URL of Dagster's own database, with its password."""
        url = self.settings.dagster_db_url
        return url.get_secret_value() if url else self._embedded_url("dagster")

    def backup_url(self) -> str:
        """The URL of the staging database for dumps: a direct connection, as the owner of the tables."""
        url = self.settings.backup_db_url
        return url.get_secret_value() if url else self.staging_url()

    def close(self) -> None:
        """Close connections; the last process that uses the embedded server stops it."""
        for database in (self.__dict__.get("db"), self.__dict__.get("production")):
            if database is not None:
                database.close()
        if self._embedded is not None:
            self._embedded.release()
            self._embedded = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _embedded_url(self, database: str) -> str:
        if self._embedded is None:
            if not (self._create or self.has_embedded):
                raise NoState(
                    f"there is no state in {self.settings.home}: make demo (unde-catalog demo) creates one, UNDE_HOME "
                    "names another, and STAGING_DB_URL a database"
                )
            folder = self.settings.home / "postgres"
            self._embedded = EmbeddedPostgres(folder, self.settings.embedded_postgres_major).acquire()
            self._embedded.ensure_databases(*DATABASES)
        return self._embedded.url(database)


def _at_newest_migration(db: Database, series: MigrationSeries, *, embedded: bool) -> Database:
    """The database, if it is at the newest migration; an embedded one is migrated first."""
    try:
        if embedded and series.revision(db) != series.newest_revision():
            series.upgrade(db.url)
        series.require_newest(db)
    except BaseException:
        db.close()  # the next use opens it again
        raise
    return db
