"""Dagster's run storage in PostgreSQL, which also notices a second daemon on the same database.

Two daemons evaluate every sensor and schedule twice. Dagster only logs it; here each of them reports it as an error of
its heartbeat, which the UI shows under *Deployment*, *Daemons*, and `unde-catalog doctor` reads.
"""

from typing import Any

from dagster._daemon.types import DaemonHeartbeat
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_shared.error import SerializableErrorInfo

_MESSAGE = (
    "another dagster-daemon works on the same database, so every sensor and schedule is evaluated twice: stop one"
)


class CatalogueRunStorage(PostgresRunStorage):
    """dagster-postgres with an eye on the heartbeats."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._written: set[str] = set()  # daemon types of this process

    def add_daemon_heartbeat(self, daemon_heartbeat: DaemonHeartbeat) -> None:
        """Write it; with an error if somebody else has written the last one after this process had."""
        kind = daemon_heartbeat.daemon_type
        last = self.get_daemon_heartbeats().get(kind)
        if kind in self._written and last is not None and last.daemon_id != daemon_heartbeat.daemon_id:
            error = SerializableErrorInfo(_MESSAGE, [], None)
            daemon_heartbeat = daemon_heartbeat._replace(errors=[error, *(daemon_heartbeat.errors or ())])
        self._written.add(kind)
        super().add_daemon_heartbeat(daemon_heartbeat)
