"""A client for one Apify task: its runs and their datasets, through the official client.

Which run to use is decided in `apify_run.py`, how to read a dataset in `apify_dataset.py`.
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

PAGE_SIZE = 1_000  # items
_FIRST_RETRY_DELAY = timedelta(milliseconds=500)  # doubles with each of four retries, after 429, 5xx and lost responses
_REQUEST_TIMEOUT = timedelta(seconds=30)
_PAGE_TIMEOUT = timedelta(seconds=120)
_WAIT_TIMEOUT = timedelta(seconds=90)  # Apify holds a waiting request for at most a minute
_MAX_DIGITS = 4_300  # Python refuses to parse longer numbers, so they stay text
_RETRY_LATER = "run it again later"
_ADVICE = {
    401: "check APIFY_TOKEN",
    402: "the Apify account has no credit left",
    403: "the token may not use this task",
    404: "check the task ID",
    429: "Apify limits the request rate: run it again later",
}


class ApifyUnusable(SourceUnusable):
    """Apify cannot be used now."""


@dataclass(frozen=True, slots=True)
class TaskRun:
    """A run of a task; `status` as Apify reports it (SUCCEEDED, RUNNING, ...)."""

    id: str
    dataset_id: str
    status: str
    message: str
    started_at: datetime
    finished_at: datetime | None

    @property
    def ended(self) -> bool:
        """Whether the status is one of the four final ones."""
        return self.status in ("SUCCEEDED", "FAILED", "TIMED-OUT", "ABORTED")

    @property
    def may_succeed(self) -> bool:
        """Whether it has a complete dataset or may still produce one."""
        return self.status in ("READY", "RUNNING", "SUCCEEDED")


class ApifyTask:
    """One task in the Apify account."""

    def __init__(self, task_id: str, token: str, api_url: str) -> None:
        if not is_header_safe(token):
            raise ApifyUnusable("APIFY_TOKEN contains a space, a line break or a similar character: copy it again")
        # Imported here: its models take 140 ms to import, and runs of other stages never need them.
        from apify_client import ApifyClient

        self._task_id = task_id
        self._client = ApifyClient(token, api_url=api_url, min_delay_between_retries=_FIRST_RETRY_DELAY)
        # The official client retries a start whose response was lost, which can start and bill a second run.
        self._starter = ApifyClient(token, api_url=api_url, max_retries=0)

    def start(self) -> TaskRun:
        """Start a run. The request is sent once and never retried."""
        with self._errors_explained("starting a run"):
            return _record(self._starter.task(self._task_id).start(timeout=_REQUEST_TIMEOUT))

    def recent_runs(self, limit: int = 50) -> list[TaskRun]:
        """The task's latest runs, newest first, without their messages."""
        with self._errors_explained("listing the runs"):
            runs = self._client.task(self._task_id).runs()
            return [_record(run) for run in runs.list(limit=limit, desc=True, timeout=_REQUEST_TIMEOUT).items]

    def wait(self, run_id: str, seconds: float) -> TaskRun | None:
        """The run once it has ended, or as it is after `seconds`; None if Apify does not know it."""
        with self._errors_explained(f"waiting for run {run_id}"):
            run = self._client.run(run_id).wait_for_finish(
                wait_duration=timedelta(seconds=seconds), timeout=_WAIT_TIMEOUT
            )
            return None if run is None else _record(run)

    def item_count(self, dataset_id: str) -> int:
        """The item count that the dataset reports; it lags a few seconds behind the items."""
        with self._errors_explained(f"counting dataset {dataset_id}"):
            dataset = self._client.dataset(dataset_id).get(timeout=_REQUEST_TIMEOUT)
        if dataset is None:
            raise ApifyUnusable(f"Apify does not have dataset {dataset_id} (any more)")
        return dataset.item_count

    def items(self, dataset_id: str, offset: int, limit: int = PAGE_SIZE) -> list[Any]:
        """A page of unchanged items; empty at the end.

        Numbers that are too long to parse become text. A page with an item nested too deeply for Python is read in
        halves, so that the other items are not lost with it; the item itself becomes a `TooDeep`.
        """
        with self._errors_explained(f"reading dataset {dataset_id} from item {offset}"):
            body = self._client.dataset(dataset_id).get_items_as_bytes(
                offset=offset, limit=limit, timeout=_PAGE_TIMEOUT
            )
            try:
                items = json.loads(body.decode("utf-8-sig", "replace"), parse_int=_parse_int)
            except RecursionError:
                if limit == 1:
                    return [TooDeep("nested too deeply to be read")]
                half = limit // 2
                first = self.items(dataset_id, offset, half)
                return first if len(first) < half else first + self.items(dataset_id, offset + half, limit - half)
            if not isinstance(items, list):
                raise ValueError(f"a {type(items).__name__} instead of a list of items")
            return items

    @contextmanager
    def _errors_explained(self, action: str) -> Iterator[None]:
        """Turn the client's errors into `ApifyUnusable` with advice."""
        import impit
        from apify_client.errors import ApifyApiError, ApifyClientError, InvalidResponseBodyError

        action = f"{action} of task {self._task_id}"
        try:
            yield
        except ApifyApiError as error:
            advice = _ADVICE.get(error.status_code, "it may pass: run it again later")
            reason = first_line(error.type or error.message)
            unusable = ApifyUnusable(f"{action} failed: Apify responded {error.status_code} ({reason}); {advice}")
            unusable.refused = error.status_code < 500
            raise unusable from error
        except (InvalidResponseBodyError, ValueError) as error:
            raise ApifyUnusable(
                f"{action} failed: Apify's response is not readable ({first_line(error)}); check APIFY_API_URL, or "
                f"{_RETRY_LATER}"
            ) from error
        except (ApifyClientError, impit.HTTPError, impit.InvalidURL) as error:
            raise ApifyUnusable(
                f"{action} failed: {type(error).__name__}, {first_line(error)}; {_RETRY_LATER}"
            ) from error


def is_header_safe(token: str) -> bool:
    """Whether it can be sent in a header; the HTTP library would refuse it with a message that quotes the token."""
    return token.isascii() and token.isprintable() and " " not in token


def _record(run: Any) -> TaskRun:
    message = getattr(run, "status_message", None) or ""
    return TaskRun(run.id, run.default_dataset_id, str(run.status), message, run.started_at, run.finished_at)


def _parse_int(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_DIGITS else digits
