"""The folder of objects in trouble in the middle of a run: read-only, full, moved away, its disk unmounted."""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from unde_catalog_tests.support.outages import Line, Undisturbed, collected

pytestmark = pytest.mark.slow

AT = 5  # the put at which it begins
STAGES = ("originals", "collages")


class Disk:
    """A small file system of its own below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._mount("-t", "tmpfs", "-o", "size=8m,mode=755", "none", folder)
        self._fill = folder / "fill"

    def _mount(self, *arguments: str | Path) -> None:
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")

    def becomes_read_only(self) -> None:
        self._mount("-o", "remount,ro", self.folder)

    def is_writable_again(self) -> None:
        self._mount("-o", "remount,rw", self.folder)

    def becomes_full(self) -> None:
        with self._fill.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 4096)
            except OSError as error:
                assert error.errno == errno.ENOSPC

    def has_space_again(self) -> None:
        self._fill.unlink()

    def goes_away(self) -> None:
        """Unmounted by force: what lies on it is on its other place, `elsewhere`, only."""
        elsewhere = self.folder.with_name("elsewhere")
        elsewhere.mkdir()
        self._mount("--bind", self.folder, elsewhere)
        subprocess.run(["umount", "-l", self.folder], check=True)

    def comes_back(self) -> None:
        self._mount("--bind", self.folder.with_name("elsewhere"), self.folder)

    def end(self) -> None:
        for folder in (self.folder, self.folder.with_name("elsewhere")):
            with suppress(subprocess.CalledProcessError):
                while os.path.ismount(folder):
                    subprocess.run(["umount", "-l", folder], check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk")
    yield made
    made.end()


@pytest.fixture
def on_disk(disk: Disk, open_line: Callable[..., Line]) -> Line:
    """A line whose objects are on it."""
    return open_line(objects=disk.folder / "objects", UNDE_HOME=str(disk.folder))


TROUBLE = {
    "read-only": (Disk.becomes_read_only, Disk.is_writable_again, ["the file system is read-only: mount it"]),
    "full": (Disk.becomes_full, Disk.has_space_again, ["the disk is full: free space"]),
    "unmounted": (Disk.goes_away, Disk.comes_back, ["is missing or can't be read: is its disk mounted?"]),
}


@pytest.mark.parametrize(("stage", "cause"), [*(("originals", cause) for cause in TROUBLE), ("collages", "full")])
def test_a_disk_in_trouble_stops_the_stage_and_the_same_command_finishes_when_it_is_well(
    on_disk: Line, disk: Disk, undisturbed: Undisturbed, stage: str, cause: str
) -> None:
    begins, ends, said = TROUBLE[cause]
    collected(on_disk, *("raw_products", "originals")[: 1 + STAGES.index(stage)])
    on_disk.run(stage, limit=2)
    on_disk.at_put(AT, lambda: begins(disk))
    for _ in range(2):  # it stops a run in the middle, and the next one again
        on_disk.stopped(stage, str(disk.folder), *said)
        on_disk.nothing_is_leased()
        on_disk.nothing_was_tried()
        on_disk.reconnect()
    ends(disk)
    on_disk.finishes_as(undisturbed, *STAGES[STAGES.index(stage) :])


def test_a_folder_that_was_moved_away_is_not_made_anew(
    open_line: Callable[..., Line], undisturbed: Undisturbed
) -> None:
    line = collected(open_line())
    line.run("originals", limit=2)
    folder = line.place.objects_folder
    line.at_put(AT, lambda: folder.rename(folder.with_name("elsewhere")))
    for _ in range(2):  # the run in the middle of which it goes, and the next one
        line.stopped("originals", f"{folder} is missing or can't be read: is its disk mounted?")
        line.nothing_is_leased()
        line.nothing_was_tried()
        line.reconnect()
    assert not folder.exists()
    folder.with_name("elsewhere").rename(folder)
    line.finishes_as(undisturbed, *STAGES)
