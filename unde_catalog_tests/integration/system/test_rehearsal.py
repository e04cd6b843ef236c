"""A small rehearsal of an adoption, as `python -m unde_catalog_tests.rehearsal` makes it with all products."""

from pathlib import Path

import pytest

from unde_catalog_tests.rehearsal import rehearse
from unde_catalog_tests.support.servers import Server


@pytest.mark.slow
def test_an_adoption_loses_and_buys_nothing(each_server: Server, tmp_path: Path) -> None:
    result = rehearse(each_server, tmp_path, products=300, with_objects=120, kills=2)
    counted = (
        result.fetched_again, result.inserted_again, result.rows_lost, result.unrecorded, result.refused,
    )  # fmt: skip
    assert counted == (0, 0, 0, 0, 0), result
    assert result.statements > 0 and result.objects > 400
