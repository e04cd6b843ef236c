"""Kills at arbitrary moments, a small version of `make torture`."""

from pathlib import Path

import pytest

from unde_catalog_tests.support.servers import wheel_server
from unde_catalog_tests.torture import servers_die, trials
from unde_catalog_tests.torture.assortment import create_assortment
from unde_catalog_tests.torture.trial_system import running_system

pytestmark = pytest.mark.slow

ROUNDS = 2  # the second scrape finds other photos, orders and prices
SEED = 4


@pytest.mark.timeout(300)
def test_rows_objects_and_requests_are_the_same_after_kills(tmp_path: Path) -> None:
    """Kills runs of all stages, and PostgreSQL during one of them, which therefore has its own server."""
    catalogue = create_assortment(tmp_path / "data", products=9)
    figures = trials.Figures()
    with wheel_server(18) as server:
        servers_die.lose_recent_commits(server)

        def disturb(system, number: int, stage: str) -> None:
            stages(system, number, stage)
            if number:
                postgres(system, number, stage)

        def open_system(name: str):
            return running_system(server, catalogue, tmp_path / name)

        stages = trials.killing_stages(SEED, {"raw_products": 1, "originals": 2, "collages": 1}, figures)
        kills = {"raw_products": 0, "originals": 1, "collages": 0}
        postgres = servers_die.killing("PostgreSQL", servers_die.kill_postgres, SEED, kills, figures)
        expected = trials.undisturbed(open_system, ROUNDS, figures)
        trials.disturbed("disturbed", open_system, ROUNDS, disturb, expected, figures)
    assert figures.wrong == []
    assert figures.kills[trials.STAGE_RUN] >= 5, "most kills came too late to hit a run"
