"""A small trial of the export with faults and kills, from each of BakaiMarket's two lists.

The first tests show that the checks detect problems.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from unde_catalog.sandbox.bakai.catalogue import BakaiOverrides
from unde_catalog_tests.support.export_trial import run_trial
from unde_catalog_tests.support.export_trial_checks import (
    CHECKPOINT,
    FolderWatcher,
    ListName,
    ProcessRun,
    ServedImages,
    repeated_downloads,
)

pytestmark = pytest.mark.slow

SERVED = ServedImages("api", BakaiOverrides(size=3, photos=1), "bakai.photo:404=0.5", seed=0)
COPIED = [product for product in SERVED.catalogue.products() if SERVED.expected(product) is not None]
FAILED = [product for product in SERVED.catalogue.products() if SERVED.expected(product) is None]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A correct copy."""
    for product in COPIED:
        path = tmp_path / SERVED.file(product)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(SERVED.expected(product) or b"")
    downloaded, failed = ([f"bakai_{product.id}" for product in products] for products in (COPIED, FAILED))
    content = {"timestamp": 1_700_000_000.0, "downloaded": downloaded, "failed": failed}
    (tmp_path / CHECKPOINT).write_text(json.dumps(content))
    return tmp_path


def test_wrong_files_and_checkpoints_are_detected(copy: Path) -> None:
    assert COPIED and FAILED
    assert SERVED.differences(copy) == SERVED.checkpoint_differences(copy) == []
    file = copy / SERVED.file(COPIED[0])
    content = file.read_bytes()
    for wrong in (content[:-1], content[:-1] + b"\0"):
        file.write_bytes(wrong)
        assert "wrong content" in SERVED.differences(copy)[0]
    file.rename(file.with_name("bakai_1.jpg"))
    assert len(SERVED.differences(copy)) == 2
    (copy / SERVED.file(FAILED[0])).write_bytes(content)
    assert len(SERVED.differences(copy)) == 3
    (copy / CHECKPOINT).write_text(json.dumps({"timestamp": 1, "downloaded": [], "failed": []}))
    assert len(SERVED.checkpoint_differences(copy)) == 3


def test_incomplete_and_vanished_files_are_detected(copy: Path) -> None:
    watcher = FolderWatcher(SERVED, copy)
    watcher.check()
    assert watcher.problems == []
    (copy / SERVED.file(FAILED[0])).write_bytes(b"half")
    (copy / SERVED.file(COPIED[0])).unlink()
    watcher.check()
    assert len(watcher.problems) == 2


def test_repeated_downloads_are_detected() -> None:
    product = COPIED[0]
    copied, nothing = frozenset({str(product.id)}), frozenset[str]()

    def request(at: float, **changes: Any) -> dict[str, Any]:
        line = {"time": at, "path": "a", "product": str(product.id), "n": 1, "status": 200, "ms": 1.0}
        return {**line, "bytes": SERVED.response_bytes(product), **changes}

    def count(existing: frozenset[str], *lines: dict[str, Any]) -> int:
        runs = [ProcessRun(0.0, 9.0, None, 0, existing), ProcessRun(10.0, 19.0, 0, 0, existing)]
        return len(list(repeated_downloads(lines, runs, SERVED, max_seconds=2)))

    assert count(nothing, request(1), request(11)) == 0, "the first process was killed before it wrote the file"
    assert count(copied, request(1), request(11)) == 1
    assert count(nothing, request(1), request(2)) == 1
    assert count(nothing, request(1, status=503), request(2, fault="half"), request(3, bytes=7), request(4)) == 0
    assert count(nothing, request(1, n=2)) == 1


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("source", "images", "kills"), [("api", 160, 3), ("bucket", 60, 2)])
def test_a_repeatedly_killed_export_completes_without_repeated_downloads(
    source: ListName, images: int, kills: int, tmp_path: Path
) -> None:
    results = run_trial(images, kills, source, tmp_path)
    assert results["problems"] == []
    assert results["kills"] == kills
    assert results["existing"] >= images * 0.8
    assert results["requests"]["bakai.photo"] >= images
