"""Compares `unde-catalog export` with other downloaders, at 0 and 100 ms latency, with photos of 30 and 600 KB.

It takes about six minutes (see `--help`). The host is nginx on this machine and shares its cores. All downloaders take
turns, each in its own process, and medians are printed. Time counts from the first request at the host to the last
file, so that imports do not count. Exits with 1 if a goal is missed. Run it on an otherwise idle machine.
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
from unde_catalog_tests.benchmarks.measured import ProgramResult, run
from unde_catalog_tests.benchmarks.photo_host import LATENCY, PhotoHost, photo_host
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.servers import PROJECT, Server, wheel_server

PROGRAM = Path(sys.executable).parent / "unde-catalog"
OURS, SEQUENTIAL, THREADS, THEIRS = "unde-catalog export", "requests, one by one", "requests, 10 threads", "img2dataset"
SHARE_OF_BOUND, TIMES_IMG2DATASET, SHARE_OF_BARE, GROWTH = 0.95, 3.0, 0.8, 1.1  # the goals

Command = Callable[[Path, int], Sequence[str | Path]]  # for a folder and a number of photos


@dataclass(frozen=True, slots=True)
class Figures:
    """One run: photos per second, CPU milliseconds per photo, peak memory in MB, and seconds of the whole process."""

    rate: float
    cpu: float
    peak: float
    seconds: float

    def __str__(self) -> str:
        return f"{self.rate:9.1f}/s {self.cpu:8.2f} ms CPU {self.peak:7.0f} MB   ({self.seconds:.1f} s in all)"


class Setup:
    """Photos of one size at one latency, and the programs that copy them."""

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
        """The measured command."""
        return [PROGRAM, "export", "--output", out, "--parallel", str(AT_ONCE), "--limit", str(count), "--json"]

    def of_module(self, mode: str) -> Command:
        """One of the modes in `downloaders.py`."""
        return lambda out, count: [sys.executable, "-m", downloaders.__name__, mode, self.url_file, out]

    def once(self, command: Command, count: int) -> tuple[Figures, str]:
        """Copy photos to a new folder. Returns the figures and the program's output."""
        out = self.folder / "out"
        out.mkdir()
        self.url_file.write_text("\n".join(self.urls[:count]))
        self.host.clear_log()
        result = self.run(command(out, count))
        first, last = self.host.first_request_at(count), 0.0
        for found, file in enumerate(out.rglob("*.jpg"), start=1):
            last = max(last, file.stat().st_mtime)
            assert found < count or file.stat().st_size, "an empty photo"
        shutil.rmtree(out)
        cpu = 1_000 * result.cpu(first, last) / count
        return Figures(count / (last - first), cpu, result.peak / 1e6, result.seconds), result.printed

    def run(self, command: Sequence[str | Path]) -> ProgramResult:
        """Run a program with this setup. Raises AssertionError if it fails."""
        environment = {
            **os.environ, "PYTHONPATH": str(PROJECT), "UNDE_HOME": str(self.folder / "home"), "PROXY_URL": "",
            "STAGING_DB_URL": self.database, "PHOTO_ALLOW_PRIVATE_HOSTS": "true", "NO_ALBUMENTATIONS_UPDATE": "1",
        }  # fmt: skip
        result = run(command, environment, self.folder)
        assert result.code == 0, f"{Path(command[0]).name} ended with {result.code}: {result.printed[-2_000:]}"
        return result

    def race(self, entrants: Mapping[str, tuple[Command, int]], rounds: int) -> dict[str, Figures]:
        """Run all programs in turn, in varying order, each with its number of photos, and print medians."""
        runs: dict[str, list[Figures]] = {name: [] for name in entrants}
        for number in range(rounds):
            order = list(entrants)[:: 1 if number % 2 == 0 else -1]
            for name in order:
                runs[name].append(self.once(*entrants[name])[0])
        medians = {name: _median(figures) for name, figures in runs.items()}
        for name, figures in medians.items():
            print(f"  {name:26}{figures}", flush=True)
        return medians


def near(setup: Setup, count: int, rounds: int, their_program: Path | None) -> list[bool]:
    """At 0 ms: compare with the others and with the sum of the parts."""
    entrants: dict[str, tuple[Command, int]] = {
        OURS: (setup.ours, count),
        SEQUENTIAL: (setup.of_module("sequential"), count),
        THREADS: (setup.of_module("threads"), count),
    }
    if their_program is not None:
        entrants |= _other_downloaders(setup, their_program, count, processes=(1, 2))
    medians = setup.race(entrants, rounds)
    output = [json.loads(setup.once(setup.of_module("bare"), count)[1]) for _ in range(rounds)]
    parts = {name: statistics.median(one[name] for one in output) for name in output[0]}
    bare = 1 / sum(parts.values())
    named = ", ".join(f"{name} {1_000 * seconds:.2f} ms" for name, seconds in parts.items())
    print(f"  the parts, one after the other: {bare:.1f}/s ({named})")
    reached = [_goal(f"{OURS} to the sum of its parts", medians[OURS].rate / bare, SHARE_OF_BARE)]
    other_downloaders = [figures.rate for name, figures in medians.items() if name.startswith(THEIRS)]
    if other_downloaders:
        reached.append(
            _goal(f"{OURS} to the better img2dataset", medians[OURS].rate / max(other_downloaders), TIMES_IMG2DATASET)
        )
    return reached


def far(setup: Setup, count: int, rounds: int, their_program: Path | None) -> list[bool]:
    """At 100 ms: compare with the limit."""
    entrants: dict[str, tuple[Command, int]] = {
        OURS: (setup.ours, count),
        SEQUENTIAL: (setup.of_module("sequential"), count // 10),
        THREADS: (setup.of_module("threads"), count),
    }
    if their_program is not None:
        entrants |= _other_downloaders(setup, their_program, count, processes=(1,))
    bound = AT_ONCE / LATENCY
    return [_goal(f"{OURS} to the bound", setup.race(entrants, rounds)[OURS].rate / bound, SHARE_OF_BOUND)]


def memory(folder: Path, host: PhotoHost, server: Server, sizes: Sequence[int]) -> list[bool]:
    """Peak memory for few and for many tiny photos, and for a second run without work."""
    peaks: list[float] = []
    for size in sizes:
        copy_folder = folder / str(size)
        copy_folder.mkdir()
        setup = Setup(copy_folder, host, server, [f"{host.url}/same/{n}.jpg" for n in range(size)])
        command = setup.ours(copy_folder / "copy", size)
        for which in ("copied", "there already"):
            result = setup.run(command)
            peaks.append(result.peak / 1e6)
            print(f"  {size:8,} photos {which:14}{peaks[-1]:6.0f} MB {result.seconds:8.1f} s", flush=True)
        shutil.rmtree(copy_folder)
    return [_goal("memory for the most to that for the fewest", max(peaks[2:]) / max(peaks[:2]), GROWTH, at_most=True)]


def main() -> int:
    """Print the figures. Returns 1 if a goal is missed."""
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
                        setup_folder = folder / f"{kilobytes}{late.replace('/', '-')}"
                        setup_folder.mkdir()
                        setup = Setup(setup_folder, host, server, [f"{host.url}{late}{path}" for path in paths])
                        reached += race(setup, photos, options.rounds, their_program)
                print(f"\nMemory, {_load()}")
                reached += memory(folder, host, server, (1_000, options.many))
        except RuntimeError as error:  # no nginx
            print(error)
            return 1
    return int(not all(reached))


def _other_downloaders(
    setup: Setup, program: Path, count: int, processes: Sequence[int]
) -> dict[str, tuple[Command, int]]:
    def command(number: int) -> Command:
        return lambda out, photos: img2dataset_command(program, setup.url_file, out, photos, number)

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
