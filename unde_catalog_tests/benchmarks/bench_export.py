"""A local copy of photos: `unde-catalog export` beside other downloaders, at 0 and 100 ms, of 30 and 600 KB.

`python -m` this module, about six minutes (`--help` for shorter and longer). The host is nginx on this machine and
shares its cores. All take turns, each as a process of its own; medians are printed. One yardstick for all: from the
first request that the host saw to the last file's time, so that nobody's imports count. Ends with 1 if a goal is
missed; figures of a machine that has other work say little.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.benchmarks import downloaders
from unde_catalog_tests.benchmarks.downloaders import AT_ONCE, img2dataset_command, install_img2dataset
from unde_catalog_tests.benchmarks.measured import Ended, run
from unde_catalog_tests.benchmarks.photo_host import LATENCY, PhotoHost, photo_host
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.servers import PROJECT, Server, wheel_server

PROGRAM = Path(sys.executable).parent / "unde-catalog"
OURS, SEQUENTIAL, THREADS, THEIRS = "unde-catalog export", "requests, one by one", "requests, 10 threads", "img2dataset"
SHARE_OF_BOUND, TIMES_IMG2DATASET, SHARE_OF_BARE, GROWTH = 0.95, 3.0, 0.8, 1.1  # the goals

Command = Callable[[Path, int], Sequence[str | Path]]  # for a folder and a number of photos


@dataclass(frozen=True, slots=True)
class Figures:
    """One run: photos a second, CPU in milliseconds a photo, peak of memory in MB, seconds of the whole process."""

    rate: float
    cpu: float
    peak: float
    seconds: float

    def __str__(self) -> str:
        return f"{self.rate:9.1f}/s {self.cpu:8.2f} ms CPU {self.peak:7.0f} MB   ({self.seconds:.1f} s in all)"


class Course:
    """Photos of one size at one latency, and what copies them."""

    def __init__(self, folder: Path, host: PhotoHost, server: Server, urls: Sequence[str]) -> None:
        self.folder, self.host, self.urls = folder, host, urls
        self.url_file = folder / "urls.txt"
        self.database = server.new_database()
        with Database(self.database) as db:
            execute(
                db,
                "INSERT INTO raw_products (source, external_id, brand, category, scraped_at, original_image_urls)"
                " SELECT 'bakai', 'bakai_' || n, 'bakai', (ARRAY['electronics', 'clothing', 'toys'])[1 + n %% 3],"
                " now(), jsonb_build_array(url) FROM unnest(%s::text[]) WITH ORDINALITY AS one(url, n)",
                list(urls),
            )

    def ours(self, out: Path, count: int) -> Sequence[str | Path]:
        """The command that is measured."""
        return [PROGRAM, "export", "--output", out, "--parallel", str(AT_ONCE), "--limit", str(count), "--json"]

    def of_module(self, mode: str) -> Command:
        """One of our own modes in `downloaders.py`."""
        return lambda out, count: [sys.executable, "-m", downloaders.__name__, mode, self.url_file, out]

    def once(self, command: Command, count: int) -> tuple[Figures, str]:
        """Copy so many photos into a new folder; what that took, and what the program printed."""
        out = self.folder / "out"
        out.mkdir()
        self.url_file.write_text("\n".join(self.urls[:count]))
        self.host.forget()
        ended = self.run(command(out, count))
        first, last = self.host.first_asked(count), 0.0
        for found, file in enumerate(out.rglob("*.jpg"), start=1):
            last = max(last, file.stat().st_mtime)
            assert found < count or file.stat().st_size, "an empty photo"
        shutil.rmtree(out)
        cpu = 1_000 * ended.cpu(first, last) / count
        return Figures(count / (last - first), cpu, ended.peak / 1e6, ended.seconds), ended.printed

    def run(self, command: Sequence[str | Path]) -> Ended:
        """A program in this course's surroundings; AssertionError if it fails."""
        environment = {
            **os.environ, "PYTHONPATH": str(PROJECT), "UNDE_HOME": str(self.folder / "home"), "PROXY_URL": "",
            "STAGING_DB_URL": self.database, "PHOTO_ALLOW_PRIVATE_HOSTS": "true", "NO_ALBUMENTATIONS_UPDATE": "1",
        }  # fmt: skip
        ended = run(command, environment, self.folder)
        assert ended.code == 0, f"{Path(command[0]).name} ended with {ended.code}: {ended.printed[-2_000:]}"
        return ended

    def race(self, entrants: Mapping[str, tuple[Command, int]], rounds: int) -> dict[str, Figures]:
        """All of them in turn, in another order each time, each with its number of photos; medians, printed."""
        runs: dict[str, list[Figures]] = {name: [] for name in entrants}
        for number in range(rounds):
            order = list(entrants)[:: 1 if number % 2 == 0 else -1]
            for name in order:
                runs[name].append(self.once(*entrants[name])[0])
        medians = {name: _median(figures) for name, figures in runs.items()}
        for name, figures in medians.items():
            print(f"  {name:26}{figures}", flush=True)
        return medians


def near(course: Course, count: int, rounds: int, their_program: Path | None) -> list[bool]:
    """At 0 ms: beside all others, and beside the sum of its parts."""
    entrants: dict[str, tuple[Command, int]] = {
        OURS: (course.ours, count),
        SEQUENTIAL: (course.of_module("sequential"), count),
        THREADS: (course.of_module("threads"), count),
    }
    if their_program is not None:
        entrants |= _theirs(course, their_program, count, processes=(1, 2))
    medians = course.race(entrants, rounds)
    said = [json.loads(course.once(course.of_module("bare"), count)[1]) for _ in range(rounds)]
    parts = {name: statistics.median(one[name] for one in said) for name in said[0]}
    bare = 1 / sum(parts.values())
    named = ", ".join(f"{name} {1_000 * seconds:.2f} ms" for name, seconds in parts.items())
    print(f"  the parts, one after the other: {bare:.1f}/s ({named})")
    reached = [_goal(f"{OURS} to the sum of its parts", medians[OURS].rate / bare, SHARE_OF_BARE)]
    theirs = [figures.rate for name, figures in medians.items() if name.startswith(THEIRS)]
    if theirs:
        reached.append(_goal(f"{OURS} to the better img2dataset", medians[OURS].rate / max(theirs), TIMES_IMG2DATASET))
    return reached


def far(course: Course, count: int, rounds: int, their_program: Path | None) -> list[bool]:
    """At 100 ms: beside the bound."""
    entrants: dict[str, tuple[Command, int]] = {
        OURS: (course.ours, count),
        SEQUENTIAL: (course.of_module("sequential"), count // 10),
        THREADS: (course.of_module("threads"), count),
    }
    if their_program is not None:
        entrants |= _theirs(course, their_program, count, processes=(1,))
    bound = AT_ONCE / LATENCY
    return [_goal(f"{OURS} to the bound", course.race(entrants, rounds)[OURS].rate / bound, SHARE_OF_BOUND)]


def memory(folder: Path, host: PhotoHost, server: Server, sizes: Sequence[int]) -> list[bool]:
    """The peak of memory for few and for many (tiny) photos, and of a second run with nothing left to do."""
    peaks: list[float] = []
    for size in sizes:
        place = folder / str(size)
        place.mkdir()
        course = Course(place, host, server, [f"{host.url}/same/{n}.jpg" for n in range(size)])
        command = course.ours(place / "copy", size)
        for which in ("copied", "there already"):
            ended = course.run(command)
            peaks.append(ended.peak / 1e6)
            print(f"  {size:8,} photos {which:14}{peaks[-1]:6.0f} MB {ended.seconds:8.1f} s", flush=True)
        shutil.rmtree(place)
    return [_goal("memory for the most to that for the fewest", max(peaks[2:]) / max(peaks[:2]), GROWTH, at_most=True)]


def main() -> int:
    """Print the figures; 1 if a goal is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--share", type=float, default=1.0, help="of the usual number of photos, e.g. 0.1 for a look")
    parser.add_argument("--many", type=int, default=20_000, help="photos for the look at memory")
    parser.add_argument("--without-img2dataset", action="store_true")
    options = parser.parse_args()
    their_program, reached = None, []
    if not options.without_img2dataset:
        try:
            their_program = install_img2dataset(load_settings().home)
        except RuntimeError as error:
            print(error)
    with tempfile.TemporaryDirectory(prefix="unde-bench-") as backends, wheel_server(18) as server:
        folder = Path(backends)
        try:
            with photo_host(folder / "host") as host:
                for kilobytes, count, late_count in ((30, 1_500, 500), (600, 200, 250)):
                    count, late_count = round(count * options.share), round(late_count * options.share)
                    paths = host.add(kilobytes, max(count, late_count))
                    for late, race, photos in (("", near, count), ("/late", far, late_count)):
                        milliseconds = LATENCY * 1_000 if late else 0
                        print(f"\n{photos:,} photos of {kilobytes} KB at {milliseconds:.0f} ms, {_load()}")
                        alone = host.ceiling(late + paths[0], AT_ONCE, photos)
                        ten_times = host.ceiling(late + paths[0], 10 * AT_ONCE, 2 * photos)
                        print(
                            f"  the host alone: {alone:.0f}/s at {AT_ONCE} at once, {ten_times:.0f}/s at {10 * AT_ONCE}"
                        )
                        course_folder = folder / f"{kilobytes}{late.replace('/', '-')}"
                        course_folder.mkdir()
                        course = Course(course_folder, host, server, [f"{host.url}{late}{path}" for path in paths])
                        reached += race(course, photos, options.rounds, their_program)
                print(f"\nMemory, {_load()}")
                reached += memory(folder, host, server, (1_000, options.many))
        except RuntimeError as error:  # no nginx
            print(error)
            return 1
    return int(not all(reached))


def _theirs(course: Course, program: Path, count: int, processes: Sequence[int]) -> dict[str, tuple[Command, int]]:
    def command(number: int) -> Command:
        return lambda out, photos: img2dataset_command(program, course.url_file, out, photos, number)

    return {f"{THEIRS}, {n} process{'es' if n > 1 else ''}": (command(n), count) for n in processes}


def _median(runs: Sequence[Figures]) -> Figures:
    fields = ("rate", "cpu", "peak", "seconds")
    return Figures(*(statistics.median(getattr(one, field) for one in runs) for field in fields))


def _goal(what: str, ratio: float, goal: float, *, at_most: bool = False) -> bool:
    reached = ratio <= goal if at_most else ratio >= goal
    print(f"  {what}: {ratio:.2f} ({'at most' if at_most else 'at least'} {goal:g}: {'yes' if reached else 'NO'})")
    return reached


def _load() -> str:
    return f"load average {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores"


if __name__ == "__main__":
    sys.exit(main())
