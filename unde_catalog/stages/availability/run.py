"""Runs of the stages `availability` and `raw_stores`, with the configuration of one brand.

The stock check of a product is in `availability.py`, the client of the store finder in `store_finder.py`.
"""

import asyncio
from dataclasses import asdict, replace
from datetime import timedelta

from unde_catalog.stages.availability.availability import STAGE, AvailabilityStage
from unde_catalog.stages.availability.pace import HostPace
from unde_catalog.stages.availability.protocols import protocol_for
from unde_catalog.stages.availability.store_api import StockApi
from unde_catalog.stages.availability.store_finder import StoreFinderUnavailable, fetch_stores
from unde_catalog.stages.configured import why_not_configured
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.staging.due_work.spreading import spread
from unde_catalog.stores.staging.stock import availability, brand_stores
from unde_catalog.worker.handler import StageStopped
from unde_catalog.worker.loop import run_worker
from unde_catalog.worker.report import StageReport

_SHARE_OF_GAP = 0.8  # of interval / products, so that late products catch up
_MAX_NAMED = 5  # stores in a note


class PastPartition(RuntimeError):
    """Stock can be checked only for the current day."""


def check_stock(stage_run: StageRun) -> StageReport:
    """Check the stock of a brand's due products, and poll for `poll_minutes`, at most until the end of the UTC day.

    Raises `StageStopped` for any day other than today, and if the stock API does not respond.
    """
    brand, backends, options, log = stage_run.brand, stage_run.backends, stage_run.options, stage_run.log
    settings, db = backends.settings, backends.db
    own = settings.brands[brand]
    if (note := why_not_configured(STAGE, brand, settings)) is not None:
        return StageReport(STAGE, brand, note=note)
    today, seconds_left = db.run(availability.today)
    if options.day is not None and options.day != today:
        what = "is over, and stock can be checked only today" if options.day < today else "has not begun"
        raise StageStopped(StageReport(STAGE, brand), PastPartition(f"{options.day} {what}; today (UTC) is {today}"))
    interval = timedelta(seconds=settings.availability_interval)
    moved = {
        reason: count
        for reason, count in asdict(spread(db, STAGE, brand, interval, level=options.poll_minutes is not None)).items()
        if count
    }
    if moved:
        named = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in moved.items())
        log.info("availability %s: products got a new slot in the interval: %s", brand, named)
    products = db.run(availability.active_products, brand)
    gap = min(settings.stock_request_gap, _SHARE_OF_GAP * settings.availability_interval / max(products, 1))
    api = StockApi(str(own.stock_api_url), own.user_agent, settings.stock_timeout, backends.clock)
    handler = AvailabilityStage(
        brand,
        api,
        protocol_for(own.stock_shape, own.stock_channel, own.stock_locale),
        own.stores,
        HostPace(db, api.host, gap, backends.clock),
        interval=interval,
        take_limit=settings.batch_size_of(STAGE),
    )
    poll_minutes = min(options.poll_minutes or 0, seconds_left / 60)
    return run_worker(handler, db, brand, replace(options, poll_minutes=poll_minutes), log, clock=backends.clock)


def find_stores(stage_run: StageRun) -> StageReport:
    """Write the brand's configured stores as its store finder describes them; `StageStopped` if it is unavailable.

    The note names stores in Dubai that are not configured, and configured stores that the finder does not list.
    """
    brand, backends = stage_run.brand, stage_run.backends
    own = backends.settings.brands[brand]
    report = StageReport("raw_stores", brand)
    if (note := why_not_configured("raw_stores", brand, backends.settings)) is not None:
        report.note = note
        return report
    try:
        found = asyncio.run(fetch_stores(brand, backends.settings))
    except StoreFinderUnavailable as unavailable:
        raise StageStopped(report, unavailable) from unavailable
    configured = [store for store in found.stores if store.store_id in own.stores]
    new, changed = backends.db.run(brand_stores.merge, brand, configured)
    report.counts.update(stores=len(configured), new=new, changed=changed, unreadable=found.unreadable)
    report.done = len(configured)
    notes = []
    unknown = sorted(set(own.stores) - {store.store_id for store in configured})
    if unknown:
        ids = ", ".join(map(str, unknown[:_MAX_NAMED]))
        notes.append(f"the store finder does not list {ids} of DUBAI_{brand.upper()}_STORES")
    others = [store for store in found.stores if store.store_id not in own.stores and store.city == "Dubai"]
    if others:
        named = ", ".join(f"{store.store_id} ({store.name})" for store in others[:_MAX_NAMED])
        notes.append(f"{len(others)} more in Dubai that DUBAI_{brand.upper()}_STORES does not list: {named}")
    report.note = "; ".join(notes)
    return report
