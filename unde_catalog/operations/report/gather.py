"""Gathers the numbers of the report from the staging database, and keeps today's for the days to come.

The queries are `staging/`'s; how it all is shown is not here.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from unde_catalog.brands import BRANDS
from unde_catalog.operations.quality.freshness import late_for
from unde_catalog.operations.report.numbers import (
    BrandReport,
    CatalogReport,
    DueWork,
    FreshnessState,
    Growth,
    StageFreshness,
)
from unde_catalog.settings.environment import Settings
from unde_catalog.stage_specs import DUE_STAGES, STAGE_SPECS, STAGES, lateness_of
from unde_catalog.stages.availability import recurring as due_state
from unde_catalog.stages.availability.configured import STAGE as AVAILABILITY
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import host_pace, pauses
from unde_catalog.stores.staging.due_work.pauses import PausedWork
from unde_catalog.stores.staging.index import ximilar_rows
from unde_catalog.stores.staging.reports import catalog_days, runs, totals
from unde_catalog.stores.staging.reports.freshness import stage_times
from unde_catalog.stores.staging.reports.runs import Changes, LastRun
from unde_catalog.stores.staging.reports.totals import BrandTotals, StockTotals, StorageTotals

REASONS = 12  # shown; the others are in `status`
DAYS = 38  # a month, and a week of slack for what nobody looked at
_BIG = 200_000  # products: the objects of a smaller catalogue are counted in a second ...
_COUNT_AGAIN = timedelta(days=1)  # ... and those of a bigger one once a day


def gather(db: Database, settings: Settings) -> CatalogReport:
    """The catalogue now; today's row of each brand in `catalog_days` is written."""
    now = db.run(totals.now)
    held_up = db.run(pauses.all_pauses)
    failing, failing_products = db.run(totals.failing, DUE_STAGES, list(BRANDS), REASONS)
    work = _work(db, now, held_up)
    last = db.run(runs.last_runs, STAGES, list(BRANDS))
    today, this_month = db.run(ximilar_rows.credits_used)
    return CatalogReport(
        at=now,
        brands=_brands(db, settings, now),
        stages=STAGES,
        freshness={key: _fresh(db, run, now, work, held_up) for key, run in last.items()},
        failing=failing,
        failing_products=failing_products,
        rejected=db.run(totals.rejected, list(BRANDS)),
        work=work,
        pauses=held_up,
        slow_hosts=[one for one in db.run(host_pace.states) if one.pause > 0],
        credits_today=today,
        credits_month=this_month,
        credits_budget=settings.ximilar_monthly_credits,
        database_bytes=db.run(totals.database_bytes),
    )


def _brands(db: Database, settings: Settings, now: datetime) -> list[BrandReport]:
    """All of them; today's rows are written before the days are read."""
    standings = db.run(totals.brand_totals)
    stored, counted_at = _stored(db, now, standings)
    week, month = (db.run(runs.changes, timedelta(days=days)) for days in (7, 30))
    recurring = due_state.recurring_intervals(settings)
    # An unchanged answer of a shop is written down again once an hour, at the first check after it.
    age = 2 * max(recurring.values(), default=timedelta()) + timedelta(hours=1)
    stock = db.run(totals.stock, age) if recurring else {}
    found = []
    for key, brand in BRANDS.items():
        standing, objects = standings.get(key, BrandTotals()), stored.get(key, StorageTotals())
        db.run(catalog_days.record, key, standing, objects, counted_at)
        known = db.run(catalog_days.days, key, DAYS)
        week_ago, month_ago = (catalog_days.ago(known, known[-1].day, days) for days in (7, 30))
        growth = Growth(week_ago, month_ago, known, week.get(key, Changes()), month.get(key, Changes()))
        in_shops = stock.get(key, StockTotals()) if (key, AVAILABILITY) in recurring else None
        report = BrandReport(key, brand.name, standing, objects, counted_at, in_shops, growth, brand.has_stores)
        found.append(report)
    return found


def _stored(
    db: Database, now: datetime, standings: Mapping[str, BrandTotals]
) -> tuple[Mapping[str, StorageTotals], datetime]:
    """Each brand's objects and when they were counted: now, where the catalogue is big once a day."""
    if sum(one.active + one.inactive for one in standings.values()) > _BIG:
        newest = {key: known[-1] for key in BRANDS if (known := db.run(catalog_days.days, key, 1))}
        counted_at = min((one.counted_at for one in newest.values()), default=None)
        if counted_at is not None and now - counted_at < _COUNT_AGAIN:
            return {key: one.stored for key, one in newest.items()}, counted_at
    return db.run(totals.stored), now


def _work(db: Database, now: datetime, held_up: Sequence[PausedWork]) -> list[DueWork]:
    due = db.run(totals.due, DUE_STAGES, list(BRANDS))
    rates = db.run(runs.rates, [(one.stage, one.brand) for one in due])
    found = []
    for one in due:
        rate = rates.get((one.stage, one.brand))
        going = one.in_hand > 0 or (rate is not None and now - rate.ended_at < STAGE_SPECS[one.stage].active_for)
        paused = pauses.why_paused(held_up, one.stage, one.brand) is not None
        per_second = rate.per_second if rate is not None else 0.0
        found.append(DueWork(one.stage, one.brand, one.products, one.in_hand, per_second, going, paused))
    return found


def _fresh(
    db: Database, run: LastRun, now: datetime, work: Sequence[DueWork], held_up: Sequence[PausedWork]
) -> StageFreshness:
    return StageFreshness(run.stage, run.brand, run.succeeded_at, _state(db, run, now, work, held_up), run.said)


def _state(
    db: Database, run: LastRun, now: datetime, work: Sequence[DueWork], held_up: Sequence[PausedWork]
) -> FreshnessState:
    if STAGE_SPECS[run.stage].needs_stores and not BRANDS[run.brand].has_stores:
        return "no shops"
    is_due = any((one.stage, one.brand) == (run.stage, run.brand) for one in work)
    if pauses.why_paused(held_up, run.stage, run.brand) is not None:
        return "paused"
    if run.failed:
        return "failing"
    if run.said.startswith("not configured"):
        return "not configured"
    if run.succeeded_at is None:
        return "late" if is_due else "never"
    lateness = lateness_of(run.stage, run.brand)
    if now - run.succeeded_at <= lateness.warn:
        return "fine"
    return "late" if late_for(lateness, db.run(stage_times, run.stage, run.brand)) is not None else "fine"


def counted(report: CatalogReport) -> Mapping[str, int]:
    """The numbers that are worth a curve, under the same names in every report."""
    shops = report.shops()
    return {
        **{name: report.total(name) for name in (*BrandTotals.__slots__, *StorageTotals.__slots__)},
        "in_stock": shops.in_stock,
        "due": sum(one.due for one in report.work),
        "failing": report.failing_products,
    }
