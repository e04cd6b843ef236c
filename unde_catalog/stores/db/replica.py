"""A database with a read replica: reads go to the replica, or to the database itself while it is away or slow.

`run` always uses the database itself. What a replica has not replayed yet, a read does not see.
"""

import logging
from collections.abc import Callable
from time import monotonic
from typing import Any, Concatenate, ParamSpec, TypeVar

from unde_catalog.stores.db.database import Cursor, Database, DatabaseUnavailable

LOG = logging.getLogger("unde_catalog.stores.db")

_P = ParamSpec("_P")
_T = TypeVar("_T")

_PATIENCE = 2.0  # seconds for a connection; a reader can have the answer from the database itself
_STATEMENT_SECONDS = 5.0
_PAUSE = 10.0  # seconds for which a replica that failed is not asked


class ReplicatedDatabase(Database):
    """`Database` whose `read` asks the replica first."""

    def __init__(self, url: str, replica_url: str, **options: Any) -> None:
        """`options`: of `Database`, of which the replica gets the number of connections."""
        super().__init__(url, **options)
        connections = options.get("max_connections", 4)
        self.replica = Database(
            replica_url, label="replica", max_connections=connections, patience=_PATIENCE,
            statement_seconds=_STATEMENT_SECONDS,
        )  # fmt: skip
        self._not_before = 0.0

    def read(self, work: Callable[Concatenate[Cursor, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """As `Database.read`, from the replica if it answers in time. The log names a replica that does not."""
        if monotonic() >= self._not_before:
            try:
                with self.replica.transaction() as cursor:
                    return work(cursor, *args, **kwargs)
            except DatabaseUnavailable as error:
                self._not_before = monotonic() + _PAUSE
                LOG.warning("reads go to %s for %g s: %s", self.title, _PAUSE, error)
        return super().read(work, *args, **kwargs)

    def check_replica(self) -> None:
        """`DatabaseUnavailable` if the replica does not answer."""
        with self.replica.transaction() as cursor:
            cursor.execute("SELECT 1")

    def close(self) -> None:
        """Close all connections."""
        self.replica.close()
        super().close()
