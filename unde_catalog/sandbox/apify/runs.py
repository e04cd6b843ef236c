"""Runs of the sandbox's Apify tasks, and what the next scrape will find; kept across restarts in one JSON file.

A run has no timer: its state is read off the clock, so a restarted sandbox goes on where it was. No HTTP here.
"""

import json
import os
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from unde_catalog.sandbox.identity import TASK_IDS, stable_id

RunStatus = Literal["READY", "RUNNING", "SUCCEEDED", "FAILED", "TIMED-OUT", "ABORTED"]
ENDINGS: tuple[RunStatus, ...] = ("SUCCEEDED", "FAILED", "TIMED-OUT", "ABORTED", "RUNNING")
_ENDLESS = 10 * 365 * 86_400.0  # seconds: a run whose "ending" is RUNNING
_KEPT = 1000


@dataclass(slots=True)
class Changes:
    """How a brand's catalogue differs from its source: prices in fils, ids that left, photo versions; by product id."""

    price: dict[str, int] = field(default_factory=dict)
    drop: list[str] = field(default_factory=list)
    photos: dict[str, str] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether there is anything to change."""
        return bool(self.price or self.drop or self.photos)


@dataclass(slots=True)
class Trouble:
    """What goes wrong at Apify for a brand from now on; forgotten by a restart.

    `lose_start_answers`: so many starts begin a run and cut the connection instead of answering. `late_items`: the
    seconds for which a dataset lacks a fifth of its items after its run's end. `pages`: "repeat" (every page is the
    first), "grow" or "shrink" (half of the items at the first look, or from the second look on).
    """

    lose_start_answers: int = 0
    late_items: float = 0.0
    pages: Literal["", "repeat", "grow", "shrink"] = ""


@dataclass(slots=True)
class Run:
    """A started run. Times are seconds since the epoch; `ending` is the status it has from `ends_at` on."""

    id: str
    number: int
    brand: str
    started_at: float
    ends_at: float
    ending: RunStatus
    user_agent: str
    client_ip: str
    body_bytes: int
    changes: Changes

    @property
    def dataset_id(self) -> str:
        """Its default dataset."""
        return stable_id("dataset", self.id)

    @property
    def task_id(self) -> str:
        """The task it was started from."""
        return TASK_IDS[self.brand]

    def status(self, now: float) -> RunStatus:
        """READY for the first fifth of its time (a second at most), then RUNNING, then its ending."""
        if now >= self.ends_at:
            return self.ending
        return "READY" if now < self.started_at + min((self.ends_at - self.started_at) / 5, 1.0) else "RUNNING"

    def share_written(self, now: float) -> float:
        """The share of its items that its dataset holds: a dataset grows while its run is at work."""
        if self.status(now) == "SUCCEEDED":
            return 1.0
        length = max(self.ends_at - self.started_at, 1e-9)
        elapsed = min(max((now - self.started_at) / length, 0.0), 1.0)
        return min(max((elapsed - 0.2) / 0.8, 0.0), 1.0) * (1.0 if self.ending == "SUCCEEDED" else 0.4)


class RunStore:
    """All runs and changes, written to `path` (atomically replaced) at every change of theirs."""

    def __init__(self, path: Path, run_seconds: float, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self.run_seconds = run_seconds
        self.clock = clock
        self.runs: dict[str, Run] = {}
        self.changes: dict[str, Changes] = {}
        self.trouble: dict[str, Trouble] = {}
        self.looks: Counter[str] = Counter()  # pages asked for, by run
        self._load()

    def start(self, brand: str, ending: RunStatus, user_agent: str, client_ip: str, body_bytes: int) -> Run:
        """A new run of the brand's task; it sees the changes as they stand now."""
        number = max((run.number for run in self.runs.values()), default=0) + 1
        now = self.clock()
        run = Run(
            id=stable_id("run", uuid.uuid4()),
            number=number,
            brand=brand,
            started_at=now,
            ends_at=now + (_ENDLESS if ending == "RUNNING" else self.run_seconds),
            ending=ending,
            user_agent=user_agent,
            client_ip=client_ip,
            body_bytes=body_bytes,
            changes=_changes(asdict(self.changes_of(brand))),
        )
        self.runs[run.id] = run
        while len(self.runs) > _KEPT:
            self.runs.pop(next(iter(self.runs)))
        self._save()
        return run

    def abort(self, run: Run) -> None:
        """Ends a run that is still at work as ABORTED; one that has ended stays as it is."""
        now = self.clock()
        if now < run.ends_at:
            run.ends_at = now
            run.ending = "ABORTED"
            self._save()

    def of_brand(self, brand: str) -> list[Run]:
        """The brand's runs, oldest first."""
        return sorted((run for run in self.runs.values() if run.brand == brand), key=lambda run: run.number)

    def by_dataset(self, dataset_id: str) -> Run | None:
        """The run whose default dataset this is."""
        return next((run for run in self.runs.values() if run.dataset_id == dataset_id), None)

    def changes_of(self, brand: str) -> Changes:
        """What the brand's next scrape will find changed."""
        return self.changes.get(brand, Changes())

    def trouble_of(self, brand: str) -> Trouble:
        """What goes wrong for the brand now."""
        return self.trouble.setdefault(brand, Trouble())

    def share_shown(self, run: Run) -> float:
        """The share of a run's items that its dataset gives now, its brand's trouble included."""
        now, trouble = self.clock(), self.trouble_of(run.brand)
        share = run.share_written(now)
        if run.ends_at <= now < run.ends_at + trouble.late_items:
            share *= 0.8
        looked = self.looks[run.id] > 0
        return share / 2 if (trouble.pages, looked) in (("grow", False), ("shrink", True)) else share

    def change(self, brand: str, changes: Changes) -> None:
        """Sets what the brand's next scrapes will find changed."""
        self.changes[brand] = changes
        self._save()

    def _load(self) -> None:
        try:
            text = self.path.read_text()
        except FileNotFoundError:
            return
        try:
            state = json.loads(text)
            for raw in state["runs"]:
                run = Run(**{**raw, "changes": _changes(raw["changes"])})
                self.runs[run.id] = run
            self.changes = {brand: _changes(raw) for brand, raw in state["changes"].items()}
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{self.path} is not a sandbox's state ({error}); delete it to start anew") from error

    def _save(self) -> None:
        state = {
            "runs": [asdict(run) for run in self.runs.values()],
            "changes": {brand: asdict(changes) for brand, changes in self.changes.items()},
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        fresh.write_text(json.dumps(state))
        fresh.replace(self.path)


def _changes(raw: dict[str, Any]) -> Changes:
    return Changes(price=dict(raw["price"]), drop=list(raw["drop"]), photos=dict(raw["photos"]))
