"""The sandbox's BakaiMarket and the collection of its products, for tests."""

import logging
import os
import subprocess
import sys
from typing import Any

import pytest

from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.raw_products.collect import ProductStream
from unde_catalog.stores.db.database import Database
from unde_catalog.worker.handler import StageStopped
from unde_catalog.worker.report import RunOptions, StageReport
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.servers import PROJECT, Sandbox, Server


class Market:
    """The sandbox's BakaiMarket with a staging database of its own."""

    def __init__(self, sandbox: Sandbox, db: Database, server: Server, database_url: str) -> None:
        self._sandbox, self.db, self._server, self._url = sandbox, db, server, database_url

    def control(self, **changes: Any) -> None:
        self._sandbox.control(bakai=changes)

    def collect(self, root_run: str = "first", **options: Any) -> StageReport:
        run_options = RunOptions(run_id=root_run, root_run=root_run, **options)
        return ProductStream("bakai", load_settings(), run_options, logging.getLogger("test")).merge(self.db)

    def stop_message(self, root_run: str = "first", **options: Any) -> str:
        with pytest.raises(StageStopped) as raised:
            self.collect(root_run, **options)
        return str(raised.value)

    def run_worker(self, root_run: str, killed_at_line: int) -> subprocess.CompletedProcess[str]:
        """Run the stage in a separate process that is killed (SIGKILL) at the n-th line of its log."""
        command = [sys.executable, "-m", "unde_catalog_tests.support.collect_worker", root_run, str(killed_at_line)]
        environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
        return subprocess.run(
            [*command, "bakai"], env=environment, capture_output=True, text=True, timeout=120, start_new_session=True
        )

    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["external_id"]: row for row in execute(self.db, "SELECT * FROM raw_products ORDER BY id")}

    def active(self) -> int:
        return sum(row["active"] for row in self.rows().values())

    def last_scrape(self) -> dict[str, Any]:
        return execute(self.db, "SELECT * FROM scrapes ORDER BY id DESC LIMIT 1")[0]

    def advance_hours(self, hours: float) -> None:
        (row,) = execute(self.db, "SELECT (now() + %s * interval '1 hour')::text AS t", hours)
        self._server.set_now(self._url, row["t"])
