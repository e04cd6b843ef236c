"""Dagster's own memory (runs, events, ticks) in `DAGSTER_DB_URL`, or in the embedded PostgreSQL where that is unset.

`dagster.yaml` names it, so that one file serves a laptop and a real deployment, and every `dagster` command works.
"""

from collections.abc import Mapping
from typing import Any, Self

from dagster_postgres import DagsterPostgresStorage

from unde_catalog.backends import Backends
from unde_catalog.settings.environment import load_settings


class CatalogueDagsterStorage(DagsterPostgresStorage):
    """dagster-postgres, with the address taken from our settings."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """No configuration of its own."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> Self:
        """Open the storage; the embedded server runs as long as this process wants it."""
        backends = Backends(load_settings())
        storage = cls(postgres_url=backends.dagster_url(), inst_data=inst_data)
        storage.backends = backends  # holds the embedded server
        return storage

    backends: Backends
