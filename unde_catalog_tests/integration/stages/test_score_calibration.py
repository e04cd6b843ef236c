"""The documented meaning of scores matches the real photos."""

import csv
from pathlib import Path

import numpy as np
import pytest

from unde_catalog.stages.visual_index.descriptor import Descriptor
from unde_catalog.stages.visual_index.score_calibration import measured
from unde_catalog_tests.benchmarks.bench_visual import embed, pairs, products


@pytest.mark.slow
def test_the_reported_shares_are_those_of_the_real_photos(real_data: Path) -> None:
    with (real_data / "photos.csv").open() as file:
        rows = list(csv.DictReader(file))
    scores, same = pairs(embed(Descriptor(), real_data, rows), products(rows))
    steps = measured(Descriptor.name)
    assert [step.at_least for step in steps] == [0.95, 0.9, 0.8, 0.7]
    for step in steps:
        # A pair at the very threshold falls on one side or the other, depending on the processor.
        surely, perhaps = (same[scores >= step.at_least + change] for change in (1e-4, -1e-4))
        assert min(np.mean(surely), np.mean(perhaps)) - 0.006 <= step.same_garment
        assert max(np.mean(surely), np.mean(perhaps)) + 0.006 >= step.same_garment


def test_an_unmeasured_model_has_no_figures() -> None:
    assert measured("clip@0123456789ab") == ()
