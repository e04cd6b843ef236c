"""Any death at any moment: the small part of `make torture`."""

from pathlib import Path

import pytest

from unde_catalog_tests.support.servers import wheel_server
from unde_catalog_tests.torture import servers_die, trials
from unde_catalog_tests.torture.assortment import assortment
from unde_catalog_tests.torture.house import house

pytestmark = pytest.mark.slow

ROUNDS = 2  # the second scrape found other photos, other orders, other prices
SEED = 4


@pytest.mark.timeout(300)
def test_after_any_death_rows_objects_and_requests_are_as_if_nothing_had_happened(tmp_path: Path) -> None:
    """Of runs of all stages, and of PostgreSQL under one; on a server of its own, as that one is killed."""
    made = assortment(tmp_path / "data", products=9)
    figures = trials.Figures()
    with wheel_server(18) as server:
        servers_die.lose_much(server)

        def disturb(house, number: int, stage: str) -> None:
            stages(house, number, stage)
            if number:
                postgres(house, number, stage)

        def open_house(name: str):
            return house(server, made, tmp_path / name)

        stages = trials.killing_stages(SEED, {"raw_products": 1, "originals": 2, "collages": 1}, figures)
        few = {"raw_products": 0, "originals": 1, "collages": 0}
        postgres = servers_die.killing("PostgreSQL", servers_die.kill_postgres, SEED, few, figures)
        expected = trials.undisturbed(open_house, ROUNDS, figures)
        trials.disturbed("disturbed", open_house, ROUNDS, disturb, expected, figures)
    assert figures.wrong == []
    assert figures.kills[trials.STAGE_RUN] >= 5, "most aims missed, so little was tried"
