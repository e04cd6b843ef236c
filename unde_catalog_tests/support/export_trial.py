"""Exports BakaiMarket's images through faults and SIGKILLs, and compares the copy with what was served.

`python -m` this module [IMAGES [api|bucket [KILLS]]]: 20,000 images and ten kills by default. Prints the results.
`export_trial_checks.py` has the checks.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from unde_catalog.sandbox.bakai.catalogue import BakaiOverrides, BakaiProduct
from unde_catalog_tests.support.export_trial_checks import (
    FolderWatcher,
    ListName,
    LogTail,
    ProcessRun,
    ServedImages,
    files,
    repeated_downloads,
)
from unde_catalog_tests.support.servers import Sandbox, running_sandbox

# One in twenty photos fails, most of them temporarily. Of the few pages of a list, more fail.
FAULTS = ",".join(
    [
        "bakai.photo:404=0.003,bakai.photo:html=0.002,bakai.photo:half=0.001,bakai.photo:too-large=0.001",
        "bakai.photo:bomb=0.001,bakai.photo:brd-error=0.001,bakai.photo:503x2=0.005,bakai.photo:429x1=0.004",
        "bakai.photo:429-in-2x1=0.002,bakai.photo:truncatedx2=0.005,bakai.photo:resetx1=0.004",
        "bakai.photo:lostx1=0.003,bakai.photo:timeoutx1=0.001,bakai.photo:dripx1=0.001",
        "bakai.photo:length-longx1=0.003,bakai.photo:length-shortx1=0.002,bakai.photo:halfx1=0.003",
        "bakai.photo:htmlx1=0.002,bakai.photo:html-as-jpegx1=0.002,bakai.photo:endlessx1=0.001",
        "bakai.photo:emptyx1=0.001,bakai.photo:late-1x2=0.001,bakai.photo:403x1=0.001",
        *(
            f"{kind}:503x1=0.05,{kind}:429x1=0.05,{kind}:resetx1=0.04,{kind}:truncatedx1=0.04,{kind}:lostx1=0.03,"
            f"{kind}:not-jsonx1=0.03,{kind}:htmlx1=0.03,{kind}:wrong-typesx1=0.03"
            for kind in ("bakai.products", "bakai.list")
        ),
    ]
)
COMMAND = str(Path(sys.executable).with_name("unde-catalog"))
ODD_EVERY = 400  # five in this number of products have an unusual photo
TIMEOUT = 4.0  # seconds for one photo
EARLY_KILL_EVERY = 5  # each fifth kill comes while the command starts
DONE, FAILED, SOME_FAILED = 0, 1, 3
_POLL_SECONDS = 0.01
_MAX_RUNS = 40  # beyond the kills
_RUN_TIMEOUT = 3600.0  # seconds


@dataclass(slots=True)
class Trial:
    """A sandbox, the folder that is filled from it, and the processes of the command so far."""

    sandbox: Sandbox
    served: ServedImages
    folder: Path
    log: LogTail
    environment: dict[str, str]
    runs: list[ProcessRun] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    output: str = ""

    def run(self, photos: int | None = None, seconds: float | None = None) -> ProcessRun:
        """Run the command. Kill it after this total number of photo requests of all runs, or after these seconds."""
        started, peak = time.time(), 0
        with (self.folder.parent / "out").open("w+") as out, (self.folder.parent / "err").open("w+") as err:
            command = [COMMAND, "export", "--from", self.served.source, "--json"]
            process = subprocess.Popen(
                [*command, "--output", str(self.folder)], stdout=out, stderr=err, start_new_session=True,
                cwd=self.folder.parent, env={**os.environ, **self.environment},  # no .env of the developer
            )  # fmt: skip
            try:
                killed = False
                while not killed and process.poll() is None:
                    peak = max(peak, _peak_memory(process.pid))
                    requested, elapsed = self.log.read(), time.time() - started
                    killed = (photos is not None and requested >= photos) or (
                        seconds is not None and elapsed >= seconds
                    )
                    assert elapsed < _RUN_TIMEOUT, "the command does not finish"
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(0 if killed else _POLL_SECONDS)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            out.seek(0)
            err.seek(0)
            self.output = out.read()
            code = process.returncode if process.returncode >= 0 else None
            if code not in (None, DONE, FAILED, SOME_FAILED):
                self.problems.append(f"exit code {code}: {err.read()[-2000:]}")
        # After this request the log has all requests of the process.
        urllib.request.urlopen(f"{self.sandbox.url}/_health", timeout=60).close()
        existing = frozenset(file.rpartition("/bakai_")[2].removesuffix(".jpg") for file in files(self.folder))
        run = ProcessRun(started, time.time(), code, peak, existing)
        self.runs.append(run)
        return run

    @property
    def missing(self) -> int:
        """The number of expected files that do not exist."""
        products = self.served.catalogue.products()
        return sum(1 for product in products if not self._exists(product) and self.served.expected(product) is not None)

    def _exists(self, product: BakaiProduct) -> bool:
        return (self.folder / self.served.file(product)).exists()


def run_trial(images: int, kills: int, source: ListName, folder: Path, seed: int = 8) -> dict[str, Any]:
    """The results of a trial. `problems` lists everything that is wrong."""
    overrides = BakaiOverrides(size=images, photos=1, odd=ODD_EVERY)
    served = ServedImages(source, overrides, FAULTS, seed)
    copy = folder / "copy"
    with running_sandbox(folder / "sandbox", "--faults", FAULTS, "--seed", str(seed)) as sandbox:
        sandbox.control(bakai={"size": overrides.size, "photos": overrides.photos, "odd": overrides.odd})
        log = LogTail(folder / "sandbox" / "requests.jsonl")
        environment = {
            **sandbox.environment,
            "UNDE_HOME": str(folder / "home"),
            "DOWNLOAD_TIMEOUT": f"{TIMEOUT:g}",
        }
        trial = Trial(sandbox, served, copy, log, environment)
        with FolderWatcher(served, copy) as watcher:
            killed = _run_with_kills(trial, kills, images, random.Random(seed))
            incomplete = _run_to_completion(trial)
        watcher.check()
        log.read()
    repeated = list(repeated_downloads(log.photos, trial.runs, served, TIMEOUT / 2))
    # The checkpoint is compared after the last run only, which was not killed.
    differences = [*served.differences(copy), *served.checkpoint_differences(copy)]
    existing = len(trial.runs[-1].existing)
    seconds = sum(run.ended - run.started for run in trial.runs)
    return {
        "images": images,
        "list": source,
        "existing": existing,
        "never existing (permanent faults, invalid)": images - existing,
        "kills": killed,
        "runs": len(trial.runs),
        "exit codes": [run.code for run in trial.runs],
        "existing after each run": [len(run.existing) for run in trial.runs],
        "seconds of all runs": round(seconds, 1),
        "images per second, with starts and faults": round(existing / seconds, 1),
        "peak memory, MB": round(max(run.peak for run in trial.runs) / 1e6),
        "requests": dict(log.kinds),
        "faults": dict(log.faults),
        "output of the last run": json.loads(trial.output or "null"),
        "repeated downloads": len(repeated),
        "problems": [*trial.problems, *incomplete, *watcher.problems, *differences, *repeated][:50],
    }


def _run_with_kills(trial: Trial, kills: int, images: int, rng: random.Random) -> int:
    """Run the command again and again and kill it. Returns the number of kills."""
    killed = 0
    # Numbers of photo requests at which to kill, spread over the whole export.
    marks = sorted(rng.randrange(images // 50, images) for _ in range(kills))
    for number, mark in enumerate(marks, start=1):
        early = rng.uniform(0.1, 2.0) if number % EARLY_KILL_EVERY == 0 else None
        for _ in range(_MAX_RUNS):
            passed = trial.log.read() >= mark
            run = trial.run(seconds=early or rng.uniform(0.5, 3.0)) if early or passed else trial.run(photos=mark)
            if run.code is None:
                killed += 1
                break
            if passed and not trial.missing:
                break  # the copy is complete
    return killed


def _run_to_completion(trial: Trial) -> list[str]:
    """Run the command until no expected file is missing. Returns problems."""
    for _ in range(_MAX_RUNS):
        run = trial.run()
        if run.code in (DONE, SOME_FAILED) and not trial.missing:
            break
    else:
        return [f"{trial.missing} images are missing after {len(trial.runs)} runs"]
    some_fail = any(trial.served.expected(product) is None for product in trial.served.catalogue.products())
    expected = SOME_FAILED if some_fail else DONE
    return [] if run.code == expected else [f"the exit code is {run.code}, expected {expected}"]


def _peak_memory(pid: int) -> int:
    """The peak memory of a process in bytes. 0 if it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def main(images: int, source: ListName, kills: int) -> int:
    """The exit code: 1 if there are problems."""
    with tempfile.TemporaryDirectory(prefix="unde-export-") as folder:
        results = run_trial(images, kills, source, Path(folder))
    print(json.dumps(results, indent=2))
    return 1 if results["problems"] else 0


if __name__ == "__main__":
    arguments = dict(enumerate(sys.argv[1:]))
    list_name = next(name for name in get_args(ListName) if name == arguments.get(1, "api"))
    sys.exit(main(int(arguments.get(0, 20_000)), list_name, int(arguments.get(2, 10))))
