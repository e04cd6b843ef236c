"""Runs of Apify tasks, and the changes that the next scrape finds; one JSON file keeps both across restarts.

A run has no timer: its status follows from the clock, so a restarted sandbox continues. No HTTP belongs here.
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
_ENDLESS_SECONDS = 10 * 365 * 86_400.0  # the duration of a run whose "ending" is RUNNING
_MAX_RUNS = 1000


@dataclass(slots=True)
class Changes:
    """How a brand's catalogue differs from its source, by product id.

    `price`: prices in fils; `drop`: removed products; `photos`: versions of all photos.
    """

    price: dict[str, int] = field(default_factory=dict)
    drop: list[str] = field(default_factory=list)
    photos: dict[str, str] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether there are changes."""
        return bool(self.price or self.drop or self.photos)


@dataclass(slots=True)
class ApifyOverrides:
    """Faults of Apify for a brand, set through /_control; a restart resets them.

    `lose_start_answers`: this many requests start a run and then close the connection without a response.
    `late_items`: seconds after the end of a run during which its dataset lacks a fifth of its items.
    `pages`: "repeat" (every page is the first), "grow" or "shrink" (the first request, or every later one, sees only
    half of the items).
    """

    lose_start_answers: int = 0
    late_items: float = 0.0
    pages: Literal["", "repeat", "grow", "shrink"] = ""


@dataclass(slots=True)
class Run:
    """A started run. Times are seconds since the epoch; `ending` is its status from `ends_at` on."""

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
        """The id of its default dataset."""
        return stable_id("dataset", self.id)

    @property
    def task_id(self) -> str:
        """The id of the task that started it."""
        return TASK_IDS[self.brand]

    def status(self, now: float) -> RunStatus:
        """Returns READY for the first fifth of its duration (at most 1 second), then RUNNING, then `ending`."""
        if now >= self.ends_at:
            return self.ending
        return "READY" if now < self.started_at + min((self.ends_at - self.started_at) / 5, 1.0) else "RUNNING"

    def share_written(self, now: float) -> float:
        """Returns the share of its items that the dataset has: a dataset grows while its run is running."""
        if self.status(now) == "SUCCEEDED":
            return 1.0
        duration = max(self.ends_at - self.started_at, 1e-9)
        elapsed = min(max((now - self.started_at) / duration, 0.0), 1.0)
        return min(max((elapsed - 0.2) / 0.8, 0.0), 1.0) * (1.0 if self.ending == "SUCCEEDED" else 0.4)


class RunStore:
    """All runs and changes; every modification atomically replaces the file at `path`."""

    def __init__(self, path: Path, run_seconds: float, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self.run_seconds = run_seconds
        self.clock = clock
        self.runs: dict[str, Run] = {}
        self.changes: dict[str, Changes] = {}
        self.overrides: dict[str, ApifyOverrides] = {}
        self.item_requests: Counter[str] = Counter()  # by run id
        self._load()

    def start(self, brand: str, ending: RunStatus, user_agent: str, client_ip: str, body_bytes: int) -> Run:
        """Starts a run of the brand's task; it sees the changes made so far."""
        number = max((run.number for run in self.runs.values()), default=0) + 1
        now = self.clock()
        run = Run(
            id=stable_id("run", uuid.uuid4()),
            number=number,
            brand=brand,
            started_at=now,
            ends_at=now + (_ENDLESS_SECONDS if ending == "RUNNING" else self.run_seconds),
            ending=ending,
            user_agent=user_agent,
            client_ip=client_ip,
            body_bytes=body_bytes,
            changes=_parse_changes(asdict(self.changes_of(brand))),
        )
        self.runs[run.id] = run
        while len(self.runs) > _MAX_RUNS:
            self.runs.pop(next(iter(self.runs)))
        self._save()
        return run

    def abort(self, run: Run) -> None:
        """Ends a run as ABORTED unless it has already ended."""
        now = self.clock()
        if now < run.ends_at:
            run.ends_at = now
            run.ending = "ABORTED"
            self._save()

    def of_brand(self, brand: str) -> list[Run]:
        """Returns the brand's runs, oldest first."""
        return sorted((run for run in self.runs.values() if run.brand == brand), key=lambda run: run.number)

    def by_dataset(self, dataset_id: str) -> Run | None:
        """Returns the run with this default dataset, or None."""
        return next((run for run in self.runs.values() if run.dataset_id == dataset_id), None)

    def changes_of(self, brand: str) -> Changes:
        """Returns the changes that the brand's next scrape finds."""
        return self.changes.get(brand, Changes())

    def overrides_of(self, brand: str) -> ApifyOverrides:
        """Returns the brand's faults; changing them takes effect at once."""
        return self.overrides.setdefault(brand, ApifyOverrides())

    def share_visible(self, run: Run) -> float:
        """Returns the share of a run's items that its dataset serves now, given the brand's faults."""
        now, overrides = self.clock(), self.overrides_of(run.brand)
        share = run.share_written(now)
        if run.ends_at <= now < run.ends_at + overrides.late_items:
            share *= 0.8
        read_before = self.item_requests[run.id] > 0
        return share / 2 if (overrides.pages, read_before) in (("grow", False), ("shrink", True)) else share

    def change(self, brand: str, changes: Changes) -> None:
        """Replaces the changes that the brand's next scrapes find."""
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
                run = Run(**{**raw, "changes": _parse_changes(raw["changes"])})
                self.runs[run.id] = run
            self.changes = {brand: _parse_changes(raw) for brand, raw in state["changes"].items()}
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{self.path} is not a sandbox state file ({error}); delete it to start afresh") from error

    def _save(self) -> None:
        state = {
            "runs": [asdict(run) for run in self.runs.values()],
            "changes": {brand: asdict(changes) for brand, changes in self.changes.items()},
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        temporary.write_text(json.dumps(state))
        temporary.replace(self.path)


def _parse_changes(raw: dict[str, Any]) -> Changes:
    return Changes(price=dict(raw["price"]), drop=list(raw["drop"]), photos=dict(raw["photos"]))
