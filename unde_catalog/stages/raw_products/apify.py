"""Apify through its official client: one task's runs and their datasets, in our own records.

What to do with runs is `task_run.py`'s, with items `dataset.py`'s.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from unde_catalog.stages.raw_products.clean import TooDeep
from unde_catalog.stages.raw_products.errors import SourceUnusable
from unde_catalog.text import first_line

PAGE = 1_000  # items a request
_FIRST_RETRY = timedelta(milliseconds=500)  # then twice as long each time, four times: 429, 5xx and lost answers
_ONE_ANSWER = timedelta(seconds=30)
_ONE_PAGE = timedelta(seconds=120)
_ONE_WAIT = timedelta(seconds=90)  # Apify holds a waiting request for a minute at most
_LONGEST_NUMBER = 4_300  # digits: longer ones Python refuses to read, so they stay text
_AGAIN = "run it again later"
_ADVICE = {
    401: "check APIFY_TOKEN",
    402: "the Apify account has run out of credit",
    403: "the token may not use this task",
    404: "check the task id",
    429: "Apify limits how much is asked of it: run it again later",
}


class ApifyUnusable(SourceUnusable):
    """Apify can't be used now."""


@dataclass(frozen=True, slots=True)
class TaskRun:
    """A run of a task; `status` in Apify's words (SUCCEEDED, RUNNING, ...)."""

    id: str
    dataset_id: str
    status: str
    message: str
    started_at: datetime
    finished_at: datetime | None

    @property
    def ended(self) -> bool:
        """Whether the status is one of the final four."""
        return self.status in ("SUCCEEDED", "FAILED", "TIMED-OUT", "ABORTED")

    @property
    def promising(self) -> bool:
        """Whether it has, or may still come to have, a whole dataset."""
        return self.status in ("READY", "RUNNING", "SUCCEEDED")


class ApifyTask:
    """One task of ours at Apify."""

    def __init__(self, task_id: str, token: str, api_url: str) -> None:
        if not printable_token(token):
            raise ApifyUnusable("APIFY_TOKEN holds a space, a line break or the like: copy it again")
        # Imported here: its models take a seventh of a second, and a run of any other stage never needs them.
        from apify_client import ApifyClient

        self._task_id = task_id
        self._client = ApifyClient(token, api_url=api_url, min_delay_between_retries=_FIRST_RETRY)
        # The official client repeats a start whose answer was lost, which can start and bill a run twice (spec 6).
        self._starter = ApifyClient(token, api_url=api_url, max_retries=0)

    def start(self) -> TaskRun:
        """Start a run, asked once and never repeated."""
        with self._explained("starting a run"):
            return _record(self._starter.task(self._task_id).start(timeout=_ONE_ANSWER))

    def recent_runs(self, most: int = 50) -> list[TaskRun]:
        """The task's latest runs, newest first; they carry no message."""
        with self._explained("listing the runs"):
            runs = self._client.task(self._task_id).runs()
            return [_record(run) for run in runs.list(limit=most, desc=True, timeout=_ONE_ANSWER).items]

    def wait(self, run_id: str, seconds: float) -> TaskRun | None:
        """The run, after it ended or `seconds` passed; None for one that Apify does not know."""
        with self._explained(f"waiting for run {run_id}"):
            run = self._client.run(run_id).wait_for_finish(wait_duration=timedelta(seconds=seconds), timeout=_ONE_WAIT)
            return None if run is None else _record(run)

    def item_count(self, dataset_id: str) -> int:
        """How many items the dataset says it has; that lags behind the items by seconds (spec 6)."""
        with self._explained(f"counting dataset {dataset_id}"):
            dataset = self._client.dataset(dataset_id).get(timeout=_ONE_ANSWER)
        if dataset is None:
            raise ApifyUnusable(f"Apify has no dataset {dataset_id} (any more)")
        return dataset.item_count

    def items(self, dataset_id: str, offset: int, limit: int = PAGE) -> list[Any]:
        """A page of items as they are; empty at the end.

        Numbers too long to read are texts. A page with an item nested too deeply for Python is read in halves, so
        that the others are not lost with it; that item itself is a `TooDeep`.
        """
        with self._explained(f"reading dataset {dataset_id} from item {offset}"):
            body = self._client.dataset(dataset_id).get_items_as_bytes(offset=offset, limit=limit, timeout=_ONE_PAGE)
            try:
                items = json.loads(body.decode("utf-8-sig", "replace"), parse_int=_whole_number)
            except RecursionError:
                if limit == 1:
                    return [TooDeep("nested deeper than can be read")]
                half = limit // 2
                first = self.items(dataset_id, offset, half)
                return first if len(first) < half else first + self.items(dataset_id, offset + half, limit - half)
            if not isinstance(items, list):
                raise ValueError(f"a {type(items).__name__} where a list of items was due")
            return items

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        import impit
        from apify_client.errors import ApifyApiError, ApifyClientError, InvalidResponseBodyError

        asked = f"{doing} of task {self._task_id}"
        try:
            yield
        except ApifyApiError as error:
            advice = _ADVICE.get(error.status_code, "it may pass: run it again later")
            said = first_line(error.type or error.message)
            unusable = ApifyUnusable(f"Apify answered {error.status_code} ({said}) to {asked}: {advice}")
            unusable.refused = error.status_code < 500
            raise unusable from error
        except (InvalidResponseBodyError, ValueError) as error:
            said = first_line(error)
            raise ApifyUnusable(
                f"Apify's answer to {asked} can't be understood ({said}): is APIFY_API_URL right? If so, {_AGAIN}"
            ) from error
        except (ApifyClientError, impit.HTTPError, impit.InvalidURL) as error:
            raise ApifyUnusable(f"{asked} failed: {type(error).__name__}, {first_line(error)}; {_AGAIN}") from error


def printable_token(token: str) -> bool:
    """Whether it can stand in a header: else the HTTP library would refuse it with a message that quotes it."""
    return token.isascii() and token.isprintable() and " " not in token


def _record(run: Any) -> TaskRun:
    message = getattr(run, "status_message", None) or ""
    return TaskRun(run.id, run.default_dataset_id, str(run.status), message, run.started_at, run.finished_at)


def _whole_number(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else digits
