"""Deaths of Dagster's processes: the run worker, the daemon, and the daemon with its code server and run workers."""

import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from unde_catalog_tests.support.dagster_processes import WORKSPACE, DagsterProcesses
from unde_catalog_tests.torture.assortment import BRANDS
from unde_catalog_tests.torture.house import LEASES_RAN_OUT, STAGES, Broken, House, pause
from unde_catalog_tests.torture.killing import aims, wait_for
from unde_catalog_tests.torture.phases import Window
from unde_catalog_tests.torture.trials import Disturb, Figures

Victim = Literal["run worker", "daemon", "daemon and run workers"]
VICTIMS: tuple[Victim, ...] = ("run worker", "daemon", "daemon and run workers")

_LONGEST = 330.0  # seconds until all runs have ended: one that died while it started is noticed after 180
_LOOK = 0.2
_OPEN = """
    SELECT r.run_id, r.status FROM runs r
    WHERE r.status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')
       OR EXISTS (SELECT 1 FROM run_tags t WHERE t.run_id = r.run_id AND t.key = 'dagster/will_retry'
                  AND t.value = 'true')
          AND NOT EXISTS (SELECT 1 FROM run_tags t WHERE t.run_id = r.run_id AND t.key = 'dagster/auto_retry_run_id')
"""


class Dagster(DagsterProcesses):
    """Dagster of a trial, on a database of its own."""

    def __init__(self, house: House, database_url: str) -> None:
        super().__init__(house.environment, house.folder, house.server.direct_url(database_url), house.output)
        self._house = house

    def launch(self, brand: str) -> None:
        """Queue a run of all stages."""
        tags = json.dumps({"dagster/partition": brand, "brand": brand})
        launching = self.command("dagster", "job", "launch", "-w", WORKSPACE, "-j", "update_catalog", "--tags", tags)
        if self._house.ended(launching):
            raise Broken(f"no run could be launched, see {self._house.output}")

    def kill(self, victim: Victim) -> bool:
        """SIGKILL; False where there is no such process."""
        if victim == "run worker":
            return self.kill_run_workers()
        if victim == "daemon":
            self.kill_daemon()
        else:
            self.stop()
        self.start()
        return True

    def open_runs(self) -> list[dict[str, Any]]:
        """Runs that have not ended, or whose retry is still to come."""
        return self.query(_OPEN)

    def wait(self) -> None:
        """Until all runs have ended."""
        give_up_at = time.monotonic() + _LONGEST
        while open_runs := self.open_runs():
            if time.monotonic() > give_up_at:
                raise Broken(f"Dagster's runs do not end: {open_runs}, see {self._house.output}")
            pause(_LOOK)


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
