"""Reads an Apify run's dataset page by page, up to a reliable end: Apify's item count lags by seconds.

Items are read in `apify_item.py` and stored by `collect.py`.
"""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from unde_catalog.stages.raw_products.apify import ApifyTask, ApifyUnusable, TaskRun
from unde_catalog.stages.raw_products.source import IncompleteReason

_SETTLED_AFTER = timedelta(seconds=5)  # after the run's end, or a tenth of its length if that is shorter
_WAIT_SECONDS = 30.0  # for items that are counted but not delivered yet, and for the count itself
_FIRST_POLL_DELAY = 0.1  # seconds; doubles each time, up to ...
_MAX_POLL_DELAY = 2.0


class Dataset:
    """The listing of one dataset. `offset`: the items read so far; `count`: the dataset's last reported item count."""

    noun = "dataset"

    def __init__(self, task: ApifyTask, task_run: TaskRun) -> None:
        self._task, self._run = task, task_run
        self.id, self.run_id = task_run.dataset_id, task_run.id
        self.offset = 0
        self.place: str | None = None  # not needed: items have numbers
        self.count = 0
        self.empty_message = (
            f"Apify's run {self.run_id} succeeded with an empty dataset {self.id}: check the run's log in the Apify "
            "console. No product was marked inactive; the next run of this stage starts (and pays for) another"
        )
        self._opened_at = time.monotonic()

    @property
    def count_matches(self) -> bool:
        """After the last page: whether the dataset reports as many items as were read."""
        return self.count == self.offset

    @property
    def incomplete(self) -> IncompleteReason | None:
        """The dataset is incomplete when its item count differs from what was read."""
        if self.count_matches:
            return None
        message = f"the dataset reports {self.count} items but returned {self.offset}, so it changed while it was read"
        return IncompleteReason("dataset_changed", message)

    def pages(self, read_to: int, place: str | None = None) -> Iterator[list[Any]]:
        """The pages from `read_to` on, until an empty page and the item count agree that there are no more.

        If the dataset reports fewer items than it returned, `count_matches` is False at the end: it changed while it
        was read. Raises `ApifyUnusable` if it reports more.
        """
        self.offset = read_to
        previous: list[Any] | None = None
        deadline: float | None = None
        delay = _FIRST_POLL_DELAY
        while True:
            items = self._task.items(self.id, self.offset)
            if items:
                if items == previous:
                    raise ApifyUnusable(
                        f"dataset {self.id} returned the same {len(items)} items again from item {self.offset}; "
                        "the next run resumes there"
                    )
                previous = items
                deadline, delay = None, _FIRST_POLL_DELAY
                self.offset += len(items)
                yield items
                continue
            self.count = self._task.item_count(self.id)
            if self.count_matches and self._settled():
                return
            now = time.monotonic()
            deadline = deadline or now + _WAIT_SECONDS
            if now >= deadline:
                break
            time.sleep(delay)
            delay = min(2 * delay, _MAX_POLL_DELAY)
        if self.count > self.offset:
            raise ApifyUnusable(
                f"dataset {self.id} reports {self.count} items but returned only {self.offset} within "
                f"{_WAIT_SECONDS:g} s; run it again later, it resumes there"
            )

    def _settled(self) -> bool:
        """Whether the run ended long enough ago for all its items to be visible.

        Measured by this process's own waiting: this machine's time of day may differ from Apify's by hours.
        """
        finished_at = self._run.finished_at or self._run.started_at
        lag = min(_SETTLED_AFTER, (finished_at - self._run.started_at) / 10)
        return time.monotonic() - self._opened_at >= lag.total_seconds()
