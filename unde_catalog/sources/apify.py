"""Apify through its official client: one task's runs and their datasets, in our own records.

What to do with runs and items is `collect.py`'s.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import impit
from apify_client import ApifyClient
from apify_client.errors import ApifyApiError, ApifyClientError

PAGE = 1_000  # items a request
_ADVICE = {
    401: "check APIFY_TOKEN",
    402: "the Apify account has run out of credit",
    403: "the token may not use this task",
    404: "check the task id",
}


class ApifyUnusable(RuntimeError):
    """Apify can't be used now; the sentence says what was asked, what it answered and what to do."""


@dataclass(frozen=True, slots=True)
class TaskRun:
    """A run of a task; `status` in Apify's words (SUCCEEDED, RUNNING, ...)."""

    id: str
    dataset_id: str
    status: str
    message: str
    started_at: datetime

    @property
    def ended(self) -> bool:
        """Whether the status is one of the final four."""
        return self.status in ("SUCCEEDED", "FAILED", "TIMED-OUT", "ABORTED")


class ApifyTask:
    """One task of ours at Apify."""

    def __init__(self, task_id: str, token: str, api_url: str) -> None:
        self._task_id = task_id
        self._client = ApifyClient(token, api_url=api_url)
        # The official client repeats a start whose answer was lost, which can start and bill a run twice (spec 6).
        self._starter = ApifyClient(token, api_url=api_url, max_retries=0)

    def start(self) -> TaskRun:
        """Start a run, asked once and never repeated."""
        with self._explained("starting a run"):
            return _record(self._starter.task(self._task_id).start())

    def recent_runs(self, most: int = 20) -> list[TaskRun]:
        """The task's latest runs, newest first."""
        with self._explained("listing the runs"):
            return [_record(run) for run in self._client.task(self._task_id).runs().list(limit=most, desc=True).items]

    def wait(self, run_id: str, seconds: float) -> TaskRun:
        """The run, after it ended or `seconds` passed."""
        with self._explained(f"waiting for run {run_id}"):
            run = self._client.run(run_id).wait_for_finish(wait_duration=timedelta(seconds=seconds))
        if run is None:
            raise ApifyUnusable(f"Apify does not know run {run_id} of task {self._task_id} any more")
        return _record(run)

    def items(self, dataset_id: str, offset: int) -> list[Any]:
        """A page of at most 1,000 items as they are; empty at the end."""
        with self._explained(f"reading dataset {dataset_id} from item {offset}"):
            return self._client.dataset(dataset_id).list_items(offset=offset, limit=PAGE).items

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except ApifyApiError as error:
            advice = _ADVICE.get(error.status_code, "it may pass: run it again later")
            raise ApifyUnusable(
                f"Apify answered {error.status_code} ({error.type}) to {doing} of task {self._task_id}: {advice}"
            ) from error
        except (ApifyClientError, impit.HTTPError) as error:
            raise ApifyUnusable(f"{doing} of task {self._task_id} failed: {type(error).__name__}: {error}") from error


def _record(run: Any) -> TaskRun:
    return TaskRun(run.id, run.default_dataset_id, str(run.status), run.status_message or "", run.started_at)
