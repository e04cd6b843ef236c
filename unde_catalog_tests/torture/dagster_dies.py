"""Kills Dagster's processes: a run worker, the daemon, or the daemon with its code server and run workers."""

import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from unde_catalog_tests.support.dagster_processes import WORKSPACE, DagsterProcesses
from unde_catalog_tests.torture.assortment import BRANDS
from unde_catalog_tests.torture.killing import aims, wait_for
from unde_catalog_tests.torture.phases import Window
from unde_catalog_tests.torture.trial_system import LONGER_THAN_LEASES, STAGES, TrialFailed, TrialSystem, pause
from unde_catalog_tests.torture.trials import Disturb, Figures

Victim = Literal["run worker", "daemon", "daemon and run workers"]
VICTIMS: tuple[Victim, ...] = ("run worker", "daemon", "daemon and run workers")

_TIMEOUT = 330.0  # seconds until all runs have ended; one that died while starting is detected after 180
_POLL_SECONDS = 0.2
_OPEN = """
    SELECT r.run_id, r.status FROM runs r
    WHERE r.status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')
       OR EXISTS (SELECT 1 FROM run_tags t WHERE t.run_id = r.run_id AND t.key = 'dagster/will_retry'
                  AND t.value = 'true')
          AND NOT EXISTS (SELECT 1 FROM run_tags t WHERE t.run_id = r.run_id AND t.key = 'dagster/auto_retry_run_id')
"""


class Dagster(DagsterProcesses):
    """The Dagster processes of a trial, with their own database."""

    def __init__(self, system: TrialSystem, database_url: str) -> None:
        super().__init__(system.environment, system.folder, system.server.direct_url(database_url), system.output)
        self._system = system

    def launch(self, brand: str) -> None:
        """Queue a run of all stages."""
        tags = json.dumps({"dagster/partition": brand, "brand": brand})
        launching = self.command("dagster", "job", "launch", "-w", WORKSPACE, "-j", "update_catalog", "--tags", tags)
        if self._system.wait_for_exit(launching):
            raise TrialFailed(f"no run could be launched, see {self._system.output}")

    def kill(self, victim: Victim) -> bool:
        """Send SIGKILL. Returns False if there is no such process."""
        if victim == "run worker":
            return self.kill_run_workers()
        if victim == "daemon":
            self.kill_daemon()
        else:
            self.stop()
        self.start()
        return True

    def open_runs(self) -> list[dict[str, Any]]:
        """Runs that have not ended or will be retried."""
        return self.query(_OPEN)

    def wait(self) -> None:
        """Wait until all runs have ended."""
        give_up_at = time.monotonic() + _TIMEOUT
        while open_runs := self.open_runs():
            if time.monotonic() > give_up_at:
                raise TrialFailed(f"Dagster's runs do not end: {open_runs}, see {self._system.output}")
            pause(_POLL_SECONDS)


def killing_dagster(seed: int, victims: list[Victim], figures: Figures) -> Disturb:
    """Process each scrape with Dagster runs and kill one of the victims during them."""

    def disturb(system: TrialSystem, number: int, stage: str) -> None:
        if stage != STAGES[0] or number >= len(victims):
            return
        victim = victims[number]
        chance = random.Random(f"{seed} {victim} {number}")
        hit = chance.choice(STAGES[:2])
        with _dagster(system) as dagster:
            system.record_stored_photos()
            for brand in BRANDS:
                dagster.launch(brand)
            with Window(system, hit) as window:
                wait_for(window, aims(hit, chance, 1)[0], lambda: bool(dagster.open_runs()))
                phases = window.phases()
                if dagster.open_runs() and dagster.kill(victim):
                    figures.kills[victim] += 1
                    figures.phases.update((hit, phase) for phase in phases)
                    system.record_stored_photos()
            dagster.wait()
        system.advance(LONGER_THAN_LEASES)

    return disturb


@contextmanager
def _dagster(system: TrialSystem) -> Iterator[Dagster]:
    url = system.server.new_database(migrated=False)
    dagster = Dagster(system, url)
    try:
        dagster.start()
        yield dagster
    finally:
        dagster.stop()
        system.server.drop(url)
