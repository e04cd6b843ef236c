import asyncio
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from unde_catalog.services.export.folder import JOURNAL, UNFINISHED
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.exports import GREEN, RED, Market, checkpoint, files, market
from unde_catalog_tests.support.upstream import hang
from unde_catalog_tests.unit.drawn_photos import saved

COUNT = 40


@pytest.fixture
def bakai(db: Database, tmp_path: Path) -> Iterator[Market]:
    with market(db, tmp_path) as opened:
        for number in range(COUNT):
            opened.add(number, RED)
        yield opened


def asked_for(market: Market) -> set[str]:
    """The files whose photos were asked for since the last time, none of them twice."""
    paths = market.asked()
    assert len(paths) == len(set(paths))
    return {f"electronics/bakai_{path.split('/')[1]}.jpg" for path in paths}


def test_a_killed_run_goes_on_where_it_was_and_asks_for_nothing_twice(bakai: Market) -> None:
    chance = random.Random(8)
    for _ in range(4):
        there = files(bakai.copy)
        assert set(there.values()) <= {RED}
        bakai.asked()
        left = COUNT - len(there)
        assert bakai.struck(chance.randint(1, max(1, left)), signal.SIGKILL).code == -signal.SIGKILL
        assert not asked_for(bakai) & set(there)
    there = files(bakai.copy)
    bakai.asked()
    ran = bakai.export("--json")
    assert ran.code == 0, ran.err
    assert asked_for(bakai) == {f"electronics/bakai_{n}.jpg" for n in range(COUNT)} - set(there)
    assert (ran.figures["downloaded"], ran.figures["already_there"]) == (COUNT - len(there), len(there))
    assert files(bakai.copy) == {f"electronics/bakai_{n}.jpg": RED for n in range(COUNT)}
    assert checkpoint(bakai.copy) == (sorted(f"bakai_{n}" for n in range(COUNT)), [])
    assert not (bakai.copy / UNFINISHED).exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_saves_and_says_how_to_go_on(bakai: Market, number: signal.Signals, code: int) -> None:
    ran = bakai.struck(COUNT // 2, number)
    assert ran.code == code
    assert f"all is saved; go on with: unde-catalog export --output {bakai.copy}" in ran.err
    there = files(bakai.copy)
    assert 0 < len(there) < COUNT // 2
    assert f"downloaded:      {len(there)} of {COUNT}" in ran.out
    assert checkpoint(bakai.copy) == (sorted(f"bakai_{name[18:-4]}" for name in there), [])
    bakai.asked()
    assert bakai.export().code == 0
    assert not asked_for(bakai) & set(there)
    assert len(files(bakai.copy)) == COUNT


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_refresh_that_was_broken_off_does_not_fetch_again_what_it_had(bakai: Market, number: signal.Signals) -> None:
    assert bakai.export().code == 0
    for n in range(COUNT):
        bakai.now_is(n, GREEN)
    bakai.struck(COUNT // 2, number, "--no-skip-existing")
    fresh = {name for name, photo in files(bakai.copy).items() if photo == GREEN}
    assert len(files(bakai.copy)) == COUNT
    bakai.asked()
    ran = bakai.export("--no-skip-existing")
    assert ran.code == 0, ran.err
    assert "what it has fetched is not fetched again" in ran.out
    assert asked_for(bakai) == set(files(bakai.copy)) - fresh
    assert set(files(bakai.copy).values()) == {GREEN}
    bakai.asked()
    assert bakai.export("--no-skip-existing").code == 0
    assert len(asked_for(bakai)) == COUNT


def test_ctrl_c_does_not_wait_for_a_list_that_hangs(bakai: Market) -> None:
    async def struck(writer: asyncio.StreamWriter) -> None:
        assert bakai.process is not None
        os.killpg(bakai.process.pid, signal.SIGINT)
        await hang(writer)

    bakai.host.answer("/v1/products?limit=500", struck)
    keys = {"BAKAI_CDN_ACCESS_KEY": "a", "BAKAI_CDN_SECRET_KEY": "b", "BAKAI_CDN_API_URL": bakai.host.url("")}
    ran = bakai.export("--from", "api", **keys)
    assert ran.code == 130
    assert "Traceback" not in ran.err


def test_two_at_once_are_told_apart(bakai: Market) -> None:
    bakai.strikes = (1, signal.SIGCONT)  # nothing is answered
    first = bakai.begin()
    assert first.stdout is not None
    bakai.wait_until_asked()
    second = bakai.export()
    assert second.code == 1
    assert second.err.startswith(f"another export fills {bakai.copy}: wait for it")
    first.send_signal(signal.SIGINT)
    assert first.wait(60) == 130


def test_a_disk_below_what_is_to_be_left_free_is_told_before_anything_is_fetched(bakai: Market) -> None:
    ran = bakai.export("--keep-free", "1000000000")
    assert ran.code == 4
    assert f"the disk of {bakai.copy} is full:" in ran.err
    assert "go on with: unde-catalog export" in ran.err
    assert bakai.asked() == []


@pytest.fixture
def small_disk(bakai: Market) -> Iterator[Path]:
    """A file system of a megabyte where the copy goes; it needs root."""
    bakai.copy.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(bakai.copy)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk can't be mounted here: this test wants root")
    yield bakai.copy
    subprocess.run(["umount", "-l", str(bakai.copy)], check=True)


@pytest.mark.parametrize("keep_free", ["0", "1"])
def test_a_disk_that_fills_up_stops_the_copy_with_whole_files(bakai: Market, small_disk: Path, keep_free: str) -> None:
    big = saved(Image.frombytes("RGB", (200, 200), random.Random(1).randbytes(200 * 200 * 3)), quality=95)
    assert COUNT * len(big) > 1_100_000
    for n in range(COUNT):
        bakai.now_is(n, big)
    ran = bakai.export("--keep-free", keep_free)
    assert ran.code == 4, ran.err
    assert "Traceback" not in ran.err
    there = files(small_disk)
    assert set(there.values()) <= {big}
    assert "free space or give it more" in ran.err
    assert 0 < len(there) < COUNT
    if keep_free == "1":  # there is room for it
        assert checkpoint(small_disk) == (sorted(f"bakai_{name[18:-4]}" for name in there), [])
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    bakai.asked()
    assert bakai.export("--keep-free", keep_free).code == 0
    assert not asked_for(bakai) & set(there)
    assert files(small_disk) == {f"electronics/bakai_{n}.jpg": big for n in range(COUNT)}
    assert not (small_disk / JOURNAL).read_bytes()
