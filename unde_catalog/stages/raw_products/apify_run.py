"""Selects the Apify run for a scrape, so that at most one run is paid for, and waits until it ends.

Its dataset is read in `apify_dataset.py`.
"""

import time
from datetime import timedelta

from unde_catalog.stages.raw_products.apify import ApifyTask, ApifyUnusable, TaskRun
from unde_catalog.stages.raw_products.collect_run import LEASE, CollectRun
from unde_catalog.stores.staging.products import scrapes
from unde_catalog.stores.staging.products.scrapes import Scrape

MAX_ADOPTION_AGE = timedelta(hours=24)  # a younger run that nobody has read is used instead of a new one
_POLL_SECONDS = 30.0
_LOOKUP_SECONDS = 3.0  # a run that Apify does not know after these does not exist


def select_run(run: CollectRun, task: ApifyTask, scrape: Scrape) -> TaskRun:
    """The task run for this scrape: its own, else a recent one that nobody has read, else a new one."""
    if scrape.run_id is not None:
        own = task.wait(scrape.run_id, _LOOKUP_SECONDS)
        if own is None:
            run.db.run(scrapes.end, scrape, "failed", 0, 0, "Apify does not know the run any more")
            raise ApifyUnusable(f"Apify no longer knows run {scrape.run_id}; the next run of this stage starts another")
        return own
    selected = _adopt(run, task)
    if selected is None:
        # The lookup may have taken longer than the lease. Only the current holder of the scrape may pay for a run.
        run.db.run(scrapes.renew, scrape, LEASE)
        try:
            selected = task.start()
        except ApifyUnusable as error:
            if error.refused:
                raise
            selected = _adopt(run, task)  # perhaps only the response was lost, and the run did start
            if selected is None:
                raise ApifyUnusable(f"{error}; the next run of this stage checks whether it did start") from error
    run.log.info("%s: Apify run %s", run.brand, selected.id)
    run.db.run(scrapes.mark_started, scrape, selected.id, selected.dataset_id)
    return selected


def _adopt(run: CollectRun, task: ApifyTask) -> TaskRun | None:
    recent = {one.id: one for one in task.recent_runs()}
    starts = [(one.id, one.started_at) for one in recent.values()]
    failed = [one.id for one in recent.values() if not one.may_succeed]
    run_id = run.db.run(scrapes.find_adoptable, run.brand, starts, MAX_ADOPTION_AGE, failed)
    if run_id is None:
        return None
    run.note(f"Apify's run {run_id} existed already and is used instead of paying for another")
    return recent[run_id]


def wait_for_success(run: CollectRun, task: ApifyTask, scrape: Scrape, task_run: TaskRun) -> TaskRun | None:
    """The run after it has succeeded; None if `max_minutes` passed first; `ApifyUnusable` if it does not succeed."""
    timeout = run.settings.apify_run_timeout
    deadline = time.monotonic() + timeout
    while not task_run.ended:
        if run.time_is_up:
            run.note(f"max_minutes passed while Apify's run {task_run.id} was still {task_run.status}")
            return None
        left = deadline - time.monotonic()
        if left <= 0:
            raise ApifyUnusable(
                f"Apify's run {task_run.id} is still {task_run.status} after {timeout:g} s (APIFY_RUN_TIMEOUT); "
                "check it in the Apify console; the next run of this stage continues to wait for it"
            )
        run.db.run(scrapes.renew, scrape, LEASE)
        seconds = min(_POLL_SECONDS, left, *([] if run.seconds_left is None else [run.seconds_left]))
        current = task.wait(task_run.id, seconds)
        if current is not None:  # None: a new run may not be visible everywhere at Apify yet
            task_run = current
    if task_run.status != "SUCCEEDED":
        reason = f"run {task_run.id} ended as {task_run.status}: {task_run.message or 'no message'}"
        run.db.run(scrapes.end, scrape, "failed", 0, 0, reason)
        raise ApifyUnusable(
            f"Apify's {reason}; its log is in the Apify console. Nothing was read; the next run of this stage starts "
            "(and pays for) another"
        )
    return task_run
