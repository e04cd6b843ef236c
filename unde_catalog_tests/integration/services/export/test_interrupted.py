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
from unde_catalog_tests.support.exports import GREEN, RED, Marketplace, checkpoint, files, open_marketplace
from unde_catalog_tests.support.upstream import hang
from unde_catalog_tests.unit.drawn_photos import saved

pytestmark = pytest.mark.slow

COUNT = 40


@pytest.fixture
def bakai(db: Database, tmp_path: Path) -> Iterator[Marketplace]:
    with open_marketplace(db, tmp_path) as marketplace:
        for number in range(COUNT):
            marketplace.add(number, RED)
        yield marketplace


def requested_files(marketplace: Marketplace) -> set[str]:
    """The files whose photos were requested since the last call, each at most once."""
    paths = marketplace.requested()
    assert len(paths) == len(set(paths))
    return {f"electronics/bakai_{path.split('/')[1]}.jpg" for path in paths}


def test_a_killed_run_is_resumed_without_repeated_downloads(bakai: Marketplace) -> None:
    rng = random.Random(8)
    for _ in range(4):
        existing = files(bakai.copy)
        assert set(existing.values()) <= {RED}
        bakai.requested()
        missing = COUNT - len(existing)
        assert bakai.export_with_signal(rng.randint(1, max(1, missing)), signal.SIGKILL).code == -signal.SIGKILL
        assert not requested_files(bakai) & set(existing)
    existing = files(bakai.copy)
    bakai.requested()
    result = bakai.export("--json")
    assert result.code == 0, result.err
    assert requested_files(bakai) == {f"electronics/bakai_{n}.jpg" for n in range(COUNT)} - set(existing)
    assert (result.totals["downloaded"], result.totals["already_there"]) == (COUNT - len(existing), len(existing))
    assert files(bakai.copy) == {f"electronics/bakai_{n}.jpg": RED for n in range(COUNT)}
    assert checkpoint(bakai.copy) == (sorted(f"bakai_{n}" for n in range(COUNT)), [])
    assert not (bakai.copy / UNFINISHED).exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_saves_and_says_how_to_continue(
    bakai: Marketplace, number: signal.Signals, code: int
) -> None:
    result = bakai.export_with_signal(COUNT // 2, number)
    assert result.code == code
    assert f"progress is saved; continue with: unde-catalog export --output {bakai.copy}" in result.err
    existing = files(bakai.copy)
    assert 0 < len(existing) < COUNT // 2
    assert f"downloaded:      {len(existing)} of {COUNT}" in result.out
    assert checkpoint(bakai.copy) == (sorted(f"bakai_{name[18:-4]}" for name in existing), [])
    bakai.requested()
    assert bakai.export().code == 0
    assert not requested_files(bakai) & set(existing)
    assert len(files(bakai.copy)) == COUNT


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_refresh_does_not_repeat_its_downloads(bakai: Marketplace, number: signal.Signals) -> None:
    assert bakai.export().code == 0
    for n in range(COUNT):
        bakai.replace_photo(n, GREEN)
    bakai.export_with_signal(COUNT // 2, number, "--no-skip-existing")
    refreshed = {name for name, photo in files(bakai.copy).items() if photo == GREEN}
    assert len(files(bakai.copy)) == COUNT
    bakai.requested()
    result = bakai.export("--no-skip-existing")
    assert result.code == 0, result.err
    assert "Its downloads are not repeated." in result.out
    assert requested_files(bakai) == set(files(bakai.copy)) - refreshed
    assert set(files(bakai.copy).values()) == {GREEN}
    bakai.requested()
    assert bakai.export("--no-skip-existing").code == 0
    assert len(requested_files(bakai)) == COUNT


def test_ctrl_c_does_not_wait_for_a_hanging_list(bakai: Marketplace) -> None:
    async def interrupt(writer: asyncio.StreamWriter) -> None:
        assert bakai.process is not None
        os.killpg(bakai.process.pid, signal.SIGINT)
        await hang(writer)

    bakai.host.respond("/v1/products?limit=500", interrupt)
    keys = {"BAKAI_CDN_ACCESS_KEY": "a", "BAKAI_CDN_SECRET_KEY": "b", "BAKAI_CDN_API_URL": bakai.host.url("")}
    result = bakai.export("--from", "api", **keys)
    assert result.code == 130
    assert "Traceback" not in result.err


def test_a_second_export_to_the_same_folder_is_rejected(bakai: Marketplace) -> None:
    bakai.signal_at = (1, signal.SIGCONT)  # no request is answered
    first = bakai.start()
    assert first.stdout is not None
    bakai.wait_for_request()
    second = bakai.export()
    assert second.code == 1
    assert second.err.startswith(f"another export is writing to {bakai.copy}: wait for it")
    first.send_signal(signal.SIGINT)
    assert first.wait(60) == 130


def test_too_little_disk_space_is_reported_before_any_download(bakai: Marketplace) -> None:
    result = bakai.export("--keep-free", "1000000000")
    assert result.code == 4
    assert f"the disk of {bakai.copy} is full:" in result.err
    assert "continue with: unde-catalog export" in result.err
    assert bakai.requested() == []


@pytest.fixture
def small_disk(bakai: Marketplace) -> Iterator[Path]:
    """A file system of one megabyte at the output folder. Needs root."""
    bakai.copy.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(bakai.copy)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    yield bakai.copy
    subprocess.run(["umount", "-l", str(bakai.copy)], check=True)


@pytest.mark.parametrize("keep_free", ["0", "1"])
def test_a_full_disk_stops_the_copy_with_complete_files(bakai: Marketplace, small_disk: Path, keep_free: str) -> None:
    big = saved(Image.frombytes("RGB", (200, 200), random.Random(1).randbytes(200 * 200 * 3)), quality=95)
    assert COUNT * len(big) > 1_100_000
    for n in range(COUNT):
        bakai.replace_photo(n, big)
    result = bakai.export("--keep-free", keep_free)
    assert result.code == 4, result.err
    assert "Traceback" not in result.err
    existing = files(small_disk)
    assert set(existing.values()) <= {big}
    assert "is full" in result.err
    assert 0 < len(existing) < COUNT
    if keep_free == "1":  # the checkpoint fits
        assert checkpoint(small_disk) == (sorted(f"bakai_{name[18:-4]}" for name in existing), [])
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    bakai.requested()
    assert bakai.export("--keep-free", keep_free).code == 0
    assert not requested_files(bakai) & set(existing)
    assert files(small_disk) == {f"electronics/bakai_{n}.jpg": big for n in range(COUNT)}
    assert not (small_disk / JOURNAL).read_bytes()
