"""Dagster's own processes with the project's dagster.yaml: a daemon, its code server, and run workers."""

import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, LiteralString

import psutil
import psycopg
import yaml
from psycopg.rows import DictRow, dict_row

from unde_catalog_tests.support.servers import PROJECT

WORKSPACE = str(PROJECT / "workspace.yaml")
_BIN = Path(sys.executable).parent


class DagsterProcesses:
    """The processes use the database at `url`, which bypasses any pooler, and write to the file `output`."""

    def __init__(self, environment: Mapping[str, str], folder: Path, url: str, output: Path) -> None:
        home = folder / "dagster"
        home.mkdir(exist_ok=True)
        settings = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
        settings["run_monitoring"]["poll_interval_seconds"] = 2
        (home / "dagster.yaml").write_text(yaml.safe_dump(settings))
        self._environment = {**environment, "DAGSTER_HOME": str(home), "DAGSTER_DB_URL": url}
        self._folder, self._url, self._output = folder, url, output
        self._daemon: subprocess.Popen[bytes] | None = None
        self._survivors: list[psutil.Process] = []  # processes of daemons that were killed alone

    def start(self) -> None:
        """Start the daemon and do not wait for it."""
        self._daemon = self.command("dagster-daemon", "run", "-w", WORKSPACE)

    def stop(self) -> None:
        """Kill all processes."""
        if self._daemon is None:
            return
        processes = self.descendants()
        for process in self._survivors:
            processes += [process, *_children(process)]
        _kill(psutil.Process(self._daemon.pid))
        self._daemon.wait()
        for process in processes:
            _kill(process)

    def kill_daemon(self) -> None:
        """Kill only the daemon; its code server and run workers survive for a while."""
        assert self._daemon is not None
        self._survivors += self.descendants()
        self._daemon.kill()
        self._daemon.wait()

    def kill_run_workers(self) -> bool:
        """Kill all run workers; False where there are none."""
        workers = [process for process in self.descendants() if "spawn_main" in " ".join(_arguments(process))]
        for process in workers:
            _kill(process)
        return bool(workers)

    def command(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command of Dagster."""
        with self._output.open("ab") as output:
            return subprocess.Popen(
                [str(_BIN / program), *arguments],
                env=self._environment, cwd=self._folder, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip

    def query(self, statement: LiteralString) -> list[dict[str, Any]]:
        """Rows of Dagster's database."""
        with psycopg.Connection[DictRow].connect(self._url, autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(statement).fetchall()

    def descendants(self) -> list[psutil.Process]:
        """All processes that the daemon started."""
        assert self._daemon is not None
        return _children(psutil.Process(self._daemon.pid)) if psutil.pid_exists(self._daemon.pid) else []


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()
