"""Dagster's own database (runs, events, ticks): `DAGSTER_DB_URL`, or the embedded PostgreSQL where that is not set.

`dagster.yaml` names this class, so the same file serves a laptop and a deployment, and every `dagster` command works.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from dagster._core.storage.event_log.base import EventLogStorage
from dagster._core.storage.runs import RunStorage
from dagster_postgres import DagsterPostgresStorage

from unde_catalog.backends import Backends
from unde_catalog.defs.instance.event_storage import CatalogueEventStorage
from unde_catalog.defs.instance.run_storage import CatalogueRunStorage
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.stores.staging.migrate import STAGING

_PATIENCE = 5.0  # seconds


class CatalogueDagsterStorage(DagsterPostgresStorage):
    """dagster-postgres with the URL from the settings."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """It has no configuration in dagster.yaml."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> Self:
        """Open the storage; an embedded server runs as long as this process needs it."""
        backends = Backends(load_settings())
        _require_own_database(backends)
        storage = cls(postgres_url=backends.dagster_url(), inst_data=inst_data)
        storage.backends = backends  # keeps the embedded server running
        return storage

    backends: Backends

    @property
    def run_storage(self) -> RunStorage:
        """The project's own, see `run_storage.py`."""
        return self._own_run_storage

    @cached_property
    def _own_run_storage(self) -> CatalogueRunStorage:
        return CatalogueRunStorage(self.postgres_url, self.should_autocreate_tables)

    @property
    def event_log_storage(self) -> EventLogStorage:
        """The project's own, see `event_storage.py`."""
        return self._own_event_storage

    @cached_property
    def _own_event_storage(self) -> CatalogueEventStorage:
        return CatalogueEventStorage(self.postgres_url, self.should_autocreate_tables)


def _require_own_database(backends: Backends) -> None:
    """`DatabaseUnavailable` if it is the staging database: both keep their revision in `alembic_version`."""
    if backends.settings.dagster_db_url is None:
        return
    with Database(backends.dagster_url(), label="Dagster", patience=_PATIENCE) as db:
        try:
            if not STAGING.owns(db):
                return
        except DatabaseUnavailable:  # Dagster itself says why, and may wait
            return
    raise DatabaseUnavailable(
        f"{db.title} is the staging database: set DAGSTER_DB_URL to a database of its own, since both keep their "
        "revision in alembic_version",
        database="Dagster",
    )
