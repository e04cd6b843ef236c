from collections.abc import Iterator
from pathlib import Path

import pytest

from unde_catalog.staging.database import Database
from unde_catalog_tests.exporting import GREEN, RED, Market, checkpoint, files, market


@pytest.fixture
def bakai(db: Database, tmp_path: Path) -> Iterator[Market]:
    with market(db, tmp_path) as opened:
        yield opened


def test_a_copy_has_a_file_a_product_in_its_categorys_folder(bakai: Market) -> None:
    bakai.add(1, RED, GREEN)
    bakai.add(2, GREEN, category="clothing")
    bakai.add(3, RED, category=None)
    ran = bakai.export()
    assert ran.code == 0, ran.err
    assert files(bakai.copy) == {
        "electronics/bakai_1.jpg": RED,
        "clothing/bakai_2.jpg": GREEN,
        "uncategorized/bakai_3.jpg": RED,
    }
    assert checkpoint(bakai.copy) == (["bakai_1", "bakai_2", "bakai_3"], [])
    assert bakai.asked() == ["/1/1", "/2/1", "/3/1"]


def test_a_second_run_asks_for_nothing(bakai: Market) -> None:
    bakai.add(1, RED)
    assert bakai.export().code == 0
    bakai.add(2, GREEN)
    bakai.asked()
    ran = bakai.export("--json")
    assert ran.figures["downloaded"], ran.figures["already_there"] == (1, 1)
    assert bakai.asked() == ["/2/1"]
