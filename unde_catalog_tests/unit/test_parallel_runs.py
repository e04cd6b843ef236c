import pytest

from unde_catalog.defs.automation.parallel_runs import runs_of_brands
from unde_catalog.stage_specs import STAGE_SPECS


@pytest.mark.parametrize(
    ("due", "in_flight", "free", "expected"),
    [
        ({"zara": 10}, {}, 0, {"zara": [1]}),  # as with one worker: it waits in the queue
        ({"zara": 1_000}, {}, 4, {"zara": [1]}),
        ({"zara": 1_001}, {}, 4, {"zara": [1, 2]}),
        ({"zara": 9_000}, {}, 4, {"zara": [1, 2, 3, 4]}),
        ({"zara": 9_000}, {"zara": 1}, 3, {"zara": [2, 3, 4]}),
        ({"zara": 9_000}, {"zara": 1}, 0, {"zara": []}),
        ({"zara": 500}, {"zara": 1}, 4, {"zara": []}),
        ({"zara": 9_000, "oysho": 10, "bershka": 3_000}, {}, 5, {"zara": [1, 2, 3], "oysho": [1], "bershka": [1]}),
        ({"zara": 4_000, "oysho": 3_500}, {}, 5, {"zara": [1, 2, 3], "oysho": [1, 2]}),
        ({}, {"zara": 1}, 4, {}),
    ],
)
def test_a_brand_gets_as_many_runs_as_its_work_and_workers_allow(
    due: dict[str, int], in_flight: dict[str, int], free: int, expected: dict[str, list[int]]
) -> None:
    assert {brand: list(runs) for brand, runs in runs_of_brands(due, in_flight, free, 1_000).items()} == expected


def test_stages_that_ask_hosts_of_others_have_one_run_a_brand() -> None:
    several = {name for name, spec in STAGE_SPECS.items() if spec.products_per_run is not None}
    assert several == {"collages", "visual_index"}
