"""The raw_products stage: a brand's catalogue from its Apify task into raw_products (spec 1).

What Apify says is `apify.py`'s, how an item is read `apify_item.py`'s; photos are not fetched here, only their URLs.
"""

import contextlib
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from unde_catalog.brands import BRANDS
from unde_catalog.settings import Settings
from unde_catalog.sources.apify import ApifyTask, ApifyUnusable, TaskRun
from unde_catalog.sources.apify_item import read_item
from unde_catalog.stage import StageStopped
from unde_catalog.stage_report import RunOptions, StageReport
from unde_catalog.staging import products, scrapes
from unde_catalog.staging.database import Database, StagingDown
from unde_catalog.staging.product import Product, Rejected
from unde_catalog.staging.scrapes import Scrape

STAGE = "raw_products"
_LEASE = timedelta(minutes=5)  # renewed with every page and every look at the run
_LOOK_SECONDS = 30.0
_ADOPT = timedelta(hours=24)  # a run this young that nobody has read is read instead of paying for another (spec 1)


def collect(brand: str, db: Database, settings: Settings, options: RunOptions, log: logging.Logger) -> StageReport:
    """Bring a brand's products up to date; `StageStopped` when Apify or the database can't be used.

    `limit` and `product_ids` read only a part: nothing is marked inactive then, and the run can be read again.
    """
    report = StageReport(STAGE, brand)
    task_id = settings.brands[brand].apify_task
    if task_id is None:
        report.note = f"not configured: set APIFY_TASK_{brand.upper()} to the id of its Apify task"
        return report
    started = time.monotonic()
    try:
        if settings.apify_token is None:
            raise ApifyUnusable("APIFY_TOKEN is not set: it is on the account's page of API tokens")
        task = ApifyTask(task_id, settings.apify_token.get_secret_value(), str(settings.apify_api_url))
        _collect(_Collecting(brand, db, settings, options, log, report, task))
    except (ApifyUnusable, StagingDown) as cause:
        raise StageStopped(report, cause) from cause
    finally:
        report.seconds = time.monotonic() - started
    return report


class _Collecting:
    """One run of the stage: what it was asked for and what it counts."""

    def __init__(
        self,
        brand: str,
        db: Database,
        settings: Settings,
        options: RunOptions,
        log: logging.Logger,
        report: StageReport,
        task: ApifyTask,
    ) -> None:
        self.brand, self.db, self.settings, self.options = brand, db, settings, options
        self.log, self.report, self.task = log, report, task
        self.source = BRANDS[brand].source
        self.read_part = options.limit is not None or options.product_ids is not None


def _collect(run: _Collecting) -> None:
    interval = timedelta(hours=run.settings.scrape_interval_hours)
    forced_by = run.options.root_run if run.options.force else None
    fresh = run.db.run(scrapes.fresh_one, run.brand, interval, forced_by)
    if fresh is not None:
        run.report.note = f"the complete scrape of {fresh:%Y-%m-%d %H:%M} is young enough; force repeats it"
        return
    scrape = run.db.run(scrapes.claim, run.brand, run.options.root_run, _LEASE, _ADOPT)
    if scrape is None:
        run.report.in_other_hands = 1
        run.report.note = "another run is collecting this brand"
        return
    with _let_go(run, scrape):
        answered = _answered(run, scrape)
        ended = _wait(run, scrape, answered)
        if ended.status != "SUCCEEDED":
            reason = f"run {ended.id} ended as {ended.status}: {ended.message or 'no message'}"
            run.db.run(scrapes.end, scrape, "failed", 0, 0, reason)
            raise ApifyUnusable(f"Apify's {reason}; its log is in Apify's console")
        complete = _read(run, scrape, ended.dataset_id)
        if complete:
            _close(run, scrape)


@contextlib.contextmanager
def _let_go(run: _Collecting, scrape: Scrape) -> Iterator[None]:
    """However it ends, the next one need not wait for our lease to run out."""
    try:
        yield
    finally:
        try:
            run.db.run(scrapes.let_go, scrape)
        except StagingDown as error:
            run.log.warning("the scrape of %s stays leased for %s: %s", run.brand, _LEASE, error)


def _answered(run: _Collecting, scrape: Scrape) -> TaskRun:
    """The task run that answers this scrape: its own, else one nobody has read yet, else a new one."""
    if scrape.run_id is not None:
        return run.task.wait(scrape.run_id, 0)
    found = _unread_run(run)
    if found is None:
        try:
            found = run.task.start()
        except ApifyUnusable:
            found = _unread_run(run)  # the answer may have been lost, not the start
            if found is None:
                raise
    run.log.info("%s: Apify run %s", run.brand, found.id)
    if not run.db.run(scrapes.begun, scrape, found.id, found.dataset_id):
        raise StagingDown("the scrape was taken over by another run")
    return found


def _unread_run(run: _Collecting) -> TaskRun | None:
    youngest_allowed = datetime.now(UTC) - _ADOPT
    recent = {
        one.id: one
        for one in run.task.recent_runs()
        if one.started_at > youngest_allowed and (one.status == "SUCCEEDED" or not one.ended)
    }
    ids = run.db.run(scrapes.unread, list(recent))
    return recent[ids[0]] if ids else None


def _wait(run: _Collecting, scrape: Scrape, task_run: TaskRun) -> TaskRun:
    give_up_at = time.monotonic() + run.settings.apify_run_timeout
    while not task_run.ended:
        if time.monotonic() > give_up_at:
            raise ApifyUnusable(
                f"Apify's run {task_run.id} is still {task_run.status} after {run.settings.apify_run_timeout:.0f} s "
                "(APIFY_RUN_TIMEOUT); the next run of this stage goes on waiting for it"
            )
        _renew(run, scrape)
        task_run = run.task.wait(task_run.id, _LOOK_SECONDS)
    return task_run


def _read(run: _Collecting, scrape: Scrape, dataset_id: str) -> bool:
    """Merge the dataset page by page; whether it was read to its end."""
    wanted = set(run.options.product_ids) if run.options.product_ids is not None else None
    offset = 0
    ends_at = time.monotonic() + 60 * run.options.max_minutes if run.options.max_minutes is not None else None
    while items := run.task.items(dataset_id, offset):
        numbered = list(enumerate(items, start=offset))
        offset += len(items)
        if run.options.limit is not None:
            numbered = numbered[: max(run.options.limit - run.report.counts["items"], 0)]
        _renew(run, scrape)
        _merge(run, scrape, numbered, wanted)
        run.log.info("%s: %d items read, %d new", run.brand, offset, run.report.counts["new"])
        if run.options.limit is not None and run.report.counts["items"] >= run.options.limit:
            return False
        if ends_at is not None and time.monotonic() >= ends_at:
            run.report.note = "max_minutes were over; the next run goes on with the same dataset"
            return False
    return not run.read_part


def _merge(run: _Collecting, scrape: Scrape, numbered: list[tuple[int, Any]], wanted: set[str] | None) -> None:
    good: dict[str, Product] = {}
    bad: list[tuple[int, Rejected]] = []
    for position, raw in numbered:
        read = read_item(raw)
        if wanted is not None and read.external_id not in wanted:
            continue
        if isinstance(read, Rejected):
            bad.append((position, read))
        else:
            good[read.external_id] = read  # the same product under two categories: the last one counts
    scope = run.settings.brands[run.brand].index_scope
    merged = run.db.run(products.merge, scrape.id, run.brand, run.source, scope, list(good.values()))
    if bad:
        run.db.run(products.keep_rejected, scrape.id, run.brand, run.source, bad)
    report = run.report
    report.done += len(good)
    report.counts.update(
        items=len(numbered), new=merged.new, changed=merged.changed, unchanged=merged.unchanged,
        returned=merged.returned, rejected=len(bad),
    )  # fmt: skip
    for position, one in bad:
        report.given_up[one.reason] += 1
        report.name_example(one.reason, one.external_id or f"item {position}")


def _close(run: _Collecting, scrape: Scrape) -> None:
    """Mark inactive what was not seen, unless too little was seen to believe it (spec 1)."""
    active, seen = run.db.run(products.count_seen, run.source, scrape.id)
    rejected = run.report.counts["rejected"]
    if not seen or seen < run.settings.scrape_min_share * active:
        run.report.note = f"only {seen} of {active} active products were seen: nothing was marked inactive"
        run.db.run(scrapes.end, scrape, "partial", seen, rejected, "too_few_products")
        return
    run.report.counts["vanished"] = run.db.run(products.deactivate_unseen, run.source, scrape.id)
    run.db.run(scrapes.end, scrape, "complete", seen, rejected)


def _renew(run: _Collecting, scrape: Scrape) -> None:
    if not run.db.run(scrapes.renew, scrape, _LEASE):
        raise StagingDown("the scrape was taken over by another run")
