"""Dagster's UI for browser tests: `unde-catalog up` in its own folder, with its sandbox and its databases.

The click paths are in `clicks.py`.
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
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.embedded.postgres import EmbeddedPostgres
from unde_catalog_tests.support.due import execute, poll
from unde_catalog_tests.support.servers import PROJECT

_PROGRAM = str(Path(sys.executable).parent / "unde-catalog")
_TIMEOUT = 300  # seconds; ten are enough on an idle machine


class DagsterUI:
    """The served UI, and access to the databases and the sandbox behind it."""

    def __init__(
        self, home: Path, port: int, sandbox_port: int, postgres: EmbeddedPostgres, up: psutil.Process
    ) -> None:
        self.up = up
        self.home, self.url, self.sandbox_port = home, f"http://127.0.0.1:{port}", sandbox_port
        self.staging_url, self.dagster_url = postgres.url("staging"), postgres.url("dagster")
        self.db = Database(self.staging_url)

    def control(self, **changes: Any) -> None:
        """Change how the sandbox behaves from now on (see its control.py)."""
        body = json.dumps(changes).encode()
        address = f"http://127.0.0.1:{self.sandbox_port}/_control"
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()

    def photos_requested(self, brand: str) -> int:
        """The number of photo requests of a brand so far."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.sandbox_port}/_log?kind=photo", timeout=10) as response:
            return sum(f"/{brand}/" in request["path"] for request in json.load(response)["requests"])

    def run_earlier(self, asset: str, *brands: str, **config: Any) -> None:
        """Execute a Dagster run for each brand, as if it had happened before the test."""
        command = [sys.executable, "-m", "unde_catalog_tests.browser.earlier_runs", asset, ",".join(brands)]
        environment = {**os.environ, **self._environment(), "DAGSTER_HOME": str(self.home / ".unde" / "dagster")}
        subprocess.run([*command, json.dumps(config)], check=True, cwd=PROJECT, env=environment, timeout=_TIMEOUT)

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of the staging database."""
        return execute(self.db, query, *values)

    def one(self, query: str, *values: Any) -> Any:
        """The only value of the only row."""
        (row,) = self.rows(query, *values)
        (value,) = row.values()
        return value

    def wait(self, condition: str) -> None:
        """Wait until a query of the staging database is true."""
        poll(self.staging_url, condition, _TIMEOUT)

    def wait_in_dagster(self, condition: str) -> None:
        """Wait until a query of Dagster's own database is true."""
        poll(self.dagster_url, condition, _TIMEOUT)

    def retry_of(self, run_id: str) -> str:
        """Wait for the run with which Dagster retries this one; returns its id."""
        retry = f"FROM run_tags WHERE key = 'dagster/parent_run_id' AND value = '{run_id}'"
        self.wait_in_dagster(f"SELECT exists(SELECT 1 {retry})")
        with psycopg.connect(self.dagster_url) as connection:
            row = connection.execute(f"SELECT run_id {retry}".encode()).fetchone()
        assert row is not None
        return row[0]

    def wait_for_end(self, run_id: str, status: str = "SUCCESS") -> None:
        """Wait for the end of a run, which must have this status."""
        self.wait_in_dagster(f"SELECT status IN ('SUCCESS', 'FAILURE', 'CANCELED') FROM runs WHERE run_id = '{run_id}'")
        self.wait_in_dagster(f"SELECT status = '{status}' FROM runs WHERE run_id = '{run_id}'")

    def run_workers(self) -> list[psutil.Process]:
        """The run workers among the processes that `up` started."""
        processes = self.up.children(recursive=True)
        return [process for process in processes if "spawn_main" in " ".join(process.cmdline())]

    def _environment(self) -> dict[str, str]:
        return {"UNDE_HOME": str(self.home / ".unde")}  # which remembers the sandbox


@contextmanager
def open_dagster_ui(home: Path) -> Iterator[DagsterUI]:
    """Serve the UI until the context ends. The products of all brands are collected; no other stage has run."""
    port, search_port, nats_port, user_media_port, sandbox_port = (_free_port() for _ in range(5))
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with EmbeddedPostgres(home / ".unde" / "postgres") as postgres:
        process = subprocess.Popen(
            [_PROGRAM, "up", "--port", str(port), "--search-port", str(search_port),
             "--nats-port", str(nats_port), "--sandbox-port", str(sandbox_port)],
            cwd=home, env={**keep, "UNDE_HOME": str(home / ".unde"), "USER_MEDIA_PORT": str(user_media_port)},
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            output = ""
            for line in process.stdout:
                output += line
                if f"Dagster's UI: http://127.0.0.1:{port}" in line:
                    break
            else:
                raise AssertionError(f"up ended without serving: {output}")
            ui = DagsterUI(home, port, sandbox_port, postgres, psutil.Process(process.pid))
            with ui.db:
                ui.run_earlier("raw_products", *BRANDS)
                yield ui
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(_TIMEOUT)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]
