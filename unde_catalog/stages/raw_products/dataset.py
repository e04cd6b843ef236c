"""Reads a run's dataset page by page, up to an end that can be believed: Apify's figures lag by seconds (spec 6).

What an item says is `apify_item.py`'s, where items go `collect.py`'s.
"""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from unde_catalog.stages.raw_products.apify import ApifyTask, ApifyUnusable, TaskRun
from unde_catalog.stages.raw_products.source import IncompleteReason

_SETTLED_AFTER = timedelta(seconds=5)  # since the run's end, or a tenth of its length where that is shorter
_WAIT_SECONDS = 30.0  # for items that the dataset counts and does not give yet, and for its count
_FIRST_LOOK = 0.1  # seconds until the first look for them, then twice as long each time, up to ...
_LONGEST_LOOK = 2.0


class Dataset:
    """A dataset on its way in. `offset`: what was read so far; `count`: what the dataset last said it has."""

    called = "dataset"

    def __init__(self, task: ApifyTask, task_run: TaskRun) -> None:
        self._task, self._run = task, task_run
        self.id, self.run_id = task_run.dataset_id, task_run.id
        self.offset = 0
        self.place: str | None = None  # its items are counted
        self.count = 0
        self.when_empty = (
            f"Apify's run {self.run_id} succeeded with an empty dataset {self.id}: look at the run's log in Apify's "
            "console. Nothing was marked inactive; the next run of this stage starts (and pays for) another"
        )
        self._began = time.monotonic()

    @property
    def agrees(self) -> bool:
        """Whether the dataset has as many items as were read; to be asked at the end."""
        return self.count == self.offset

    @property
    def doubt(self) -> IncompleteReason | None:
        """That it does not agree."""
        if self.agrees:
            return None
        told = f"the dataset counts {self.count} items and gave {self.offset}, it changed while it was read"
        return IncompleteReason("dataset_changed", told)

    def pages(self, read_to: int, place: str | None = None) -> Iterator[list[Any]]:
        """The pages from `read_to` on, until none comes and the dataset says that there is none.

        Ends with `agrees` False when the dataset counts fewer items than it gave: it changed while it was read.
        Raises `ApifyUnusable` when it counts more than it gives.
        """
        self.offset = read_to
        before: list[Any] | None = None
        give_up_at: float | None = None
        look = _FIRST_LOOK
        while True:
            items = self._task.items(self.id, self.offset)
            if items:
                if items == before:
                    raise ApifyUnusable(
                        f"dataset {self.id} gave the same {len(items)} items again from item "
                        f"{self.offset}: Apify repeats itself; the next run goes on there"
                    )
                before = items
                give_up_at, look = None, _FIRST_LOOK
                self.offset += len(items)
                yield items
                continue
            self.count = self._task.item_count(self.id)
            if self.agrees and self._settled():
                return
            now = time.monotonic()
            give_up_at = give_up_at or now + _WAIT_SECONDS
            if now >= give_up_at:
                break
            time.sleep(look)
            look = min(2 * look, _LONGEST_LOOK)
        if self.count > self.offset:
            raise ApifyUnusable(
                f"dataset {self.id} says that it has {self.count} items and gave {self.offset} "
                f"in {_WAIT_SECONDS:g} s: run it again later, it goes on there"
            )

    def _settled(self) -> bool:
        """Whether the run has been over for long enough for all its items to be there.

        By what we waited ourselves: this machine's time of day may differ from Apify's by hours.
        """
        finished_at = self._run.finished_at or self._run.started_at
        lag = min(_SETTLED_AFTER, (finished_at - self._run.started_at) / 10)
        return time.monotonic() - self._began >= lag.total_seconds()
