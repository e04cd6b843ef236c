"""Gathers the numbers of the report from the staging database, and records today's for later comparison.

The SQL is in `stores/staging/reports/`; `sections.py` decides how the numbers are shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from unde_catalog.stages.availability.recurring import recurring_intervals
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import host_pace, pauses
from unde_catalog.stores.staging.due_work.pauses import PausedWork
from unde_catalog.stores.staging.index import ximilar_rows
from unde_catalog.stores.staging.reports import catalog_days, runs, totals
from unde_catalog.stores.staging.reports.freshness import stage_times
from unde_catalog.stores.staging.reports.runs import Changes, LastRun
from unde_catalog.stores.staging.reports.totals import BrandTotals, StockTotals, StorageTotals

MAX_REASONS = 12  # the page shows these; `unde-catalog status` shows all
DAYS = 38  # a month, and a week of slack for days that were not recorded
_BIG = 200_000  # products; up to here the objects are counted for each report, which takes a second ...
_RECOUNT_AFTER = timedelta(days=1)  # ... and above it once a day


@dataclass(frozen=True, slots=True)
class _State:
    """What judging the freshness of a stage needs."""

    db: Database
    now: datetime
    work: Sequence[DueWork]
    paused: Sequence[PausedWork]


def gather(db: Database, settings: Settings) -> CatalogReport:
    """The catalogue now. Writes today's row of each brand in `catalog_days`."""
    now = db.run(totals.now)
    paused = db.run(pauses.all_pauses)
    failing, failing_products = db.run(totals.failing, DUE_STAGES, list(BRANDS), MAX_REASONS)
    state = _State(db, now, _work(db, now, paused), paused)
    last_runs = db.run(runs.last_runs, STAGES, list(BRANDS))
    today, this_month = db.run(ximilar_rows.credits_used)
    return CatalogReport(
        at=now,
        brands=_brands(db, settings, now),
        stages=STAGES,
        freshness={key: _freshness(state, run) for key, run in last_runs.items()},
        failing=failing,
        failing_products=failing_products,
        rejected=db.run(totals.rejected, list(BRANDS)),
        work=state.work,
        pauses=paused,
        slow_hosts=[host for host in db.run(host_pace.states) if host.pause > 0],
        credits_today=today,
        credits_month=this_month,
        credits_budget=settings.ximilar_monthly_credits,
        database_bytes=db.run(totals.database_bytes),
    )


def figures(report: CatalogReport) -> Mapping[str, int]:
    """The numbers that the UI plots over time, under the same names in every report."""
    return {
        **{name: report.total(name) for name in (*BrandTotals.__slots__, *StorageTotals.__slots__)},
        "in_stock": report.stock().in_stock,
        "due": sum(work.due for work in report.work),
        "failing": report.failing_products,
    }


def _brands(db: Database, settings: Settings, now: datetime) -> list[BrandReport]:
    """All brands. Today's row is written before the history is read, so that it is part of it."""
    brand_totals = db.run(totals.brand_totals)
    all_stored, counted_at = _stored(db, now, brand_totals)
    week, month = (db.run(runs.changes, timedelta(days=days)) for days in (7, 30))
    recurring = recurring_intervals(settings)
    # An unchanged response of a store is written again only once an hour, at the first check after it.
    max_age = 2 * max(recurring.values(), default=timedelta()) + timedelta(hours=1)
    all_stock = db.run(totals.stock, max_age) if recurring else {}
    reports = []
    for key, brand in BRANDS.items():
        own, stored = brand_totals.get(key, BrandTotals()), all_stored.get(key, StorageTotals())
        db.run(catalog_days.record, key, own, stored, counted_at)
        history = db.run(catalog_days.days, key, DAYS)
        week_ago, month_ago = (catalog_days.ago(history, history[-1].day, days) for days in (7, 30))
        growth = Growth(week_ago, month_ago, history, week.get(key, Changes()), month.get(key, Changes()))
        stock = all_stock.get(key, StockTotals()) if (key, "availability") in recurring else None
        reports.append(BrandReport(key, brand.name, own, stored, counted_at, stock, growth, brand.has_stores))
    return reports


def _stored(
    db: Database, now: datetime, brand_totals: Mapping[str, BrandTotals]
) -> tuple[Mapping[str, StorageTotals], datetime]:
    """The objects of each brand and when they were counted: now, or within a day where the catalogue is big."""
    if sum(one.active + one.inactive for one in brand_totals.values()) > _BIG:
        newest = {key: days[-1] for key in BRANDS if (days := db.run(catalog_days.days, key, 1))}
        counted_at = min((day.counted_at for day in newest.values()), default=None)
        if counted_at is not None and now - counted_at < _RECOUNT_AFTER:
            return {key: day.stored for key, day in newest.items()}, counted_at
    return db.run(totals.stored), now


def _work(db: Database, now: datetime, paused: Sequence[PausedWork]) -> list[DueWork]:
    due = db.run(totals.due, DUE_STAGES, list(BRANDS))
    rates = db.run(runs.rates, [(one.stage, one.brand) for one in due])
    work = []
    for one in due:
        rate = rates.get((one.stage, one.brand))
        active = one.leased > 0 or (rate is not None and now - rate.ended_at < STAGE_SPECS[one.stage].active_for)
        is_paused = pauses.why_paused(paused, one.stage, one.brand) is not None
        per_second = rate.per_second if rate is not None else 0.0
        work.append(DueWork(one.stage, one.brand, one.products, one.leased, per_second, active, is_paused))
    return work


def _freshness(state: _State, run: LastRun) -> StageFreshness:
    return StageFreshness(run.stage, run.brand, run.succeeded_at, _freshness_state(state, run), run.message)


def _freshness_state(state: _State, run: LastRun) -> FreshnessState:
    if STAGE_SPECS[run.stage].needs_stores and not BRANDS[run.brand].has_stores:
        return "no stores"
    if pauses.why_paused(state.paused, run.stage, run.brand) is not None:
        return "paused"
    if run.failed:
        return "failing"
    if run.message.startswith("not configured"):
        return "not configured"
    if run.succeeded_at is None:
        is_due = any((work.stage, work.brand) == (run.stage, run.brand) for work in state.work)
        return "late" if is_due else "never"
    lateness = lateness_of(run.stage, run.brand)
    if state.now - run.succeeded_at <= lateness.warn:
        return "fine"
    times = state.db.run(stage_times, run.stage, run.brand)
    return "late" if late_for(lateness, times) is not None else "fine"
