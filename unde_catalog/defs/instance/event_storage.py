"""Dagster's event log storage in PostgreSQL, which also lets the first two runs of a pool start at once."""

from dagster_postgres.event_log import PostgresEventLogStorage
from sqlalchemy.exc import InternalError


class CatalogueEventStorage(PostgresEventLogStorage):
    """dagster-postgres with an eye on new pools."""

    def initialize_concurrency_limit_to_default(self, concurrency_key: str) -> bool:
        """Create the pool; True also if another process was faster.

        Dagster tries an UPDATE in the transaction whose INSERT failed, which PostgreSQL refuses, and the run fails.
        """
        try:
            return super().initialize_concurrency_limit_to_default(concurrency_key)
        except InternalError:
            if concurrency_key in {one.name for one in self.get_pool_limits()}:
                return True
            raise
