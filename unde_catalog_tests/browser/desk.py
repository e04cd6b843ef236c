"""An operator's desk for tests: `unde-catalog up` on a home of its own, the sandbox behind it, and its databases.

What is clicked is in `clicks.py`.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg

from unde_catalog.brands import BRANDS
from unde_catalog.sandbox.serve import environment
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.embedded.postgres import EmbeddedPostgres
from unde_catalog_tests.support.due import execute, poll
from unde_catalog_tests.support.servers import PROJECT

_PROGRAM = str(Path(sys.executable).parent / "unde-catalog")
_PATIENCE = 300  # seconds for what takes ten on an idle machine


class Desk:
    """What runs, and how a test looks behind it."""

    def __init__(
        self, home: Path, port: int, sandbox_port: int, postgres: EmbeddedPostgres, up: psutil.Process
    ) -> None:
        self.up = up
        self.home, self.url, self.sandbox_port = home, f"http://127.0.0.1:{port}", sandbox_port
        self.staging_url, self.dagster_url = postgres.url("staging"), postgres.url("dagster")
        self.db = Database(self.staging_url)

    def control(self, **changes: Any) -> None:
        """Change what the sandbox does from now on (see its control.py)."""
        body = json.dumps(changes).encode()
        address = f"http://127.0.0.1:{self.sandbox_port}/_control"
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()

    def photos_requested(self, brand: str) -> int:
        """Requests for photos of a brand so far."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.sandbox_port}/_log?kind=photo", timeout=10) as answer:
            return sum(f"/{brand}/" in request["path"] for request in json.load(answer)["requests"])

    def ran_before(self, asset: str, *brands: str, **config: Any) -> None:
        """Runs of Dagster's that happened before the operator came, one a brand."""
        command = [sys.executable, "-m", "unde_catalog_tests.browser.earlier_runs", asset, ",".join(brands)]
        environment = {**os.environ, **self._environment(), "DAGSTER_HOME": str(self.home / ".unde" / "dagster")}
        subprocess.run([*command, json.dumps(config)], check=True, cwd=PROJECT, env=environment, timeout=_PATIENCE)

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of the staging database."""
        return execute(self.db, query, *values)

    def one(self, query: str, *values: Any) -> Any:
        """The only value of the only row."""
        (row,) = self.rows(query, *values)
        (value,) = row.values()
        return value

    def wait(self, condition: str) -> None:
        """Until a query of the staging database is true."""
        poll(self.staging_url, condition, _PATIENCE)

    def wait_in_dagster(self, condition: str) -> None:
        """Until a query of Dagster's own database is true."""
        poll(self.dagster_url, condition, _PATIENCE)

    def retry_of(self, run_id: str) -> str:
        """The run that Dagster repeats this one with, once it is there."""
        retry = f"FROM run_tags WHERE key = 'dagster/parent_run_id' AND value = '{run_id}'"
        self.wait_in_dagster(f"SELECT exists(SELECT 1 {retry})")
        with psycopg.connect(self.dagster_url) as connection:
            row = connection.execute(f"SELECT run_id {retry}".encode()).fetchone()
        assert row is not None
        return row[0]

    def ends(self, run_id: str, status: str = "SUCCESS") -> None:
        """Wait for a run's end, which is to be this one."""
        self.wait_in_dagster(f"SELECT status IN ('SUCCESS', 'FAILURE', 'CANCELED') FROM runs WHERE run_id = '{run_id}'")
        self.wait_in_dagster(f"SELECT status = '{status}' FROM runs WHERE run_id = '{run_id}'")

    def run_workers(self) -> list[psutil.Process]:
        """Processes that work on runs, of all that `up` started."""
        family = self.up.children(recursive=True)
        return [process for process in family if "spawn_main" in " ".join(process.cmdline())]

    def _environment(self) -> dict[str, str]:
        return {
            **environment(self.sandbox_port), "UNDE_HOME": str(self.home / ".unde"), "ZARA_INDEX_SCOPE": "pilot",
        }  # fmt: skip


@contextmanager
def open_desk(home: Path) -> Iterator[Desk]:
    """Serves until the context ends; the products of all brands are collected, and nothing else is done with them."""
    port, search_port, nats_port, people_port, sandbox_port = (_free_port() for _ in range(5))
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with EmbeddedPostgres(home / ".unde" / "postgres") as postgres:
        process = subprocess.Popen(
            [_PROGRAM, "up", "--port", str(port), "--search-port", str(search_port),
             "--nats-port", str(nats_port), "--sandbox-port", str(sandbox_port)],
            cwd=home, env={**keep, "UNDE_HOME": str(home / ".unde"), "USER_MEDIA_PORT": str(people_port)},
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line
                if f"Dagster's UI: http://127.0.0.1:{port}" in line:
                    break
            else:
                raise AssertionError(f"up ended without serving: {said}")
            desk = Desk(home, port, sandbox_port, postgres, psutil.Process(process.pid))
            with desk.db:
                desk.ran_before("raw_products", *BRANDS)
                yield desk
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(_PATIENCE)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
