"""Runs of the two stages about shops: what is configured of a brand, put together and run.

How a product's stock is asked for is `availability.py`'s, how shops are found `shop_finder.py`'s.
"""

import asyncio
from dataclasses import asdict, replace
from datetime import timedelta

from unde_catalog.stages.availability.availability import STAGE, AvailabilityStage
from unde_catalog.stages.availability.pace import HostPace
from unde_catalog.stages.availability.protocols import protocol_for
from unde_catalog.stages.availability.shop_api import StockApi
from unde_catalog.stages.availability.shop_finder import StoreFinderUnavailable, fetch_stores
from unde_catalog.stages.configured import why_not_configured
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.staging.due_work.spreading import spread
from unde_catalog.stores.staging.stock import availability, brand_stores
from unde_catalog.worker.handler import StageStopped
from unde_catalog.worker.loop import run_worker
from unde_catalog.worker.report import StageReport

_SHARE_OF_GAP = (
    0.8  # of the time that a product has if all are to be asked within the interval: what is late catches up
)
_NAMED = 5  # shops in a note


class PastPartition(RuntimeError):
    """Stock is known of the present day only."""


def check_stock(stage_run: StageRun) -> StageReport:
    """Check what is due of a brand's stock, and go on for `poll_minutes`, at the longest to the end of the UTC day.

    `StageStopped` for another day than today, and where the shops' API does not answer at all.
    """
    brand, backends, options, log = stage_run.brand, stage_run.backends, stage_run.options, stage_run.log
    settings, db = backends.settings, backends.db
    own = settings.brands[brand]
    if (note := why_not_configured(STAGE, brand, settings)) is not None:
        return StageReport(STAGE, brand, note=note)
    today, left = db.run(availability.today)
    if options.day is not None and options.day != today:
        what = "is over: its stock can't be asked for any more" if options.day < today else "has not begun"
        raise StageStopped(StageReport(STAGE, brand), PastPartition(f"{options.day} {what}; today (UTC) is {today}"))
    interval = timedelta(seconds=settings.availability_interval)
    placed = {
        why: count
        for why, count in asdict(spread(db, STAGE, brand, interval, level=options.poll_minutes is not None)).items()
        if count
    }
    if placed:
        named = ", ".join(f"{count} {why.replace('_', ' ')}" for why, count in placed.items())
        log.info("availability %s: got a new place in the interval: %s", brand, named)
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
    stay = min(options.poll_minutes or 0, left / 60)
    return run_worker(handler, db, brand, replace(options, poll_minutes=stay), log, clock=backends.clock)


def find_stores(stage_run: StageRun) -> StageReport:
    """Write the brand's configured shops as its finder describes them; `StageStopped` where that can't be asked.

    The note names shops in Dubai that are not configured, and configured ones that the finder does not know.
    """
    brand, backends = stage_run.brand, stage_run.backends
    own = backends.settings.brands[brand]
    report = StageReport("raw_stores", brand)
    if (note := why_not_configured("raw_stores", brand, backends.settings)) is not None:
        report.note = note
        return report
    try:
        found = asyncio.run(fetch_stores(brand, backends.settings))
    except StoreFinderUnavailable as down:
        raise StageStopped(report, down) from down
    ours = [shop for shop in found.shops if shop.store_id in own.stores]
    new, changed = backends.db.run(brand_stores.merge, brand, ours)
    report.counts.update(shops=len(ours), new=new, changed=changed, unreadable=found.unreadable)
    report.done = len(ours)
    notes = []
    unknown = sorted(set(own.stores) - {shop.store_id for shop in ours})
    if unknown:
        notes.append(
            f"the finder does not know {', '.join(map(str, unknown[:_NAMED]))} of DUBAI_{brand.upper()}_STORES"
        )
    others = [shop for shop in found.shops if shop.store_id not in own.stores and shop.city == "Dubai"]
    if others:
        named = ", ".join(f"{shop.store_id} ({shop.name})" for shop in others[:_NAMED])
        notes.append(f"{len(others)} more in Dubai that DUBAI_{brand.upper()}_STORES does not name: {named}")
    report.note = "; ".join(notes)
    return report
