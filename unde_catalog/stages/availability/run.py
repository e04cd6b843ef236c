"""Runs of the two stages about shops: what is configured of a brand, put together and run.

How a product's stock is asked for is `availability.py`'s, how shops are found `shop_finder.py`'s.
"""

import asyncio
import logging
from dataclasses import asdict, replace
from datetime import timedelta

from unde_catalog.backends import Workplace
from unde_catalog.brands import BRANDS
from unde_catalog.stages.availability.availability import AvailabilityStage
from unde_catalog.stages.availability.configured import STAGE, why_not
from unde_catalog.stages.availability.pace import HostPace
from unde_catalog.stages.availability.protocols import shape_of
from unde_catalog.stages.availability.shop_api import ShopApi
from unde_catalog.stages.availability.shop_finder import FinderDown, find_shops
from unde_catalog.stores.staging.due_work.spreading import spread
from unde_catalog.stores.staging.stock import availability
from unde_catalog.stores.staging.stock import stores as shops
from unde_catalog.worker.handler import StageStopped
from unde_catalog.worker.loop import run_stage
from unde_catalog.worker.report import RunOptions, StageReport

_SHARE_OF_GAP = (
    0.8  # of the time that a product has if all are to be asked within the interval: what is late catches up
)
_NAMED = 5  # shops in a note


class NotToday(RuntimeError):
    """Stock is known of the present day only."""


def check_stock(brand: str, workplace: Workplace, options: RunOptions, log: logging.Logger) -> StageReport:
    """Check what is due of a brand's stock, and go on for `stay_minutes`, at the longest to the end of the UTC day.

    `StageStopped` for another day than today, and where the shops' API does not answer at all.
    """
    settings, db = workplace.settings, workplace.db
    own = settings.brands[brand]
    if (note := why_not(brand, own)) is not None:
        return StageReport(STAGE, brand, note=note)
    today, left = db.run(availability.today)
    if options.day is not None and options.day != today:
        what = "is over: its stock can't be asked for any more" if options.day < today else "has not begun"
        raise StageStopped(StageReport(STAGE, brand), NotToday(f"{options.day} {what}; today (UTC) is {today}"))
    interval = timedelta(seconds=settings.availability_interval)
    placed = {
        why: count
        for why, count in asdict(spread(db, STAGE, brand, interval, level=options.stay_minutes is not None)).items()
        if count
    }
    if placed:
        named = ", ".join(f"{count} {why.replace('_', ' ')}" for why, count in placed.items())
        log.info("availability %s: got a new place in the interval: %s", brand, named)
    products = db.run(availability.active_products, brand)
    gap = min(settings.stock_request_gap, _SHARE_OF_GAP * settings.availability_interval / max(products, 1))
    api = ShopApi(str(own.stock_api_url), own.user_agent, settings.stock_timeout, workplace.waiting)
    handler = AvailabilityStage(
        brand,
        api,
        shape_of(own.stock_shape, own.stock_channel, own.stock_locale),
        own.stores,
        HostPace(db, api.host, gap, workplace.waiting),
        interval=interval,
        take_at_most=settings.batch_size_of(STAGE),
    )
    stay = min(options.stay_minutes or 0, left / 60)
    return run_stage(handler, db, brand, replace(options, stay_minutes=stay), log, waiting=workplace.waiting)


def find_stores(brand: str, workplace: Workplace) -> StageReport:
    """Write the brand's configured shops as its finder describes them; `StageStopped` where that can't be asked.

    The note names shops in Dubai that are not configured, and configured ones that the finder does not know.
    """
    own = workplace.settings.brands[brand]
    report = StageReport("raw_stores", brand)
    if (none := BRANDS[brand].why_no_shops) is not None:
        report.note = none
        return report
    if own.shop_finder_url is None and own.stock_api_url is None:
        report.note = f"not configured: set {brand.upper()}_SHOP_FINDER_URL"
        return report
    try:
        found = asyncio.run(find_shops(brand, workplace.settings))
    except FinderDown as down:
        raise StageStopped(report, down) from down
    ours = [shop for shop in found.shops if shop.store_id in own.stores]
    new, changed = workplace.db.run(shops.merge, brand, ours)
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
