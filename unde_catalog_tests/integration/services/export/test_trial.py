"""A small trial of the local copy: faults of every kind and kills, from each of BakaiMarket's two lists.

A trial that finds nothing proves nothing unless it would find something: that is looked at first.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from unde_catalog.sandbox.bakai.catalogue import BakaiOverrides
from unde_catalog_tests.support.export_trial import attempt
from unde_catalog_tests.support.export_trial_checks import CHECKPOINT, Life, ListName, Served, Watch, fetched_twice

SERVED = Served("api", BakaiOverrides(size=3, photos=1), "bakai.photo:404=0.5", seed=0)
THERE = [good for good in SERVED.shelf.products() if SERVED.wanted(good) is not None]
NEVER = [good for good in SERVED.shelf.products() if SERVED.wanted(good) is None]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy with nothing wrong about it."""
    for good in THERE:
        path = tmp_path / SERVED.file(good)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(SERVED.wanted(good) or b"")
    downloaded, failed = ([f"bakai_{good.id}" for good in goods] for goods in (THERE, NEVER))
    found = {"timestamp": 1_700_000_000.0, "downloaded": downloaded, "failed": failed}
    (tmp_path / CHECKPOINT).write_text(json.dumps(found))
    return tmp_path


def test_a_copy_with_something_wrong_is_found(copy: Path) -> None:
    assert THERE and NEVER
    assert SERVED.differences(copy) == SERVED.checkpoint_differences(copy) == []
    file = copy / SERVED.file(THERE[0])
    whole = file.read_bytes()
    for wrong in (whole[:-1], whole[:-1] + b"\0"):
        file.write_bytes(wrong)
        assert "other bytes" in SERVED.differences(copy)[0]
    file.rename(file.with_name("bakai_1.jpg"))
    assert len(SERVED.differences(copy)) == 2
    (copy / SERVED.file(NEVER[0])).write_bytes(whole)
    assert len(SERVED.differences(copy)) == 3
    (copy / CHECKPOINT).write_text(json.dumps({"timestamp": 1, "downloaded": [], "failed": []}))
    assert len(SERVED.checkpoint_differences(copy)) == 3


def test_a_half_written_or_vanished_file_is_seen(copy: Path) -> None:
    watch = Watch(SERVED, copy)
    watch.look()
    assert watch.problems == []
    (copy / SERVED.file(NEVER[0])).write_bytes(b"half")
    (copy / SERVED.file(THERE[0])).unlink()
    watch.look()
    assert len(watch.problems) == 2


def test_what_is_fetched_twice_is_found() -> None:
    good = THERE[0]
    here, nothing = frozenset({str(good.id)}), frozenset[str]()

    def asked(at: float, **changed: Any) -> dict[str, Any]:
        line = {"time": at, "path": "a", "product": str(good.id), "n": 1, "status": 200, "ms": 1.0}
        return {**line, "bytes": SERVED.sent_bytes(good), **changed}

    def found(there: frozenset[str], *lines: dict[str, Any]) -> int:
        lives = [Life(0.0, 9.0, None, 0, there), Life(10.0, 19.0, 0, 0, there)]
        return len(list(fetched_twice(lines, lives, SERVED, patience=2)))

    assert found(nothing, asked(1), asked(11)) == 0, "it was killed before it had put it down"
    assert found(here, asked(1), asked(11)) == 1
    assert found(nothing, asked(1), asked(2)) == 1
    assert found(nothing, asked(1, status=503), asked(2, fault="half"), asked(3, bytes=7), asked(4)) == 0
    assert found(nothing, asked(1, n=2)) == 1


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("source", "images", "kills"), [("api", 160, 3), ("bucket", 60, 2)])
def test_a_copy_that_is_killed_is_whole_in_the_end_and_nothing_is_fetched_twice(
    source: ListName, images: int, kills: int, tmp_path: Path
) -> None:
    figures = attempt(images, kills, source, tmp_path)
    assert figures["problems"] == []
    assert figures["kills"] == kills
    assert figures["there"] >= images * 0.8
    assert figures["requests"]["bakai.photo"] >= images
