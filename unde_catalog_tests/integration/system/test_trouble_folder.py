"""Failures of the object folder during a run: read-only, full, moved away, disk unmounted."""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from unde_catalog_tests.support.outages import Baseline, Pipeline, run_stages

pytestmark = pytest.mark.slow

AT = 5  # the put at which the failure begins
STAGES = ("originals", "collages")


class Disk:
    """A small file system mounted at `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._mount("-t", "tmpfs", "-o", "size=8m,mode=755", "none", folder)
        self._filler = folder / "fill"

    def _mount(self, *arguments: str | Path) -> None:
        result = subprocess.run(["mount", *arguments], capture_output=True, text=True)
        if result.returncode:
            pytest.skip(f"no file system can be mounted here: {result.stderr.strip()}")

    def make_read_only(self) -> None:
        self._mount("-o", "remount,ro", self.folder)

    def make_writable(self) -> None:
        self._mount("-o", "remount,rw", self.folder)

    def fill(self) -> None:
        with self._filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 4096)
            except OSError as error:
                assert error.errno == errno.ENOSPC

    def free_space(self) -> None:
        self._filler.unlink()

    def unmount(self) -> None:
        """Unmount the file system by force. Its files remain available in the folder `elsewhere`."""
        elsewhere = self.folder.with_name("elsewhere")
        elsewhere.mkdir()
        self._mount("--bind", self.folder, elsewhere)
        subprocess.run(["umount", "-l", self.folder], check=True)

    def remount(self) -> None:
        self._mount("--bind", self.folder.with_name("elsewhere"), self.folder)

    def unmount_all(self) -> None:
        for folder in (self.folder, self.folder.with_name("elsewhere")):
            with suppress(subprocess.CalledProcessError):
                while os.path.ismount(folder):
                    subprocess.run(["umount", "-l", folder], check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk")
    yield disk
    disk.unmount_all()


@pytest.fixture
def pipeline(disk: Disk, open_pipeline: Callable[..., Pipeline]) -> Pipeline:
    """A pipeline with its objects on the disk."""
    return open_pipeline(objects=disk.folder / "objects", UNDE_HOME=str(disk.folder))


TROUBLE = {
    "read-only": (Disk.make_read_only, Disk.make_writable, ["the file system is read-only: mount it"]),
    "full": (Disk.fill, Disk.free_space, ["the disk is full: free space"]),
    "unmounted": (Disk.unmount, Disk.remount, ["is missing or can't be read: is its disk mounted?"]),
}


@pytest.mark.parametrize(("stage", "cause"), [*(("originals", cause) for cause in TROUBLE), ("collages", "full")])
def test_a_failing_disk_stops_the_stage_until_it_is_repaired(
    pipeline: Pipeline, disk: Disk, baseline: Baseline, stage: str, cause: str
) -> None:
    break_disk, repair_disk, message = TROUBLE[cause]
    run_stages(pipeline, *("raw_products", "originals")[: 1 + STAGES.index(stage)])
    pipeline.run(stage, limit=2)
    pipeline.at_put(AT, lambda: break_disk(disk))
    for _ in range(2):  # the failure stops this run and the next one
        pipeline.expect_stop(stage, str(disk.folder), *message)
        pipeline.assert_nothing_leased()
        pipeline.assert_no_attempts()
        pipeline.reconnect()
    repair_disk(disk)
    pipeline.finish_and_equal(baseline, *STAGES[STAGES.index(stage) :])


def test_a_folder_that_was_moved_away_is_not_created_again(
    open_pipeline: Callable[..., Pipeline], baseline: Baseline
) -> None:
    pipeline = run_stages(open_pipeline())
    pipeline.run("originals", limit=2)
    folder = pipeline.backends.objects_folder
    pipeline.at_put(AT, lambda: folder.rename(folder.with_name("elsewhere")))
    for _ in range(2):  # this run and the next one
        pipeline.expect_stop("originals", f"{folder} is missing or can't be read: is its disk mounted?")
        pipeline.assert_nothing_leased()
        pipeline.assert_no_attempts()
        pipeline.reconnect()
    assert not folder.exists()
    folder.with_name("elsewhere").rename(folder)
    pipeline.finish_and_equal(baseline, *STAGES)
