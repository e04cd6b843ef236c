"""Deaths of Dagster's processes: the run worker, the daemon, and the daemon with its code server and run workers."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import psutil
import psycopg
import yaml
from psycopg.rows import DictRow, dict_row

from unde_catalog_tests.servers import PROJECT
from unde_catalog_tests.torture.assortment import BRANDS
from unde_catalog_tests.torture.house import LEASES_RAN_OUT, STAGES, Broken, House, kill_group, pause
from unde_catalog_tests.torture.killing import aims, wait_for
from unde_catalog_tests.torture.phases import Window
from unde_catalog_tests.torture.trials import Disturb, Figures

Victim = Literal["run worker", "daemon", "daemon and run workers"]
VICTIMS: tuple[Victim, ...] = ("run worker", "daemon", "daemon and run workers")

_BIN = Path(sys.executable).parent
_WORKSPACE = str(PROJECT / "workspace.yaml")
_LONGEST = 150.0  # seconds until all runs have ended
_LOOK = 0.2
_OPEN = """
    SELECT r.run_id, r.status FROM runs r
    WHERE r.status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')
       OR EXISTS (SELECT 1 FROM run_tags t WHERE t.run_id = r.run_id AND t.key = 'dagster/will_retry'
                  AND t.value = 'true')
          AND NOT EXISTS (SELECT 1 FROM run_tags t WHERE t.run_id = r.run_id AND t.key = 'dagster/auto_retry_run_id')
"""


class Dagster:
    """A daemon, which starts a code server, which starts run workers; on a database of its own."""

    def __init__(self, house: House, database_url: str) -> None:
        self._house, self._url = house, house.server.direct_url(database_url)
        self._home = house.folder / "dagster"
        self._home.mkdir(exist_ok=True)
        settings = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
        settings["run_monitoring"]["poll_interval_seconds"] = 2
        (self._home / "dagster.yaml").write_text(yaml.safe_dump(settings))
        self._daemon: subprocess.Popen[bytes] | None = None
        self._left: list[psutil.Process] = []  # what outlives a daemon that was killed alone, for a while

    def start(self) -> None:
        """The daemon; it comes up by itself."""
        self._daemon = self._command("dagster-daemon", "run", "-w", _WORKSPACE)

    def stop(self) -> None:
        """Kill all of it."""
        if self._daemon is not None:
            family = self._family()
            for process in self._left:
                family += [process, *_children(process)]
            kill_group(self._daemon)
            for process in family:
                _kill(process)

    def launch(self, brand: str) -> None:
        """Queue a run of all stages."""
        tags = json.dumps({"dagster/partition": brand, "brand": brand})
        launching = self._command("dagster", "job", "launch", "-w", _WORKSPACE, "-j", "catalogue", "--tags", tags)
        if self._house.ended(launching):
            raise Broken(f"no run could be launched, see {self._house.output}")

    def kill(self, victim: Victim) -> bool:
        """SIGKILL; False where there is no such process."""
        assert self._daemon is not None
        if victim == "run worker":
            workers = [process for process in self._family() if "spawn_main" in " ".join(_arguments(process))]
            for process in workers:
                _kill(process)
            return bool(workers)
        if victim == "daemon":
            self._left += self._family()
            self._daemon.kill()
            self._daemon.wait()
        else:
            self.stop()
        self.start()
        return True

    def open_runs(self) -> list[dict[str, Any]]:
        """Runs that have not ended, or whose retry is still to come."""
        with psycopg.Connection[DictRow].connect(self._url, autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(_OPEN).fetchall()

    def wait(self) -> None:
        """Until all runs have ended."""
        give_up_at = time.monotonic() + _LONGEST
        while open_runs := self.open_runs():
            if time.monotonic() > give_up_at:
                raise Broken(f"Dagster's runs do not end: {open_runs}, see {self._house.output}")
            pause(_LOOK)

    def _family(self) -> list[psutil.Process]:
        assert self._daemon is not None
        return _children(psutil.Process(self._daemon.pid)) if psutil.pid_exists(self._daemon.pid) else []

    def _command(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        environment = {**self._house.environment, "DAGSTER_HOME": str(self._home), "DAGSTER_DB_URL": self._url}
        with self._house.output.open("ab") as output:
            return subprocess.Popen(
                [str(_BIN / program), *arguments],
                env=environment, cwd=self._house.folder, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip


def killing_dagster(seed: int, victims: list[Victim], figures: Figures) -> Disturb:
    """Each scrape is worked off by Dagster runs, during which one of the victims dies."""

    def disturb(house: House, number: int, stage: str) -> None:
        if stage != STAGES[0] or number >= len(victims):
            return
        victim = victims[number]
        chance = random.Random(f"{seed} {victim} {number}")
        hit = chance.choice(STAGES[:2])
        with _dagster(house) as dagster:
            house.look()
            for brand in BRANDS:
                dagster.launch(brand)
            with Window(house, hit) as window:
                wait_for(window, aims(hit, chance, 1)[0], lambda: bool(dagster.open_runs()))
                phases = window.phases()
                if dagster.open_runs() and dagster.kill(victim):
                    figures.kills[victim] += 1
                    figures.phases.update((hit, phase) for phase in phases)
                    house.look()
            dagster.wait()
        house.later(LEASES_RAN_OUT)

    return disturb


@contextmanager
def _dagster(house: House) -> Iterator[Dagster]:
    url = house.server.new_database(migrated=False)
    dagster = Dagster(house, url)
    try:
        dagster.start()
        yield dagster
    finally:
        dagster.stop()
        house.server.drop(url)


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
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
