"""A local copy of BakaiMarket made through faults and SIGKILLs, and compared byte for byte with what was served.

`python -m` this module [IMAGES [api|bucket [KILLS]]] takes 20,000 images, kills ten times and prints figures. What must
hold is `export_trial_checks.py`'s.
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

from unde_catalog.sandbox.bakai.catalogue import BakaiOverrides
from unde_catalog_tests.support.export_trial_checks import Life, ListName, LogTail, Served, Watch, fetched_twice, files
from unde_catalog_tests.support.servers import Sandbox, running_sandbox

# A twentieth of the photos goes wrong, most for some requests, some for good; of the few pages of a list more do.
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
ODD_EVERY = 400  # of so many products five have an odd photo
TIMEOUT = 4.0  # seconds for one photo
EARLY = 5  # of so many kills the last comes while the command starts
DONE, FAULT, SOME_FAILED = 0, 1, 3
_LOOK_SECONDS = 0.01
_MOST_LIVES = 40  # beyond the kills
_LONGEST_LIFE = 3600.0  # seconds


@dataclass(slots=True)
class Trial:
    """A sandbox, a folder that is filled from it, and the lives of the command so far."""

    sandbox: Sandbox
    served: Served
    folder: Path
    log: LogTail
    environment: dict[str, str]
    lives: list[Life] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    said: str = ""

    def live(self, photos: int | None = None, seconds: float | None = None) -> Life:
        """One life of the command: killed after so many photos were asked for in all lives, or after so many seconds
        (neither: to its own end)."""
        began, peak = time.time(), 0
        with (self.folder.parent / "said").open("w+") as said, (self.folder.parent / "told").open("w+") as told:
            command = [COMMAND, "export", "--from", self.served.source, "--json"]
            process = subprocess.Popen(
                [*command, "--output", str(self.folder)], stdout=said, stderr=told, start_new_session=True,
                cwd=self.folder.parent, env={**os.environ, **self.environment},  # no .env of a developer's there
            )  # fmt: skip
            try:
                killed = False
                while not killed and process.poll() is None:
                    peak = max(peak, _peak(process.pid))
                    asked, lived = self.log.read_on(), time.time() - began
                    killed = (photos is not None and asked >= photos) or (seconds is not None and lived >= seconds)
                    assert lived < _LONGEST_LIFE, "the command does not come to an end"
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(0 if killed else _LOOK_SECONDS)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            said.seek(0)
            told.seek(0)
            self.said = said.read()
            code = process.returncode if process.returncode >= 0 else None
            if code not in (None, DONE, FAULT, SOME_FAILED):
                self.problems.append(f"exit code {code}: {told.read()[-2000:]}")
        # What it had asked for when it died is in the log before the next one begins.
        urllib.request.urlopen(f"{self.sandbox.url}/_health", timeout=60).close()
        there = frozenset(file.rpartition("/bakai_")[2].removesuffix(".jpg") for file in files(self.folder))
        life = Life(began, time.time(), code, peak, there)
        self.lives.append(life)
        return life

    @property
    def missing(self) -> int:
        """Files that are not there and could be."""
        goods = self.served.shelf.products()
        return sum(1 for good in goods if not self._is_there(good) and self.served.wanted(good) is not None)

    def _is_there(self, good: Any) -> bool:
        return (self.folder / self.served.file(good)).exists()


def attempt(images: int, kills: int, source: ListName, folder: Path, seed: int = 8) -> dict[str, Any]:
    """Figures of a trial; under `problems` what is not as it must be."""
    terms = BakaiOverrides(size=images, photos=1, odd=ODD_EVERY)
    served = Served(source, terms, FAULTS, seed)
    copy = folder / "copy"
    with running_sandbox(folder / "sandbox", "--faults", FAULTS, "--seed", str(seed)) as sandbox:
        sandbox.control(bakai={"size": terms.size, "photos": terms.photos, "odd": terms.odd})
        log = LogTail(folder / "sandbox" / "requests.jsonl")
        environment = {
            **sandbox.environment,
            "UNDE_HOME": str(folder / "home"),
            "DOWNLOAD_TIMEOUT": f"{TIMEOUT:g}",
        }
        trial = Trial(sandbox, served, copy, log, environment)
        with Watch(served, copy) as watch:
            killed = _kill(trial, kills, images, random.Random(seed))
            left = _to_the_end(trial)
        watch.look()
        log.read_on()
    # The last life went to its end: a checkpoint that was right half-way is not looked at.
    twice = list(fetched_twice(log.photos, trial.lives, served, TIMEOUT / 2))
    wrong = [*trial.problems, *left, *watch.problems, *served.differences(copy), *served.checkpoint_differences(copy)]
    there = len(trial.lives[-1].there)
    seconds = sum(life.ended - life.began for life in trial.lives)
    return {
        "images": images,
        "list": source,
        "there": there,
        "never there (lasting faults, refused)": images - there,
        "kills": killed,
        "lives": len(trial.lives),
        "exit codes": [life.code for life in trial.lives],
        "there after each life": [len(life.there) for life in trial.lives],
        "seconds of all lives": round(seconds, 1),
        "images a second, starts and faults included": round(there / seconds, 1),
        "memory peak, MB": round(max(life.peak for life in trial.lives) / 1e6),
        "requests": dict(log.kinds),
        "faults that struck": dict(log.faults),
        "last life said": json.loads(trial.said or "null"),
        "fetched twice": len(twice),
        "problems": [*wrong, *twice][:50],
    }


def _kill(trial: Trial, kills: int, images: int, rng: random.Random) -> int:
    """Start and kill, and start again; how often it was killed."""
    killed = 0
    # Spread over all of the work: the photos that were asked for when each comes.
    marks = sorted(rng.randrange(images // 50, images) for _ in range(kills))
    for number, mark in enumerate(marks, start=1):
        early = rng.uniform(0.1, 2.0) if number % EARLY == 0 else None
        for _ in range(_MOST_LIVES):
            all_asked = trial.log.read_on() >= mark
            life = trial.live(seconds=early or rng.uniform(0.5, 3.0)) if early or all_asked else trial.live(photos=mark)
            if life.code is None:
                killed += 1
                break
            if all_asked and not trial.missing:
                break  # it is through
    return killed


def _to_the_end(trial: Trial) -> list[str]:
    """Start it again until nothing is missing that could be there; what is left, in words."""
    for _ in range(_MOST_LIVES):
        life = trial.live()
        if life.code in (DONE, SOME_FAILED) and not trial.missing:
            break
    else:
        return [f"{trial.missing} images are missing after {len(trial.lives)} lives"]
    lasting = any(trial.served.wanted(good) is None for good in trial.served.shelf.products())
    wanted = SOME_FAILED if lasting else DONE
    return [] if life.code == wanted else [f"the exit code is {life.code}, not {wanted}"]


def _peak(pid: int) -> int:
    """The most memory that a process has had, in bytes; 0 once it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def main(images: int, source: ListName, kills: int) -> int:
    """1 if anything is not as it must be."""
    with tempfile.TemporaryDirectory(prefix="unde-export-") as folder:
        figures = attempt(images, kills, source, Path(folder))
    print(json.dumps(figures, indent=2))
    return 1 if figures["problems"] else 0


if __name__ == "__main__":
    given = dict(enumerate(sys.argv[1:]))
    named = next(name for name in get_args(ListName) if name == given.get(1, "api"))
    sys.exit(main(int(given.get(0, 20_000)), named, int(given.get(2, 10))))
