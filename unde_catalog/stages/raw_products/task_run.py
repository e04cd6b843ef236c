"""Which run of the Apify task answers a scrape, paid for at most once, and waiting for its end.

Reading its dataset is `dataset.py`'s.
"""

import time
from datetime import timedelta

from unde_catalog.stages.raw_products.apify import ApifyTask, ApifyUnusable, TaskRun
from unde_catalog.stages.raw_products.collect_run import LEASE, CollectRun
from unde_catalog.stores.staging.products import scrapes
from unde_catalog.stores.staging.products.scrapes import Scrape

ADOPT = timedelta(hours=24)  # a run this young that nobody has read is read instead of paying for another (spec 1)
_LOOK_SECONDS = 30.0
_KNOWN_WITHIN = 3.0  # seconds after which a run that Apify does not know is no run


def answering(run: CollectRun, task: ApifyTask, scrape: Scrape) -> TaskRun:
    """The task run that answers this scrape: its own, else one nobody has read yet, else a new one."""
    if scrape.run_id is not None:
        own = task.wait(scrape.run_id, _KNOWN_WITHIN)
        if own is None:
            run.db.run(scrapes.end, scrape, "failed", 0, 0, "Apify does not know the run any more")
            raise ApifyUnusable(f"Apify does not know run {scrape.run_id} any more; the next run starts another")
        return own
    found = _adopted(run, task)
    if found is None:
        # Looking may have taken longer than the lease: only who still has the scrape in hand may pay for a run.
        run.db.run(scrapes.renew, scrape, LEASE)
        try:
            found = task.start()
        except ApifyUnusable as error:
            if error.refused:
                raise
            found = _adopted(run, task)  # the answer may have been lost, not the start
            if found is None:
                raise ApifyUnusable(f"{error}; the next run of this stage looks whether it was started") from error
    run.log.info("%s: Apify run %s", run.brand, found.id)
    run.db.run(scrapes.begun, scrape, found.id, found.dataset_id)
    return found


def _adopted(run: CollectRun, task: ApifyTask) -> TaskRun | None:
    recent = {one.id: one for one in task.recent_runs()}
    starts = [(one.id, one.started_at) for one in recent.values()]
    hopeless = [one.id for one in recent.values() if not one.promising]
    found = run.db.run(scrapes.adoptable, run.brand, starts, ADOPT, hopeless)
    if found is None:
        return None
    run.note(f"Apify's run {found} was there already and is read instead of paying for another")
    return recent[found]


def ended(run: CollectRun, task: ApifyTask, scrape: Scrape, task_run: TaskRun) -> TaskRun | None:
    """The run when it has ended well; None when `max_minutes` were over first. `ApifyUnusable` if it never does."""
    timeout = run.settings.apify_run_timeout
    give_up_at = time.monotonic() + timeout
    while not task_run.ended:
        if run.time_is_over:
            run.note(f"max_minutes were over while Apify's run {task_run.id} was still {task_run.status}")
            return None
        left = give_up_at - time.monotonic()
        if left <= 0:
            raise ApifyUnusable(
                f"Apify's run {task_run.id} is still {task_run.status} after {timeout:g} s (APIFY_RUN_TIMEOUT); "
                "look at it in Apify's console; the next run of this stage goes on waiting for it"
            )
        run.db.run(scrapes.renew, scrape, LEASE)
        seconds = min(_LOOK_SECONDS, left, *([] if run.seconds_left is None else [run.seconds_left]))
        looked_at = task.wait(task_run.id, seconds)
        if looked_at is not None:  # None: a fresh run may not be everywhere at Apify yet
            task_run = looked_at
    if task_run.status != "SUCCEEDED":
        reason = f"run {task_run.id} ended as {task_run.status}: {task_run.message or 'no message'}"
        run.db.run(scrapes.end, scrape, "failed", 0, 0, reason)
        raise ApifyUnusable(
            f"Apify's {reason}; its log is in Apify's console. Nothing was read; the next run of this stage starts "
            "(and pays for) another"
        )
    return task_run
