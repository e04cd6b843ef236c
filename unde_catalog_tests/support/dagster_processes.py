"""Dagster's own processes with the project's dagster.yaml: a daemon, the code server it starts, and run workers."""

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
    """They share the database at `url` (past any pooler); what they say is in the file `output`."""

    def __init__(self, environment: Mapping[str, str], folder: Path, url: str, output: Path) -> None:
        home = folder / "dagster"
        home.mkdir(exist_ok=True)
        settings = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
        settings["run_monitoring"]["poll_interval_seconds"] = 2
        (home / "dagster.yaml").write_text(yaml.safe_dump(settings))
        self._environment = {**environment, "DAGSTER_HOME": str(home), "DAGSTER_DB_URL": url}
        self._folder, self._url, self._output = folder, url, output
        self._daemon: subprocess.Popen[bytes] | None = None
        self._left: list[psutil.Process] = []  # what outlives a daemon that was killed alone, for a while

    def start(self) -> None:
        """The daemon; it comes up by itself."""
        self._daemon = self.command("dagster-daemon", "run", "-w", WORKSPACE)

    def stop(self) -> None:
        """Kill all of it."""
        if self._daemon is None:
            return
        family = self.family()
        for process in self._left:
            family += [process, *_children(process)]
        _kill(psutil.Process(self._daemon.pid))
        self._daemon.wait()
        for process in family:
            _kill(process)

    def kill_daemon(self) -> None:
        """The daemon alone; code server and run workers live on for a while."""
        assert self._daemon is not None
        self._left += self.family()
        self._daemon.kill()
        self._daemon.wait()

    def kill_run_workers(self) -> bool:
        """All of them; False where there is none."""
        workers = [process for process in self.family() if "spawn_main" in " ".join(_arguments(process))]
        for process in workers:
            _kill(process)
        return bool(workers)

    def command(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        """A command of Dagster's, beginning."""
        with self._output.open("ab") as output:
            return subprocess.Popen(
                [str(_BIN / program), *arguments],
                env=self._environment, cwd=self._folder, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip

    def query(self, statement: LiteralString) -> list[dict[str, Any]]:
        """Rows of Dagster's database."""
        with psycopg.Connection[DictRow].connect(self._url, autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(statement).fetchall()

    def family(self) -> list[psutil.Process]:
        """All that the daemon started."""
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
